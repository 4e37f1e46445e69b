"""Sequences of one's own in the simple OTB layout: ``<sequence>/groundtruth_rect.txt`` and ``<sequence>/img/``.

The annotations may also be called ``groundtruth.txt``, hold polygons of four points, and NaN where the target is
absent; the images may lie beside them, or in ``color/``. A sequence with several targets has one numbered file per
target, ``groundtruth_rect.1.txt`` and so on. A folder ``mask`` beside ``img/`` has a mask of the same name, ``.png``,
for every image; with several targets, each has its own, ``mask.1`` and so on, or no masks. The folder may hold
sequences or be one itself.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from toolkit.datasets.entry import Entry
from toolkit.datasets.otb import target_name, target_number
from toolkit.errors import DatasetError
from toolkit.regions import Regions
from toolkit.results import read_rows
from toolkit.sequence import IMAGE_FOLDERS, Frames, Sequence, masks_beside


def read(root: Path, subset: str = "") -> list[Entry]:
    """Find every sequence, sorted by name."""
    root = root.resolve()  # its name counts, which "." does not tell
    if any(root.glob("groundtruth*.txt")):
        return _targets(root)
    return [entry for folder in sorted(path for path in root.iterdir() if path.is_dir()) for entry in _targets(folder)]


def _targets(folder: Path) -> list[Entry]:
    files = sorted(folder.glob("groundtruth*.txt"))
    if not any(file.read_bytes().strip() for file in files):
        is_sequence = files or any((folder / sub).is_dir() for sub in IMAGE_FOLDERS)
        file = files[0] if files else folder / "groundtruth_rect.txt"
        return [Entry(folder.name, partial(_refuse, file))] if is_sequence else []
    named = ((target_name(folder.name, file), file) for file in files)
    alone = len(files) == 1
    return [Entry(name, partial(_sequence, name, folder, file, alone)) for name, file in named if name is not None]


def _refuse(file: Path) -> Sequence:
    what = "is empty" if file.exists() else "no such file"
    raise DatasetError(
        f"{file}: {what}; expected the target's x, y, w, h in each frame, a line each, or no such folder"
    )


def _sequence(name: str, folder: Path, file: Path, alone: bool) -> Sequence:
    rows = read_rows(file, allow_nan=True, error=DatasetError)
    wrong = next((line for line, row in enumerate(rows, 1) if len(row) not in (4, 8)), None)
    if wrong is not None:
        raise DatasetError(
            f"{file} line {wrong}: expected x, y, w, h or the corners of a polygon, got {len(rows[wrong - 1])} numbers"
        )
    images = next((folder / sub for sub in IMAGE_FOLDERS if (folder / sub).is_dir()), folder)
    frames = Frames(images, count=len(rows))
    masks = masks_beside(images, target_number(file), alone=alone)
    return Sequence(name, frames, Regions.from_rows(rows), masks=masks)
