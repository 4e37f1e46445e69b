"""The VOT overlap: derived by hand, against the literal drawing, and against the recorded reference."""

import numpy as np
import pytest

from toolkit.errors import RegionError
from toolkit.overlap import draw_polygon, iou_xywh, vot_overlap, vot_overlaps, vot_overlaps_within
from toolkit.regions import box_corners, enclosing_xywh


def literal_overlap(first, second, bounds=None):
    """Walk through the definition for one pair of polygons (8,), without any of the shortcuts."""
    points = [np.asarray(p, dtype=np.float32).reshape(4, 2) for p in (first, second)]
    low = [np.floor(p.min(axis=0)) for p in points]
    high = [np.ceil(p.max(axis=0)) for p in points]
    if bounds is not None:
        low = [np.maximum(corner, 0) for corner in low]
        high = [np.minimum(corner, np.asarray(bounds, dtype=np.float32)) for corner in high]
    areas = [(far - near).prod() for far, near in zip(high, low, strict=True)]
    if (np.minimum(*high) <= np.maximum(*low)).any() or min(areas) < 1e-10 * max(areas):
        return 0.0
    origin = np.minimum(*low)
    width, height = (np.maximum(*high) - origin).astype(int) + 1
    masks = []
    for polygon in points:
        moved = (polygon - origin).astype(float)
        masks.append(draw_polygon(np.trunc(moved + np.copysign(0.5, moved)), height, width))
    both, either = (masks[0] & masks[1]).sum(), (masks[0] | masks[1]).sum()
    return float(np.float32(both) / np.float32(either)) if either else float("nan")


def rotated_boxes(rng, count):
    centre, side = rng.uniform(-10, 110, (count, 1, 2)), rng.uniform(1, 60, (count, 1, 2))
    angle = rng.uniform(0, np.pi, count)
    turn = np.stack([np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)], axis=1).reshape(-1, 2, 2)
    unit = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    return (centre + (unit * side) @ turn).reshape(count, 8)


class TestByHand:
    def test_box_of_nine_by_nine_covers_ten_pixels_a_side(self):
        # Rows and columns 0..9 of both ends: 100 pixels; shifted by 5: 50 shared of 150.
        assert vot_overlap([0, 0, 9, 9], [0, 5, 9, 9]) == np.float32(50 / 150)

    def test_bounds_cut_the_canvas_to_width_plus_one(self):
        # Bounds (4, 100): columns 0..4 count, so 5 x 10 of the box against columns 0..4, rows 0..4.
        assert vot_overlap([0, 0, 9, 9], [0, 0, 4, 4], bounds=(4, 100)) == np.float32(25 / 50)

    def test_diamond_row_by_row(self):
        # Rows 1..3 of the diamond hold 3, 5 and 3 pixels; the apexes are two equal crossings: no pixel.
        diamond = [2, 0, 4, 2, 2, 4, 0, 2]
        expected = [[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [1, 1, 1, 1, 1], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]]
        np.testing.assert_array_equal(draw_polygon(np.reshape(diamond, (4, 2)), 5, 5), np.array(expected, bool))
        assert vot_overlap(diamond, [0, 0, 4, 4]) == np.float32(11 / 25)

    def test_bow_tie_is_drawn_in_two_parts(self):
        # Edges (0,0)-(4,4) and (0,4)-(4,0) cross: rows 0..4 hold columns 0..4, 1..3, none, 1..3, 0..4.
        assert draw_polygon([[0, 0], [4, 4], [0, 4], [4, 0]], 5, 5).sum(axis=1).tolist() == [5, 3, 0, 3, 5]

    def test_boxes_apart_and_touching_do_not_overlap(self):
        assert vot_overlap([0, 0, 4, 4], [50, 50, 4, 4]) == 0
        assert vot_overlap([0, 0, 4, 4], [4, 0, 4, 4]) == 0

    def test_status_code_overlaps_nothing(self):
        assert np.isnan(vot_overlap([2], [0, 0, 4, 4]))
        assert np.isnan(vot_overlaps([[np.nan] * 8], [[0, 0, 4, 4]])).all()

    def test_two_regions_without_pixels_have_no_overlap_to_speak_of(self):
        assert np.isnan(vot_overlap([0.1, 0, 0.2, 5], [0.2, 0, 0.2, 5]))


