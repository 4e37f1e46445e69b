"""The score of one setting: run the tuning sequences one after the other, score what there is after each."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from toolkit.benchmarks import Benchmark, Family
from toolkit.datasets import Dataset
from toolkit.errors import DatasetError, ResultError, unknown_name
from toolkit.evaluate import GroundTruth, Scores, score
from toolkit.metrics.eao import EAO_TAGS
from toolkit.protocols import Tracker, find_protocol, save

METRICS: dict[Family, tuple[str, ...]] = {
    "one_pass": ("success_auc", "precision", "normalized_precision", "normalized_precision_auc"),
    "supervised": ("accuracy", "robustness", "lost_number", *(f"eao/{tag}" for tag in EAO_TAGS)),
    "unsupervised": ("accuracy",),
    "long_term": ("precision", "recall", "f1"),
    "average_overlap": ("ao", "sr_50", "sr_75"),
}
"""What can be tuned for: the headline numbers of :class:`toolkit.evaluate.Scores`."""

SENSITIVITY = 30
"""Frames over which the VOT plots of accuracy and robustness look for a failure."""


def find_metric(benchmark: Benchmark, name: str | None) -> str:
    """Return the name of a headline number of a benchmark: its leading one for None, ``eao/all`` for ``eao``.

    Raises:
        DatasetError: it has none of that name, or its ground truth is withheld.
    """
    if benchmark.withheld:
        raise DatasetError(f"{benchmark.name}: the ground truth is withheld, so there is nothing to tune on")
    known = METRICS[benchmark.family]
    name = benchmark.leading_metric if name is None else f"{name}/all" if f"{name}/all" in known else name
    if name not in known:
        raise DatasetError(unknown_name(f"metric of {benchmark.name}", name, known))
    return name


def running_score(scores: Scores, metric: str) -> float:
    """Return the number that trials are compared by before all sequences are run; for most metrics the metric itself.

    EAO says nothing about few sequences: where no fragment reaches the benchmark's lengths it is zero, and a tracker
    without failures has the fewest long fragments. Its stand-in is accuracy times the chance to track
    :data:`SENSITIVITY` frames without a failure, accuracy * exp(-30 * failures per frame).

    Source: the axes of the VOT plots of accuracy and robustness; Kristan et al., TPAMI 2016.
    """
    if not metric.startswith("eao/"):
        return scores.value(metric)
    accuracy, per_hundred = scores.value("accuracy"), scores.value("robustness")
    return (0.0 if math.isnan(accuracy) else accuracy) * math.exp(-SENSITIVITY * per_hundred / 100)


class Scorer:
    """Scores trackers on the same sequences in the same order, through result files as every other run.

    Args:
        dataset: the tuning sequences in the order they are run in.
        metric: see :func:`find_metric`.
        seed: called before each sequence with the repetition, 0, as :func:`toolkit.runner.run` does.
    """

    def __init__(self, dataset: Dataset, metric: str, seed: Callable[[int], None]) -> None:
        # Nothing of METRICS is about masks: without them they are neither kept nor read, after each sequence anew.
        sequences = [replace(sequence, masks=None) for sequence in dataset.sequences]
        self._dataset = replace(dataset, sequences=sequences)
        self._metric = metric
        self._seed = seed

    def __call__(self, tracker: Tracker, report: Callable[[float], None]) -> float:
        """Return the metric on all sequences.

        Args:
            tracker: what is scored.
            report: called after each sequence with :func:`running_score` of those so far; may raise to stop.

        Raises:
            ResultError: the metric is not defined on these sequences.
        """
        benchmark, sequences = self._dataset.benchmark, self._dataset.sequences
        experiment = find_protocol(benchmark.protocol)
        with tempfile.TemporaryDirectory(prefix="tune-") as name:
            folder = Path(name)
            for count, sequence in enumerate(sequences, 1):
                self._seed(0)
                save(benchmark.protocol, folder, sequence.name, [experiment.run(tracker, sequence)])
                so_far = Dataset(benchmark, self._dataset.folder, sequences[:count])
                scores = score(GroundTruth(so_far), folder)
                report(running_score(scores, self._metric))
        value = scores.value(self._metric)
        if not math.isfinite(value):
            raise ResultError(f"{self._metric} is not defined on the {len(sequences)} tuning sequences; tune on more")
        return value
