"""Single-target videos with one line per frame: GOT-10k, LaSOT, TrackingNet; and YouTube-BB's table."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from pysot.datasets.curation.clips import (
    Box,
    Clip,
    Labelled,
    Thing,
    from_xywh,
    images_in,
    list_folder,
    read_text,
    to_box,
    to_number,
)
from pysot.utils import InputError

TRACK = "00"
"""The name of the only target."""
LEAST_COVER = 2
"""GOT-10k says in eighths how much of the target is seen; with less than this, a frame is passed over."""


def read_lines(file: Path, origin: float = 0.0) -> list[Box | None]:
    """Return the corners of the box in each line ``x,y,w,h``; None for one without size, where the target is gone.

    Args:
        file: Numbers with commas, tabs or spaces between them.
        origin: The number of the first pixel.

    Raises:
        InputError: It is malformed; names file and line.
    """
    boxes: list[Box | None] = []
    for number, line in enumerate(read_text(file).splitlines(), 1):
        cells = [cell for cell in re.split(r"[,\s]+", line.strip()) if cell]
        if cells and all(cell.lower() == "nan" for cell in cells):
            boxes.append(None)
            continue
        box = to_box(cells, f"{file} line {number}")
        boxes.append(from_xywh(box, origin) if min(box[2:]) > 0 else None)
    if not boxes:
        raise InputError(f"{file}: expected a line with a box per frame, it is empty")
    return boxes


def read_flags(file: Path, count: int) -> list[int]:
    """Return one whole number per frame, separated by commas or lines; zeros if the file is not there.

    Raises:
        InputError: It is malformed, or has another number of them.
    """
    if not file.is_file():
        return [0] * count
    cells = [cell for cell in re.split(r"[,\s]+", read_text(file)) if cell]
    if len(cells) != count or not all(cell.isdecimal() for cell in cells):
        raise InputError(f"{file}: expected {count} whole numbers, one per frame, got {len(cells)}")
    return [int(cell) for cell in cells]


def _frames(
    source: Path, boxes: list[Box | None], images: list[Path], hidden: list[bool], category: str | None
) -> Iterable[Labelled]:
    """Yield the frames in which the target is."""
    if len(images) != len(boxes):
        folder = images[0].parent if images else "its folder"
        raise InputError(f"{source}: {len(boxes)} boxes, but {len(images)} images in {folder}")
    for number, (box, image, gone) in enumerate(zip(boxes, images, hidden, strict=True)):
        if box is not None and not gone:
            yield Labelled(number, image, (Thing(TRACK, box, category),))


def got10k_clips(root: Path) -> list[Clip]:
    """Return the clips of GOT-10k's ``train`` or ``val`` folder.

    Raises:
        InputError: There are none.
    """
    return [Clip(folder.name, partial(_got10k, folder)) for folder in list_folder(root, "GOT-10k's sequences")]


def _got10k(folder: Path) -> Iterable[Labelled]:
    truth = folder / "groundtruth.txt"
    boxes = read_lines(truth)
    absent = read_flags(folder / "absence.label", len(boxes))
    cover_file = folder / "cover.label"
    cover = read_flags(cover_file, len(boxes)) if cover_file.is_file() else [8] * len(boxes)
    hidden = [bool(gone) or seen < LEAST_COVER for gone, seen in zip(absent, cover, strict=True)]
    info = folder / "meta_info.ini"
    found = re.search(r"^object_class:\s*(.+?)\s*$", read_text(info), re.MULTILINE) if info.is_file() else None
    return _frames(truth, boxes, images_in(folder), hidden, found[1] if found else None)


def lasot_clips(root: Path, names: Iterable[str] | None = None) -> list[Clip]:
    """Return the clips of LaSOT, ``<class>/<class>-<n>/`` or without the folders of classes.

    Args:
        root: The folder.
        names: Those wanted; None for all.

    Raises:
        InputError: There are none, or one that is wanted is not there.
    """
    folders = {file.parent.name: file.parent for file in sorted(root.glob("**/groundtruth.txt"))}
    if names is not None:
        missing = [name for name in names if name not in folders]
        if missing:
            raise InputError(f"{root}: {len(missing)} of the sequences asked for are not there, first {missing[0]}")
        folders = {name: folders[name] for name in names}
    if not folders:
        raise InputError(f"{root}: expected LaSOT's <class>/<sequence>/groundtruth.txt there")
    return [Clip(name, partial(_lasot, folder)) for name, folder in folders.items()]


def _lasot(folder: Path) -> Iterable[Labelled]:
    truth = folder / "groundtruth.txt"
    boxes = read_lines(truth, origin=1)
    flags = [read_flags(folder / name, len(boxes)) for name in ("full_occlusion.txt", "out_of_view.txt")]
    hidden = [any(marks) for marks in zip(*flags, strict=True)]
    return _frames(truth, boxes, images_in(folder / "img"), hidden, folder.name.rpartition("-")[0] or None)


def trackingnet_clips(root: Path, chunks: Iterable[int]) -> list[Clip]:
    """Return the clips of TrackingNet's folders ``TRAIN_<n>``.

    Raises:
        InputError: There are none in one of them.
    """
    clips = []
    for chunk in chunks:
        folder = root / f"TRAIN_{chunk}"
        files = sorted((folder / "anno").glob("*.txt"))
        if not files:
            raise InputError(f"{folder}: expected anno/<sequence>.txt and frames/<sequence>/ there")
        clips += [
            Clip(f"{folder.name}/{file.stem}", partial(_trackingnet, file, folder / "frames" / file.stem))
            for file in files
        ]
    return clips


def _trackingnet(file: Path, folder: Path) -> Iterable[Labelled]:
    boxes = read_lines(file)
    return _frames(file, boxes, images_in(folder), [False] * len(boxes), None)


# ------------------------------------------------------------------------------------------------ YouTube-BB

_COLUMNS = 10  # video, ms, class, class's name, object, present or absent, xmin, xmax, ymin, ymax


def youtube_bb_clips(table: Path, frames: Path) -> list[Clip]:
    """Return the clips of YouTube-BB's detection table, whose boxes are shares of the frame.

    Args:
        table: ``yt_bb_detection_train.csv``.
        frames: Has ``<video>/<milliseconds>.jpg``.

    Raises:
        InputError: The table is malformed; names file and line.
    """
    videos: dict[str, dict[int, list[tuple[str, str, Box]]]] = {}
    for number, row in enumerate(csv.reader(read_text(table).splitlines()), 1):
        where = f"{table} line {number}"
        if len(row) != _COLUMNS:
            raise InputError(f"{where}: expected {_COLUMNS} columns, got {len(row)}")
        video, time, kind, category, target, presence = row[:6]
        if not time.isdecimal() or not re.fullmatch(r"[\w-]+", video) or not re.fullmatch(r"\d+", kind + target):
            raise InputError(f"{where}: expected a video, whole milliseconds, class and object, got {row[:5]}")
        rows = videos.setdefault(video, {})
        if presence != "present":
            continue
        x1, x2, y1, y2 = to_box(row[6:], where)
        if not all(-0.5 <= value <= 1.5 for value in (x1, x2, y1, y2)):
            raise InputError(f"{where}: expected shares of the frame's size, 0 to 1, got {row[6:]}")
        # Objects are counted anew for each class.
        rows.setdefault(int(time), []).append((f"{int(kind):02d}{int(target):02d}", category, (x1, y1, x2, y2)))
    return [Clip(name, partial(_youtube_bb, frames / name, rows)) for name, rows in videos.items() if rows]


def _youtube_bb(folder: Path, rows: dict[int, list[tuple[str, str, Box]]]) -> Iterable[Labelled]:
    """Yield frames by the second: the table has one each, at whole milliseconds near it."""
    for time in sorted(rows):
        things = tuple(Thing(track, box, category, relative=True) for track, category, box in rows[time])
        yield Labelled(time // 1000, folder / f"{time}.jpg", things)


# -------------------------------------------------------------------------------------------- boxes of any video


def boxes_clip(name: str, images: tuple[Path, ...], boxes_xywh: tuple[tuple[float, ...], ...]) -> Clip:
    """Return a clip of images with one box each; NaN or no size where the target is gone."""
    return Clip(name, partial(_boxes, images, boxes_xywh))


def _boxes(images: tuple[Path, ...], boxes_xywh: tuple[tuple[float, ...], ...]) -> Iterable[Labelled]:
    for number, (image, row) in enumerate(zip(images, boxes_xywh, strict=True)):
        x, y, w, h = row
        if w > 0 and h > 0:
            corners = from_xywh((to_number(x, str(image)), to_number(y, str(image)), w, h))
            yield Labelled(number, image, (Thing(TRACK, corners),))
