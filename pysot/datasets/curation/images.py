"""Images as bytes: reading that says what is wrong, and JPEGs from which a part can be decoded quickly."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pysot.geometry import context_side
from pysot.utils import InputError

Uint8Image = NDArray[np.uint8]

CROP_SIZE = 511
"""Side of a stored crop, pixels."""
TEMPLATE_SIZE = 127
"""Side, in the crop, of the region that a template takes: the target with its context."""
CONTEXT = 0.5
"""Context around the target on each side, as a share of its mean side."""
QUALITY = 90
"""Of the crops' JPEGs."""

_MCU = 16  # pixels that a JPEG codes together with colours at half resolution


def crop_zoom(size_wh: tuple[float, float]) -> float:
    """Return how many pixels of a crop a frame's pixel takes, for a target of this size.

    Example:
        >>> round(crop_zoom((63.5, 63.5)), 9)
        1.0
    """
    return TEMPLATE_SIZE / context_side(size_wh, CONTEXT)


def read_image(path: Path) -> Uint8Image:
    """Return an image file's (H, W, 3) pixels BGR, as they are stored: a noted orientation is not applied.

    Raises:
        InputError: It is missing, empty, cut off or no image; names the file.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if data[:2] == b"\xff\xd8" and b"\xff\xd9" not in data[-1024:]:
        raise InputError(f"{path}: the JPEG ends early, after {len(data)} bytes")
    try:
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error as error:
        raise InputError(f"{path}: not an image that can be read: {error.err}") from error
    if image is None:
        raise InputError(f"{path}: not an image that can be read ({len(data)} bytes)")
    return np.asarray(image, dtype=np.uint8)


def encode_jpeg(image: Uint8Image, quality: int = QUALITY) -> bytes:
    """Return an image as a JPEG with a restart marker before each row of blocks, where a decoder can begin."""
    across = -(-image.shape[1] // _MCU)
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_RST_INTERVAL, across])
    return data.tobytes()


def binary(opacity: Uint8Image) -> Uint8Image:
    """Return 255 where opacity is over half, else 0."""
    return np.asarray(cv2.threshold(opacity, 127, 255, cv2.THRESH_BINARY)[1], dtype=np.uint8)


def encode_mask(mask: Uint8Image) -> bytes:
    """Return a mask of 0 and 255 as a PNG with one bit per pixel."""
    _, data = cv2.imencode(".png", mask, [cv2.IMWRITE_PNG_BILEVEL, 1])
    return data.tobytes()
