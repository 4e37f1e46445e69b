"""The toolkit scores results on a machine that has neither PyTorch nor the trackers."""

import subprocess
import sys

import pytest

BLOCKED = ("torch", "pysot", "yacs")


@pytest.mark.parametrize("module", ["toolkit.evaluate", "toolkit.results", "toolkit.overlap"])
def test_works_where_they_cannot_be_imported(module, repo_root):
    block = "; ".join(f"sys.modules[{name!r}] = None" for name in BLOCKED)
    command = [sys.executable, "-c", f"import sys; {block}; import {module}"]
    done = subprocess.run(command, cwd=repo_root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_file_names_them(repo_root):
    for file in (repo_root / "toolkit").rglob("*.py"):
        imported = [
            line.split()[1].split(".")[0]
            for line in file.read_text().splitlines()
            if line.startswith(("import ", "from "))
        ]
        assert not set(imported) & set(BLOCKED), file
