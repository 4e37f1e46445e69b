"""The console command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

import pysot.__main__ as console


@pytest.fixture(autouse=True)
def own_argv(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["pysot"])


def test_without_a_tool_it_lists_them_and_fails(capsys):
    assert console.main([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage: pysot {")
    assert {"convert", "demo", "zoo"} <= set(captured.err.split("{")[1].split("}")[0].split(","))


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(flag, capsys):
    assert console.main([flag]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "'pysot TOOL --help' explains a tool." in captured.out


@pytest.mark.parametrize("word", ["nothing", "../zoo", "zoo.py", ""])
def test_an_unknown_tool_fails(word, capsys):
    assert console.main([word]) == 2
    assert capsys.readouterr().err.startswith("usage: pysot {")


def test_a_tool_runs_with_the_remaining_words_and_returns_its_code(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PYSOT_CACHE", str(tmp_path))
    assert console.main(["zoo", "list"]) == 0
    assert "siammask_r50_l3" in capsys.readouterr().out
    assert console.main(["zoo", "fetch", "nothing"]) == 2


def test_a_tool_is_called_what_the_user_typed(capsys):
    with pytest.raises(SystemExit) as caught:
        console.main(["convert", "--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("usage: pysot convert [-h]")


def test_a_tool_does_not_touch_the_search_path():
    """Inside an installed copy its parent folder is pysot itself, whose modules would hide others of the same names."""
    before = list(sys.path)
    for name in ("zoo", "convert", "demo"):
        with pytest.raises(SystemExit):
            console.main([name, "--help"])
    assert sys.path == before


def test_python_m_pysot(repo_root, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pysot", "zoo", "list"],
        env={**os.environ, "PYTHONPATH": str(repo_root), "PYSOT_CACHE": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "mobilenet_v2" in done.stdout


@pytest.mark.slow
def test_an_installed_copy_has_its_tools_and_experiments(repo_root, tmp_path):
    """Not an editable one, and looked at from outside of the checkout."""
    pytest.importorskip("setuptools")
    source, target = tmp_path / "source", tmp_path / "target"
    for folder in ("pysot", "toolkit", "tools", "experiments"):
        shutil.copytree(repo_root / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(repo_root / file, source / file)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True, capture_output=True)

    def run(*argv):
        environment = {**os.environ, "PYTHONPATH": str(target), "PYSOT_CACHE": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, *argv], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert "siammask_r50_l3" in run("-m", "pysot", "zoo", "list")
    for tool in sorted(file.stem for file in (repo_root / "tools").glob("[a-z]*.py")):
        assert run("-m", "pysot", tool, "--help").startswith(f"usage: pysot {tool}")
    check = "import pysot; print(pysot.__file__, pysot.load_cfg('siamrpn_r50').RPN.TYPE)"
    assert run("-c", check) == f"{target / 'pysot' / '__init__.py'} MultiRPN\n"
    names = {file.parent.name for file in (repo_root / "experiments").glob("*/config.yaml")}
    listed = run("-c", "from pysot.config.load import experiment_names; print(*experiment_names())")
    assert set(listed.split()) == names
