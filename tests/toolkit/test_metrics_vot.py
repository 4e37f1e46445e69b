"""Accuracy, robustness, EAO, the long-term measures and the bootstrap, against loops and by hand."""

import numpy as np
import pytest

from toolkit.benchmarks import BENCHMARKS
from toolkit.metrics import mean_of, weighted_ratio
from toolkit.metrics.accuracy_robustness import BURN_IN, accuracy_robustness, after_burn_in, failure_frames
from toolkit.metrics.bootstrap import compare, confidence_interval, draws
from toolkit.metrics.eao import SKIPPED_AFTER_FAILURE, expected_overlap
from toolkit.metrics.long_term import confidence_thresholds, f_score, long_term_scores
from toolkit.regions import Regions

BOX = [0, 0, 10, 10]


def run_of(codes):
    """Return regions from a string: i(nitialised), f(ailed), s(kipped), anything else tracked."""
    return Regions.from_rows([{"i": [1], "f": [2], "s": [0]}.get(code, BOX) for code in codes])


def headline(scores, sequences=1):
    return {name: s(np.ones((1, sequences)))[0] for name, s in scores.statistics().items()}


def test_constants_are_the_published_ones():
    assert (BURN_IN, SKIPPED_AFTER_FAILURE) == (10, 5)
    lengths = {name: BENCHMARKS[name].eao_lengths for name in ("VOT2016", "VOT2017", "VOT2018", "VOT2019")}
    assert lengths == {
        "VOT2016": (108, 371),
        "VOT2017": (100, 356),
        "VOT2018": (100, 356),
        "VOT2019": (46, 291),
    }


def test_burn_in_covers_ten_frames_from_each_start():
    run = run_of("i" + "." * 14 + "fssss" + "i" + "." * 4)
    assert after_burn_in(run).tolist() == [False] * 10 + [True] * 10 + [False] * 5
    assert failure_frames(run).tolist() == [15]


def test_accuracy_and_robustness_by_hand():
    run = run_of("i" + "." * 14 + "fssss" + "i" + "." * 11)
    overlaps = np.where(run.sizes == 4, 0.5, np.nan)
    overlaps[1:10] = 1.0  # within the burn-in: does not count
    overlaps[-1] = 0.9  # the only counted frame of the second part is 30 and 31
    values = headline(accuracy_robustness([[run]], [[overlaps]]))
    counted = [0.5] * 5 + [0.5, 0.9]
    assert values["accuracy"] == pytest.approx(np.mean(counted))
    assert values["robustness"] == pytest.approx(100 / 32)
    assert values["lost_number"] == 1


def test_repetitions_are_averaged_per_frame():
    run = run_of("i" + "." * 11)
    first, second = np.full(12, 0.2), np.full(12, 0.6)
    second[10] = np.nan
    values = headline(accuracy_robustness([[run, run]], [[first, second]]))
    assert values["accuracy"] == pytest.approx((0.2 + 0.4) / 2)


def slow_eao(overlaps, failures, frames_with_tag, low, high):
    """The definition of EAO, fragment by fragment and length by length."""
    fragments, weights = [], []
    longest = max(map(len, overlaps))
    for run, lost, tagged in zip(overlaps, failures, frames_with_tag, strict=True):
        cuts = [0] + [f + 5 for f in lost if f + 5 <= len(run)]
        for i, start in enumerate(cuts):
            last = i == len(cuts) - 1
            stop = len(run) if last else cuts[i + 1] + 1
            piece = [0 if np.isnan(v) else v for v in run[start:stop]]
            tail = np.nan if last else 0
            fragments.append(piece + [tail] * (longest + 1 - len(piece)))
            weights.append(sum(tagged[start:stop]) / max(stop - start, 1))
    expected = []
    for n in range(1, longest):
        known = [(w, np.mean(f[1 : n + 1])) for f, w in zip(fragments, weights, strict=True) if not np.isnan(f[n])]
        total = sum(w for w, _ in known)
        expected.append(sum(w * m for w, m in known) / total if total else (np.nan if known else 0))
    return np.nanmean(([1.0, *expected])[low - 1 : high])


