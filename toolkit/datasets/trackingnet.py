"""TrackingNet's download layout: ``TEST/anno/<sequence>.txt``, the first box, and ``TEST/frames/<sequence>/``.

Source: Mueller et al., "TrackingNet", ECCV 2018.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from toolkit.datasets.entry import Entry
from toolkit.errors import DatasetError
from toolkit.regions import Regions
from toolkit.results import read_boxes
from toolkit.sequence import Frames, Sequence


def read(root: Path, subset: str) -> list[Entry]:
    """Find every annotated sequence of a chunk, such as "TEST"."""
    chunk = root / subset if (root / subset).is_dir() else root
    files = sorted((chunk / "anno").glob("*.txt"))
    return [Entry(file.stem, partial(_sequence, file, chunk / "frames" / file.stem)) for file in files]


def _sequence(file: Path, images: Path) -> Sequence:
    boxes = read_boxes(file, error=DatasetError)
    frames = Frames(images, count=len(boxes) if len(boxes) > 1 else None)
    return Sequence(file.stem, frames, Regions.from_array(boxes))
