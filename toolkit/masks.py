"""Masks: as a line of text, as an image file, and how much two of them overlap.

A mask is (H, W) bool, True where the target is. Its line is that of the VOT challenges since 2020: ``m`` and whole
numbers, first the window that holds the mask, ``x, y, w, h``, then the lengths of the runs of pixels in it, row by row,
in turn outside and inside, beginning outside. Everything beyond the window is outside.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.errors import DatasetError, RegionError

Mask = NDArray[np.bool_]

EMPTY = "m0,0,1,1,1"
"""The line of a mask without pixels: a window of one pixel, which is outside."""


def encode_mask(mask: Mask) -> str:
    """Return a mask (H, W) as a line, :data:`EMPTY` for one without pixels.

    Example:
        >>> encode_mask(np.array([[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 1, 0]], dtype=bool))
        'm1,1,3,2,1,4,1'
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return EMPTY
    top, bottom, left, right = (int(side) for side in (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1))
    inside = mask[top:bottom, left:right].ravel()
    turns = np.flatnonzero(np.diff(inside)) + 1
    starts = [0, *([0] if inside[0] else []), *turns.tolist(), inside.size]
    numbers = [left, top, right - left, bottom - top, *np.diff(starts).tolist()]
    return "m" + ",".join(map(str, numbers))


def decode_mask(line: str, size_wh: tuple[int, int]) -> Mask:
    """Return the mask (H, W) of a line, in an image of this width and height; what lies beyond the image is cut off.

    Raises:
        RegionError: no mask, or runs that do not fill the window.

    Example:
        >>> decode_mask("m1,1,3,2,1,4,1", (4, 3)).astype(int).tolist()
        [[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 1, 0]]
    """
    try:
        if not line.startswith("m"):
            raise ValueError
        left, top, width, height, *runs = map(int, line[1:].split(","))
    except ValueError:
        raise RegionError(f"expected a mask, m and whole numbers x,y,w,h,runs, got {line[:40]!r}") from None
    if min(width, height, *runs, 1) < 0 or sum(runs) != width * height:
        raise RegionError(f"a mask in a window of {width} x {height}: its runs have {sum(runs)} pixels")
    window = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
    mask = np.zeros((size_wh[1], size_wh[0]), dtype=bool)
    columns, rows = (slice(max(start, 0), max(start + length, 0)) for start, length in ((left, width), (top, height)))
    seen = mask[rows, columns]
    first_row, first_column = max(-top, 0), max(-left, 0)
    seen[:] = window[first_row : first_row + seen.shape[0], first_column : first_column + seen.shape[1]]
    return mask


def read_mask(path: Path) -> Mask:
    """Read an annotated mask (H, W): an image in which what is not 0 is the target.

    Raises:
        DatasetError: the file is missing or cannot be decoded.
    """
    exists = path.exists()  # asked first: OpenCV would print a warning
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) if exists else None
    if image is None:
        raise DatasetError(f"{path}: {'cannot be decoded as an image' if exists else 'no such file'}")
    return np.asarray(image) > 0


def mask_iou(found: Mask, truth: Mask) -> float:
    """Return the intersection of two masks over their union, NaN where both are empty.

    Source: Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR 2016,
    region similarity J.

    Example:
        >>> mask_iou(np.array([[True, True, False]]), np.array([[False, True, True]]))
        0.3333333333333333
    """
    union = int((found | truth).sum())
    return int((found & truth).sum()) / union if union else float("nan")
