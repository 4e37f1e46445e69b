"""Boxes as annotation tools write them: CSV, COCO, MOTChallenge and YOLO, all read to the same tracks.

Nothing is corrected: a line that is no box, an image that is not listed or a target that cannot be told from another
is an error that names file and line.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.datasets.entry import read_text
from toolkit.errors import DatasetError
from toolkit.sequence import IMAGE_SUFFIXES

Box = tuple[float, float, float, float]

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")
MAX_FRAMES = 10_000_000
"""A frame number above is taken for a mistake."""


@dataclass
class Track:
    """The boxes of one target in one video.

    Attributes:
        video: name of the video file or the folder of images, without suffix.
        target: tells the targets of a video apart; empty if it has only one.
        source: the file that the boxes come from, for messages.
        boxes: by frame, counted from 0: x, y, w, h in pixels, or their centre and size as shares of the image's if
            ``relative``.
        images: file names of the frames relative to the folder of images, where the annotations have them; None to
            take all in natural order.
        stems: by frame name without suffix the box, instead of ``boxes``, where only the name tells the frame.
        relative: the boxes are in YOLO's units.
    """

    video: str
    target: str
    source: Path
    boxes: dict[int, Box] = field(default_factory=dict)
    images: tuple[str, ...] | None = None
    stems: dict[str, Box] = field(default_factory=dict)
    relative: bool = False


def read_tracks(source: Path, layout: str | None = None, first_frame: int = 0) -> list[Track]:
    """Read all targets of a file or folder of annotations.

    Args:
        source: the file or folder.
        layout: a name in :data:`FORMATS`; None to tell from what is there.
        first_frame: number of the first frame in a CSV file's ``frame`` column.

    Raises:
        DatasetError: nothing there, no such format, or malformed; the message names file and line.
    """
    if not source.exists():
        raise DatasetError(f"{source}: no such file or folder")
    layout = layout or detect(source)
    tracks = read_csv(source, first_frame) if layout == "csv" else FORMATS[layout](source)
    if not tracks:
        raise DatasetError(f"{source}: no boxes found in it as {layout}")
    several = {track.video for track in tracks if sum(other.video == track.video for other in tracks) > 1}
    for track in tracks:
        track.target = track.target if track.video in several else ""
    return sorted(tracks, key=lambda track: (natural(track.video), natural(track.target)))


def detect(source: Path) -> str:
    """Return the format that a file or folder of annotations seems to be in.

    Raises:
        DatasetError: it looks like none.
    """
    if source.is_file():
        kind = {".csv": "csv", ".json": "coco"}.get(source.suffix.lower())
        kind = kind or ("mot" if source.name == "gt.txt" else None)
    elif any(source.glob("*.csv")):
        kind = "csv"
    elif _mot_files(source):
        kind = "mot"
    else:
        kind = "yolo" if any(_label_files(source)) else None
    if kind is None:
        raise DatasetError(
            f"{source}: expected a CSV file or a folder of them, COCO's JSON, a folder with <video>/gt/gt.txt (MOT) or "
            "with labels (YOLO); say which with --format"
        )
    return kind


def natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts 2 before 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


# -------------------------------------------------------------------------------------------------------- CSV

COLUMNS = {
    "frame": "frame",
    "video": "video",
    "sequence": "video",
    "target": "target",
    "track_id": "target",
    "id": "target",
    "x": "x",
    "left": "x",
    "y": "y",
    "top": "y",
    "w": "w",
    "width": "w",
    "h": "h",
    "height": "h",
}
"""What a CSV file's columns may be called; others are passed over."""
BARE = {4: ("x", "y", "w", "h"), 5: ("frame", "x", "y", "w", "h")}
"""The columns of a CSV file without a first line of names, by how many there are."""


def read_csv(source: Path, first_frame: int = 0) -> list[Track]:
    """Read a CSV file, or all of a folder.

    The columns are ``x, y, w, h`` and as needed ``frame``, ``video`` (else the file's name) and ``target``. Without
    a line of names there are four (one line per frame) or five (the frame first). An empty or NaN box is no box.

    Raises:
        DatasetError: malformed.
    """
    tracks: dict[tuple[str, str], Track] = {}
    for file in sorted(source.glob("*.csv")) if source.is_dir() else [source]:
        lines = _csv_lines(file)
        named = bool(lines) and sum(cell.strip().lower() in COLUMNS for cell in lines[0][1]) >= 3
        header = [COLUMNS.get(cell.strip().lower(), "") for cell in lines[0][1]] if named else []
        if named and not {"x", "y", "w", "h"} <= set(header):
            raise DatasetError(f"{file} line 1: expected columns x, y, w, h, got {lines[0][1]}")
        for index, (number, cells) in enumerate(lines[named:]):
            where = f"{file} line {number}"
            names = header or BARE.get(len(cells), ())
            if len(names) != len(cells):
                raise DatasetError(f"{where}: expected {len(header) or '4 or 5'} columns, got {len(cells)}")
            row = dict(zip(names, cells, strict=True))
            box = _box([row[key] for key in ("x", "y", "w", "h")], where, allow_none=True)
            frame = _whole(row["frame"], where, "frame") - first_frame if "frame" in row else index
            if frame < 0:
                raise DatasetError(f"{where}: frame {row['frame']}, but the first is {first_frame} (--first-frame)")
            video, target = _stem(row.get("video") or file.stem), row.get("target", "").strip()
            track = tracks.setdefault((video, target), Track(video, target, file))
            if box is not None:
                _put(track.boxes, frame, box, where)
    return [track for track in tracks.values() if track.boxes]


