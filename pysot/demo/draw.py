"""Drawing of predictions on a frame: masks, boxes, rotated boxes, scores, the lost state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import cv2
import numpy as np

from pysot.geometry import as_bgr_uint8

# BGR; neighbours differ in hue and all stand out on both dark and bright scenes.
PALETTE = (
    (255, 170, 40),
    (60, 210, 255),
    (190, 90, 255),
    (120, 230, 80),
    (60, 120, 255),
    (240, 240, 60),
    (255, 100, 160),
    (50, 235, 190),
)
MASK_OPACITY = 0.4
PANEL_OPACITY = 0.55
LOST_GREY = (150, 150, 150)
FONT = cv2.FONT_HERSHEY_SIMPLEX
# Line ends are given in 1/16 pixel, so that outlines move smoothly.
_SHIFT = 4
# Pixels: far outside the frame, OpenCV's coordinates would wrap around and dashes be without number.
_REACH = (-10_000, 30_000)


class Outline(Protocol):
    """What is drawn and written of a target; pysot.trackers.Prediction has this shape."""

    @property
    def bbox(self) -> np.ndarray:
        """(4,) x, y, w, h in pixels."""

    @property
    def score(self) -> float:
        """Confidence, 0 to 1."""

    @property
    def polygon(self) -> np.ndarray | None:
        """(8,) corners x1, y1 .. x4, y4 in pixels."""

    @property
    def mask(self) -> np.ndarray | None:
        """(H, W) bool."""

    @property
    def lost(self) -> bool:
        """Whether the tracker holds the target for lost."""


def annotate(frame: np.ndarray, outlines: Mapping[int, Outline], status: str = "") -> np.ndarray:
    """Draw every target on a copy of the frame.

    Args:
        frame: As read: (H, W) or (H, W, C), uint8 or uint16, BGR order.
        outlines: Target number (from 1) to what is known of it; the number picks the colour.
        status: Text for the upper left corner.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    image = as_bgr_uint8(frame).copy()
    # Everything grows with the diagonal: a unit is 1 pixel at 480x360 and 7 at 4K, where 1 could not be seen.
    unit = float(np.hypot(*image.shape[:2])) / 600.0
    if status:
        _draw_panel(image, status, unit)
    for number, outline in outlines.items():
        if outline.mask is not None and not outline.lost:
            _draw_mask(image, outline.mask, colour_of(number), unit)
    for number, outline in outlines.items():
        _draw_outline(image, outline, colour_of(number), unit)
    for number, outline in outlines.items():
        name = f"{number}: " if len(outlines) > 1 else ""
        state = "lost " if outline.lost else ""
        fill = LOST_GREY if outline.lost else colour_of(number)
        _draw_label(image, f"{name}{state}{outline.score:.2f}", _extent(outline), fill, unit)
    return image


def colour_of(number: int) -> tuple[int, int, int]:
    """Return the BGR colour of target ``number`` (from 1)."""
    return PALETTE[(number - 1) % len(PALETTE)]


def _draw_mask(image: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int], unit: float) -> None:
    inside = mask.astype(bool)
    image[inside] = (image[inside] * (1 - MASK_OPACITY) + np.array(colour) * MASK_OPACITY).astype(np.uint8)
    edges = cv2.findContours(inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[-2]
    cv2.drawContours(image, edges, -1, colour, max(1, round(unit)), cv2.LINE_AA)


def _draw_outline(image: np.ndarray, outline: Outline, colour: tuple[int, int, int], unit: float) -> None:
    thickness = max(1, round(2 * unit))
    x, y, w, h = outline.bbox
    box = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])
    if outline.lost:
        _draw_dashed(image, box, colour, thickness, dash=8 * unit)
    elif outline.polygon is None:
        _draw_closed(image, box, colour, thickness)
    else:
        _draw_closed(image, box, colour, max(1, thickness // 2))
        _draw_closed(image, outline.polygon.reshape(4, 2), colour, thickness)


def _draw_closed(image: np.ndarray, corners: np.ndarray, colour: tuple[int, int, int], thickness: int) -> None:
    points = _fixed_point(corners).reshape(-1, 1, 2)
    cv2.polylines(image, [points], True, colour, thickness, cv2.LINE_AA, _SHIFT)


def _draw_dashed(
    image: np.ndarray, corners: np.ndarray, colour: tuple[int, int, int], thickness: int, dash: float
) -> None:
    corners = np.clip(corners, *_REACH)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        pieces = max(1, round(float(np.hypot(*(end - start))) / (2 * dash)))
        cuts = np.linspace(0, 1, 2 * pieces + 1)
        for low, high in zip(cuts[:-1:2], cuts[1::2], strict=True):
            ends = _fixed_point(np.stack([start + low * (end - start), start + high * (end - start)]))
            cv2.line(image, ends[0].tolist(), ends[1].tolist(), colour, thickness, cv2.LINE_AA, _SHIFT)


def _draw_label(image: np.ndarray, text: str, extent: np.ndarray, fill: tuple[int, int, int], unit: float) -> None:
    """Write ``text`` on a filled field above ``extent`` (x, y, right, bottom), or inside it at the top."""
    scale, weight, pad = _text_style(unit)
    (width, height), base = cv2.getTextSize(text, FONT, scale, weight)
    tall = height + base + 2 * pad
    left = int(np.clip(extent[0] - unit, 0, max(0, image.shape[1] - width - 2 * pad)))
    top = int(extent[1]) - tall if extent[1] >= tall else int(extent[1])
    top = int(np.clip(top, 0, max(0, image.shape[0] - tall)))
    cv2.rectangle(image, (left, top), (left + width + 2 * pad, top + tall), fill, cv2.FILLED)
    # Rec. 601 luma decides whether black or white text can be read on the field.
    luma = 0.114 * fill[0] + 0.587 * fill[1] + 0.299 * fill[2]
    ink = (0, 0, 0) if luma > 110 else (255, 255, 255)
    cv2.putText(image, text, (left + pad, top + pad + height), FONT, scale, ink, weight, cv2.LINE_AA)


def _draw_panel(image: np.ndarray, text: str, unit: float) -> None:
    """Write ``text`` on a darkened field in the upper left corner."""
    scale, weight, pad = _text_style(unit)
    (width, height), base = cv2.getTextSize(text, FONT, scale, weight)
    field = image[: height + base + 2 * pad, : width + 4 * pad]
    field[:] = (field * (1 - PANEL_OPACITY)).astype(np.uint8)
    cv2.putText(image, text, (2 * pad, pad + height), FONT, scale, (255, 255, 255), weight, cv2.LINE_AA)


def _text_style(unit: float) -> tuple[float, int, int]:
    return max(0.35, 0.5 * unit), max(1, round(1.1 * unit)), max(2, round(4 * unit))


def _extent(outline: Outline) -> np.ndarray:
    """Return left, top, right, bottom of all that is drawn of a target."""
    x, y, w, h = outline.bbox
    corners = np.array([[x, y], [x + w, y + h]])
    if outline.polygon is not None and not outline.lost:
        corners = np.concatenate([corners, outline.polygon.reshape(4, 2)])
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])


def _fixed_point(points: np.ndarray) -> np.ndarray:
    return np.round(np.clip(points, *_REACH) * (1 << _SHIFT)).astype(np.int32)
