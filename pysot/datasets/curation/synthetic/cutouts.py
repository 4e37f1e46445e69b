"""Things cut out of photographs by their masks, as figures that drawn scenes can move."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from pysot.datasets.curation.clips import Box, Clip, Thing
from pysot.datasets.curation.crops import box_in_frame
from pysot.datasets.curation.images import Uint8Image, read_image
from pysot.datasets.curation.synthetic.figures import REACH, SIDE, Figure, Part, Points, canvas_levels, rounded
from pysot.datasets.curation.synthetic.textures import Pixels
from pysot.utils import InputError

LEAST_SIDE = 36.0
"""Width and height of an object worth cutting out, image pixels: enlarged much more it would be a blur."""
LEAST_FOLLOWED = 16.0
"""Width and height of a labelled target that a camera can be moved over, image pixels."""
_FILLED = 0.2, 0.97
"""Share of its box that a mask covers; more is a box called a mask, less is a fork or a fence."""
_LARGEST_PART = 0.85  # share of the largest of a mask's pieces; what is hidden in the middle falls apart
_RIM = 1.5  # nearer to the image's edge an object is taken to be cut off by it, pixels
_SHIFT = 4  # fractional bits of OpenCV's drawing coordinates
_INWARD = 0.9  # by how much a cut-out is smaller than its mask, pixels: masks take in some background
_FINER = 4  # the outline is found in the opacity enlarged so much
_OUTLINE = 320  # most points of an outline
_ROUND = 4.0  # power of the superellipse that stands for an object of which only the box is known


class Labelling(NamedTuple):
    """An object in a photograph.

    Attributes:
        image: The file.
        category: Its name, or None.
        box_xyxy: Image pixels.
        polygons: Its mask's outlines, image pixels; empty where only the box is known.
    """

    image: Path
    category: str | None
    box_xyxy: Box
    polygons: tuple[Points, ...]


def read_labellings(clips: Iterable[Clip]) -> tuple[tuple[Labelling, ...], tuple[Labelling, ...]]:
    """Return the objects that can be cut out, and those that a camera can be moved over, in the clips' order.

    Raises:
        InputError: An annotation or an image is malformed; names the file.
    """
    whole: list[Labelling] = []
    followed: list[Labelling] = []
    for clip in clips:
        for labelled in clip.read():
            size_wh: tuple[int, ...] | None = None
            for thing in labelled.things:
                entry = Labelling(labelled.image, thing.category, thing.box_xyxy, thing.polygons)
                if min(_size(thing)) >= LEAST_FOLLOWED:
                    followed.append(entry)
                if thing.polygons and min(_size(thing)) >= LEAST_SIDE and _is_filled(thing):
                    size_wh = size_wh or read_image(labelled.image).shape[1::-1]
                    if _is_inside(thing, size_wh):
                        whole.append(entry)
    return tuple(whole), tuple(followed)


def _size(thing: Thing) -> tuple[float, float]:
    x1, y1, x2, y2 = thing.box_xyxy
    return x2 - x1, y2 - y1


def _is_filled(thing: Thing) -> bool:
    """Return whether a mask is of one piece and neither a box nor a fence."""
    areas = [cv2.contourArea(polygon.astype(np.float32)) for polygon in thing.polygons]
    w, h = _size(thing)
    return _FILLED[0] <= sum(areas) / (w * h) <= _FILLED[1] and max(areas) >= _LARGEST_PART * sum(areas)


def _is_inside(thing: Thing, size_wh: tuple[int, ...]) -> bool:
    x1, y1, x2, y2 = thing.box_xyxy
    return min(x1, y1) > _RIM and x2 < size_wh[0] - _RIM and y2 < size_wh[1] - _RIM


def cut_out(entry: Labelling) -> Figure:
    """Return an object as a figure of one part, with soft edges.

    Raises:
        InputError: The image cannot be read, or nothing is left of the mask; names the file.
    """
    image = read_image(entry.image)
    points = np.concatenate(entry.polygons)
    low, high = points.min(axis=0), points.max(axis=0)
    middle, reach = (low + high) / 2, float(np.hypot(*(points - (low + high) / 2).T).max())
    zoom = REACH / reach
    alpha = _opacity([(polygon - middle) * zoom for polygon in entry.polygons], zoom)
    # A pixel's middle is at half its width: half a pixel of the image is zoom / 2 of the canvas.
    shift = SIDE / 2 - zoom * middle + (zoom - 1) / 2
    matrix = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
    if zoom < 0.6:  # bilinear sampling would leave out pixels
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.35 / zoom), dtype=np.uint8)
    flags = cv2.INTER_CUBIC if zoom > 1 else cv2.INTER_LINEAR
    color = cv2.warpAffine(image, matrix, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    outline = _outline(alpha)
    if outline is None:
        raise InputError(f"{entry.image}: nothing is left of the mask of {entry.category or 'an object'}")
    levels = canvas_levels(np.asarray(color, dtype=np.uint8), alpha)
    return Figure(entry.category or "object", (_part(levels, outline),), upright=True)


def _opacity(polygons: list[Points], zoom: float) -> Pixels:
    """Return the opacity on the canvas of outlines in pixels from its middle: smooth, and a little inward."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for polygon in polygons:
        shifted = np.round((polygon + SIDE / 2 - 0.5) * 2**_SHIFT).astype(np.int32)
        cv2.fillPoly(mask, [shifted], 255, cv2.LINE_AA, _SHIFT)
    inward = max(_INWARD * zoom, 0.5)
    depth = cv2.distanceTransform(np.asarray(mask > 127, dtype=np.uint8), cv2.DIST_L2, 5)
    soft = np.clip((depth - inward) / (2 * inward) + 0.5, 0, 1) * 255
    return np.asarray(cv2.GaussianBlur(soft.astype(np.uint8), (0, 0), max(0.4 * zoom, 0.5)), dtype=np.uint8)


