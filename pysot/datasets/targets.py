"""What the network should answer for a pair: labels of anchors or cells, box offsets, masks.

Boxes are corners x1, y1, x2, y2 in pixels of the search crop, where a pixel's position is its centre: the crop's centre
is pixel ``search_size // 2``. All random choices come from the generator that is passed in.

A pair's targets are a dictionary of arrays, which a data loader can stack as it is:

* ``cls``: (K, S, S) int8: 1 the target, 0 not the target, -1 not asked; K = 1 for SiamFC.
* ``loc``: (4, K, S, S) float32: offsets from each positive anchor to the target, or distances of the target's left,
  top, right and bottom side from each positive point in strides; 0 elsewhere; not for SiamFC.
* ``loc_weight``: (K, S, S) float32: one over the number of positives where positive, 0 elsewhere; not for SiamFC.
* ``mask``: (H, H) int8, the size of the search crop: 1 the target, -1 not, 0 unknown; only for networks with masks.
* ``has_mask``: () bool: the pair has one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pysot.geometry import AnchorGrid, cxcywh_to_xywh, point_grid, xywh_to_cxcywh, xywh_to_xyxy, xyxy_to_xywh

Targets = dict[str, NDArray[np.generic]]

# Of a pair of different targets, the cells this near to the search crop's target may be chosen as negatives.
_REACH = 3


class AnchorTargets:
    """Labels anchors by their overlap with the target.

    Args:
        grid: The anchors, from `pysot.geometry.anchor_grid`; kept as arrays once, shared by all pairs.
        search_size: Side of the search crop, network pixels.
        stride: Network pixels per cell.
        threshold_high: An anchor above this overlap is positive.
        threshold_low: An anchor below this overlap is negative.
        most_positives: Positives taken from a pair, at most.
        total: Positives and negatives of a pair together, at most.
        unrelated_negatives: Negatives taken from a pair of different targets.
        fill_negatives: Take ``total`` less the positives found, as SiamMask does, instead of ``total`` less
            ``most_positives``, as SiamRPN does: pairs with few positives then have more negatives.

    Source: SiamRPN, section 4.2; DaSiamRPN, section 3.2, for pairs of different targets.

    Example:
        >>> from pysot.geometry import anchor_grid, base_anchors_wh
        >>> grid = anchor_grid(base_anchors_wh(8, [0.5, 1, 2], [8]), stride=8, size=25)
        >>> targets = AnchorTargets(grid, search_size=255, stride=8)
        >>> labels = targets([95, 95, 159, 159], np.random.default_rng(0))["cls"]
        >>> labels.shape, int((labels == 1).sum()), int((labels == 0).sum()), int(labels[1, 12, 12])
        ((3, 25, 25), 9, 48, 1)
    """

    def __init__(
        self,
        grid: AnchorGrid,
        search_size: int,
        stride: int,
        *,
        threshold_high: float = 0.6,
        threshold_low: float = 0.3,
        most_positives: int = 16,
        total: int = 64,
        unrelated_negatives: int = 16,
        fill_negatives: bool = False,
    ) -> None:
        self.search_size, self.stride, self.size = search_size, stride, grid.size
        self.threshold_high, self.threshold_low = threshold_high, threshold_low
        self.most_positives, self.total = most_positives, total
        self.unrelated_negatives, self.fill_negatives = unrelated_negatives, fill_negatives
        self._boxes_cxcywh = grid.boxes_cxcywh.astype(np.float64)
        self._shape = (len(grid.boxes_cxcywh) // grid.size**2, grid.size, grid.size)
        corners = xywh_to_xyxy(cxcywh_to_xywh(self._boxes_cxcywh)).reshape(*self._shape, 4)
        # An anchor's sides depend on one coordinate each: (K, S) lefts and rights, (K, S) tops and bottoms.
        self._sides_x, self._sides_y = corners[:, 0, :, 0::2], corners[:, :, 0, 1::2]
        self._areas = np.prod(self._boxes_cxcywh[:, 2:], axis=1).reshape(self._shape)

    def __call__(self, box_xyxy: ArrayLike, rng: np.random.Generator, *, negative: bool = False) -> Targets:
        """Return ``cls``, ``loc`` and ``loc_weight``.

        Args:
            box_xyxy: (4,) the search crop's target.
            rng: Chooses among the anchors that qualify.
            negative: The template shows another target: nothing is positive, and the negatives are near this one.
        """
        box_cxcywh = _relative_cxcywh(box_xyxy, self.search_size)
        cls = np.full(self._shape, -1, dtype=np.int8)
        loc = np.zeros((4, cls.size), dtype=np.float32)
        loc_weight = np.zeros(cls.size, dtype=np.float32)
        if negative:
            near = _near(self._shape, box_cxcywh, self.stride)
            cls.flat[_choose(near, self.unrelated_negatives, rng)] = 0
        else:
            overlaps = self._overlaps(box_cxcywh).ravel()
            positives = _choose(np.flatnonzero(overlaps > self.threshold_high), self.most_positives, rng)
            kept = len(positives) if self.fill_negatives else self.most_positives
            cls.flat[_choose(np.flatnonzero(overlaps < self.threshold_low), self.total - kept, rng)] = 0
            cls.flat[positives] = 1
            anchors = self._boxes_cxcywh[positives]
            loc[:2, positives] = ((box_cxcywh[:2] - anchors[:, :2]) / anchors[:, 2:]).T
            loc[2:, positives] = np.log(box_cxcywh[2:] / anchors[:, 2:]).T
            loc_weight[positives] = 1 / max(len(positives), 1)
        return {
            "cls": cls,
            "loc": loc.reshape(4, *self._shape),
            "loc_weight": loc_weight.reshape(self._shape),
        }

    def _overlaps(self, box_cxcywh: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the (K, S, S) overlaps of the anchors with a box.

        `pysot.geometry.iou_xywh` with the grid's structure used: 30 instead of 200 microseconds for 3125 anchors,
        which is a fifth of the time a pair may take.
        """
        left, top, right, bottom = xywh_to_xyxy(cxcywh_to_xywh(box_cxcywh))
        widths = np.minimum(self._sides_x[..., 1], right) - np.maximum(self._sides_x[..., 0], left)
        heights = np.minimum(self._sides_y[..., 1], bottom) - np.maximum(self._sides_y[..., 0], top)
        intersections = np.clip(heights, 0, None)[:, :, None] * np.clip(widths, 0, None)[:, None, :]
        overlaps: NDArray[np.float64] = intersections / (self._areas + np.prod(box_cxcywh[2:]) - intersections)
        return overlaps


