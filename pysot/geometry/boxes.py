"""Box formats, overlap and suppression. Arrays are (..., 4) float, pixels, 0-based."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def xywh_to_xyxy(boxes_xywh: ArrayLike) -> FloatArray:
    """Return corners x1, y1, x2, y2 with x2 = x + w, y2 = y + h.

    Example:
        >>> xywh_to_xyxy([1, 2, 3, 4]).tolist()
        [1.0, 2.0, 4.0, 6.0]
    """
    boxes = np.asarray(boxes_xywh, dtype=np.float64)
    return np.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], axis=-1)


def xyxy_to_xywh(boxes_xyxy: ArrayLike) -> FloatArray:
    """Return x, y, w, h of corner boxes, the inverse of `xywh_to_xyxy`."""
    boxes = np.asarray(boxes_xyxy, dtype=np.float64)
    return np.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], axis=-1)


def xywh_to_cxcywh(boxes_xywh: ArrayLike) -> FloatArray:
    """Return cx, cy, w, h with cx = x + w / 2 (the geometric centre)."""
    boxes = np.asarray(boxes_xywh, dtype=np.float64)
    return np.concatenate([boxes[..., :2] + boxes[..., 2:] / 2, boxes[..., 2:]], axis=-1)


def cxcywh_to_xywh(boxes_cxcywh: ArrayLike) -> FloatArray:
    """Return x, y, w, h with x = cx - w / 2, the inverse of `xywh_to_cxcywh`."""
    boxes = np.asarray(boxes_cxcywh, dtype=np.float64)
    return np.concatenate([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., 2:]], axis=-1)


def box_center(box_xywh: ArrayLike, convention: Literal["pixel", "edge"] = "pixel") -> FloatArray:
    """Return the (..., 2) centre of boxes.

    Args:
        box_xywh: (..., 4) x, y, w, h.
        convention: ``pixel`` gives x + (w - 1) / 2, the mean position of the covered pixels (PySOT's and
            SiamFC's start); ``edge`` gives x + w / 2 (DaSiamRPN's).

    Example:
        >>> box_center([10, 20, 4, 6]).tolist(), box_center([10, 20, 4, 6], "edge").tolist()
        ([11.5, 22.5], [12.0, 23.0])
    """
    box = np.asarray(box_xywh, dtype=np.float64)
    extent = box[..., 2:] - 1 if convention == "pixel" else box[..., 2:]
    return box[..., :2] + extent / 2


def corners_of_box(box_xywh: ArrayLike) -> FloatArray:
    """Return the (..., 8) polygon x1, y1, ..., x4, y4 of boxes, clockwise from the top-left corner.

    Example:
        >>> corners_of_box([1, 2, 3, 4]).tolist()
        [1.0, 2.0, 4.0, 2.0, 4.0, 6.0, 1.0, 6.0]
    """
    left, top, right, bottom = np.moveaxis(xywh_to_xyxy(box_xywh), -1, 0)
    return np.stack([left, top, right, top, right, bottom, left, bottom], axis=-1)


def bounding_box_of_polygon(polygon: ArrayLike) -> FloatArray:
    """Return x, y, w, h of the smallest upright box around (..., 2n) polygon coordinates x1, y1, ....

    Example:
        >>> bounding_box_of_polygon([3, 0, 6, 3, 3, 6, 0, 3]).tolist()
        [0.0, 0.0, 6.0, 6.0]
    """
    points = np.asarray(polygon, dtype=np.float64)
    points = points.reshape(*points.shape[:-1], -1, 2)
    return xyxy_to_xywh(np.concatenate([points.min(axis=-2), points.max(axis=-2)], axis=-1))


def iou_xywh(first_xywh: ArrayLike, second_xywh: ArrayLike) -> FloatArray:
    """Return the intersection over union of boxes, broadcasting (..., 4) against (..., 4).

    Boxes without area overlap nothing.

    Example:
        >>> float(iou_xywh([0, 0, 2, 2], [1, 0, 2, 2]))
        0.3333333333333333
    """
    first, second = xywh_to_xyxy(first_xywh), xywh_to_xyxy(second_xywh)
    overlap_wh = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    intersection = np.prod(np.clip(overlap_wh, 0, None), axis=-1)
    areas = [np.prod(np.clip(b[..., 2:] - b[..., :2], 0, None), axis=-1) for b in (first, second)]
    union = areas[0] + areas[1] - intersection
    return np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)


def non_maximum_suppression(
    boxes_xywh: ArrayLike, scores: ArrayLike, iou_threshold: float, most: int | None = None
) -> NDArray[np.intp]:
    """Return the indices of boxes that no better-scored kept box overlaps by more than ``iou_threshold``.

    Args:
        boxes_xywh: (N, 4) boxes.
        scores: (N,) scores; higher is better.
        iou_threshold: 0..1.
        most: Boxes kept, at most; None for all.

    Returns:
        Kept indices, best score first.

    Example:
        >>> non_maximum_suppression([[0, 0, 4, 4], [0, 0, 4, 3], [9, 9, 4, 4]], [0.5, 0.9, 0.7], 0.5).tolist()
        [1, 2]
    """
    boxes = np.asarray(boxes_xywh, dtype=np.float64)
    remaining = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    kept: list[np.intp] = []
    while remaining.size and (most is None or len(kept) < most):
        best, remaining = remaining[0], remaining[1:]
        kept.append(best)
        remaining = remaining[iou_xywh(boxes[best], boxes[remaining]) <= iou_threshold]
    return np.asarray(kept, dtype=np.intp)
