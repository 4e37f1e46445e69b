"""Score trackers on benchmarks: read their result files, put them to the metrics that apply.

Example:
    dataset = load_dataset("VOT2018", Path("testing_dataset"))
    evaluation = evaluate(dataset, Path("results"))
    evaluation.scores["siamrpn_r50"].overall()["eao"]["all"]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.conventions import PUBLISHED, Conventions
from toolkit.datasets import Dataset
from toolkit.errors import DatasetError, ResultError, ToolkitError
from toolkit.masks import mask_iou
from toolkit.metrics import FloatArray, Statistic
from toolkit.metrics.accuracy_robustness import AccuracyRobustness, accuracy_robustness, failure_frames
from toolkit.metrics.average_overlap import AverageOverlapScores, average_overlap_scores
from toolkit.metrics.bootstrap import PairedComparison, compare, confidence_interval, draws
from toolkit.metrics.eao import ExpectedOverlap, expected_overlap
from toolkit.metrics.long_term import LongTermScores, long_term_scores
from toolkit.metrics.mask_overlap import MaskScores, mask_scores
from toolkit.metrics.success import OnePassScores, one_pass_scores
from toolkit.overlap import iou_xywh, vot_overlaps, vot_overlaps_within
from toolkit.regions import Regions
from toolkit.results import LAYOUTS, read_boxes, read_confidences, read_masks, read_regions, read_times, write_atomic
from toolkit.sequence import Sequence

Metrics = OnePassScores | MaskScores | AverageOverlapScores | AccuracyRobustness | ExpectedOverlap | LongTermScores

GROUP = "/"
"""Separates group and member in the name of a statistic: "eao/all"."""


@dataclass(frozen=True, eq=False)
class Scores:
    """What one tracker reached on one benchmark.

    Attributes:
        tracker: its name.
        sequences: names, in the order of every array over sequences.
        attributes: per attribute, the (S,) mask of sequences that have it.
        metrics: the families' results, with the curves that plots are drawn from.
        statistics: the headline numbers as functions of sequence weights (B, S).
        fps: frames per second, None if the results do not say.
    """

    tracker: str
    sequences: tuple[str, ...]
    attributes: Mapping[str, NDArray[np.bool_]]
    metrics: tuple[Metrics, ...]
    statistics: Mapping[str, Statistic]
    fps: float | None = None

    def value(self, name: str) -> float:
        """Return a headline number for all sequences."""
        return float(self.statistics[name](np.ones((1, len(self.sequences))))[0])

    def per_sequence(self, name: str) -> FloatArray:
        """Return (S,) a headline number for each sequence alone; NaN where it says nothing."""
        return self.statistics[name](np.eye(len(self.sequences)))

    def per_attribute(self, name: str) -> dict[str, float]:
        """Return a headline number for the sequences with each attribute."""
        if not self.attributes:
            return {}
        masks = np.array(list(self.attributes.values()), dtype=np.float64)
        return dict(zip(self.attributes, self.statistics[name](masks).tolist(), strict=True))

    def interval(self, name: str, level: float = 0.95) -> tuple[float, float]:
        """Return the bootstrap confidence interval of a headline number over sequences."""
        return confidence_interval(self.statistics[name], self._drawn, level)

    def ahead_of(self, other: Scores, name: str, level: float = 0.95) -> PairedComparison:
        """Compare with another tracker on the same benchmark, sequence by sequence."""
        return compare(self.statistics[name], other.statistics[name], self._drawn, level)

    def overall(self) -> dict[str, Any]:
        """Return all headline numbers, unrounded, members of a group nested; None where there is none."""
        nested: dict[str, Any] = {}
        for name in self.statistics:
            group, _, member = name.rpartition(GROUP)
            value = self.value(name)
            (nested.setdefault(group, {}) if group else nested)[member] = value if np.isfinite(value) else None
        return nested | ({"fps": self.fps} if self.fps is not None else {})

    @cached_property
    def _drawn(self) -> FloatArray:
        return draws(len(self.sequences))


@dataclass(frozen=True)
class Evaluation:
    """The scores of all trackers on one benchmark, and why some have none.

    Attributes:
        dataset: the benchmark.
        scores: by tracker.
        failures: by tracker, the error that kept it from being scored.
    """

    dataset: Dataset
    scores: dict[str, Scores] = field(default_factory=dict)
    failures: dict[str, ToolkitError] = field(default_factory=dict)

    def ranked(self) -> list[Scores]:
        """Return the scored trackers, the best by the benchmark's leading metric first."""
        leading = self.dataset.benchmark.leading_metric
        return sorted(self.scores.values(), key=lambda scores: -np.nan_to_num(scores.value(leading), nan=-1.0))