def _outline(alpha: Pixels) -> Points | None:
    """Return where the opacity passes a half, in pixels from the canvas's middle; None if it nowhere does."""
    fine = cv2.resize(alpha, None, fx=_FINER, fy=_FINER, interpolation=cv2.INTER_LINEAR)
    _, mask = cv2.threshold(fine, 127, 255, cv2.THRESH_BINARY)
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not found:
        return None
    points = np.concatenate(found).reshape(-1, 2)
    kept = points[:: -(-len(points) // _OUTLINE)]
    # The farthest points decide about the box.
    ends = points[np.concatenate([points.argmin(axis=0), points.argmax(axis=0)])]
    outline: Points = (np.concatenate([kept, ends]) + 0.5) / _FINER - SIDE / 2
    return outline


def in_painting(entry: Labelling, corner: tuple[float, float]) -> tuple[Figure, Points]:
    """Return a figure that says where an object is in a painting, and the (3, 3) map from there to its units.

    Args:
        entry: The object.
        corner: Where the painting begins in the image, pixels.
    """
    x1, y1, x2, y2 = entry.box_xyxy
    middle, reach = np.array([x1 + x2, y1 + y2]) / 2, float(np.hypot(x2 - x1, y2 - y1)) / 2
    if entry.polygons:
        polygons = [np.asarray((polygon - middle) * REACH / reach) for polygon in entry.polygons]
    else:
        polygons = [rounded((x2 - x1) / 2, (y2 - y1) / 2, _ROUND) * REACH / reach]
    alpha = np.zeros((SIDE, SIDE), np.uint8)
    for polygon in polygons:
        shifted = np.round((polygon + SIDE / 2 - 0.5) * 2**_SHIFT).astype(np.int32)
        cv2.fillPoly(alpha, [shifted], 255, cv2.LINE_AA, _SHIFT)
    levels = canvas_levels(np.zeros((SIDE, SIDE, 3), np.uint8), alpha)
    part = _part(levels, np.concatenate(polygons))
    figure = Figure(entry.category or "object", (part,), in_ground=True, exact=bool(entry.polygons))
    left, top = (middle - corner).tolist()
    return figure, np.array([[1 / reach, 0, -left / reach], [0, 1 / reach, -top / reach], [0, 0, 1]])


def _part(levels: tuple[Pixels, ...], outline: Points) -> Part:
    return Part(levels, outline, np.array([[1 / REACH, 0, 0], [0, 1 / REACH, 0]]), np.zeros(2))


def box_in_image(entry: Labelling, image: Uint8Image) -> Labelling:
    """Return the object with its box cut to the image.

    Raises:
        InputError: Nothing of it is in the image; names the file.
    """
    try:
        box = box_in_frame(Thing("", entry.box_xyxy), image.shape[1::-1])
    except InputError as error:
        raise InputError(f"{entry.image}: {error}") from error
    return entry._replace(box_xyxy=box)
