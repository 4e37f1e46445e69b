"""Looks whether a training set is complete and undamaged."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pysot.datasets.curation.annotations import categories_file, write_json
from pysot.datasets.curation.clips import read_json, to_number
from pysot.datasets.curation.images import CROP_SIZE, read_image
from pysot.utils import InputError

_AT_ONCE = 4096  # files that are handed to the threads together


@dataclass(frozen=True)
class Finding:
    """Something wrong.

    Attributes:
        kind: ``missing``, ``corrupt``, ``size``, ``box``, ``mismatch`` or ``unlisted``.
        where: The file, or the entry of the annotations.
        what: In words.
    """

    kind: str
    where: str
    what: str


@dataclass(frozen=True)
class Inspection:
    """What was found in a training set.

    Attributes:
        crops: Entries that were checked.
        findings: What is wrong.
    """

    crops: int
    findings: tuple[Finding, ...]

    def counts(self) -> dict[str, int]:
        """Return how many findings there are of each kind."""
        kinds = [finding.kind for finding in self.findings]
        return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}

    def write(self, file: Path) -> None:
        """Write everything as JSON."""
        content = {"crops": self.crops, "counts": self.counts(), "findings": [asdict(item) for item in self.findings]}
        write_json(file, content)


def verify_crops(
    annotations: Path, crops: Path, threads: int | None = None, progress: Callable[[int], None] | None = None
) -> Inspection:
    """Decode every crop and mask that the annotations name, and hold them against each other.

    Args:
        annotations: ``train.json``.
        crops: ``crop511``.
        threads: That decode; None for one per core.
        progress: Called with 1 for every entry.

    Raises:
        InputError: The annotations cannot be read at all.
    """
    table = read_json(annotations)
    findings: list[Finding] = []
    entries = list(_entries(annotations, table, findings))
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        for start in range(0, len(entries), _AT_ONCE):
            for found in pool.map(partial(_check, crops), entries[start : start + _AT_ONCE]):
                findings += found
                if progress is not None:
                    progress(1)
    findings += _categories(annotations, table)
    findings += _unlisted(crops, entries)
    return Inspection(len(entries), tuple(findings))


def count_entries(annotations: Path) -> int:
    """Return how many boxes the annotations have.

    Raises:
        InputError: They cannot be read.
    """
    return sum(1 for _ in _entries(annotations, read_json(annotations), []))


def _entries(file: Path, table: dict[str, Any], findings: list[Finding]) -> Iterator[tuple[str, str]]:
    """Yield video and ``frame.track`` of every box; note boxes that are none."""
    for video, tracks in table.items():
        for track, frames in tracks.items() if isinstance(tracks, dict) else ():
            for frame, box in frames.items() if isinstance(frames, dict) else ():
                if not frame.isdecimal():
                    continue
                where = f"{file}: {video}/{track}/{frame}"
                if problem := _box_problem(box):
                    findings.append(Finding("box", where, problem))
                yield video, f"{int(frame):06d}.{track}"
            if not isinstance(frames, dict):
                findings.append(Finding("box", f"{file}: {video}/{track}", "expected boxes by frame"))
        if not isinstance(tracks, dict):
            findings.append(Finding("box", f"{file}: {video}", "expected tracks by name"))


def _box_problem(box: Any) -> str:
    if not isinstance(box, list) or len(box) not in (2, 4):
        return f"expected x1, y1, x2, y2 or w, h, got {str(box)[:60]}"
    try:
        numbers = [to_number(value, "box") for value in box]
    except InputError as error:
        return str(error)
    size = numbers if len(numbers) == 2 else [numbers[2] - numbers[0], numbers[3] - numbers[1]]
    return "" if min(size) > 0 else f"a box without area: {box}"


def _check(crops: Path, entry: tuple[str, str]) -> list[Finding]:
    """Return what is wrong with a crop and its mask."""
    video, stem = entry
    path = crops / video / f"{stem}.x.jpg"
    if not path.is_file():
        return [Finding("missing", str(path), "no such file")]
    if path.stat().st_size == 0:
        return [Finding("size", str(path), "an empty file")]
    findings = []
    try:
        shape = read_image(path).shape[:2]
        if shape != (CROP_SIZE, CROP_SIZE):
            found = f"expected {CROP_SIZE} x {CROP_SIZE} pixels, got {shape[1]} x {shape[0]}"
            findings.append(Finding("mismatch", str(path), found))
    except InputError as error:
        findings.append(Finding("corrupt", str(path), str(error)))
    mask_path = path.with_name(f"{stem}.m.png")
    if mask_path.is_file():
        findings += _check_mask(mask_path)
    return findings


def _check_mask(path: Path) -> list[Finding]:
    data = path.read_bytes()
    if not data:
        return [Finding("size", str(path), "an empty file")]
    try:
        mask = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error:
        mask = None
    # A decoder fills up what is missing of a cut file with black.
    if mask is None or b"IEND" not in data[-16:]:
        return [Finding("corrupt", str(path), f"not a PNG that can be read ({len(data)} bytes)")]
    if mask.shape != (CROP_SIZE, CROP_SIZE):
        found = f"expected {CROP_SIZE} x {CROP_SIZE} pixels, got {mask.shape[1]} x {mask.shape[0]}"
        return [Finding("mismatch", str(path), found)]
    return []


def _categories(annotations: Path, table: dict[str, Any]) -> list[Finding]:
    file = categories_file(annotations)
    if not file.is_file():
        return []
    return [
        Finding("mismatch", f"{file}: {video}", "a video that the annotations do not have")
        for video in read_json(file)
        if video not in table
    ]


def _unlisted(crops: Path, entries: list[tuple[str, str]]) -> list[Finding]:
    """Return crops in the annotated videos' folders that no annotation names."""
    stems: dict[str, set[str]] = {}
    for video, stem in entries:
        stems.setdefault(video, set()).add(stem)
    findings = []
    for video, known in stems.items():
        folder = crops / video
        for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
            if name.endswith(".x.jpg") and name.removesuffix(".x.jpg") not in known:
                findings.append(Finding("unlisted", str(folder / name), "no annotation names it"))
    return findings