def _csv_lines(file: Path) -> list[tuple[int, list[str]]]:
    text = read_text(file).removeprefix("\ufeff")
    dialect = max(",;\t", key=text[:4096].count)
    try:
        rows = [(number, row) for number, row in enumerate(csv.reader(text.splitlines(), delimiter=dialect), 1)]
    except csv.Error as failure:
        raise DatasetError(f"{file}: cannot be read as CSV ({failure})") from failure
    return [(number, row) for number, row in rows if any(cell.strip() for cell in row)]


# ------------------------------------------------------------------------------------------------------- COCO


def read_coco(source: Path) -> list[Track]:
    """Read COCO's JSON, with ``videos`` and ``track_id`` or without.

    An image belongs to the video of its ``video_id``, else to that of its folder. Targets are told apart by
    ``track_id`` or ``instance_id``, also inside ``attributes``; without, an image may have one box only.

    Raises:
        DatasetError: malformed.
    """
    try:
        table = json.loads(read_text(source))
    except (ValueError, RecursionError) as failure:
        raise DatasetError(f"{source}: cannot be read as JSON ({failure})") from failure
    videos = {
        video["id"]: str(video["name"]) for video in _rows(source, table, "videos", ("id", "name"), optional=True)
    }
    images = {image["id"]: image for image in _rows(source, table, "images", ("id", "file_name"))}
    members: dict[str, list[dict[str, Any]]] = {}
    owner = {}
    for key, image in images.items():
        name = str(image["file_name"]).replace("\\", "/")
        video = videos.get(image.get("video_id")) if _hashable(image.get("video_id")) else None
        video = video or name.rpartition("/")[0] or source.stem
        members.setdefault(video, []).append(image | {"file_name": name})
        owner[key] = video
    position: dict[Any, int] = {}
    names: dict[str, tuple[str, ...]] = {}
    for video, listed in members.items():
        listed.sort(key=_coco_order)
        names[video] = tuple(image["file_name"] for image in listed)
        position |= {image["id"]: index for index, image in enumerate(listed)}
    tracks: dict[tuple[str, str], Track] = {}
    for number, row in enumerate(_rows(source, table, "annotations", ("image_id", "bbox"))):
        where = f"{source}: annotations[{number}]"
        if not _hashable(row["image_id"]) or row["image_id"] not in images:
            raise DatasetError(f"{where}: image_id {row['image_id']!r} is not in 'images'")
        values = row["bbox"] if isinstance(row["bbox"], list) else []
        box = _box([str(value) for value in values], where)
        target, video = _coco_target(row), owner[row["image_id"]]
        track = tracks.setdefault((video, target), Track(video, target, source, images=names[video]))
        _put(track.boxes, position[row["image_id"]], box, where)
    return list(tracks.values())


def _rows(source: Path, table: Any, key: str, needed: tuple[str, ...], optional: bool = False) -> list[dict[str, Any]]:
    rows = table.get(key, [] if optional else None) if isinstance(table, dict) else None
    if not isinstance(rows, list):
        raise DatasetError(f"{source}: expected COCO's JSON with a list {key!r}")
    for number, row in enumerate(rows):
        lacking = [name for name in needed if not isinstance(row, dict) or name not in row]
        if lacking or ("id" in needed and not _hashable(row["id"])):
            raise DatasetError(f"{source}: {key}[{number}]: expected an object with {', '.join(needed)}")
    return rows


def _hashable(value: Any) -> bool:
    return isinstance(value, int | str | float)


def _coco_order(image: dict[str, Any]) -> tuple[float, list[tuple[int, str]]]:
    frame = image.get("frame_id", image.get("frame_index"))
    return (frame if isinstance(frame, int) else -1), natural(image["file_name"])


def _coco_target(row: dict[str, Any]) -> str:
    extra = row.get("attributes")
    for place in (row, extra if isinstance(extra, dict) else {}):
        for key in ("track_id", "instance_id"):
            if place.get(key) is not None:
                return str(place[key])
    return ""


# -------------------------------------------------------------------------------------------------------- MOT


