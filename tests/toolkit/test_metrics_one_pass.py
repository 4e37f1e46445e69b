"""One-pass metrics and GOT-10k's, derived by hand on a few frames."""

import numpy as np
import pytest

from toolkit.conventions import Conventions
from toolkit.metrics.average_overlap import average_overlap_scores
from toolkit.metrics.success import OVERLAP_THRESHOLDS, one_pass_scores

TRUTH = np.array([[10.0, 10, 20, 20]] * 4)


def headline(scores):
    weights = np.ones((1, len(scores.success)))
    return {name: statistic(weights)[0] for name, statistic in scores.statistics().items()}


def test_oracle_succeeds_at_all_thresholds_but_the_last():
    # IoU 1 is not greater than the threshold 1: 20 of 21.
    found = headline(one_pass_scores(TRUTH, TRUTH, np.array([4])))
    assert found["success_auc"] == pytest.approx(20 / 21)
    assert found["precision"] == found["normalized_precision"] == found["normalized_precision_auc"] == 1


def moved(*by):
    return TRUTH + np.array(by)


def test_shift_of_about_half_a_box():
    # By 9.5 of 20: IoU 10.5 / 29.5, above 0 .. 0.35, 8 thresholds. Error 9.5 px: hits from 10 on. Relative error
    # 0.475: hits at the last 3 of 51.
    scores = one_pass_scores(TRUTH, moved(9.5, 0, 0, 0), np.array([4]))
    assert scores.success.sum() == 8
    assert scores.precision[0, 9:11].tolist() == [0, 1]
    assert headline(scores)["normalized_precision"] == 0
    assert headline(scores)["normalized_precision_auc"] == pytest.approx(3 / 51)


def test_error_of_exactly_twenty_pixels_is_precise():
    assert headline(one_pass_scores(TRUTH, moved(12, 16, 0, 0), np.array([4])))["precision"] == 1


def test_thresholds():
    assert len(OVERLAP_THRESHOLDS) == 21


class TestSwitches:
    truth = np.array([[10.0, 10, 20, 20], [0, 0, 0, 0], [10, 10, 20, 20], [10, 10, 20, 20]])
    boxes = np.array([[10.0, 10, 20, 20], [90, 90, 20, 20], [10, 10, 20, 20], [80, 80, 20, 20]])
    visible = np.array([True, True, True, False])

    def rates(self, **switches):
        scores = one_pass_scores(self.truth, self.boxes, np.array([4]), self.visible, Conventions(**switches))
        return scores.success[0, 0], scores.precision[0, 20]

    def test_published_counts_a_frame_without_ground_truth_as_precise(self):
        assert self.rates() == (2 / 4, 3 / 4)

    def test_invalid_frames_missed_or_ignored(self):
        assert self.rates(invalid="missed") == (2 / 4, 2 / 4)
        assert self.rates(invalid="ignored") == (2 / 3, 2 / 3)

    def test_absent_frames_ignored_or_counted(self):
        assert self.rates(absent="ignored") == (2 / 3, 3 / 3)
        assert self.rates(absent="counted") == (2 / 4, 3 / 4)

    def test_both_ignored(self):
        assert self.rates(invalid="ignored", absent="ignored") == (1, 1)

    def test_first_box_given(self):
        shifted = moved(100, 0, 0, 0)
        written = one_pass_scores(TRUTH, shifted, np.array([2, 2]))
        given = one_pass_scores(TRUTH, shifted, np.array([2, 2]), conventions=Conventions(first_box="given"))
        assert written.success[:, 0].tolist() == [0, 0]
        assert given.success[:, 0].tolist() == [0.5, 0.5]


def test_many_sequences_at_once_equal_one_by_one():
    rng = np.random.default_rng(2)
    lengths = np.array([7, 1, 30, 12])
    truth, boxes = rng.uniform(1, 60, (50, 4)), rng.uniform(1, 60, (50, 4))
    visible = rng.random(50) > 0.2
    together = one_pass_scores(truth, boxes, lengths, visible)
    ends = np.cumsum(lengths)
    for i, (start, end) in enumerate(zip(ends - lengths, ends, strict=True)):
        part = slice(start, end)
        alone = one_pass_scores(truth[part], boxes[part], lengths[i : i + 1], visible[part])
        np.testing.assert_array_equal(together.success[i], alone.success[0])
        np.testing.assert_array_equal(together.precision[i], alone.precision[0])
        np.testing.assert_array_equal(together.normalized_precision[i], alone.normalized_precision[0])


def test_got10k_averages_frames_and_leaves_out_the_first_and_the_covered():
    # Sequence 1, frames 2 and 3: IoU 1 and 0; frame 4 is covered. Sequence 2, frame 2: half of the box lies outside
    # of the 20 x 20 image and is cut off on both sides: IoU 1.
    truth = np.array([[0.0, 0, 10, 10]] * 4 + [[10, 0, 20, 10]] * 2)
    boxes = truth.copy()
    boxes[2], boxes[0], boxes[3] = [50, 50, 5, 5], [90, 0, 1, 1], [90, 0, 1, 1]
    boxes[5] = [10, 0, 10, 10]
    visible = np.array([1, 1, 1, 0, 1, 1], dtype=bool)
    scores = average_overlap_scores(truth, boxes, np.array([4, 2]), np.array([[60.0, 60], [20, 20]]), visible)
    values = {name: statistic(np.ones((1, 2)))[0] for name, statistic in scores.statistics().items()}
    assert values == {"ao": 2 / 3, "sr_50": 2 / 3, "sr_75": 2 / 3}
