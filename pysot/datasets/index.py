"""The annotations of a training set as a few flat arrays, read from PySOT's JSON or from COCO's.

PySOT's layout is ``{video: {track: {"000123": box}}}``: a box is the target's x1, y1, x2, y2 in the original frame, or
its w, h alone. The categories of the targets may lie beside it, as ``{video: {track: name}}`` in a file with
``.categories`` before its suffix (``train.categories.json`` for ``train.json``).

A dictionary of five million boxes is gigabytes of objects, and every worker that touches one copies its page. Here
it is a handful of arrays, which processes share: forked ones as they are, spawned ones through shared memory.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from pysot.utils import InputError

IntArray = NDArray[np.int64]
UNKNOWN = -1  # the category of a target that no file names


@dataclass(frozen=True)
class Names:
    """Many strings in two arrays.

    Attributes:
        text: (bytes,) uint8, all strings in UTF-8, end to end.
        ends: (N + 1,) int64, where each begins and the last one ends.

    Example:
        >>> names = Names.of(["car", "größe"])
        >>> names[1], len(names)
        ('größe', 2)
    """

    text: NDArray[np.uint8]
    ends: IntArray

    @classmethod
    def of(cls, strings: Iterable[str]) -> Names:
        """Pack strings."""
        encoded = [string.encode("utf-8", "surrogateescape") for string in strings]
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), _ends(len(item) for item in encoded))

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, number: int) -> str:
        return self.text[self.ends[number] : self.ends[number + 1]].tobytes().decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        return (self[number] for number in range(len(self)))


@dataclass(frozen=True)
class TrackIndex:
    """Videos, their tracks (one target each) and the tracks' boxes, in frame order.

    Attributes:
        videos: (V,) names.
        tracks: (T,) names, the tracks of a video one after the other.
        video_tracks: (V + 1,) the first track of each video, and T.
        track_rows: (T + 1,) the first box of each track, and N.
        frames: (N,) int32 frame numbers, rising within a track.
        boxes_xyxy: (N, 4) float32 in pixels of the original frame; 0, 0, w, h where only a size is known.
        categories: (T,) int32, a number in ``category_names`` or -1.
        category_names: (C,) names.
        has_positions: The boxes' positions are known, not only their sizes.
        dropped: Boxes without area, which were left out.
    """

    videos: Names
    tracks: Names
    video_tracks: IntArray
    track_rows: IntArray
    frames: NDArray[np.int32]
    boxes_xyxy: NDArray[np.float32]
    categories: NDArray[np.int32]
    category_names: Names
    has_positions: bool
    dropped: int

    def tracks_of(self, video: int) -> range:
        """Return the numbers of a video's tracks."""
        return range(int(self.video_tracks[video]), int(self.video_tracks[video + 1]))

    def rows_of(self, track: int) -> range:
        """Return the numbers of a track's boxes."""
        return range(int(self.track_rows[track]), int(self.track_rows[track + 1]))

    def video_of(self, track: int) -> int:
        """Return the number of a track's video."""
        return int(np.searchsorted(self.video_tracks, track, side="right")) - 1

    def track_of(self, row: int) -> int:
        """Return the number of a box's track."""
        return int(np.searchsorted(self.track_rows, row, side="right")) - 1

    def __getstate__(self) -> dict[str, Any]:
        """Hand the arrays to another process as tensors: torch's pickling of worker arguments shares those."""
        return {field.name: _to_shared(getattr(self, field.name)) for field in fields(self)}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, _from_shared(value))


def _to_shared(value: Any) -> Any:
    if isinstance(value, Names):
        return torch.from_numpy(value.text.copy()), torch.from_numpy(value.ends)
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


def _from_shared(value: Any) -> Any:
    if isinstance(value, tuple):
        return Names(value[0].numpy(), value[1].numpy())
    return value.numpy() if isinstance(value, torch.Tensor) else value


class _Track(NamedTuple):
    """One track while it is read."""

    video: str
    name: str
    boxes: list[tuple[int, float, float, float, float]]  # frame number, x1, y1, x2, y2
    category: str | None


def read_index(path: str | os.PathLike[str]) -> TrackIndex:
    """Return the annotations in a JSON file of PySOT's layout or of COCO's.

    Of a COCO file, every image is a video with the image's file name as its name, and every annotation that is no
    crowd is a track with one frame, named by the annotation's id. Boxes without area are left out and counted.

    Raises:
        InputError: The file cannot be read, or an entry in it is no box; names file and entry.
    """
    file = Path(path)
    content = _read_json(file)
    if isinstance(content.get("images"), list) and isinstance(content.get("annotations"), list):
        tracks, has_positions = list(_coco_tracks(file, content)), True
    else:
        categories = _read_categories(file.with_name(f"{file.stem}.categories{file.suffix}"))
        sizes_only: list[bool] = []
        tracks = list(_pysot_tracks(file, content, categories, sizes_only))
        has_positions = not any(sizes_only)
    return _pack(file, tracks, has_positions)


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{file}: expected videos by name, got a {type(content).__name__}")
    return content


