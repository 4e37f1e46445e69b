"""Box formats, overlap and suppression: properties over seeded random boxes, and brute force."""

from __future__ import annotations

import numpy as np
import pytest

from pysot.geometry import (
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


def random_boxes(seed, *shape, largest=50.0):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.uniform(-40, 80, (*shape, 2)), rng.uniform(0.5, largest, (*shape, 2))], axis=-1)


@pytest.mark.parametrize("shape", [(), (1,), (200,), (3, 7), (0,)])
@pytest.mark.parametrize(("there", "back"), [(xywh_to_xyxy, xyxy_to_xywh), (xywh_to_cxcywh, cxcywh_to_xywh)])
def test_formats_convert_back(shape, there, back):
    boxes = random_boxes(0, *shape)
    converted = there(boxes)
    assert converted.shape == boxes.shape
    assert converted.dtype == np.float64
    np.testing.assert_allclose(back(converted), boxes, rtol=0, atol=1e-12)


def test_formats_by_hand():
    assert xywh_to_xyxy([10, 20, 4, 6]).tolist() == [10, 20, 14, 26]
    assert xywh_to_cxcywh([10, 20, 4, 6]).tolist() == [12, 23, 4, 6]
    assert corners_of_box([10, 20, 4, 6]).tolist() == [10, 20, 14, 20, 14, 26, 10, 26]


def test_pixel_centre_is_the_mean_of_the_covered_pixels():
    rng = np.random.default_rng(1)
    for _ in range(50):
        x, y, width, height = rng.integers(1, 30, 4)
        covered = np.mean(np.arange(x, x + width)), np.mean(np.arange(y, y + height))
        np.testing.assert_allclose(box_center([x, y, width, height]), covered)
        np.testing.assert_allclose(box_center([x, y, width, height], "edge"), xywh_to_cxcywh([x, y, width, height])[:2])


def test_bounding_box_undoes_corners_and_holds_every_point():
    boxes = random_boxes(2, 100)
    np.testing.assert_allclose(bounding_box_of_polygon(corners_of_box(boxes)), boxes, atol=1e-12)
    polygons = np.random.default_rng(3).normal(size=(40, 5, 2))
    x1, y1, x2, y2 = xywh_to_xyxy(bounding_box_of_polygon(polygons.reshape(40, 10))).T[..., None]
    tolerance = 1e-12
    assert (polygons[..., 0] >= x1 - tolerance).all()
    assert (polygons[..., 0] <= x2 + tolerance).all()
    assert (polygons[..., 1] >= y1 - tolerance).all()
    assert (polygons[..., 1] <= y2 + tolerance).all()
    touched = [np.isclose(polygons[..., axis], side).any(axis=1).all() for axis, side in ((0, x1), (1, y1), (0, x2))]
    assert all(touched)


def test_iou_of_whole_boxes_is_the_share_of_common_pixels():
    rng = np.random.default_rng(4)
    for _ in range(200):
        first, second = np.concatenate([rng.integers(0, 12, (2, 2)), rng.integers(0, 9, (2, 2))], axis=1)
        drawn = np.zeros((2, 24, 24), bool)
        for canvas, (x, y, width, height) in zip(drawn, (first, second), strict=True):
            canvas[y : y + height, x : x + width] = True
        either = (drawn[0] | drawn[1]).sum()
        expected = (drawn[0] & drawn[1]).sum() / either if either else 0.0
        assert iou_xywh(first, second) == pytest.approx(expected)


def test_iou_properties():
    first, second = random_boxes(5, 60), random_boxes(6, 80)
    table = iou_xywh(first[:, None], second[None])
    assert table.shape == (60, 80)
    assert ((table >= 0) & (table <= 1)).all()
    assert (table > 0).any()
    np.testing.assert_allclose(table, iou_xywh(second[:, None], first[None]).T)
    np.testing.assert_allclose(iou_xywh(first, first), 1)
    moved_and_scaled = [3.0 * (boxes + np.array([5, -7, 0, 0])) for boxes in (first, second[:60])]
    np.testing.assert_allclose(iou_xywh(*moved_and_scaled), iou_xywh(first, second[:60]))


@pytest.mark.parametrize("empty", [[5, 5, 0, 0], [5, 5, 0, 4], [5, 5, -3, 4], [5, 5, -3, -4]])
def test_a_box_without_area_overlaps_nothing(empty):
    assert iou_xywh(empty, [0, 0, 20, 20]) == 0
    assert iou_xywh(empty, empty) == 0


def greedy(boxes, scores, threshold):
    """Take the best box, strike out what it overlaps, repeat: one pair at a time."""
    order = sorted(range(len(boxes)), key=lambda index: (-scores[index], index))
    kept = []
    for index in order:
        if all(float(iou_xywh(boxes[index], boxes[other])) <= threshold for other in kept):
            kept.append(index)
    return kept


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_suppression_is_the_greedy_one(threshold):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        count = int(rng.integers(1, 40))
        boxes = random_boxes(seed, count)
        scores = rng.integers(0, 8, count) / 8  # with ties
        kept = non_maximum_suppression(boxes, scores, threshold)
        assert kept.tolist() == greedy(boxes, scores, threshold)
        assert (np.diff(scores[kept]) <= 0).all()
        for most in (0, 1, count):
            assert non_maximum_suppression(boxes, scores, threshold, most).tolist() == kept[:most].tolist()


def test_suppression_at_the_threshold_keeps_both():
    boxes = [[0, 0, 2, 1], [1, 0, 2, 1]]  # overlap 1 / 3
    assert non_maximum_suppression(boxes, [1, 2], 1 / 3).tolist() == [1, 0]
    assert non_maximum_suppression(boxes, [1, 2], 0.33).tolist() == [1]


def test_suppression_of_nothing():
    kept = non_maximum_suppression(np.empty((0, 4)), [], 0.5)
    assert kept.shape == (0,)
    assert kept.dtype == np.intp
