"""Labels: against the definitions written as loops, against counts done by hand, and their randomness."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pysot.datasets.targets import AnchorTargets, PairTargets, PointTargets, ScoreTargets, mask_targets
from pysot.geometry import anchor_grid, base_anchors_wh, cxcywh_to_xywh, iou_xywh

RATIOS = [0.33, 0.5, 1, 2, 3]
SIZES = ((104, 32), (88, 40), (64, 64), (40, 80), (32, 96))


def rng(seed=0):
    return np.random.default_rng(seed)


def anchor_targets(size=25, search_size=255, **options):
    return AnchorTargets(anchor_grid(base_anchors_wh(8, RATIOS, [8]), 8, size), search_size, 8, **options)


def box_of(cx, cy, w, h):
    return [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]


def random_boxes(count, seed):
    draw = rng(seed)
    for _ in range(count):
        yield box_of(*draw.uniform(50, 205, 2), *np.exp(draw.uniform(np.log(8), np.log(200), 2)))


def overlap(first, second):
    """IoU of two corner boxes, written out."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / (sum(areas) - width * height)


@pytest.mark.parametrize(("size", "search_size"), [(25, 255), (17, 255), (3, 143)])
def test_labels_are_those_of_the_definition(size, search_size):
    targets = anchor_targets(size, search_size, most_positives=10**6, total=2 * 10**6)
    for box in random_boxes(3, seed=size):
        got = targets(box, rng())
        cls = np.full((5, size, size), -1)
        for k, (w, h) in enumerate(SIZES):
            for row in range(size):
                for column in range(size):
                    cx = search_size // 2 + (column - size // 2) * 8
                    cy = search_size // 2 + (row - size // 2) * 8
                    iou = overlap(box_of(cx, cy, w, h), box)
                    cls[k, row, column] = 1 if iou > 0.6 else 0 if iou < 0.3 else -1
                    if iou > 0.6:
                        offsets = [
                            ((box[0] + box[2]) / 2 - cx) / w,
                            ((box[1] + box[3]) / 2 - cy) / h,
                            math.log((box[2] - box[0]) / w),
                            math.log((box[3] - box[1]) / h),
                        ]
                        np.testing.assert_allclose(got["loc"][:, k, row, column], offsets, rtol=1e-6, atol=1e-7)
        np.testing.assert_array_equal(got["cls"], cls)


def test_overlaps_by_axis_are_those_of_the_general_formula():
    targets = anchor_targets()
    anchors_xywh = cxcywh_to_xywh(anchor_grid(base_anchors_wh(8, RATIOS, [8]), 8, 25).boxes_cxcywh)
    for x1, y1, x2, y2 in random_boxes(50, seed=1):
        relative = np.array([(x1 + x2) / 2 - 127, (y1 + y2) / 2 - 127, x2 - x1, y2 - y1])
        expected = iou_xywh(anchors_xywh, cxcywh_to_xywh(relative)).reshape(5, 25, 25)
        np.testing.assert_allclose(targets._overlaps(relative), expected, rtol=1e-12, atol=1e-15)


def test_a_square_in_the_centre_by_hand():
    # The 64 x 64 anchor shifted by (8a, 8b) overlaps with (64-8|a|)(64-8|b|) / (2 * 4096 - that); above 0.6, that is
    # (8-|a|)(8-|b|) > 48: |a|, |b| in (0, 0), (0, 1) and (1, 1): 49 > 48; (0, 2) gives exactly 48, 0.6, which is not.
    # The 88 x 40 anchor: 64 * 40 / (4096 + 3520 - 2560) = 0.506; its transpose alike; longer ones overlap less.
    labels = anchor_targets()(box_of(127, 127, 64, 64), rng())
    expected = np.zeros((5, 25, 25), dtype=bool)
    expected[2, 11:14, 11:14] = True
    np.testing.assert_array_equal(labels["cls"] == 1, expected)
    np.testing.assert_array_equal(labels["loc_weight"], np.where(expected, np.float32(1 / 9), 0))
    # The anchor one cell to the right sees the target one stride to its left.
    np.testing.assert_allclose(labels["loc"][:, 2, 12, 13], [-8 / 64, 0, 0, 0])


