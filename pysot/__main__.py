"""The console command ``pysot TOOL ...``: the scripts of tools/ for installed copies.

In a checkout, ``python tools/TOOL.py ...`` does the same.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path


def tools_folder() -> Path:
    """Return the folder of the tools: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "tools"
    return inside if inside.is_dir() else package.parent / "tools"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a tool with the remaining arguments and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    folder = tools_folder()
    names = sorted(path.stem for path in folder.glob("[a-z]*.py"))
    if not arguments or arguments[0] not in names:
        asked_for_help = bool(arguments) and arguments[0] in ("-h", "--help")
        print(
            f"usage: pysot {{{','.join(names)}}} ...\n\n'pysot TOOL --help' explains a tool.",
            file=sys.stdout if asked_for_help else sys.stderr,
        )
        return 0 if asked_for_help else 2
    # The name makes it part of a package, in a checkout as well: a tool puts the repository root on sys.path only when
    # it runs as a file. From an installed copy that would be pysot's own folder, whose modules would hide others.
    name = f"pysot.tools.{arguments[0]}"
    spec = importlib.util.spec_from_file_location(name, folder / f"{arguments[0]}.py")
    tool = sys.modules[name] = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]  # the file is there
    spec.loader.exec_module(tool)  # type: ignore[union-attr]
    sys.argv[0] = f"pysot {arguments[0]}"  # what the tool's help says it is called
    return int(tool.main(arguments[1:]))


if __name__ == "__main__":
    sys.exit(main())
