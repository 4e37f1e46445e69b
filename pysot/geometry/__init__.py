"""Boxes, anchors and crops in NumPy and OpenCV; no torch.

Coordinate conventions, for the whole project:

* Pixels are 0-based and a pixel's position is its centre: the pixel in column 0 is at x = 0. A box ``x, y, w, h``
  has its top-left corner at (x, y) and its size in pixels, all floats. An array says its format in its name:
  ``boxes_xywh``, ``boxes_xyxy`` (x + w, y + h exclusive), ``boxes_cxcywh``.
* The centre of ``x, y, w, h`` is ``x + (w - 1) / 2`` where a crop is taken around it (the mean position of the
  pixels it covers; `box_center`), and ``x + w / 2`` in DaSiamRPN's published trackers.
* A *crop* is a square of ``side`` frame pixels resized to ``S`` network pixels. Points inside it that the network
  predicts are relative to the crop's centre, in network pixels.
* Score maps are indexed (row, column) = (y, x); the channel of an anchor map holds the anchor.
"""

from pysot.geometry.anchors import AnchorGrid, anchor_grid, base_anchors_wh, cosine_window, point_grid, score_size
from pysot.geometry.boxes import (
    bounding_box_of_polygon,
    box_center,
    corners_of_box,
    cxcywh_to_xywh,
    iou_xywh,
    non_maximum_suppression,
    xywh_to_cxcywh,
    xywh_to_xyxy,
    xyxy_to_xywh,
)
from pysot.geometry.crop import Rounding, context_side, context_sides, crop_corner, crop_square, paste_back
from pysot.geometry.frame import as_bgr_uint8, check_box_xywh

__all__ = [
    "AnchorGrid",
    "Rounding",
    "anchor_grid",
    "as_bgr_uint8",
    "base_anchors_wh",
    "bounding_box_of_polygon",
    "box_center",
    "check_box_xywh",
    "context_side",
    "context_sides",
    "corners_of_box",
    "cosine_window",
    "crop_corner",
    "crop_square",
    "cxcywh_to_xywh",
    "iou_xywh",
    "non_maximum_suppression",
    "paste_back",
    "point_grid",
    "score_size",
    "xywh_to_cxcywh",
    "xywh_to_xyxy",
    "xyxy_to_xywh",
]
