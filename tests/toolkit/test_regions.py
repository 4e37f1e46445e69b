"""Rows of numbers as regions, and the conversions between boxes and polygons."""

import numpy as np
import pytest

from toolkit.errors import RegionError
from toolkit.regions import FAILED, Regions, box_corners, enclosing_xywh, start_box_cxcywh


def test_rows_of_every_kind_are_kept_side_by_side():
    regions = Regions.from_rows([[1], [1, 2, 3, 4], [0, 0, 4, 0, 4, 2, 0, 2], [2]])
    assert regions.sizes.tolist() == [1, 4, 8, 1]
    assert regions.is_code(FAILED).tolist() == [False, False, False, True]
    corners = regions.corners()
    assert corners[1].tolist() == [1, 2, 4, 2, 4, 6, 1, 6]
    assert np.isnan(corners[[0, 3]]).all()
    np.testing.assert_array_equal(regions.enclosing_xywh()[1:3], [[1, 2, 3, 4], [0, 0, 4, 2]])
    assert len(regions[1:3]) == 2


def test_row_of_another_length_is_refused_with_its_frame():
    with pytest.raises(RegionError, match="frame 2: expected 1, 4 or 8 numbers, got 3"):
        Regions.from_rows([[1], [1, 2, 3]])
    with pytest.raises(RegionError, match=r"got \(3, 5\)"):
        Regions.from_array(np.zeros((3, 5)))


def test_enclosing_box_undoes_corners():
    boxes = np.random.default_rng(0).uniform(1, 50, (20, 4))
    np.testing.assert_allclose(enclosing_xywh(box_corners(boxes)), boxes)


def test_corners_on_the_last_pixel_go_down_first():
    assert box_corners([[10, 20, 30, 40]], last_pixel=True).tolist() == [[10, 20, 10, 59, 39, 59, 39, 20]]


def test_start_box_of_a_rotated_square_keeps_its_area():
    # A square of side sqrt(8) on its corner: enclosing box 4 x 4, scale sqrt(8 / 16).
    box = start_box_cxcywh([2, 0, 4, 2, 2, 4, 0, 2])
    np.testing.assert_allclose(box, [2, 2, 8**0.5 + 1, 8**0.5 + 1])


def test_start_box_needs_a_region():
    with pytest.raises(RegionError, match="expected 4 or 8 numbers, got 1"):
        start_box_cxcywh([1])
