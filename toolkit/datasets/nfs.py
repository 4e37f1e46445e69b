"""Need for Speed's download layout: ``<sequence>/<rate>/<sequence>.txt`` and ``<sequence>/<rate>/<sequence>/``.

A line has a number, left, top, right, bottom, the frame and flags. Some 30 Hz files are annotated at 240 Hz: then
every eighth line counts.

Source: Galoogahi et al., "Need for Speed", ICCV 2017.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from toolkit.datasets.entry import Entry, read_text
from toolkit.errors import DatasetError
from toolkit.regions import Regions
from toolkit.sequence import Frames, Sequence

RATE_RATIO = 8


def read(root: Path, subset: str) -> list[Entry]:
    """Find every sequence at the rate ``subset``, "30" or "240"."""
    return [Entry(file.stem, partial(_sequence, file)) for file in sorted(root.glob(f"*/{subset}/*.txt"))]


def _sequence(file: Path) -> Sequence:
    corners = []
    for number, line in enumerate(read_text(file).splitlines(), 1):
        try:
            left, top, right, bottom = map(float, line.split()[1:5])
        except ValueError:
            raise DatasetError(
                f"{file} line {number}: expected a number and left, top, right, bottom, got {line[:60]!r}"
            ) from None
        corners.append((left, top, right - left, bottom - top))
    images = Frames(file.parent / file.stem)
    boxes = np.array(corners).reshape(-1, 4)
    if images.paths and abs(len(boxes) / len(images) - RATE_RATIO) < 1:
        boxes = boxes[::RATE_RATIO]
    count = min(len(boxes), len(images)) if abs(len(boxes) - len(images)) <= 1 else len(boxes)
    return Sequence(file.stem, Frames(images.folder, count=count), Regions.from_array(boxes[:count]))