def _mot_files(source: Path) -> list[Path]:
    own = source / "gt" / "gt.txt"
    return [own] if own.is_file() else sorted(source.glob("*/gt/gt.txt"))


def read_mot(source: Path) -> list[Track]:
    """Read MOTChallenge's ``<video>/gt/gt.txt``: frame from 1, target, x, y, w, h, and whether it counts.

    Raises:
        DatasetError: malformed.
    """
    tracks: dict[tuple[str, str], Track] = {}
    for file in [source] if source.is_file() else _mot_files(source):
        video = file.resolve().parents[1].name if file.parent.name == "gt" else file.stem
        for number, line in enumerate(read_text(file).splitlines(), 1):
            cells, where = [cell.strip() for cell in line.split(",")], f"{file} line {number}"
            if cells == [""]:
                continue
            if len(cells) < 6:
                raise DatasetError(f"{where}: expected frame, target, x, y, w, h, got {len(cells)} values")
            if len(cells) > 6 and _number(cells[6], where) == 0:
                continue
            frame, target = _whole(cells[0], where, "frame") - 1, str(_whole(cells[1], where, "target"))
            if frame < 0:
                raise DatasetError(f"{where}: frame {cells[0]}, but the first is 1")
            track = tracks.setdefault((video, target), Track(video, target, file))
            _put(track.boxes, frame, _box(cells[2:6], where), where)
    return list(tracks.values())


# ------------------------------------------------------------------------------------------------------- YOLO


def _label_files(source: Path) -> Iterator[Path]:
    root = source / "labels" if (source / "labels").is_dir() else source
    ignored = {"classes.txt", "obj.names", "train.txt", "val.txt", "test.txt"}
    return (
        file for file in sorted(root.rglob("*.txt")) if file.name not in ignored and "readme" not in file.name.lower()
    )


def read_yolo(source: Path) -> list[Track]:
    """Read YOLO's labels: per image a text file of the same name with class, centre and size as shares of the image.

    The folder of a label file is the video. A last column of whole numbers is the target; without it, classes tell
    the targets apart.

    Raises:
        DatasetError: malformed.
    """
    root = source / "labels" if (source / "labels").is_dir() else source
    tracks: dict[tuple[str, str], Track] = {}
    for file in _label_files(source):
        folder = file.parent.relative_to(root).as_posix()
        video = source.resolve().name if folder == "." else folder
        for number, line in enumerate(read_text(file).splitlines(), 1):
            cells, where = line.split(), f"{file} line {number}"
            if not cells:
                continue
            if not 5 <= len(cells) <= 7:
                raise DatasetError(f"{where}: expected class, centre x, y, w, h and perhaps a target, got {len(cells)}")
            kind = _whole(cells[0], where, "class")
            identified = len(cells) > 5 and cells[-1].isdecimal()
            target = cells[-1] if identified else f"class{kind}"
            box = _box(cells[1:5], where)
            if max(box) > 2:
                raise DatasetError(f"{where}: expected shares of the image's size, 0 to 1, got {cells[1:5]}")
            track = tracks.setdefault((video, target), Track(video, target, file.parent, relative=True))
            _put(track.stems, file.stem, box, where)
    return list(tracks.values())


FORMATS: dict[str, Callable[[Path], list[Track]]] = {
    "csv": read_csv,
    "coco": read_coco,
    "mot": read_mot,
    "yolo": read_yolo,
}

# ---------------------------------------------------------------------------------------------------- numbers


def _put(boxes: dict[Any, Box], frame: int | str, box: Box, where: str) -> None:
    if frame in boxes:
        raise DatasetError(f"{where}: a second box for the same target and frame; give each target an id of its own")
    boxes[frame] = box


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DatasetError(f"{where}: expected a number, got {text[:40]!r}") from None


def _whole(text: str, where: str, what: str) -> int:
    value = _number(text, where)
    if not math.isfinite(value) or value != int(value) or not -1 <= value <= MAX_FRAMES:
        raise DatasetError(f"{where}: expected a whole number for the {what}, got {text[:40]!r}")
    return int(value)


def _box(cells: list[str], where: str, allow_none: bool = False) -> Any:
    """Return a box; None for an empty or NaN one where that is allowed."""
    if len(cells) != 4:
        raise DatasetError(f"{where}: expected 4 numbers x, y, w, h, got {len(cells)}")
    if allow_none and all(cell.strip().lower() in ("", "nan") for cell in cells):
        return None
    box = tuple(_number(cell, where) for cell in cells)
    if not all(map(math.isfinite, box)) or box[2] <= 0 or box[3] <= 0:
        raise DatasetError(f"{where}: expected a box with a size above 0, got {', '.join(cells)}")
    return box


def _stem(name: str) -> str:
    """Return a video's name without the suffix of a video or an image."""
    name = name.strip()
    suffix = Path(name).suffix.lower()
    return name[: -len(suffix)] if suffix in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES) else name
