"""TrackingNet's download layout: ``TEST/anno/<sequence>.txt``, the first box, and ``TEST/frames/<sequence>/``.

Source: Mueller et al., "TrackingNet", ECCV 2018.
"""

from __future__ import annotations

from pathlib import Path

from toolkit.errors import DatasetError
from toolkit.regions import Regions
from toolkit.results import read_boxes
from toolkit.sequence import Frames, Sequence


def read(root: Path, subset: str) -> list[Sequence]:
    """Read every annotated sequence of a chunk, such as "TEST".

    Raises:
        DatasetError: an annotation file is malformed.
    """
    chunk = root / subset if (root / subset).is_dir() else root
    sequences = []
    for file in sorted((chunk / "anno").glob("*.txt")):
        boxes = read_boxes(file, error=DatasetError)
        frames = Frames(chunk / "frames" / file.stem, count=len(boxes) if len(boxes) > 1 else None)
        sequences.append(Sequence(file.stem, frames, Regions.from_array(boxes)))
    return sequences