@pytest.mark.parametrize(("fill", "negatives"), [(False, 48), (True, 55)])
def test_negatives_fill_the_rest_only_where_told(fill, negatives):
    labels = anchor_targets(fill_negatives=fill)(box_of(127, 127, 64, 64), rng())["cls"]
    assert ((labels == 1).sum(), (labels == 0).sum()) == (9, negatives)


def test_never_more_positives_than_allowed_and_their_weights_sum_to_one():
    targets = anchor_targets(threshold_high=0.4)
    every = anchor_targets(threshold_high=0.4, most_positives=1000, total=2000)
    for box in random_boxes(30, seed=2):
        labels, all_labels = targets(box, rng()), every(box, rng())
        available = int((all_labels["cls"] == 1).sum())
        assert (labels["cls"] == 1).sum() == min(available, 16)
        assert (all_labels["cls"] == 1)[labels["cls"] == 1].all()
        assert labels["loc_weight"].sum() == pytest.approx(1.0 if available else 0.0)
        assert ((labels["loc_weight"] > 0) == (labels["cls"] == 1)).all()
        assert np.isfinite(labels["loc"]).all()


def test_a_target_unlike_any_anchor_has_no_positive():
    labels = anchor_targets()(box_of(127, 127, 4, 4), rng())
    assert not (labels["cls"] == 1).any()
    assert (labels["cls"] == 0).sum() == 48
    assert not labels["loc"].any()


def test_pairs_of_different_targets_have_negatives_near_the_target_alone():
    targets = anchor_targets()
    # 127 + 20 is 2.5 cells off, half to even: column 14; 127 - 13 is 1.6 cells off: row 10.
    labels = targets(box_of(147, 114, 50, 70), rng(), negative=True)
    zeros = np.argwhere(labels["cls"] == 0)
    assert len(zeros) == 16
    assert set(np.unique(labels["cls"])) == {-1, 0}
    assert not labels["loc"].any()
    assert not labels["loc_weight"].any()
    chosen = np.concatenate(
        [np.argwhere(targets(box_of(147, 114, 50, 70), rng(seed), negative=True)["cls"] == 0) for seed in range(300)]
    )
    assert chosen.min(axis=0).tolist() == [0, 7, 11]
    assert chosen.max(axis=0).tolist() == [4, 13, 17]
    assert len(np.unique(chosen, axis=0)) == 5 * 7 * 7


def test_the_window_is_cut_at_the_border_and_may_have_nothing_left():
    targets = anchor_targets(17, unrelated_negatives=1000)
    # 8 cells left of the centre is column 0: columns 0 to 3 are left, rows 5 to 11.
    assert (targets(box_of(127 - 64, 127, 9, 9), rng(), negative=True)["cls"] == 0).sum() == 5 * 4 * 7
    assert not (targets(box_of(127 - 500, 127, 9, 9), rng(), negative=True)["cls"] == 0).any()
    assert not (targets(box_of(127 + 500, 127, 9, 9), rng(), negative=True)["cls"] == 0).any()


@pytest.mark.parametrize("negative", [False, True])
def test_the_generator_decides_and_alone_decides(negative):
    targets, box = anchor_targets(), box_of(120, 130, 60, 70)
    first, again, other = (targets(box, rng(seed), negative=negative) for seed in (5, 5, 6))
    for name, values in first.items():
        np.testing.assert_array_equal(values, again[name])
    assert (first["cls"] != other["cls"]).any()
    generator = rng(5)
    targets(box, generator, negative=negative)
    assert (targets(box, generator, negative=negative)["cls"] != first["cls"]).any()


