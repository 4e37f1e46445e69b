"""The JSON annotations made for PySOT: one object per sequence; reading and writing.

Keys of a sequence: ``video_dir``, ``init_rect``, ``img_names`` (relative to the dataset's folder), ``gt_rect``
(4 or 8 numbers per frame, NaN where the target is absent), and where they apply ``attr`` (names), ``absent``
(1 where the target is *present*), the frame tags of VOT (0 or 1 per frame, or empty), ``width``, ``height``.
A folder ``mask`` beside that of a sequence's images has a mask of the same name, ``.png``, for each of them.
Where sequences share images, as ``<video>-1`` and ``<video>-2`` do, it is ``mask.1`` and ``mask.2``, or they have none.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.datasets.entry import Entry
from toolkit.errors import DatasetError, RegionError
from toolkit.metrics.eao import FRAME_TAGS
from toolkit.regions import Regions
from toolkit.results import write_atomic
from toolkit.sequence import Frames, Sequence, masks_beside


def entries(file: Path, root: Path) -> list[Entry]:
    """Find all sequences of a JSON file, whose image names are relative to ``root``.

    Raises:
        DatasetError: no JSON, not one object per sequence, or no sequence at all.
    """
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as failure:
        raise DatasetError(f"{file}: cannot be read as JSON annotations ({failure})") from failure
    if not isinstance(table, dict):
        raise DatasetError(f"{file}: expected an object with one entry per sequence, got {type(table).__name__}")
    if not table:
        raise DatasetError(f"{file}: has no sequences; make it again, or remove it")
    sharing = Counter(_image_folder(root, entry) for entry in table.values())
    return [
        Entry(name, partial(_sequence, file, root, name, entry, sharing[_image_folder(root, entry)] == 1))
        for name, entry in table.items()
    ]


def read(file: Path, root: Path) -> list[Sequence]:
    """Read all sequences of a JSON file, whose image names are relative to ``root``.

    Raises:
        DatasetError: no JSON, or a sequence without the keys above or with lists of different lengths.
    """
    return [entry.read() for entry in entries(file, root)]


def write(file: Path, sequences: list[Sequence], root: Path) -> None:
    """Write sequences as JSON annotations, image names relative to ``root``."""
    write_atomic(file, json.dumps({sequence.name: _entry(sequence, root) for sequence in sequences}))


PER_FRAME = ("absent", *FRAME_TAGS)


def _image_folder(root: Path, entry: Any) -> Path | None:
    """Return the folder of a sequence's first image; None if the entry, not checked yet, names none."""
    names = entry.get("img_names") if isinstance(entry, dict) else None
    first = names[0] if isinstance(names, list) and names else None
    return (root / first).parent if isinstance(first, str) else None


def _sequence(file: Path, root: Path, name: str, entry: dict[str, Any], alone: bool) -> Sequence:
    if not isinstance(entry, dict):
        raise DatasetError(f"{file}: {name}: expected an object, got {type(entry).__name__}")
    missing = [key for key in ("img_names", "gt_rect") if key not in entry]
    if missing:
        raise DatasetError(f"{file}: {name} has no {' and no '.join(map(repr, missing))}")
    for key in ("img_names", "gt_rect", "attr", *PER_FRAME):
        if entry.get(key) is not None and not isinstance(entry[key], list):
            raise DatasetError(f"{file}: {name}: {key!r}: expected a list, got {type(entry[key]).__name__}")
    names, boxes = entry["img_names"], entry["gt_rect"]
    if not names or not boxes or not all(isinstance(image, str) for image in names):
        raise DatasetError(f"{file}: {name}: expected a file name and a region for each frame, got none")
    if not all(isinstance(box, list) for box in boxes):
        raise DatasetError(f"{file}: {name}: gt_rect: expected a list of numbers for each frame")
    try:
        uniform = len({len(box) for box in boxes}) == 1
        truth = Regions.from_array(boxes) if uniform else Regions.from_rows(boxes)
    except (RegionError, TypeError, ValueError) as failure:
        raise DatasetError(f"{file}: {name}: gt_rect: {failure}") from failure
    for key in ("gt_rect", *PER_FRAME):
        values = entry.get(key)
        if values and len(values) != len(names) and not (key == "gt_rect" and len(values) == 1):
            raise DatasetError(f"{file}: {name}: {len(values)} entries of {key!r}, expected {len(names)} (img_names)")
    flags = {key: _flags(file, name, key, entry[key]) for key in PER_FRAME if entry.get(key)}
    return Sequence(
        name=name,
        frames=Frames(root, names),
        ground_truth=truth,
        attributes=tuple(map(str, entry.get("attr") or ())),
        visible=flags.pop("absent", None),
        tags=flags,
        annotated_size=_size(file, name, entry),
        masks=_masks((root / names[0]).parent, name, alone),
    )


def _masks(images: Path, name: str, alone: bool) -> str | None:
    prefix = f"{images.parent.name}-"
    return masks_beside(images, name.removeprefix(prefix) if name.startswith(prefix) else "", alone=alone)


def _flags(file: Path, name: str, key: str, values: list[Any]) -> NDArray[np.bool_]:
    if not all(isinstance(value, int) for value in values):
        raise DatasetError(f"{file}: {name}: {key!r}: expected 0 or 1 for each frame")
    return np.array(values) == 1


def _size(file: Path, name: str, entry: dict[str, Any]) -> tuple[int, int] | None:
    if entry.get("width") is None and entry.get("height") is None:
        return None
    size = entry.get("width"), entry.get("height")
    if not all(isinstance(side, int) and side > 0 for side in size):
        raise DatasetError(f"{file}: {name}: expected 'width' and 'height' in pixels, got {size[0]!r} and {size[1]!r}")
    return int(size[0]), int(size[1])  # type: ignore[arg-type]  # checked above


def _name(path: Path, root: Path) -> str:
    """Return an image's name relative to the dataset's folder, also if it lies elsewhere."""
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:  # on another drive
        return path.absolute().as_posix()


def _entry(sequence: Sequence, root: Path) -> dict[str, Any]:
    truth = sequence.ground_truth
    boxes = [row[:size].tolist() for row, size in zip(truth.values, truth.sizes, strict=True)]
    names = [_name(path, root) for path in sequence.frames.paths]
    entry: dict[str, Any] = {
        "video_dir": sequence.name,
        "init_rect": boxes[0],
        "img_names": names,
        "gt_rect": boxes,
        "attr": list(sequence.attributes),
    }
    if sequence.visible is not None:
        entry["absent"] = sequence.visible.astype(int).tolist()
    if sequence.annotated_size is not None:
        entry["width"], entry["height"] = sequence.annotated_size
    return entry | {tag: mask.astype(int).tolist() for tag, mask in sequence.tags.items()}