def evaluate(
    dataset: Dataset,
    results_root: Path,
    trackers: list[str] | None = None,
    conventions: Conventions = PUBLISHED,
) -> Evaluation:
    """Score trackers on a benchmark; one that cannot be scored does not keep the others from it.

    Args:
        dataset: the benchmark with its annotations.
        results_root: the folder that holds ``<benchmark>/<tracker>/...``.
        trackers: which; None for all that are there.
        conventions: how to count what the definitions leave open.

    Raises:
        DatasetError: the benchmark's ground truth is withheld, or lacks what the metrics need.
        ResultError: there are no results at all.
    """
    benchmark = dataset.benchmark
    if benchmark.withheld:
        raise DatasetError(f"{benchmark.name}: the ground truth is withheld; submit the results to its server")
    folder = results_root / benchmark.name
    names = trackers if trackers is not None else tracker_names(folder)
    if not names:
        raise ResultError(f"no results in {folder}: expected one folder per tracker; run tools/test.py first")
    evaluation = Evaluation(dataset)
    truth = GroundTruth(dataset)
    for name in names:
        try:
            evaluation.scores[name] = score(truth, folder / name, conventions)
        except DatasetError:  # no tracker's fault, and no other would fare better
            raise
        except ToolkitError as failure:
            evaluation.failures[name] = failure
    return evaluation


def tracker_names(folder: Path) -> list[str]:
    """Return the trackers that have a folder of results, sorted."""
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


