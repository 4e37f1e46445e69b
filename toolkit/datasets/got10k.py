"""GOT-10k's download layout: ``<subset>/list.txt`` and ``<subset>/<sequence>/groundtruth.txt`` with images beside.

``cover.label`` grades the visible part from 0, nothing, to 8; ``meta_info.ini`` has the image size. The test set
has the ground truth of the first frame only.

Source: Huang, Zhao and Huang, "GOT-10k", TPAMI 2019.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from toolkit.datasets.entry import Entry, read_numbers, read_text
from toolkit.errors import DatasetError
from toolkit.regions import Regions
from toolkit.results import read_boxes
from toolkit.sequence import Frames, Sequence


def read(root: Path, subset: str) -> list[Entry]:
    """Find the sequences of "val" or "test".

    Raises:
        DatasetError: the list cannot be read.
    """
    folder = root / subset
    listing = folder / "list.txt"
    if listing.is_file():
        names = read_text(listing).split()
    else:
        names = sorted(file.parent.name for file in folder.glob("*/groundtruth.txt"))
    return [Entry(name, partial(_sequence, folder / name)) for name in names]


def _sequence(folder: Path) -> Sequence:
    boxes = read_boxes(folder / "groundtruth.txt", error=DatasetError)
    cover = folder / "cover.label"
    visible = None
    if cover.is_file() and len(boxes) > 1:
        visible = read_numbers(cover, len(boxes)) > 0
    frames = Frames(folder, count=len(boxes) if len(boxes) > 1 else None)
    return Sequence(folder.name, frames, Regions.from_array(boxes), visible=visible, annotated_size=_resolution(folder))


def _resolution(folder: Path) -> tuple[int, int] | None:
    meta = folder / "meta_info.ini"
    text = read_text(meta) if meta.is_file() else ""
    found = re.search(r"resolution\s*[:=]\s*\((\d+),\s*(\d+)\)", text)
    return (int(found[1]), int(found[2])) if found else None
