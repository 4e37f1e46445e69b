"""The score of a setting, sequence by sequence."""

from __future__ import annotations

import math

import pytest
from made_benchmarks import Loses, Oracle, Static, moving, write_benchmark

from toolkit.benchmarks import BENCHMARKS
from toolkit.datasets import load_dataset
from toolkit.errors import DatasetError
from toolkit.evaluate import GroundTruth, score
from toolkit.protocols import find_protocol, save
from toolkit.tuning.scoring import METRICS, Scorer, find_metric, running_score

TRUTHS = {"ant": moving(22), "bee": moving(50, 0.5), "cat": moving(26)}


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    def make(name):
        monkeypatch.setenv("MADE_TRUTH", str(write_benchmark(tmp_path / "data", name, TRUTHS)))
        return load_dataset(name, tmp_path / "data")

    return make


def result(dataset, tracker, folder, sequences):
    experiment = find_protocol(dataset.benchmark.protocol)
    for sequence in sequences:
        save(dataset.benchmark.protocol, folder, sequence.name, [experiment.run(tracker, sequence)])
    return score(GroundTruth(dataset), folder)


@pytest.mark.parametrize("name", ["OTB100", "Builtin-VOT", "VOT2018-LT", "GOT-10k-val"])
def test_the_table_of_metrics_is_that_of_the_scores(dataset, tmp_path, name):
    made = dataset(name)
    scores = result(made, Oracle(), tmp_path / "run", made.sequences)
    assert set(METRICS[made.benchmark.family]) == set(scores.statistics)
    assert find_metric(made.benchmark, None) == made.benchmark.leading_metric


def test_names_of_metrics():
    assert find_metric(BENCHMARKS["VOT2018"], "eao") == "eao/all"
    assert find_metric(BENCHMARKS["OTB100"], "precision") == "precision"
    with pytest.raises(DatasetError, match=r"unknown metric of OTB100 'precison'\. Did you mean 'precision'"):
        find_metric(BENCHMARKS["OTB100"], "precison")
    with pytest.raises(DatasetError, match="withheld"):
        find_metric(BENCHMARKS["TrackingNet"], None)


def test_one_pass_reports_the_mean_so_far_and_returns_the_last(dataset, tmp_path):
    made = dataset("OTB100")
    seeds, told = [], []
    value = Scorer(made, "success_auc", seeds.append)(Static(), told.append)
    scores = result(made, Static(), tmp_path / "run", made.sequences)
    alone = scores.per_sequence("success_auc")
    assert told == pytest.approx([alone[: count + 1].mean() for count in range(3)])
    assert value == told[-1] == scores.value("success_auc")
    assert seeds == [0, 0, 0]


def test_eao_is_stood_in_for_by_overlap_and_failures(dataset, tmp_path):
    """By hand: overlap 1 where it counts, and two failures per sequence: on frame 7, and on 15, three after a start."""
    made = dataset("Builtin-VOT")
    scores = result(made, Loses(), tmp_path / "run", made.sequences)
    assert running_score(scores, "eao/all") == pytest.approx(math.exp(-30 * 6 / (22 + 50 + 26)), rel=1e-3)
    perfect = result(made, Oracle(), tmp_path / "perfect", made.sequences)
    assert running_score(perfect, "eao/all") == pytest.approx(1.0, abs=1e-3)
    assert running_score(scores, "accuracy") == scores.value("accuracy")
    told = []
    value = Scorer(made, "eao/all", lambda repetition: None)(Loses(), told.append)
    assert value == scores.value("eao/all") != told[-1] == running_score(scores, "eao/all")