class GroundTruth:
    """A benchmark's annotations as arrays over all frames, one sequence after the other; made when first used."""

    def __init__(self, dataset: Dataset) -> None:
        self.benchmark = dataset.benchmark
        self.sequences = dataset.sequences

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """(S,) annotated frames."""
        return np.array([len(sequence.ground_truth) for sequence in self.sequences])

    @cached_property
    def owner(self) -> NDArray[np.int64]:
        """(F,) the sequence that a frame belongs to."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    @cached_property
    def boxes(self) -> FloatArray:
        """(F, 4) boxes x, y, w, h."""
        return np.concatenate([_boxes_of(sequence.ground_truth) for sequence in self.sequences])

    @cached_property
    def corners(self) -> FloatArray:
        """(F, 8) polygons."""
        return np.concatenate([sequence.ground_truth.corners() for sequence in self.sequences])

    @cached_property
    def visible(self) -> NDArray[np.bool_] | None:
        """(F,) False where flagged absent; None if nothing is flagged."""
        if all(sequence.visible is None for sequence in self.sequences):
            return None
        flags = (
            np.ones(length, dtype=bool) if sequence.visible is None else sequence.visible
            for sequence, length in zip(self.sequences, self.lengths, strict=True)
        )
        return np.concatenate(list(flags))

    @cached_property
    def sizes(self) -> FloatArray:
        """(S, 2) image width and height."""
        return np.array([sequence.size for sequence in self.sequences], dtype=np.float64)

    @cached_property
    def attributes(self) -> dict[str, NDArray[np.bool_]]:
        """Per attribute the (S,) mask of sequences that have it, sorted by name."""
        names = sorted({name for sequence in self.sequences for name in sequence.attributes})
        return {name: np.array([name in sequence.attributes for sequence in self.sequences]) for name in names}

    def least_overlap(self, number: int, regions: Regions) -> int:
        """Return the frame of a sequence on which a tracker's region overlaps the ground truth least.

        Raises:
            ResultError: there are more or fewer regions than frames, or none that can be compared.
        """
        truth = self.sequences[number].ground_truth
        if len(regions) != len(truth):
            raise ResultError(f"{self.sequences[number].name}: {len(regions)} regions, expected {len(truth)}")
        overlaps = iou_xywh(truth.enclosing_xywh(), regions.enclosing_xywh())
        if np.isnan(overlaps).all():
            raise ResultError(f"{self.sequences[number].name}: no frame has both a region and a ground truth")
        return int(np.nanargmin(overlaps))

    def split(self, values: NDArray[Any]) -> list[NDArray[Any]]:
        """Split an array over all frames by sequence."""
        return _split(values, self.lengths)


def score(truth: GroundTruth, tracker: Path, conventions: Conventions = PUBLISHED) -> Scores:
    """Score the results in a tracker's folder.

    Raises:
        ResultError: a result file is missing, of the wrong length or malformed; the message names file and line.
    """
    if not tracker.is_dir():
        raise ResultError(f"no results in {tracker}")
    family = FAMILIES[truth.benchmark.family]
    metrics, statistics = family.score(truth, family.read(truth, tracker), conventions)
    names = tuple(sequence.name for sequence in truth.sequences)
    return Scores(tracker.name, names, truth.attributes, metrics, statistics, _speed(truth, tracker))


Scored = tuple[tuple[Metrics, ...], dict[str, Statistic]]


OnePassRuns = tuple[FloatArray, list[FloatArray] | None]


def _read_one_pass(truth: GroundTruth, tracker: Path) -> OnePassRuns:
    """Return (F, 4) boxes of all sequences; and where any has masks, the overlap in each frame of each sequence."""
    boxes = np.concatenate([_read_boxes(truth, tracker, number) for number in range(len(truth.sequences))])
    if all(sequence.masks is None for sequence in truth.sequences):
        return boxes, None
    return boxes, [_mask_overlaps(sequence, tracker) for sequence in truth.sequences]


def _mask_overlaps(sequence: Sequence, tracker: Path) -> FloatArray:
    """Return (N,) the overlap of a tracker's masks with the annotated ones; (0,) without the one or the other.

    NaN in the first frame, which is given, and where nothing of the target is seen.
    """
    path = LAYOUTS["one_pass"].masks_path(tracker, sequence.name)
    if sequence.masks is None or path is None or not path.is_file():
        return np.empty(0)
    found = read_masks(path, len(sequence))
    overlaps = np.full(len(sequence), np.nan)
    for index in range(1, len(sequence)):
        truth = sequence.mask(index)
        if truth.any():
            overlaps[index] = mask_iou(found.mask(index, (truth.shape[1], truth.shape[0])), truth)
    return overlaps


def _score_one_pass(truth: GroundTruth, runs: OnePassRuns, conventions: Conventions) -> Scored:
    boxes, mask_overlaps = runs
    scores = one_pass_scores(truth.boxes, boxes, truth.lengths, truth.visible, conventions)
    if mask_overlaps is None:
        return (scores,), scores.statistics()
    masks = mask_scores(mask_overlaps)
    return (scores, masks), scores.statistics() | masks.statistics()


def _read_repeated(truth: GroundTruth, tracker: Path) -> list[list[FloatArray]]:
    """Return for each sequence the boxes (N, 4) of each repetition there is."""
    return [
        [read_boxes(file, int(length)) for file in _repetition_files(truth, tracker, sequence)]
        for sequence, length in zip(truth.sequences, truth.lengths, strict=True)
    ]


def _score_average_overlap(truth: GroundTruth, runs: list[list[FloatArray]], conventions: Conventions) -> Scored:
    owner = np.repeat(np.arange(len(runs)), [len(found) for found in runs])
    per_run = average_overlap_scores(
        np.concatenate([truth.split(truth.boxes)[number] for number in owner]),
        np.concatenate([boxes for found in runs for boxes in found]),
        truth.lengths[owner],
        truth.sizes[owner],
        None if truth.visible is None else np.concatenate([truth.split(truth.visible)[i] for i in owner]),
    )
    scores = per_run.gathered(owner, len(runs))
    return (scores,), scores.statistics()


def _read_supervised(truth: GroundTruth, tracker: Path) -> list[list[Regions]]:
    """Return for each sequence the runs that count: all repetitions if none is missing, else the first."""
    complete = LAYOUTS[truth.benchmark.protocol].repetitions
    files = [_repetition_files(truth, tracker, sequence) for sequence in truth.sequences]
    return [
        [read_regions(file, int(length)) for file in (found if len(found) == complete else found[:1])]
        for found, length in zip(files, truth.lengths, strict=True)
    ]


def _score_supervised(truth: GroundTruth, runs: list[list[Regions]], conventions: Conventions) -> Scored:
    wide: list[list[FloatArray]] = [[] for _ in runs]
    narrow: list[list[FloatArray]] = [[] for _ in runs]
    # All sequences in one call, one repetition at a time.
    for repetition in range(max(map(len, runs))):
        here = [number for number, found in enumerate(runs) if repetition < len(found)]
        corners = np.concatenate([runs[number][repetition].corners() for number in here])
        frames = np.isin(truth.owner, here)
        bounds = truth.sizes[truth.owner[frames]]
        both = vot_overlaps_within(truth.corners[frames], corners, [bounds, bounds - 1])
        for column, overlaps in zip((wide, narrow), both, strict=True):
            for number, values in zip(here, _split(overlaps, truth.lengths[here]), strict=True):
                column[number].append(values)
    accuracy = accuracy_robustness(runs, wide if conventions.vot_bounds == "published" else narrow)
    eao = expected_overlap(
        narrow,
        [[failure_frames(run) for run in found] for found in runs],
        [sequence.tags for sequence in truth.sequences],
        truth.benchmark.eao_lengths,
        conventions.empty_tag,
    )
    grouped = {f"eao{GROUP}{tag}": statistic for tag, statistic in eao.statistics().items()}
    return (accuracy, eao), accuracy.statistics() | grouped


def _score_unsupervised(truth: GroundTruth, runs: list[list[Regions]], conventions: Conventions) -> Scored:
    """Return the accuracy alone, as the VOT toolkit does: without restarts, the rest says nothing."""
    metrics, statistics = _score_supervised(truth, runs, conventions)
    return metrics[:1], {"accuracy": statistics["accuracy"]}


LongTermRuns = tuple[list[Regions], list[FloatArray]]


def _read_long_term(truth: GroundTruth, tracker: Path) -> LongTermRuns:
    """Return for each sequence the regions and the confidences."""
    layout = LAYOUTS[truth.benchmark.protocol]
    runs, confidences = [], []
    for sequence, length in zip(truth.sequences, truth.lengths, strict=True):
        runs.append(read_regions(layout.regions_path(tracker, sequence.name), int(length)))
        confidences.append(read_confidences(layout.confidence_path(tracker, sequence.name), int(length)))
    return runs, confidences


def _score_long_term(truth: GroundTruth, results: LongTermRuns, conventions: Conventions) -> Scored:
    runs, confidences = results
    corners = np.concatenate([run.corners() for run in runs])
    overlaps = vot_overlaps(truth.corners, corners, truth.sizes[truth.owner])
    visible = [int(known.sum()) for known in truth.split(~np.isnan(truth.corners[:, 0]))]
    scores = long_term_scores(truth.split(overlaps), confidences, visible)
    return (scores,), scores.statistics()


@dataclass(frozen=True)
class Family:
    """How the results of a kind of benchmark are read and scored; ``score`` takes what ``read`` returned."""

    read: Callable[[GroundTruth, Path], Any]
    score: Callable[[GroundTruth, Any, Conventions], Scored]


FAMILIES = {
    "one_pass": Family(_read_one_pass, _score_one_pass),
    "average_overlap": Family(_read_repeated, _score_average_overlap),
    "supervised": Family(_read_supervised, _score_supervised),
    "unsupervised": Family(_read_supervised, _score_unsupervised),
    "long_term": Family(_read_long_term, _score_long_term),
}


def scores_json(evaluations: list[Evaluation]) -> str:
    """Return ``{dataset: {tracker: {metric: value}}}`` as JSON, unrounded."""
    table = {
        evaluation.dataset.benchmark.name: {name: scores.overall() for name, scores in evaluation.scores.items()}
        for evaluation in evaluations
    }
    return json.dumps(table, indent=1) + "\n"


def write_scores(path: Path, evaluations: list[Evaluation]) -> None:
    """Write :func:`scores_json` to a file."""
    write_atomic(path, scores_json(evaluations))


def _split(values: NDArray[Any], lengths: NDArray[np.int64]) -> list[NDArray[Any]]:
    return np.split(values, np.cumsum(lengths)[:-1])


def _boxes_of(regions: Regions) -> FloatArray:
    """Return (N, 4): boxes as they are, polygons by their enclosing box."""
    boxes = regions.values[:, :4].copy()
    polygons = regions.sizes == 8
    if polygons.any():
        boxes[polygons] = regions[polygons].enclosing_xywh()
    return boxes


def _read_boxes(truth: GroundTruth, tracker: Path, number: int) -> FloatArray:
    sequence, length = truth.sequences[number], int(truth.lengths[number])
    path = LAYOUTS["one_pass"].regions_path(tracker, sequence.name)
    if not path.exists():
        path = _same_name(path)
    if sequence.name in truth.benchmark.cut:
        return read_boxes(path)[:length]
    return read_boxes(path, length)


def _same_name(path: Path) -> Path:
    """Return the file of the same name but for case and hyphens, as other toolkits write them; else ``path``."""

    def plain(name: str) -> str:
        return name.lower().replace("_", "-").replace(".", "-")

    return next((file for file in sorted(path.parent.glob("*.txt")) if plain(file.stem) == plain(path.stem)), path)


def _repetition_files(truth: GroundTruth, tracker: Path, sequence: Sequence) -> list[Path]:
    """Return the files of all repetitions that there are, at least the first's, which then is missing."""
    layout = LAYOUTS[truth.benchmark.protocol]
    files = [layout.regions_path(tracker, sequence.name, i + 1) for i in range(layout.repetitions)]
    return [file for file in files if file.exists()] or files[:1]


def _speed(truth: GroundTruth, tracker: Path) -> float | None:
    """Return the mean frames per second over frames with a time, from the time files or run.json."""
    layout = LAYOUTS[truth.benchmark.protocol]
    paths = [layout.times_path(tracker, sequence.name) for sequence in truth.sequences]
    rates = [1 / seconds[seconds > 0] for path in paths if path and path.is_file() for seconds in [read_times(path)]]
    if rates and sum(map(len, rates)):
        return float(np.concatenate(rates).mean())
    record = tracker / "run.json"
    if record.is_file():
        try:
            fps = json.loads(record.read_text(encoding="utf-8")).get("fps")
        except (ValueError, AttributeError) as failure:
            raise ResultError(f"{record}: cannot be read as JSON ({failure})") from failure
        return float(fps) if fps is not None else None
    return None
