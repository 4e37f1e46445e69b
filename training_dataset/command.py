"""What the prepare scripts have in common: the arguments, the bar, the last lines."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from pysot.utils import PysotError

Progress = Callable[[int], None]


def new_parser(doc: str | None, output: Path) -> argparse.ArgumentParser:
    """Return a parser with the arguments that all prepare scripts take."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=output, metavar="DIR", help="default: %(default)s")
    parser.add_argument(
        "--workers", type=positive, default=os.cpu_count() or 1, metavar="N", help="processes (default: one per core)"
    )
    return parser


def positive(text: str) -> int:
    """Return a whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return number


@contextmanager
def bar(total: int, title: str, unit: str = "video") -> Iterator[Progress]:
    """Show a progress bar on stderr."""
    with tqdm(total=total, desc=title, unit=f" {unit}", dynamic_ncols=True, file=sys.stderr) as shown:
        yield lambda count: (shown.update(count), None)[1]


def run(work: Callable[[], int]) -> int:
    """Return what ``work`` returns; of a mistake of the user's, one line and 2."""
    try:
        return work()
    except (PysotError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
