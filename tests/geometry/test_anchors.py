"""Anchors, score maps and windows: the constants of the published networks."""

from __future__ import annotations

import numpy as np
import pytest

from pysot.geometry import anchor_grid, base_anchors_wh, cosine_window, point_grid, score_size

RATIOS = [0.33, 0.5, 1, 2, 3]


@pytest.mark.parametrize(
    ("search", "base", "cells", "anchors"),
    [(255, 8, 25, 3125), (287, 0, 21, 2205), (831, 8, 97, 47045), (271, 0, 19, 1805), (255, 0, 17, 1445)],
)
def test_score_maps_of_the_published_trackers(search, base, cells, anchors):
    size = score_size(search, 127, 8, base)
    assert size == cells
    assert anchor_grid(base_anchors_wh(8, RATIOS, [8]), 8, size).boxes_cxcywh.shape == (anchors, 4)


def test_anchor_sizes_of_the_published_networks():
    sizes = base_anchors_wh(8, RATIOS, [8])
    assert sizes.tolist() == [[104, 32], [88, 40], [64, 64], [40, 80], [32, 96]]
    assert sizes.dtype == np.float32


def test_scales_come_within_ratios():
    # Ratio 1: 8 x 8 pixels, times the scale; ratio 0.5: int(sqrt(128)) = 11 by int(5.5) = 5.
    assert base_anchors_wh(8, [0.5, 1], [2, 3]).tolist() == [[22, 10], [33, 15], [16, 16], [24, 24]]


def test_grid_is_a_flattened_map_of_anchor_row_column():
    sizes = base_anchors_wh(8, RATIOS, [8])
    grid = anchor_grid(sizes, 8, 25)
    assert grid.size == 25
    assert grid.boxes_cxcywh.dtype == np.float32
    boxes = grid.boxes_cxcywh.reshape(5, 25, 25, 4)
    assert boxes[3, 0, 0].tolist() == [-96, -96, 40, 80]  # -(25 // 2) * 8
    assert boxes[3, 12, 12].tolist() == [0, 0, 40, 80]
    assert boxes[0, 2, 7].tolist() == [-96 + 7 * 8, -96 + 2 * 8, 104, 32]
    assert boxes[4, 24, 24].tolist() == [96, 96, 32, 96]


def test_dasiamrpn_grid_is_half_a_stride_off_where_the_size_is_odd():
    sizes = base_anchors_wh(8, RATIOS, [8])
    ours, theirs = (anchor_grid(sizes, 8, 19, exact_origin=exact).boxes_cxcywh for exact in (False, True))
    assert (ours - theirs).tolist() == [[4, 4, 0, 0]] * len(ours)
    np.testing.assert_array_equal(
        anchor_grid(sizes, 8, 20).boxes_cxcywh, anchor_grid(sizes, 8, 20, exact_origin=True).boxes_cxcywh
    )


def test_cosine_window_by_hand():
    # A Hann window of 5 is 0, 1/2, 1, 1/2, 0.
    row = np.array([0, 0.5, 1, 0.5, 0])
    np.testing.assert_allclose(cosine_window(5), np.concatenate([row * factor for factor in row]), atol=1e-15)


@pytest.mark.parametrize("size", [17, 25])
def test_cosine_window_is_repeated_for_each_anchor_and_peaks_in_the_middle(size):
    window = cosine_window(size, 5).reshape(5, size, size)
    assert (window == window[0]).all()
    np.testing.assert_allclose(window[0], window[0].T)
    np.testing.assert_allclose(window[0], window[0, ::-1, ::-1], atol=1e-15)
    assert np.unravel_index(window[0].argmax(), (size, size)) == (size // 2, size // 2)
    assert window[0].max() == pytest.approx(1)
    assert not window[0, 0].any()


@pytest.mark.parametrize(("size", "exact"), [(25, False), (19, True), (4, False)])
def test_points_are_the_centres_of_the_anchors(size, exact):
    anchors = anchor_grid(np.array([[10, 20]], dtype=np.float32), 8, size, exact_origin=exact).boxes_cxcywh
    points = point_grid(8, size, exact_origin=exact)
    np.testing.assert_array_equal(points, anchors[:, :2])
    assert points.dtype == np.float32
    assert points[size + 1].tolist() == [points[0, 0] + 8, points[0, 1] + 8]
