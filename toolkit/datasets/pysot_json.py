"""The JSON annotations made for PySOT: one object per sequence; reading and writing.

Keys of a sequence: ``video_dir``, ``init_rect``, ``img_names`` (relative to the dataset's folder), ``gt_rect``
(4 or 8 numbers per frame, NaN where the target is absent), and where they apply ``attr`` (names), ``absent``
(1 where the target is *present*), the frame tags of VOT (0 or 1 per frame, or empty), ``width``, ``height``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import DatasetError, RegionError
from toolkit.metrics.eao import FRAME_TAGS
from toolkit.regions import Regions
from toolkit.results import write_atomic
from toolkit.sequence import Frames, Sequence


def read(file: Path, root: Path) -> list[Sequence]:
    """Read all sequences of a JSON file, whose image names are relative to ``root``.

    Raises:
        DatasetError: no JSON, or a sequence without the keys above or with lists of different lengths.
    """
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as failure:
        raise DatasetError(f"{file}: cannot be read as JSON annotations ({failure})") from failure
    if not isinstance(entries, dict):
        raise DatasetError(f"{file}: expected an object with one entry per sequence, got {type(entries).__name__}")
    return [_sequence(file, root, name, entry) for name, entry in entries.items()]


def write(file: Path, sequences: list[Sequence], root: Path) -> None:
    """Write sequences as JSON annotations, image names relative to ``root``."""
    write_atomic(file, json.dumps({sequence.name: _entry(sequence, root) for sequence in sequences}))


def _sequence(file: Path, root: Path, name: str, entry: dict[str, Any]) -> Sequence:
    missing = [key for key in ("img_names", "gt_rect") if key not in entry]
    if missing:
        raise DatasetError(f"{file}: {name} has no {' and no '.join(map(repr, missing))}")
    names, boxes = entry["img_names"], entry["gt_rect"]
    try:
        uniform = len({len(box) for box in boxes}) == 1
        truth = Regions.from_array(boxes) if uniform else Regions.from_rows(boxes)
    except (RegionError, TypeError, ValueError) as failure:
        raise DatasetError(f"{file}: {name}: gt_rect: {failure}") from failure
    per_frame = {"gt_rect": boxes, "absent": entry.get("absent")}
    per_frame |= {tag: entry.get(tag) for tag in FRAME_TAGS}
    for key, values in per_frame.items():
        if values and len(values) != len(names) and not (key == "gt_rect" and len(values) == 1):
            raise DatasetError(f"{file}: {name}: {len(values)} entries of {key!r}, expected {len(names)} (img_names)")
    absent = entry.get("absent")
    return Sequence(
        name=name,
        frames=Frames(root, names),
        ground_truth=truth,
        attributes=tuple(entry.get("attr") or ()),
        visible=np.asarray(absent) == 1 if absent else None,
        tags={tag: np.asarray(entry[tag], dtype=bool) for tag in FRAME_TAGS if entry.get(tag)},
        annotated_size=(int(entry["width"]), int(entry["height"])) if "width" in entry else None,
    )


def _entry(sequence: Sequence, root: Path) -> dict[str, Any]:
    truth = sequence.ground_truth
    boxes = [row[:size].tolist() for row, size in zip(truth.values, truth.sizes, strict=True)]
    names = [path.relative_to(root).as_posix() for path in sequence.frames.paths]
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
