"""Cuts the crops of a clip's targets: 511 pixels, of which the target with its context takes 127."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike

from pysot.datasets.curation.backgrounds import Backgrounds
from pysot.datasets.curation.clips import Box, Clip, Labelled, Thing
from pysot.datasets.curation.images import (
    CROP_SIZE,
    Uint8Image,
    binary,
    crop_zoom,
    encode_jpeg,
    encode_mask,
    read_image,
)
from pysot.utils import InputError, atomic_path

LEAST_SIDE = 2.0
"""Width and height of a box that is worth a crop, frame pixels."""
_DECIMALS = 2
_SHIFT = 4  # fractional bits of OpenCV's drawing coordinates


@dataclass(frozen=True)
class CropMaker:
    """Writes a clip's crops and masks and returns its annotations.

    Attributes:
        folder: Where ``<clip>/<frame>.<track>.x.jpg`` and ``.m.png`` go.
        step: Every how manyth labelled frame is taken.
        backgrounds: What fills the crops outside of the frame; None for the frame's mean colour.
    """

    folder: Path
    step: int = 1
    backgrounds: Backgrounds | None = None

    def __call__(self, clip: Clip) -> dict[str, Any]:
        """Return ``tracks``, ``categories`` and ``problems``: of each file or box that could not be used, why.

        Raises:
            InputError: A background cannot be read: no fault of the clip's, whose crops would be missing.
        """
        tracks: dict[str, dict[str, list[float]]] = {}
        categories: dict[str, str] = {}
        problems: list[str] = []
        for index, labelled in enumerate(_readable(clip, problems)):
            if index % self.step == 0 and labelled.things:
                self._take(clip.name, labelled, tracks, categories, problems)
        return {"tracks": tracks, "categories": categories, "problems": problems}

    def _take(
        self,
        name: str,
        labelled: Labelled,
        tracks: dict[str, dict[str, list[float]]],
        categories: dict[str, str],
        problems: list[str],
    ) -> None:
        """Write the crops of a frame."""
        try:
            frame = read_image(labelled.image)
        except InputError as error:
            problems.append(str(error))
            return
        mean = np.asarray(cv2.mean(frame)[:3])
        for thing in labelled.things:
            try:
                box = box_in_frame(thing, frame.shape[1::-1])
            except InputError as error:
                problems.append(f"{labelled.image}: target {thing.track}: {error}")
                continue
            stem = f"{labelled.number:06d}"
            if stem in tracks.get(thing.track, {}):
                problems.append(f"{labelled.image}: target {thing.track}: a second box in frame {labelled.number}")
                continue
            path = self.folder / name / f"{stem}.{thing.track}.x.jpg"
            _write(path, encode_jpeg(self._crop(frame, box, mean, f"{name}/{path.name}")))
            mask = crop_mask(thing, box)
            if mask is not None:
                _write(path.with_name(f"{stem}.{thing.track}.m.png"), encode_mask(mask))
            tracks.setdefault(thing.track, {})[stem] = [round(value, _DECIMALS) for value in box]
            if thing.category is not None:
                categories[thing.track] = thing.category

    def _crop(self, frame: Uint8Image, box: Box, mean: ArrayLike, name: str) -> Uint8Image:
        if self.backgrounds is None:
            return crop(frame, box, mean)
        inside = crop(np.full(frame.shape[:2], 255, np.uint8), box, 0)
        return self.backgrounds.fill(crop(frame, box, None), inside, name)


def _readable(clip: Clip, problems: list[str]) -> Iterator[Labelled]:
    """Yield a clip's frames up to the first that is malformed, and note why that is."""
    try:
        yield from clip.read()
    except InputError as error:
        problems.append(str(error))


def _write(path: Path, data: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def box_in_frame(thing: Thing, size_wh: tuple[int, ...]) -> Box:
    """Return a target's box in pixels, cut to its frame.

    Raises:
        InputError: It is no box, or nothing of it is in the frame.
    """
    limits = np.array([*size_wh, *size_wh], dtype=np.float64)
    box = np.asarray(thing.box_xyxy, dtype=np.float64) * (limits if thing.relative else 1)
    if not np.isfinite(box).all():
        raise InputError(f"expected finite numbers, got {thing.box_xyxy}")
    x1, y1, x2, y2 = np.clip(box, 0, limits).tolist()
    if min(x2 - x1, y2 - y1) < LEAST_SIDE:
        shown = ", ".join(f"{value:g}" for value in box)
        raise InputError(f"expected at least {LEAST_SIDE:g} x {LEAST_SIDE:g} pixels in the frame, got {shown}")
    return x1, y1, x2, y2


def crop(frame: Uint8Image, box_xyxy: Box, border: ArrayLike | None) -> Uint8Image:
    """Return the crop around a box, with the box's centre in the crop's to a fraction of a pixel.

    Unlike `pysot.geometry.crop_square` it does not begin at a whole pixel: training takes the target to be exactly in
    the middle, and of a small target half a frame pixel would be several of the crop's.

    Args:
        frame: (H, W) or (H, W, 3) uint8.
        box_xyxy: Pixels, edges.
        border: Colour of what lies outside, cut to integers; None for the frame's mirror image.
    """
    x1, y1, x2, y2 = box_xyxy
    zoom = crop_zoom((x2 - x1, y2 - y1))
    color = [] if border is None else [int(value) for value in np.atleast_1d(np.asarray(border))]
    # Bilinear sampling of a much larger frame would leave out most of its pixels.
    fewer = 2 ** max(math.floor(-math.log2(zoom)), 0)
    if fewer > 1:
        size = -(-frame.shape[1] // fewer), -(-frame.shape[0] // fewer)
        scale = np.array(size) / frame.shape[1::-1]
        frame = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    else:
        scale = np.ones(2)
    step = scale / zoom
    center = np.array([(x1 + x2) / 2, (y1 + y2) / 2]) * scale - 0.5
    corner = center - step * (CROP_SIZE - 1) / 2
    matrix = np.array([[step[0], 0, corner[0]], [0, step[1], corner[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    mode = cv2.BORDER_REFLECT_101 if border is None else cv2.BORDER_CONSTANT
    cut = cv2.warpAffine(frame, matrix, (CROP_SIZE, CROP_SIZE), flags=flags, borderMode=mode, borderValue=color)
    return np.asarray(cut, dtype=np.uint8)


def crop_mask(thing: Thing, box_xyxy: Box) -> Uint8Image | None:
    """Return the crop of a target's mask, 0 and 255, or None where it has none."""
    if thing.mask is not None:
        return binary(crop(np.where(thing.mask > 0, np.uint8(255), np.uint8(0)), box_xyxy, 0))
    if not thing.polygons:
        return None
    x1, y1, x2, y2 = box_xyxy
    zoom, middle = crop_zoom((x2 - x1, y2 - y1)), ((x1 + x2) / 2, (y1 + y2) / 2)
    mask = np.zeros((CROP_SIZE, CROP_SIZE), np.uint8)
    for polygon in thing.polygons:
        points = (polygon - middle) * zoom + (CROP_SIZE - 1) / 2
        cv2.fillPoly(mask, [np.round(2**_SHIFT * points).astype(np.int32)], 255, cv2.LINE_8, _SHIFT)
    return mask