def _read_categories(file: Path) -> dict[str, dict[str, str]]:
    """Return the categories by video and track; empty where the file is not there."""
    if not file.exists():
        return {}
    content = _read_json(file)
    for video, tracks in content.items():
        if not isinstance(tracks, dict) or not all(isinstance(name, str) for name in tracks.values()):
            raise InputError(f"{file}: {video}: expected a category name per track, got {_shown(tracks)}")
    return content


def _pysot_tracks(
    file: Path, content: dict[str, Any], categories: dict[str, dict[str, str]], sizes_only: list[bool]
) -> Iterator[_Track]:
    for video, tracks in content.items():
        if not isinstance(tracks, dict):
            raise InputError(f"{file}: {video}: expected tracks by name, got {_shown(tracks)}")
        for track, frames in tracks.items():
            if not isinstance(frames, dict):
                raise InputError(f"{file}: {video}/{track}: expected boxes by frame, got {_shown(frames)}")
            boxes = []
            for frame, box in frames.items():
                if not frame.isdecimal():  # some scripts leave notes among the frames, as PySOT does
                    continue
                where = f"{file}: {video}/{track}/{frame}"
                numbers = _numbers(box, where)
                sizes_only.append(len(numbers) == 2)
                if len(numbers) not in (2, 4):
                    raise InputError(f"{where}: expected x1, y1, x2, y2 or w, h, got {_shown(box)}")
                corners = (0.0, 0.0, *numbers) if len(numbers) == 2 else numbers
                boxes.append((_frame_number(frame, where), *corners))
            yield _Track(video, track, sorted(boxes), categories.get(video, {}).get(track))  # type: ignore[arg-type]


def _coco_tracks(file: Path, content: dict[str, Any]) -> Iterator[_Track]:
    try:
        files = {image["id"]: str(image["file_name"]) for image in content["images"]}
        names = {category["id"]: str(category["name"]) for category in content.get("categories", [])}
        ordered = sorted(content["annotations"], key=lambda entry: files[entry["image_id"]])
        for entry in ordered:
            if entry.get("iscrowd"):
                continue
            x, y, w, h = _numbers(entry["bbox"], f"{file}: annotation {entry['id']}")
            category = names.get(entry.get("category_id"))
            yield _Track(files[entry["image_id"]], str(entry["id"]), [(0, x, y, x + w, y + h)], category)
    except KeyError as error:
        raise InputError(f"{file}: expected COCO's fields, {error} is missing or names nothing") from error
    except (TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: expected COCO's layout: {error}") from error


def _numbers(box: Any, where: str) -> tuple[float, ...]:
    """Return the finite numbers of a box."""
    is_list = isinstance(box, list) and all(type(value) in (int, float) for value in box)
    if not is_list or not all(math.isfinite(value) and abs(value) < 1e7 for value in box):
        raise InputError(f"{where}: expected a list of finite pixels, got {_shown(box)}")
    return tuple(float(value) for value in box)


def _frame_number(frame: str, where: str) -> int:
    number = int(frame)
    if number > np.iinfo(np.int32).max:
        raise InputError(f"{where}: expected a frame number below 2**31")
    return number


def _pack(file: Path, tracks: list[_Track], has_positions: bool) -> TrackIndex:
    """Return the arrays of what was read, without boxes that have no area and what they leave empty."""
    kept: list[_Track] = []
    dropped = 0
    for track in tracks:
        boxes = [box for box in track.boxes if box[3] > box[1] and box[4] > box[2]]
        dropped += len(track.boxes) - len(boxes)
        if boxes:
            kept.append(track._replace(boxes=boxes))
    if not kept:
        raise InputError(f"{file}: no box with an area in it ({dropped} without)")
    counts: dict[str, int] = {}
    for track in kept:
        counts[track.video] = counts.get(track.video, 0) + 1
    names = sorted({track.category for track in kept if track.category is not None})
    number = {name: index for index, name in enumerate(names)}
    rows = [box for track in kept for box in track.boxes]
    return TrackIndex(
        videos=Names.of(counts),
        tracks=Names.of(track.name for track in kept),
        video_tracks=_ends(counts.values()),
        track_rows=_ends(len(track.boxes) for track in kept),
        frames=np.array([row[0] for row in rows], dtype=np.int32),
        boxes_xyxy=np.array([row[1:] for row in rows], dtype=np.float32),
        categories=np.array(
            [UNKNOWN if track.category is None else number[track.category] for track in kept], dtype=np.int32
        ),
        category_names=Names.of(names),
        has_positions=has_positions,
        dropped=dropped,
    )


def _ends(lengths: Iterable[int]) -> IntArray:
    return np.cumsum([0, *lengths], dtype=np.int64)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
