"""Boxes, suppression, anchors and windows: constants, identities and brute force."""

from __future__ import annotations

import numpy as np
import pytest

from pysot.geometry import (
    anchor_grid,
    as_bgr_uint8,
    base_anchors_wh,
    bounding_box_of_polygon,
    box_center,
    check_box_xywh,
    corners_of_box,
    cosine_window,
    cxcywh_to_xywh,
    iou_xywh,
    non_maximum_suppression,
    score_size,
    xywh_to_cxcywh,
    xywh_to_xyxy,
    xyxy_to_xywh,
)


@pytest.fixture
def boxes():
    return np.random.default_rng(0).uniform(1, 60, (500, 4))


def test_conversions_are_inverse(boxes):
    np.testing.assert_allclose(xyxy_to_xywh(xywh_to_xyxy(boxes)), boxes)
    np.testing.assert_allclose(cxcywh_to_xywh(xywh_to_cxcywh(boxes)), boxes)
    np.testing.assert_allclose(bounding_box_of_polygon(corners_of_box(boxes)), boxes)


def test_centres_differ_by_half_a_pixel(boxes):
    np.testing.assert_allclose(box_center(boxes, "edge") - box_center(boxes), 0.5)
    np.testing.assert_allclose(box_center(boxes, "edge"), xywh_to_cxcywh(boxes)[:, :2])


def test_iou_against_counted_pixels():
    rng = np.random.default_rng(1)
    for _ in range(50):
        first, second = (np.concatenate([rng.integers(0, 20, 2), rng.integers(1, 20, 2)]) for _ in range(2))
        canvas = np.zeros((2, 48, 48), bool)
        for layer, (x, y, w, h) in zip(canvas, (first, second), strict=True):
            layer[y : y + h, x : x + w] = True
        expected = (canvas[0] & canvas[1]).sum() / (canvas[0] | canvas[1]).sum()
        assert float(iou_xywh(first, second)) == pytest.approx(expected)


def test_boxes_without_area_overlap_nothing():
    assert iou_xywh([[0, 0, 0, 5], [1, 1, -4, 3]], [0, 0, 10, 10]).tolist() == [0, 0]


def test_suppression_keeps_the_definition(boxes):
    scores = np.random.default_rng(2).uniform(0, 1, len(boxes))
    kept = non_maximum_suppression(boxes, scores, 0.4)
    assert (np.diff(scores[kept]) <= 0).all()
    overlaps = iou_xywh(boxes[:, None], boxes[None])
    for index in range(len(boxes)):
        better_kept = [other for other in kept if scores[other] > scores[index]]
        suppressed = bool(len(better_kept)) and overlaps[index, better_kept].max() > 0.4
        assert (index in kept) != suppressed


def test_anchors_of_the_published_networks():
    sizes = base_anchors_wh(8, [0.33, 0.5, 1, 2, 3], [8])
    assert sizes.tolist() == [[104, 32], [88, 40], [64, 64], [40, 80], [32, 96]]
    assert [score_size(255, 127, 8, 8), score_size(287, 127, 8, 0), score_size(831, 127, 8, 8)] == [25, 21, 97]
    assert score_size(271, 127, 8, 0) == 19
    assert len(anchor_grid(sizes, 8, 25).boxes_cxcywh) == 3125
    assert len(anchor_grid(sizes, 8, 97).boxes_cxcywh) == 47045


@pytest.mark.parametrize(("exact", "first"), [(False, -72.0), (True, -76.0)])
def test_grid_order_and_origin(exact, first):
    grid = anchor_grid(base_anchors_wh(8, [0.5, 1], [8]), 8, 19, exact_origin=exact)
    maps = grid.boxes_cxcywh.reshape(2, 19, 19, 4)
    assert maps[1, 3, 5].tolist() == [first + 5 * 8, first + 3 * 8, 64, 64]
    assert maps[0, 0, 0, 2:].tolist() == [88, 40]


def test_even_grids_have_one_origin():
    sizes = base_anchors_wh(8, [1], [8])
    one, other = (anchor_grid(sizes, 8, 20, exact_origin=exact).boxes_cxcywh for exact in (False, True))
    np.testing.assert_array_equal(one, other)


def test_window_is_the_outer_hann_product_for_every_anchor():
    window = cosine_window(5, 3).reshape(3, 5, 5)
    hann = [0, 0.5, 1, 0.5, 0]
    for one in window:
        np.testing.assert_allclose(one, np.outer(hann, hann), atol=1e-12)


def test_bgr_frames_pass_untouched():
    frame = np.zeros((4, 5, 3), np.uint8)
    assert as_bgr_uint8(frame) is frame


def test_sixteen_bits_keep_the_upper_byte():
    assert as_bgr_uint8(np.full((2, 2), 0x1234, np.uint16))[0, 0].tolist() == [0x12] * 3


def test_alpha_is_dropped():
    frame = np.dstack([np.full((2, 2), value, np.uint8) for value in (1, 2, 3, 200)])
    assert as_bgr_uint8(frame)[0, 0].tolist() == [1, 2, 3]


def test_boxes_may_leave_the_frame_but_not_all_of_them():
    assert check_box_xywh((-5, -5, 6, 6), (10, 10)).tolist() == [-5, -5, 6, 6]
    with pytest.raises(ValueError, match="lies outside the frame, which is 10 x 20"):
        check_box_xywh((-5, -5, 5, 5), (20, 10))