@pytest.mark.parametrize("seed", range(5))
def test_eao_equals_the_definition_step_by_step(seed):
    rng = np.random.default_rng(seed)
    overlaps, failures, tags = [], [], []
    for _ in range(6):
        length = int(rng.integers(30, 60))
        run = rng.random(length)
        run[0] = np.nan
        lost = np.flatnonzero(rng.random(length) < 0.04)
        lost = lost[np.diff(lost, prepend=-10) > 6]
        for frame in lost:
            run[frame : frame + 6] = np.nan
        overlaps.append(run)
        failures.append(lost)
        tags.append(rng.random(length) < 0.4)
    marks = [{"occlusion": tag} for tag in tags]
    scores = expected_overlap([[r] for r in overlaps], [[f] for f in failures], marks, (10, 40))
    values = headline(scores, 6)
    everything = [np.ones(len(run), dtype=bool) for run in overlaps]
    assert values["all"] == pytest.approx(slow_eao(overlaps, failures, everything, 10, 40), abs=1e-12)
    assert values["occlusion"] == pytest.approx(slow_eao(overlaps, failures, tags, 10, 40), abs=1e-12)


def test_failure_whose_restart_would_be_just_after_the_end():
    run = np.array([np.nan] + [0.8] * 10 + [np.nan] * 5)
    scores = expected_overlap([[run]], [[np.array([11])]], [{}], (2, 16))
    assert scores.known.all()  # one fragment, zeros to the end
    assert headline(scores)["all"] == pytest.approx(slow_eao([run], [[11]], [np.ones(16)], 2, 16))


def test_oracle_that_never_fails_has_eao_one():
    run = np.array([np.nan] + [1.0] * 399)
    assert headline(expected_overlap([[run]], [[np.array([], dtype=int)]], [{}], (100, 356)))["all"] == 1


def test_empty_tag_both_ways():
    run = np.array([np.nan] + [0.5] * 49)
    marked = np.zeros(50, dtype=bool)
    marked[:10] = True
    tags = [{"occlusion": marked, "camera_motion": np.zeros(50, dtype=bool)}]
    none = [[np.array([], dtype=int)]]
    assert expected_overlap([[run]], none, tags, (2, 40)).weights["empty"].tolist() == [1 / 50]
    assert expected_overlap([[run]], none, tags, (2, 40), "frames").weights["empty"].tolist() == [40 / 50]


def slow_f(overlaps, confidences, visible):
    scores = np.concatenate(confidences)
    best = (-1, 0, 0)
    for threshold in confidence_thresholds(scores):
        precisions, recalls = [], []
        for values, known, count in zip(overlaps, confidences, visible, strict=True):
            known, values = np.nan_to_num(known), np.nan_to_num(values)
            shown = known > 0 if threshold == -np.inf else known >= threshold
            precisions.append(values[shown].mean() if shown.any() else 1)
            recalls.append(values[shown].sum() / count)
        p, r = np.mean(precisions), np.mean(recalls)
        f = 2 * p * r / (p + r) if p + r else 0
        best = max(best, (f, p, r), key=lambda triple: triple[0])
    return best


def test_long_term_equals_the_definition_step_by_step():
    rng = np.random.default_rng(11)
    overlaps, confidences, visible = [], [], []
    for length in (120, 80, 200):
        values = rng.random(length)
        values[rng.random(length) < 0.2] = np.nan
        scores = rng.random(length).round(2)
        scores[0] = np.nan
        overlaps.append(values)
        confidences.append(scores)
        visible.append(int((~np.isnan(values)).sum()))
    values = headline(long_term_scores(overlaps, confidences, visible), 3)
    expected = slow_f(overlaps, confidences, visible)
    assert (values["f1"], values["precision"], values["recall"]) == pytest.approx(expected)


def test_thresholds_of_a_short_run_stay_within_it():
    thresholds = confidence_thresholds(np.array([np.nan, 0.1, 0.9]))
    assert len(thresholds) == 100
    assert thresholds[0] == np.inf
    assert thresholds[-1] == -np.inf
    assert f_score(np.zeros(1), np.zeros(1)) == 0


class TestBootstrap:
    def test_interval_of_a_mean_agrees_with_theory(self):
        values = np.random.default_rng(5).normal(0.6, 0.2, 400)
        low, high = confidence_interval(mean_of(values), draws(400, 4000))
        half = 1.96 * values.std() / 20
        assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.003)

    def test_every_draw_has_as_many_sequences(self):
        assert (draws(30, 10).sum(axis=1) == 30).all()

    def test_same_tracker_is_never_ahead_of_itself(self):
        statistic = mean_of(np.arange(10.0))
        result = compare(statistic, statistic, draws(10))
        assert (result.difference, result.low, result.high, result.first_ahead) == (0, 0, 0, 0.5)

    def test_paired_comparison_sees_a_small_but_steady_lead(self):
        values = np.random.default_rng(1).random(50)
        result = compare(mean_of(values + 0.01), mean_of(values), draws(50))
        assert result.low == pytest.approx(0.01)
        assert result.first_ahead == 1

    def test_nothing_to_divide_by(self):
        assert np.isnan(weighted_ratio(np.ones(2), np.zeros(2))(np.ones((1, 2)))[0])
