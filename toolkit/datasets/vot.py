"""VOT's download layout, short-term and long-term: ``list.txt`` and ``<sequence>/groundtruth.txt``.

Images lie in ``<sequence>/color/`` or beside the annotations; a frame tag is a file ``<tag>.tag`` or
``<tag>.label`` with 0 or 1 per frame, shorter than the sequence if the rest is 0.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from toolkit.datasets.entry import Entry, read_numbers, read_text
from toolkit.errors import DatasetError
from toolkit.metrics.eao import FRAME_TAGS
from toolkit.regions import Regions
from toolkit.results import read_rows
from toolkit.sequence import Frames, Sequence


def read(root: Path, subset: str = "") -> list[Entry]:
    """Find the sequences that list.txt names, or all folders if there is no list.

    Raises:
        DatasetError: the list cannot be read.
    """
    listing = root / "list.txt"
    if listing.is_file():
        names = read_text(listing).split()
    else:
        names = sorted(file.parent.name for file in root.glob("*/groundtruth.txt"))
    return [Entry(name, partial(_sequence, root / name)) for name in names]


def _sequence(folder: Path) -> Sequence:
    file = folder / "groundtruth.txt"
    rows = read_rows(file, allow_nan=True, error=DatasetError)
    wrong = next((line for line, row in enumerate(rows, 1) if len(row) not in (4, 8) and row != [0.0]), None)
    if wrong is not None:
        raise DatasetError(f"{file} line {wrong}: expected 4 or 8 numbers, got {len(rows[wrong - 1])}")
    images = folder / "color"
    frames = Frames(images if images.is_dir() else folder, count=len(rows))
    tags = {tag: mask for tag in FRAME_TAGS if (mask := _tag(folder, tag, len(rows))) is not None}
    return Sequence(folder.name, frames, Regions.from_rows(rows), tags=tags)


def _tag(folder: Path, tag: str, frames: int) -> NDArray[np.bool_] | None:
    for suffix in (".tag", ".label"):
        file = folder / f"{tag}{suffix}"
        if file.is_file() and file.stat().st_size:
            marked = read_numbers(file)[:frames] != 0
            return np.pad(marked, (0, frames - len(marked)))
    return None
