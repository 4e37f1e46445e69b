"""What the prepare scripts have in common: the arguments, the bar, the last lines."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from pysot.datasets.curation.backgrounds import Backgrounds
from pysot.datasets.curation.clips import Clip
from pysot.datasets.curation.curate import curate
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
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130


def prepare(
    args: argparse.Namespace,
    splits: Mapping[str, Callable[[], list[Clip]]],
    backgrounds: Backgrounds | None = None,
    images: Path | None = None,
    files: Mapping[str, Path] | None = None,
) -> int:
    """Crop the clips of each split into ``args.output``; return 0, or 1 if something could not be used.

    Args:
        args: ``output``, ``workers``, ``step`` and ``source``.
        splits: By the name of the annotation file what reads its clips.
        backgrounds: What fills crops outside of the frame; None for the frame's mean colour.
        images: The folder of the clips' frames, where it is given beside ``args.source``.
        files: By the split, the one file that its annotations are in, where ``args.source`` is a folder.
    """
    status = 0
    for split, read in splits.items():
        clips = read()
        source = (files or {}).get(split, args.source)
        with bar(len(clips), split) as progress:
            done = curate(clips, source, args.output, split, args.step, args.workers, progress, backgrounds, images)
        print(f"{done.annotations}: {done.crops} crops of {done.clips} videos or images")
        if done.problems:
            status = 1
            report = args.output / f"{split}.problems.json"
            print(
                f"{len(done.problems)} could not be used, first: {done.problems[0]}\nall in {report}", file=sys.stderr
            )
    return status


def add_source(parser: argparse.ArgumentParser, source: Path, step: int = 1) -> None:
    """Add the arguments of sets that are read from elsewhere."""
    parser.add_argument("source", type=Path, nargs="?", default=source, help="the unpacked set (default: %(default)s)")
    parser.add_argument(
        "--step", type=positive, default=step, metavar="N", help="every Nth annotated frame (default: %(default)s)"
    )
