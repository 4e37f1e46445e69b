"""Square crops around a target, and the way back from the crop to the frame. No padded copy of the frame is made."""

from __future__ import annotations

import enum

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Uint8Image = NDArray[np.uint8]

# A crop with a longer side than this (a large target, searched for in several times its size, in a large frame) is
# sampled directly from the frame instead of being cut out first: the intermediate patch would take gigabytes.
_LONGEST_PATCH = 8192


class Rounding(enum.Enum):
    """How the crop's top-left pixel follows from its centre; published trackers differ."""

    PYSOT = "pysot"  # floor(centre - (side + 1) / 2 + 1 / 2)
    DASIAMRPN = "dasiamrpn"  # centre - (side + 1) / 2, half to even
    SIAMFC = "siamfc"  # centre - (side - 1) / 2, half to even


def context_side(size_wh: ArrayLike, context_amount: float) -> float:
    """Return the side of the square template region around a target, in frame pixels.

    With p = context_amount * (w + h), the side is sqrt((w + p)(h + p)).

    Source: SiamFC, section 2.5 (context 0.5 of the mean side on each edge).

    Example:
        >>> context_side([30, 50], 0.5)
        79.37253933193772
    """
    return float(context_sides(size_wh, context_amount))


def context_sides(sizes_wh: ArrayLike, context_amount: float) -> NDArray[np.float64]:
    """Return the sides (...) around targets of sizes (..., 2), see `context_side`."""
    sizes = np.asarray(sizes_wh, dtype=np.float64)
    width, height = sizes[..., 0], sizes[..., 1]
    context = context_amount * (width + height)
    return np.asarray(np.sqrt((width + context) * (height + context)))


def crop_corner(center_xy: ArrayLike, side: int, rounding: Rounding) -> tuple[int, int]:
    """Return the column and row of the crop's top-left pixel.

    Example:
        >>> crop_corner([50.0, 40.5], 11, Rounding.PYSOT), crop_corner([50.0, 40.5], 11, Rounding.SIAMFC)
        ((44, 35), (45, 36))
    """
    center = np.asarray(center_xy)
    if rounding is Rounding.PYSOT:
        corner = np.floor(center - (side + 1) / 2 + 0.5)
    elif rounding is Rounding.DASIAMRPN:
        corner = np.rint(center - (side + 1) / 2)
    else:
        corner = np.rint(center - (side - 1) / 2)
    return int(corner[0]), int(corner[1])


def crop_square(
    frame: Uint8Image, corner_xy: tuple[int, int], side: int, out_size: int, border_bgr: ArrayLike
) -> Uint8Image:
    """Return the square of ``side`` pixels at ``corner_xy``, resized bilinearly to ``out_size``.

    Args:
        frame: (H, W, 3) uint8.
        corner_xy: Column and row of the top-left pixel; may lie outside the frame.
        side: Frame pixels, at least 1.
        out_size: Network pixels.
        border_bgr: (3,) colour of what lies outside the frame, cut (not rounded) to integers.

    Returns:
        (out_size, out_size, 3) uint8; a view of the frame where nothing had to be done.
    """
    border = np.asarray(border_bgr).astype(np.uint8)
    left, top = corner_xy
    height, width = frame.shape[:2]
    if left >= 0 and top >= 0 and left + side <= width and top + side <= height:
        patch = frame[top : top + side, left : left + side]
    elif side > _LONGEST_PATCH:
        return _sample_square(frame, corner_xy, side, out_size, border)
    else:
        patch = np.empty((side, side, 3), dtype=np.uint8)
        patch[:] = border
        x1, x2 = np.clip([left, left + side], 0, width)
        y1, y2 = np.clip([top, top + side], 0, height)
        if x1 < x2 and y1 < y2:
            patch[y1 - top : y2 - top, x1 - left : x2 - left] = frame[y1:y2, x1:x2]
    if side == out_size:
        return patch
    return np.asarray(cv2.resize(patch, (out_size, out_size), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _sample_square(
    frame: Uint8Image, corner_xy: tuple[int, int], side: int, out_size: int, border: Uint8Image
) -> Uint8Image:
    """Return the same crop as cutting and resizing, without the patch in between."""
    step = side / out_size
    # cv2.resize aligns pixel edges: output pixel i samples the patch at (i + 1/2) * step - 1/2.
    to_frame = np.array(
        [[step, 0, corner_xy[0] + step / 2 - 0.5], [0, step, corner_xy[1] + step / 2 - 0.5]], dtype=np.float64
    )
    return np.asarray(
        cv2.warpAffine(
            frame,
            to_frame,
            (out_size, out_size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=[int(value) for value in border],
        ),
        dtype=np.uint8,
    )


def paste_back(
    patch: NDArray[np.float32], patch_corner_xy: ArrayLike, patch_side: float, frame_hw: tuple[int, int]
) -> NDArray[np.float32]:
    """Return ``patch`` drawn into an empty map of the frame's size.

    Args:
        patch: (S, S) float32, e.g. a mask's probabilities.
        patch_corner_xy: Where the patch's top-left corner lies in the frame, pixels, fractional.
        patch_side: Side of the patch in the frame, pixels.
        frame_hw: Height and width of the map.

    Returns:
        (H, W) float32, 0 outside the patch.
    """
    height, width = frame_hw
    size = patch.shape[0]
    zoom = size / patch_side
    left, top = (float(value) for value in np.asarray(patch_corner_xy, dtype=np.float64))
    # The frame, seen from the patch, is a box of zoom * (width, height); its first and last pixels map onto the
    # first and last pixels of the map, as in the published mask trackers.
    scale_x, scale_y = (width - 1) / (width * zoom), (height - 1) / (height * zoom)
    to_frame = np.array([[scale_x, 0, scale_x * left * zoom], [0, scale_y, scale_y * top * zoom]])
    return np.asarray(
        cv2.warpAffine(patch, to_frame, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT),
        dtype=np.float32,
    )