class PointTargets:
    """Labels the cells of a score map by where they lie in the target's box.

    A cell within the inner ellipse is positive, one outside of the outer ellipse negative, those between are not asked.
    The cell nearest to the target's centre is positive in any case, however small or narrow the target is.

    Args:
        size: Cells per side.
        search_size: Side of the search crop, network pixels.
        stride: Network pixels per cell.
        inner: Half axes of the inner ellipse, as a share of the box's half sides.
        outer: The same of the outer ellipse.
        most_positives: Positives taken from a pair, at most.
        total: Positives and negatives of a pair together, at most.
        unrelated_negatives: Negatives taken from a pair of different targets.
        fill_negatives: As for `AnchorTargets`.

    Source: SiamBAN (arXiv:2003.06761), section 3.3, whose ellipses have a half and a quarter of the box's sides as half
    axes; numbers of samples as for anchors.

    Example:
        >>> targets = PointTargets(size=25, search_size=255, stride=8)
        >>> labels = targets([95, 95, 159, 159], np.random.default_rng(0))
        >>> labels["cls"][0, 12, 8:18].tolist(), labels["loc"][:, 0, 12, 13].tolist()
        ([-1, -1, 1, 1, 1, 1, 1, -1, -1, -1], [5.0, 4.0, 3.0, 4.0])
    """

    def __init__(
        self,
        size: int,
        search_size: int,
        stride: int,
        *,
        inner: float = 0.5,
        outer: float = 1.0,
        most_positives: int = 16,
        total: int = 64,
        unrelated_negatives: int = 16,
        fill_negatives: bool = False,
    ) -> None:
        self.search_size, self.stride, self.size = search_size, stride, size
        self.inner, self.outer = inner, outer
        self.most_positives, self.total = most_positives, total
        self.unrelated_negatives, self.fill_negatives = unrelated_negatives, fill_negatives
        self._points_xy = point_grid(stride, size).astype(np.float64)
        self._shape = (1, size, size)

    def __call__(self, box_xyxy: ArrayLike, rng: np.random.Generator, *, negative: bool = False) -> Targets:
        """Return ``cls``, ``loc`` and ``loc_weight``; arguments as for `AnchorTargets`."""
        box_cxcywh = _relative_cxcywh(box_xyxy, self.search_size)
        cls = np.full(self._shape, -1, dtype=np.int8)
        loc = np.zeros((4, cls.size), dtype=np.float32)
        loc_weight = np.zeros(cls.size, dtype=np.float32)
        if negative:
            near = _near(self._shape, box_cxcywh, self.stride)
            cls.flat[_choose(near, self.unrelated_negatives, rng)] = 0
        else:
            inside, outside = self._ellipses(box_cxcywh)
            positives = _choose(inside, self.most_positives, rng)
            kept = len(positives) if self.fill_negatives else self.most_positives
            cls.flat[_choose(outside, self.total - kept, rng)] = 0
            cls.flat[positives] = 1
            from_center = self._points_xy[positives] - box_cxcywh[:2]
            half_sides = box_cxcywh[2:] / 2
            loc[:2, positives] = (half_sides + from_center).T / self.stride
            loc[2:, positives] = (half_sides - from_center).T / self.stride
            loc_weight[positives] = 1 / max(len(positives), 1)
        return {
            "cls": cls,
            "loc": loc.reshape(4, *self._shape),
            "loc_weight": loc_weight.reshape(self._shape),
        }

    def _ellipses(self, box_cxcywh: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the flat indices of the cells inside of the inner ellipse and of those outside of the outer one."""
        from_center = self._points_xy - box_cxcywh[:2]
        radii = np.linalg.norm(from_center / (box_cxcywh[2:] / 2), axis=1)
        nearest = np.abs(from_center).max(axis=1) <= self.stride / 2
        return np.flatnonzero((radii <= self.inner) | nearest), np.flatnonzero((radii > self.outer) & ~nearest)


@dataclass(frozen=True)
class ScoreTargets:
    """Labels the cells of SiamFC's score map: positive within a distance of the target's, else negative.

    Attributes:
        size: Cells per side.
        search_size: Side of the search crop, network pixels.
        stride: Network pixels per cell.
        radius: Largest distance |x| + |y| of a positive cell, network pixels.

    Source: SiamFC, equation 4, with siamfc-pytorch's block distance. A target off the centre moves its label by whole
    cells, so that every label has the same number of positives.

    Example:
        >>> targets = ScoreTargets(size=5, search_size=159, stride=8, radius=8)
        >>> targets([79, 79, 79, 79], np.random.default_rng(0))["cls"][0].tolist()
        [[0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]
    """

    size: int
    search_size: int
    stride: int
    radius: float = 16.0

    def __call__(self, box_xyxy: ArrayLike, rng: np.random.Generator, *, negative: bool = False) -> Targets:
        """Return ``cls``; nothing is random here.

        Args:
            box_xyxy: (4,) the search crop's target.
            rng: Not used; there for the interface of `AnchorTargets`.
            negative: The template shows another target: every cell is negative.
        """
        shift_x, shift_y = np.rint(_relative_cxcywh(box_xyxy, self.search_size)[:2] / self.stride)
        cells = np.arange(self.size) - (self.size - 1) / 2
        distances = (np.abs(cells - shift_y)[:, None] + np.abs(cells - shift_x)[None, :]) * self.stride
        positive = (distances <= self.radius) & (not negative)
        return {"cls": positive[None].astype(np.int8)}


@dataclass(frozen=True)
class PairTargets:
    """The targets of a pair for a network with masks: labels of anchors or points, and the mask.

    Attributes:
        boxes: Labels them.
    """

    boxes: AnchorTargets | PointTargets

    def __call__(
        self,
        box_xyxy: ArrayLike,
        rng: np.random.Generator,
        *,
        negative: bool = False,
        mask: NDArray[np.bool_] | None = None,
    ) -> Targets:
        """Return ``cls``, ``loc``, ``loc_weight``, ``mask`` and ``has_mask``.

        Args:
            box_xyxy: (4,) the search crop's target.
            rng: Chooses among the anchors that qualify.
            negative: The template shows another target: the mask is not the one to draw.
            mask: (H, H) bool, the search crop's target, or None where the source has no masks.
        """
        targets = self.boxes(box_xyxy, rng, negative=negative)
        return targets | mask_targets(None if negative else mask, self.boxes.search_size)


def mask_targets(mask: NDArray[np.bool_] | None, search_size: int) -> Targets:
    """Return ``mask`` and ``has_mask``.

    Which part of the mask a cell of the score map should draw is `pysot.models.losses.mask_windows`'.

    Args:
        mask: (search_size, search_size) bool, or None.
        search_size: Side of the search crop, network pixels.

    Raises:
        ValueError: The mask has another shape.

    Example:
        >>> mask_targets(np.eye(2, dtype=bool), 2)["mask"].tolist()
        [[1, -1], [-1, 1]]
    """
    expected = (search_size, search_size)
    if mask is None:
        return {"mask": np.zeros(expected, dtype=np.int8), "has_mask": np.asarray(False)}
    if mask.shape != expected:
        raise ValueError(f"a mask has the shape of the search crop: expected {expected}, got {mask.shape}")
    return {"mask": np.where(mask, np.int8(1), np.int8(-1)), "has_mask": np.asarray(True)}


def _relative_cxcywh(box_xyxy: ArrayLike, search_size: int) -> NDArray[np.float64]:
    """Return a box of the search crop with its centre relative to the crop's."""
    box = xywh_to_cxcywh(xyxy_to_xywh(box_xyxy))
    box[:2] -= search_size // 2
    return box


def _near(shape: tuple[int, int, int], box_cxcywh: NDArray[np.float64], stride: int) -> NDArray[np.intp]:
    """Return the flat indices, in (K, S, S), of the 7 x 7 cells around a box's centre, as far as they exist."""
    column, row = shape[-1] // 2 + np.rint(box_cxcywh[:2] / stride).astype(int)
    near = np.zeros(shape, dtype=bool)
    near[:, max(0, row - _REACH) : row + _REACH + 1, max(0, column - _REACH) : column + _REACH + 1] = True
    return np.flatnonzero(near)


def _choose(candidates: NDArray[np.intp], most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return all candidates, or ``most`` of them at random if there are more."""
    if len(candidates) <= most:
        return candidates
    return rng.choice(candidates, most, replace=False, shuffle=False)
