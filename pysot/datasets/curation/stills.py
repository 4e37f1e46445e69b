"""Boxes of still images: COCO's JSON, Pascal VOC's XML (also ImageNet's), YOLO's text files."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pysot.datasets.curation.clips import (
    IMAGE_SUFFIXES,
    Box,
    Clip,
    Labelled,
    Thing,
    from_xywh,
    read_json,
    read_text,
    to_box,
    to_number,
)
from pysot.utils import InputError

# -------------------------------------------------------------------------------------------------- COCO


def coco_clips(file: Path, images: Path, prefix: str = "") -> list[Clip]:
    """Return a clip per image of a COCO file, in the order of their names; crowds are left out, polygons are masks.

    Raises:
        InputError: The file is malformed; names file and entry.
    """
    content = read_json(file)
    names = {row["id"]: str(row["name"]) for row in _rows(file, content, "categories", ("id", "name"), optional=True)}
    by_image: dict[Any, list[tuple[int, dict[str, Any]]]] = {}
    for number, row in enumerate(_rows(file, content, "annotations", ("image_id", "bbox"))):
        if not row.get("iscrowd"):
            by_image.setdefault(row["image_id"], []).append((number, row))
    clips = []
    for image in sorted(_rows(file, content, "images", ("id", "file_name")), key=lambda row: str(row["file_name"])):
        rows = by_image.pop(image["id"], [])
        name = _safe(str(image["file_name"]), f"{file}: image {image['id']}")
        if rows:
            clips.append(
                Clip(prefix + str(Path(name).with_suffix("")), partial(_coco, file, images / name, rows, names))
            )
    if by_image:
        raise InputError(f"{file}: annotations of image {next(iter(by_image))!r}, which is not in 'images'")
    return clips


def _rows(
    file: Path, content: dict[str, Any], key: str, needed: tuple[str, ...], optional: bool = False
) -> list[dict[str, Any]]:
    rows = content.get(key, [] if optional else None)
    if not isinstance(rows, list):
        raise InputError(f"{file}: expected COCO's JSON with a list {key!r}")
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or any(name not in row for name in needed):
            raise InputError(f"{file}: {key}[{number}]: expected an object with {', '.join(needed)}")
        if not all(isinstance(row.get(name, 0), int | str) for name in ("id", "image_id")):
            raise InputError(f"{file}: {key}[{number}]: expected a number or a text as id")
    return rows


def _safe(name: str, where: str) -> str:
    """Return a relative file name that stays in its folder."""
    path = Path(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise InputError(f"{where}: expected a file name below the folder of images, got {name!r}")
    return path.as_posix()


def _coco(file: Path, image: Path, rows: list[tuple[int, dict[str, Any]]], names: dict[Any, str]) -> Iterable[Labelled]:
    things = []
    for track, (number, row) in enumerate(rows):
        where = f"{file}: annotations[{number}]"
        box = from_xywh(to_box(row["bbox"] if isinstance(row["bbox"], list) else [], where))
        kind = row.get("category_id")
        category = names.get(kind) if isinstance(kind, int | str) else None
        things.append(Thing(f"{track:02d}", box, category, polygons=_polygons(row.get("segmentation"), where)))
    yield Labelled(0, image, tuple(things))


def _polygons(value: Any, where: str) -> tuple[np.ndarray, ...]:
    """Return outlines; a run-length mask, which COCO has of crowds alone, is none."""
    if not isinstance(value, list):
        return ()
    polygons = []
    for part in value:
        if not isinstance(part, list) or len(part) < 6 or len(part) % 2:
            raise InputError(f"{where}: segmentation: expected lists of x, y, x, y, ...")
        polygons.append(np.array([to_number(item, where) for item in part]).reshape(-1, 2))
    return tuple(polygons)


# --------------------------------------------------------------------------------------------------- XML


@dataclass(frozen=True)
class Mark:
    """An object of an XML file: its name, its number in a video if it has one, its box as it stands there."""

    name: str
    track: str | None
    box_xyxy: Box


def read_xml(file: Path) -> list[Mark]:
    """Return the objects of an XML file as Pascal VOC and ImageNet have them.

    Raises:
        InputError: It is malformed; names the file.
    """
    text = read_text(file)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InputError(f"{file}: expected plain XML, got one that defines entities")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InputError(f"{file}: not valid XML: {error}") from error
    if root.tag != "annotation":
        raise InputError(f"{file}: expected <annotation>, got <{root.tag}>")
    marks = []
    for number, element in enumerate(root.iter("object")):
        where = f"{file}: object {number}"
        frame = element.find("bndbox")
        if frame is None:
            raise InputError(f"{where}: expected a <bndbox>")
        box = to_box((frame.findtext(key) for key in ("xmin", "ymin", "xmax", "ymax")), where)
        marks.append(Mark((element.findtext("name") or "").strip(), element.findtext("trackid"), box))
    return marks


def voc_clips(annotations: Path, images: Path) -> list[Clip]:
    """Return a clip per Pascal VOC file in a folder and below it; the image has the file's name.

    Raises:
        InputError: There are no files.
    """
    files = sorted(annotations.rglob("*.xml"))
    if not files:
        raise InputError(f"{annotations}: no .xml files there")
    clips = []
    for file in files:
        stem = file.relative_to(annotations).with_suffix("")
        clips.append(Clip(stem.as_posix(), partial(still_xml, file, images / stem, 1.0)))
    return clips


def still_xml(file: Path, stem: Path, origin: float) -> Iterable[Labelled]:
    """Yield the frame of an XML file; ``origin`` is the number of the first pixel, whose last one is inside the box."""
    things = []
    for number, mark in enumerate(read_xml(file)):
        x1, y1, x2, y2 = mark.box_xyxy
        box = (x1 - origin, y1 - origin, x2 - origin + (origin > 0), y2 - origin + (origin > 0))
        things.append(Thing(f"{number:02d}", box, mark.name or None))
    if things:
        yield Labelled(0, find_image(stem), tuple(things))


def find_image(stem: Path) -> Path:
    """Return the image with a name without suffix; if there is none, the name that reading will report as missing."""
    names = [stem.name + suffix for suffix in (*IMAGE_SUFFIXES, ".JPEG", ".JPG", ".PNG")]
    found = [path for name in names if (path := stem.with_name(name)).is_file()]
    return found[0] if found else stem.with_name(names[0])


# -------------------------------------------------------------------------------------------------- YOLO


def yolo_clips(labels: Path, images: Path) -> list[Clip]:
    """Return a clip per YOLO label file in a folder and below it; the image has the file's name.

    Raises:
        InputError: There are no files, or ``classes.txt`` is no text.
    """
    listed = labels / "classes.txt"
    names = tuple(read_text(listed).split("\n")) if listed.is_file() else ()
    files = sorted(path for path in labels.rglob("*.txt") if path.name != "classes.txt")
    if not files:
        raise InputError(f"{labels}: no .txt label files there")
    clips = []
    for file in files:
        stem = file.relative_to(labels).with_suffix("")
        clips.append(Clip(stem.as_posix(), partial(_yolo, file, images / stem, names)))
    return clips


def _yolo(file: Path, stem: Path, names: tuple[str, ...]) -> Iterable[Labelled]:
    things: list[Thing] = []
    for number, line in enumerate(read_text(file).splitlines(), 1):
        cells, where = line.split(), f"{file} line {number}"
        if not cells:
            continue
        if not 5 <= len(cells) <= 7 or not cells[0].isdecimal():
            raise InputError(f"{where}: expected class, centre x, y, w, h, got {line[:60]!r}")
        x, y, w, h = to_box(cells[1:5], where)
        if min(w, h) <= 0 or max(x, y, w, h) > 2:
            raise InputError(f"{where}: expected shares of the image's size, 0 to 1, got {line[:60]!r}")
        kind = int(cells[0])
        category = names[kind].strip() if kind < len(names) and names[kind].strip() else str(kind)
        box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        things.append(Thing(f"{len(things):02d}", box, category, relative=True))
    if things:
        yield Labelled(0, find_image(stem), tuple(things))
