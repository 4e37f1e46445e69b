"""List, fetch and check the public checkpoints."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a file: the packages lie beside tools/, installed or not
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pysot.utils import PysotError
from pysot.zoo import (
    DEFAULT_MODEL,
    FileState,
    ZooEntry,
    add_file,
    cache_folder,
    cached_path,
    check,
    entries,
    fetch,
    get_entry,
)

_HEADLINE = {"eao": "EAO", "success": "success", "f1": "F1"}

_EPILOG = """\
examples:
  python tools/zoo.py list                                  what there is, and what is already here
  python tools/zoo.py fetch siammask_r50_l3                 download it once; prints its path
  python tools/zoo.py fetch siamrpn_alex_dwxcorr --from ~/Downloads/model.pth
                                                            take in a file you downloaded by hand
  python tools/zoo.py verify                                hash every cached file again

Files are kept in $PYSOT_CACHE, or else in the user's cache folder (~/.cache/pysot/zoo on Linux).
Exit status: 0 all is well, 1 verify found a wrong or missing file, 2 the command could not be done.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="{list,fetch,verify}")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--cache-dir", metavar="DIR", help="keep the files here instead")
    lister = commands.add_parser("list", parents=[shared], help="show every checkpoint")
    lister.add_argument("--json", action="store_true", help="everything that is known, for programs")
    fetcher = commands.add_parser("fetch", parents=[shared], help="get one and print its path")
    fetcher.add_argument("name", help="a name that `list` shows, or default")
    fetcher.add_argument("--from", dest="source", metavar="FILE", help="take it from this file, checked the same")
    fetcher.add_argument("--quiet", action="store_true", help="show no progress")
    verifier = commands.add_parser("verify", parents=[shared], help="hash cached files again")
    verifier.add_argument("names", nargs="*", metavar="NAME", help="default: all that are here")
    return parser.parse_args(argv)


def _as_json(entry: ZooEntry, cache_dir: str | None) -> dict[str, object]:
    path = cached_path(entry, cache_dir)
    return {
        "name": entry.name,
        "kind": entry.kind,
        "config": entry.config,
        "sources": [str(source) for source in entry.sources],
        "sha256": entry.sha256,
        "size_bytes": entry.size_bytes,
        "licence": entry.licence,
        "published": entry.published,
        "published_source": entry.published_source,
        "note": entry.note,
        "path": str(path),
        "cached": path.is_file(),
    }


def _row(entry: ZooEntry, cache_dir: str | None) -> tuple[str, ...]:
    path = cached_path(entry, cache_dir)
    cached = path.is_file()
    size = path.stat().st_size if cached else entry.size_bytes
    figures = [
        f"{benchmark} {_HEADLINE[metric]} {value:.3f}"
        for benchmark, metrics in entry.published.items()
        for metric, value in metrics.items()
        if metric in _HEADLINE
    ]
    return (
        f"{entry.name} (default)" if entry.name == DEFAULT_MODEL else entry.name,
        entry.config or f"({entry.kind})",
        "?" if size is None else f"{size / 1e6:.1f} MB",
        ("shipped" if entry.local is not None else "yes") if cached else "no",
        entry.licence,
        ", ".join(figures) or "-",
    )


def _list(args: argparse.Namespace) -> int:
    if args.json:
        print(json.dumps([_as_json(entry, args.cache_dir) for entry in entries()], indent=2))
        return 0
    header = ("name", "config", "size", "here", "licence", "published by its authors")
    rows = [header, *(_row(entry, args.cache_dir) for entry in entries())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print(f"\ncache: {cache_folder(args.cache_dir)}")
    return 0


def _fetch(args: argparse.Namespace) -> int:
    if args.source is None:
        print(fetch(args.name, cache_dir=args.cache_dir, quiet=args.quiet))
    else:
        print(add_file(args.name, args.source, cache_dir=args.cache_dir))
    return 0


def _verify(args: argparse.Namespace) -> int:
    chosen = [get_entry(name) for name in args.names] or entries()
    reports = [check(entry, args.cache_dir) for entry in chosen]
    if not args.names:
        reports = [report for report in reports if report.state is not FileState.ABSENT]
    for report in reports:
        detail = f" ({report.detail})" if report.detail else ""
        print(f"{report.state.value:<10}  {report.entry.name}  {report.path}{detail}")
    if not args.names and all(report.entry.local is not None for report in reports):
        print(f"nothing is cached in {cache_folder(args.cache_dir)}")
    return int(any(report.state in (FileState.WRONG, FileState.ABSENT) for report in reports))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    args = parse_args(argv)
    try:
        return {"list": _list, "fetch": _fetch, "verify": _verify}[args.command](args)
    except (PysotError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the cache is as it was", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
