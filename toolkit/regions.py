"""Regions: what a ground truth or a tracker says about one frame.

A region is a row of numbers: one number is a status code of the VOT protocol, four are a box ``x, y, w, h``
(top-left corner, pixels), eight are the corners ``x1, y1, ... x4, y4`` of a polygon. A whole trajectory is a
:class:`Regions`: one padded array, so that everything downstream works on all frames at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.errors import RegionError

FloatArray = NDArray[np.float64]

SKIPPED = 0.0
"""Code of a frame that was not tracked: between a failure and the restart."""
INITIALIZED = 1.0
"""Code of a frame on which the tracker was started."""
FAILED = 2.0
"""Code of a frame on which the tracker lost the target."""

REGION_SIZES = (1, 4, 8)


@dataclass(frozen=True)
class Regions:
    """The regions of consecutive frames.

    Attributes:
        values: (N, 8) float64, pixels; row i holds ``sizes[i]`` numbers, then NaN.
        sizes: (N,) int, each 1 (status code), 4 (box) or 8 (polygon).
    """

    values: FloatArray
    sizes: NDArray[np.int64]

    @classmethod
    def from_rows(cls, rows: Iterable[Sequence[float]]) -> Regions:
        """Gather rows of 1, 4 or 8 numbers.

        Raises:
            RegionError: a row has another number of values.

        Example:
            >>> Regions.from_rows([[1], [0, 0, 10, 20]]).sizes.tolist()
            [1, 4]
        """
        listed = list(rows)
        sizes = np.fromiter(map(len, listed), dtype=np.int64, count=len(listed))
        wrong = np.flatnonzero(~np.isin(sizes, REGION_SIZES))
        if wrong.size:
            first = int(wrong[0])
            raise RegionError(f"region of frame {first + 1}: expected 1, 4 or 8 numbers, got {int(sizes[first])}")
        values = np.full((len(listed), 8), np.nan)
        filled = np.arange(8) < sizes[:, None]
        values[filled] = [number for row in listed for number in row]
        return cls(values, sizes)

    @classmethod
    def from_array(cls, rows: ArrayLike) -> Regions:
        """Take an (N, 4) array of boxes or an (N, 8) array of polygons."""
        array = np.asarray(rows, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] not in REGION_SIZES:
            raise RegionError(f"regions: expected an array (N, 1), (N, 4) or (N, 8), got {array.shape}")
        values = np.full((len(array), 8), np.nan)
        values[:, : array.shape[1]] = array
        return cls(values, np.full(len(array), array.shape[1], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, frames: slice | NDArray[np.generic]) -> Regions:
        return Regions(self.values[frames], self.sizes[frames])

    def is_code(self, code: float) -> NDArray[np.bool_]:
        """Return the (N,) mask of frames that hold nothing but this status code."""
        return (self.sizes == 1) & (self.values[:, 0] == code)

    def corners(self) -> FloatArray:
        """Return (N, 8) polygons; a box becomes its four corners, a status code NaN."""
        corners = self.values.copy()
        boxes = self.sizes == 4
        corners[boxes] = box_corners(self.values[boxes, :4])
        corners[self.sizes == 1] = np.nan
        return corners

    def enclosing_xywh(self) -> FloatArray:
        """Return (N, 4) the smallest axis-aligned box around each region; NaN for a status code."""
        return enclosing_xywh(self.corners())


def box_corners(boxes_xywh: ArrayLike, *, last_pixel: bool = False) -> FloatArray:
    """Return the corners of axis-aligned boxes.

    Args:
        boxes_xywh: (N, 4), pixels.
        last_pixel: put the far corners on the last pixel inside, ``x + w - 1``, and walk around the box the
            other way. This is how VOT annotations given as boxes are turned into polygons.

    Returns:
        (N, 8), clockwise on the screen from the top-left corner (counter-clockwise with ``last_pixel``).

    Example:
        >>> box_corners([[1, 2, 10, 20]]).tolist()
        [[1.0, 2.0, 11.0, 2.0, 11.0, 22.0, 1.0, 22.0]]
    """
    x, y, w, h = np.asarray(boxes_xywh, dtype=np.float64).reshape(-1, 4).T
    if last_pixel:
        right, bottom = x + w - 1, y + h - 1
        return np.stack([x, y, x, bottom, right, bottom, right, y], axis=1)
    right, bottom = x + w, y + h
    return np.stack([x, y, right, y, right, bottom, x, bottom], axis=1)


def enclosing_xywh(polygons: ArrayLike) -> FloatArray:
    """Return the smallest axis-aligned boxes around polygons.

    Args:
        polygons: (N, 8), pixels.

    Returns:
        (N, 4) x, y, w, h with w = max x - min x.

    Example:
        >>> enclosing_xywh([[2, 0, 4, 2, 2, 4, 0, 2]]).tolist()
        [[0.0, 0.0, 4.0, 4.0]]
    """
    points = np.asarray(polygons, dtype=np.float64).reshape(-1, 4, 2)
    low = points.min(axis=1)
    return np.concatenate([low, points.max(axis=1) - low], axis=1)


def start_box_cxcywh(region: ArrayLike) -> FloatArray:
    """Return the axis-aligned box on which a tracker is started, as the published VOT numbers had it.

    The box keeps the polygon's centre of gravity and the enclosing box's aspect, with the sides scaled so that
    the area is that of the rotated rectangle, plus one pixel. A box stays as it is.

    Args:
        region: (4,) x, y, w, h or (8,) polygon, pixels.

    Returns:
        (4,) centre x, centre y, w, h.

    Raises:
        RegionError: neither 4 nor 8 numbers.

    Example:
        >>> start_box_cxcywh([10, 20, 30, 40]).tolist()
        [25.0, 40.0, 30.0, 40.0]
        >>> start_box_cxcywh([0, 0, 10, 0, 10, 10, 0, 10]).tolist()
        [5.0, 5.0, 11.0, 11.0]
    """
    numbers = np.asarray(region, dtype=np.float64).ravel()
    if numbers.size == 4:
        x, y, w, h = numbers
        return np.array([x + w / 2, y + h / 2, w, h])
    if numbers.size != 8:
        raise RegionError(f"start region: expected 4 or 8 numbers, got {numbers.size}")
    points = numbers.reshape(4, 2)
    extent = points.max(axis=0) - points.min(axis=0)
    sides = np.linalg.norm(np.diff(points[:3], axis=0), axis=1)
    scale = np.sqrt(sides.prod() / extent.prod()) if extent.prod() > 0 else 1.0
    return np.concatenate([points.mean(axis=0), scale * extent + 1])
