"""Rotated boxes around masks, and where masks land in the frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

import pysot
from pysot.trackers.siammask import rotated_box
from pysot.utils import ConfigError
from tests.trackers.conftest import BOX, KINDS


def drawn(angle, size=(60, 24), center=(80, 60)):
    canvas = np.zeros((120, 160), np.uint8)
    points = cv2.boxPoints((center, size, angle))
    cv2.fillPoly(canvas, [np.rint(points).astype(np.int32)], 1)
    return canvas.astype(bool)


@pytest.mark.parametrize("angle", [0, 17, 45, 80])
def test_rotated_box_finds_a_drawn_rectangle(angle):
    polygon = rotated_box(drawn(angle)).reshape(4, 2)
    np.testing.assert_allclose(polygon.mean(axis=0), (80, 60), atol=0.8)
    sides = sorted(np.linalg.norm(np.roll(polygon, -1, axis=0) - polygon, axis=1))
    np.testing.assert_allclose(sides, [24, 24, 60, 60], atol=1.6)


def test_the_largest_piece_counts_and_holes_do_not_matter():
    mask = drawn(0)
    mask[55:65, 70:90] = False
    mask[5:12, 5:12] = True
    polygon = rotated_box(mask).reshape(4, 2)
    np.testing.assert_allclose([polygon.min(axis=0), polygon.max(axis=0)], [(50, 48), (110, 72)], atol=1)


def test_no_or_tiny_masks_have_no_rotated_box():
    assert rotated_box(np.zeros((50, 50), bool)) is None
    tiny = np.zeros((50, 50), bool)
    tiny[10:20, 10:21] = True  # the contour runs through pixel centres: its area is 9 * 10
    assert rotated_box(tiny) is None
    tiny[10:22, 10:21] = True  # 11 * 10
    assert rotated_box(tiny) is not None


def test_without_a_mask_the_polygon_is_the_box(small_tracker, frames, monkeypatch):
    tracker = small_tracker("siammask")
    monkeypatch.setattr(tracker, "mask_threshold", 1.0)
    tracker.init(frames[0], BOX)
    result = tracker.track(frames[1])
    x, y, width, height = result.bbox
    assert not result.mask.any()
    np.testing.assert_allclose(result.polygon, [x, y, x + width, y, x + width, y + height, x, y + height])


def test_a_network_without_masks_is_refused():
    name, overrides = KINDS["siamrpn"]
    model = pysot.build_model(pysot.load_cfg(name, overrides))
    with pytest.raises(ConfigError, match="needs a network with a mask head"):
        pysot.build_tracker(pysot.load_cfg(*KINDS["siammask"]), model, device="cpu")
