"""UAV123's download layout: ``anno/UAV123/<sequence>.txt`` and ``data_seq/UAV123/<folder>/``; also UAV20L.

Beside the boxes, ``att/<sequence>.txt`` has 0 or 1 for each of twelve attributes of the whole sequence.

Some sequences are parts of one folder of images; the first image of each part is listed here (counted from 1),
its length is that of its annotations. A line of NaN means that the target is out of view.

Source: Mueller, Smith and Ghanem, "A Benchmark and Simulator for UAV Tracking", ECCV 2016, and its sequence table.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from toolkit.datasets.entry import Entry, read_numbers
from toolkit.errors import DatasetError
from toolkit.regions import Regions
from toolkit.results import read_boxes
from toolkit.sequence import Frames, Sequence

PART_STARTS = {
    "bird1": (1, 775, 1573),
    "car1": (1, 751, 1627),
    "car16": (1, 415),
    "car6": (1, 487, 1807, 2953, 3925),
    "car8": (1, 1357),
    "group1": (1, 1333, 2515, 3925),
    "group2": (1, 907, 1771),
    "group3": (1, 1567, 2827, 4369),
    "person12": (1, 601),
    "person14": (1, 847, 1813),
    "person17": (1, 1501),
    "person19": (1, 1243, 2791),
    "person2": (1, 1189),
    "person4": (1, 1501),
    "person5": (1, 877),
    "person7": (1, 1249),
    "person8": (1, 1075),
    "truck4": (1, 577),
    "uav1": (1, 1555, 2473),
}
"""Image folder to the first image of its parts _1, _2, ..."""

ATTRIBUTES = ("SV", "ARC", "LR", "FM", "FOC", "POC", "OV", "BC", "IV", "VC", "CM", "SOB")
"""Scale Variation, Aspect Ratio Change, Low Resolution, Fast Motion, Full Occlusion, Partial Occlusion, Out-of-View,
Background Clutter, Illumination Variation, Viewpoint Change, Camera Motion, Similar Object, in the files' order."""


def read(root: Path, subset: str) -> list[Entry]:
    """Find every sequence that is annotated for UAV123 or UAV20L."""
    files = sorted((root / "anno" / subset).glob("*.txt"))
    return [Entry(file.stem, partial(_sequence, root, file)) for file in files]


def _sequence(root: Path, file: Path) -> Sequence:
    boxes = read_boxes(file, allow_nan=True, error=DatasetError)
    folder, _, part = file.stem.rpartition("_")
    start = 1
    if folder in PART_STARTS and part.isdigit():
        starts = PART_STARTS[folder]
        if not 1 <= int(part) <= len(starts):
            raise DatasetError(f"{file}: part {part} of {folder}, which has {len(starts)} parts")
        start = starts[int(part) - 1]
    else:
        folder = file.stem
    frames = Frames(root / "data_seq" / "UAV123" / folder, start=start - 1, count=len(boxes))
    return Sequence(file.stem, frames, Regions.from_array(boxes), attributes=_attributes(file))


def _attributes(file: Path) -> tuple[str, ...]:
    """Return the attributes of a sequence by its annotation file; none if the flags are not there."""
    flags = file.parent / "att" / file.name
    if not flags.is_file():
        return ()
    numbers = read_numbers(flags)
    if len(numbers) != len(ATTRIBUTES):
        raise DatasetError(f"{flags}: {len(numbers)} flags, expected {len(ATTRIBUTES)}, one per attribute")
    return tuple(name for name, flag in zip(ATTRIBUTES, numbers, strict=True) if flag)