def test_every_negative_is_as_likely_as_another():
    targets, box = anchor_targets(3, 143, total=20, most_positives=0), box_of(71, 71, 4, 4)
    generator = rng()
    counts = sum((targets(box, generator)["cls"] == 0).astype(int) for _ in range(2000))
    # 20 of 45: the standard deviation of a count is sqrt(2000 * 4/9 * 5/9) = 22.
    assert np.abs(counts - 2000 * 20 / 45).max() < 5 * 22


def test_types_are_small_and_as_documented():
    targets = PairTargets(anchor_targets())(box_of(127, 127, 64, 64), rng(), mask=np.zeros((255, 255), dtype=bool))
    types = {name: (value.dtype, value.shape) for name, value in targets.items()}
    assert types == {
        "cls": (np.int8, (5, 25, 25)),
        "loc": (np.float32, (4, 5, 25, 25)),
        "loc_weight": (np.float32, (5, 25, 25)),
        "mask": (np.int8, (255, 255)),
        "has_mask": (np.bool_, ()),
    }


@pytest.mark.parametrize(("size", "search_size"), [(25, 255), (17, 191), (11, 143)])
def test_points_are_labelled_by_the_definition(size, search_size):
    targets = PointTargets(size, search_size, 8, inner=0.6, outer=1.1, most_positives=10**4, total=2 * 10**4)
    for box in random_boxes(20, seed=size):
        got = targets(box, rng())
        center_x, center_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        cls = np.full((size, size), -1)
        for row in range(size):
            for column in range(size):
                x, y = (search_size // 2 + (index - size // 2) * 8 for index in (column, row))
                radius = math.hypot((x - center_x) / (box[2] - box[0]) * 2, (y - center_y) / (box[3] - box[1]) * 2)
                nearest = abs(x - center_x) <= 4 and abs(y - center_y) <= 4
                cls[row, column] = 1 if radius <= 0.6 or nearest else 0 if radius > 1.1 else -1
                if cls[row, column] == 1:
                    distances = [x - box[0], y - box[1], box[2] - x, box[3] - y]
                    np.testing.assert_allclose(got["loc"][:, 0, row, column] * 8, distances, atol=1e-4)
        np.testing.assert_array_equal(got["cls"][0], cls)
        np.testing.assert_array_equal(got["loc_weight"][0] > 0, cls == 1)
        assert not got["loc"][:, 0, cls != 1].any()


def test_points_of_a_square_in_the_centre_by_hand():
    # Half a side is 4 cells: within 2 cells lie 1 + 3 + 5 + 3 + 1, beyond 4 cells all but 49 (|x|² + |y|² <= 16).
    labels = PointTargets(25, 255, 8)(box_of(127, 127, 64, 64), rng())
    assert [int(row.sum()) for row in labels["cls"][0, 10:15] == 1] == [1, 3, 5, 3, 1]
    assert int((labels["cls"] == 0).sum()) == 48
    every = PointTargets(25, 255, 8, total=1000)(box_of(127, 127, 64, 64), rng())["cls"]
    assert (int((every == 0).sum()), int((every == -1).sum())) == (625 - 49, 49 - 13)
    filled = PointTargets(25, 255, 8, fill_negatives=True)(box_of(127, 127, 64, 64), rng())["cls"]
    assert int((filled == 0).sum()) == 64 - 13
    assert labels["loc_weight"].sum() == pytest.approx(1)


@pytest.mark.parametrize("wh", [(2, 2), (300, 3), (4, 200)])
def test_every_target_in_the_map_has_a_positive_point(wh):
    targets = PointTargets(25, 255, 8)
    for seed in range(20):
        labels = targets(box_of(*rng(seed).uniform(127 - 96, 127 + 96, 2), *wh), rng())
        assert (labels["cls"] == 1).any()
        assert np.isfinite(labels["loc"]).all()
    assert not (targets(box_of(127 + 300, 127, *(2, 2)), rng())["cls"] == 1).any()


def test_points_of_pairs_of_different_targets_are_negative_near_the_target():
    targets = PointTargets(25, 255, 8)
    labels = targets(box_of(147, 114, 50, 70), rng(), negative=True)
    zeros = np.argwhere(labels["cls"][0] == 0)
    assert len(zeros) == 16
    assert set(np.unique(labels["cls"])) == {-1, 0}
    assert (zeros.min(axis=0) >= [7, 11]).all()
    assert (zeros.max(axis=0) <= [13, 17]).all()
    assert not labels["loc_weight"].any()


def test_points_go_with_masks():
    targets = PairTargets(PointTargets(25, 255, 8))(box_of(127, 127, 64, 64), rng(), mask=np.ones((255, 255), bool))
    assert {name: (value.dtype, value.shape) for name, value in targets.items()} == {
        "cls": (np.int8, (1, 25, 25)),
        "loc": (np.float32, (4, 1, 25, 25)),
        "loc_weight": (np.float32, (1, 25, 25)),
        "mask": (np.int8, (255, 255)),
        "has_mask": (np.bool_, ()),
    }


def test_a_diamond_of_thirteen_cells_is_siamfc_s_label():
    # 16 px are two cells: |x| + |y| <= 2 has 1 + 3 + 5 + 3 + 1 cells.
    label = ScoreTargets(size=15, search_size=239, stride=8, radius=16)(box_of(119, 119, 60, 30), rng())["cls"]
    assert (label.shape, label.dtype, label.sum()) == ((1, 15, 15), np.int8, 13)
    assert [int(row.sum()) for row in label[0, 5:10]] == [1, 3, 5, 3, 1]
    np.testing.assert_array_equal(label, label[:, ::-1, ::-1])


def test_siamfc_s_label_follows_the_target_by_whole_cells():
    targets = ScoreTargets(size=15, search_size=239, stride=8, radius=16)
    centred = targets(box_of(119, 119, 60, 30), rng())["cls"]
    # Up to half a cell, where the published recipe shifts without telling the label, the label is the same.
    np.testing.assert_array_equal(targets(box_of(123, 115, 60, 30), rng())["cls"], centred)
    moved = targets(box_of(119 + 17, 119 - 8, 60, 30), rng())["cls"]
    np.testing.assert_array_equal(moved, np.roll(centred, (-1, 2), axis=(1, 2)))
    assert not targets(box_of(119, 119, 60, 30), rng(), negative=True)["cls"].any()


def test_siamfc_s_label_on_a_map_without_a_middle_cell_is_symmetric():
    label = ScoreTargets(size=16, search_size=247, stride=8, radius=16)(box_of(123, 123, 9, 9), rng())["cls"][0]
    # Cells at +-0.5, +-1.5: |x| + |y| <= 2 holds for sums 1 and 2: 4 + 8.
    assert label.sum() == 12
    np.testing.assert_array_equal(label, label[::-1, ::-1].T)


def test_masks_are_signed_and_only_of_positive_pairs():
    mask = np.zeros((143, 143), dtype=bool)
    mask[60:80, 50:90] = True
    targets = PairTargets(anchor_targets(3, 143))
    box = [50, 60, 90, 80]
    positive = targets(box, rng(), mask=mask)
    assert bool(positive["has_mask"])
    np.testing.assert_array_equal(positive["mask"] == 1, mask)
    np.testing.assert_array_equal(positive["mask"] == -1, ~mask)
    for nothing in (targets(box, rng(), mask=mask, negative=True), targets(box, rng())):
        assert not bool(nothing["has_mask"])
        assert nothing["mask"].shape == (143, 143)
        assert not nothing["mask"].any()


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"expected \(255, 255\), got \(127, 255\)"):
        mask_targets(np.zeros((127, 255), dtype=bool), 255)