@pytest.mark.parametrize("bounds", [None, (60, 50), (100, 100)])
def test_fast_way_equals_the_literal_drawing(bounds):
    rng = np.random.default_rng(7)
    boxes = box_corners(np.concatenate([rng.uniform(-10, 80, (150, 2)), rng.uniform(0, 50, (150, 2))], axis=1))
    shapes = np.concatenate([rotated_boxes(rng, 200), boxes, rng.uniform(-5, 40, (50, 8))])
    first, second = (np.concatenate([shapes[rng.permutation(400)] for _ in range(3)]) for _ in range(2))
    expected = [literal_overlap(a, b, bounds) for a, b in zip(first, second, strict=True)]
    np.testing.assert_array_equal(vot_overlaps(first, second, bounds), expected)
    assert np.count_nonzero(expected) > 100


def test_symmetric_and_whole_for_itself():
    polygons = rotated_boxes(np.random.default_rng(1), 100)
    np.testing.assert_array_equal(vot_overlaps(polygons, polygons[::-1]), vot_overlaps(polygons[::-1], polygons))
    np.testing.assert_array_equal(vot_overlaps(polygons, polygons), 1)


def test_several_bounds_at_once_equal_one_by_one():
    rng = np.random.default_rng(3)
    first, second = rotated_boxes(rng, 300), rotated_boxes(rng, 300)
    each = rng.integers(60, 110, (300, 2))
    together = vot_overlaps_within(first, second, [each, each - 1, None])
    for bounds, overlaps in zip([each, each - 1, None], together, strict=True):
        np.testing.assert_array_equal(overlaps, vot_overlaps(first, second, bounds))


def test_wild_predictions_within_bounds_are_no_trouble():
    wild = [[-1e12, -1e12, 2e12, 2e12], [5, 5, 1e9, 10], [1e15, 0, 1, 1]]
    np.testing.assert_allclose(vot_overlaps(wild, [[0, 0, 99, 99]] * 3, (99, 99)), [1, 95 * 11 / 1e4, 0], rtol=1e-6)


def test_wrong_shapes_are_refused():
    with pytest.raises(RegionError, match=r"expected regions \(N, 4\) or \(N, 8\), got \(2, 6\)"):
        vot_overlaps(np.zeros((2, 6)), np.zeros((2, 4)))
    with pytest.raises(RegionError, match="as many regions on both sides, got 2 and 3"):
        vot_overlaps(np.zeros((2, 4)), np.zeros((3, 4)))


def test_iou_of_boxes():
    assert iou_xywh([0, 0, 4, 4], [2, 2, 4, 4]) == 4 / 28
    assert iou_xywh([0, 0, 0, 0], [2, 2, 0, 0]) == 0
    assert np.isnan(iou_xywh([0, 0, np.nan, 4], [2, 2, 4, 4]))
    boxes = enclosing_xywh(rotated_boxes(np.random.default_rng(5), 50))
    np.testing.assert_allclose(iou_xywh(boxes, boxes), 1)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("key", "shrink"), [("overlap_bounds_wh", 0), ("overlap_bounds_wh_minus_1", 1), ("overlap_unbounded", None)]
)
def test_every_recorded_pair_exactly(shared, key, shrink):
    with np.load(shared / "parity" / "overlap_vot2018.npz") as recorded:
        bounds = None if shrink is None else recorded["size_wh"] - shrink
        overlaps = vot_overlaps(recorded["polygon1"], recorded["polygon2"], bounds)
        np.testing.assert_array_equal(overlaps, recorded[key])
