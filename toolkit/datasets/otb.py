"""OTB's download layout: ``<sequence>/groundtruth_rect.txt`` and ``<sequence>/img/``.

Two sequences hold two targets each, with one numbered annotation file per target; a few are annotated only on
part of their frames. Boxes stay as the files have them, counted from 1, as they are in the JSON annotations and
in every published table.

Source: Wu, Lim and Yang, "Object Tracking Benchmark", TPAMI 2015, and its sequence list.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from toolkit.datasets.entry import Entry
from toolkit.errors import DatasetError
from toolkit.regions import Regions
from toolkit.results import read_boxes
from toolkit.sequence import Frames, Sequence

FIRST_IMAGE = {"David": 299, "Tiger1": 5}
"""Images before the first annotated frame."""
FIRST_ANNOTATION = {"Tiger1": 5}
"""Annotations before the first that counts."""

_OTB50 = """Basketball Biker Bird1 BlurBody BlurCar2 BlurFace BlurOwl Bolt Box Car1 Car4 CarDark CarScale ClifBar
Couple Crowds David Deer Diving DragonBaby Dudek Football Freeman4 Girl Human3 Human4-2 Human6 Human9 Ironman Jump
Jumping Liquor Matrix MotorRolling Panda RedTeam Shaking Singer2 Skating1 Skating2-1 Skating2-2 Skiing Soccer Surfer
Sylvester Tiger2 Trellis Walking Walking2 Woman"""
_CVPR13 = """Basketball Bolt Boy Car4 CarDark CarScale Coke Couple Crossing David David2 David3 Deer Dog1 Doll Dudek
FaceOcc1 FaceOcc2 Fish FleetFace Football Football1 Freeman1 Freeman3 Freeman4 Girl Ironman Jogging-1 Jogging-2
Jumping Lemming Liquor Matrix Mhyang MotorRolling MountainBike Shaking Singer1 Singer2 Skating1 Skiing Soccer Subway
Suv Sylvester Tiger1 Tiger2 Trellis Walking Walking2 Woman"""
SUBSETS = {"OTB50": frozenset(_OTB50.split()), "CVPR13": frozenset(_CVPR13.split())}


def read(root: Path, subset: str) -> list[Entry]:
    """Find every sequence, or those of a subset, sorted by name."""
    entries = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        for file in sorted(folder.glob("groundtruth*.txt")):
            name = target_name(folder.name, file)
            if name is not None and name in SUBSETS.get(subset, {name}):
                entries.append(Entry(name, partial(_sequence, name, folder, file)))
    return entries


def target_name(folder: str, file: Path) -> str | None:
    """Return the sequence that an annotation file is for; None for an empty file.

    Of a folder with several targets, the JSON annotations and result files append the target's number. Where the
    tree was prepared for PySOT, the folders are copied and carry the number themselves.
    """
    if not file.read_bytes().strip():
        return None
    target = target_number(file)
    own_number = folder.rpartition("-")[2]
    if target and "-" in folder and own_number.isdigit():
        return folder if own_number == target else None
    return f"{folder}-{target}" if target else folder


def target_number(file: Path) -> str:
    """Return the number of the target that an annotation file is for; empty if it has none.

    Example:
        >>> target_number(Path("Jogging/groundtruth_rect.2.txt"))
        '2'
    """
    return Path(file.stem).suffix.removeprefix(".")


def _sequence(name: str, folder: Path, file: Path) -> Sequence:
    boxes = read_boxes(file, allow_nan=True, error=DatasetError)[FIRST_ANNOTATION.get(name, 0) :]
    images = folder / "img"
    frames = Frames(images if images.is_dir() else folder, start=FIRST_IMAGE.get(name, 0), count=len(boxes))
    return Sequence(name, frames, Regions.from_array(boxes))
