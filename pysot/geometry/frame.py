"""What a tracker accepts as a frame and as a start box."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

# Pixels: no frame comes near it, and areas and crops of a box within it do not overflow.
_FARTHEST = 1e9


def as_bgr_uint8(frame: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the frame as (H, W, 3) uint8 BGR, converting where needed.

    Gray frames (H, W) or (H, W, 1) are repeated to three channels, the alpha channel of BGRA is dropped, 16-bit
    frames are divided by 256 (the upper byte is kept). A frame that is already BGR uint8 is returned as it is.

    Raises:
        ValueError: Not an image array, another type, no pixels, or another number of channels.
    """
    if not isinstance(frame, np.ndarray):
        raise ValueError(
            f"a frame is a NumPy array (H, W, 3) uint8 BGR, got {type(frame).__name__}"
            + (": the image could not be read" if frame is None else "")
        )
    if frame.ndim not in (2, 3) or (frame.ndim == 3 and frame.shape[2] not in (1, 3, 4)):
        raise ValueError(f"a frame has shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got {frame.shape}")
    if frame.shape[0] == 0 or frame.shape[1] == 0:
        raise ValueError(f"the frame is empty: its shape is {frame.shape}")
    if frame.dtype == np.uint16:
        frame = (frame >> 8).astype(np.uint8)
    elif frame.dtype != np.uint8:
        raise ValueError(f"a frame is uint8 (or uint16) with values from 0 up, got {frame.dtype}")
    if frame.ndim == 2 or frame.shape[2] == 1:
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
    if frame.shape[2] == 4:
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGRA2BGR), dtype=np.uint8)
    return frame


def check_box_xywh(box_xywh: ArrayLike, frame_hw: tuple[int, int]) -> NDArray[np.float64]:
    """Return a start box as a (4,) float array after checking that a tracker can start on it.

    The box may lie partly outside the frame and may be as small as one pixel.

    Raises:
        ValueError: Not four finite numbers up to 1e9, a side under one pixel, or nothing of it inside the frame.
    """
    try:
        box = np.array(box_xywh, dtype=np.float64)  # the caller may change its own array later
    except (TypeError, ValueError):
        raise ValueError(f"a box is four numbers x, y, w, h, got {box_xywh!r}") from None
    if box.shape != (4,):
        raise ValueError(f"a box is four numbers x, y, w, h, got {box_xywh!r}")
    if not np.isfinite(box).all():
        raise ValueError(f"the box {box.tolist()} has a value that is not finite")
    if np.abs(box).max() > _FARTHEST:
        raise ValueError(f"the box {box.tolist()} reaches beyond any frame: expected values up to {_FARTHEST:.0e}")
    x, y, width, height = box
    if width < 1 or height < 1:
        raise ValueError(f"the box {box.tolist()} is empty: width and height must be at least 1 pixel")
    frame_height, frame_width = frame_hw
    if x >= frame_width or y >= frame_height or x + width <= 0 or y + height <= 0:
        raise ValueError(
            f"the box {box.tolist()} (x, y, w, h) lies outside the frame, which is {frame_width} x {frame_height}"
        )
    return box
