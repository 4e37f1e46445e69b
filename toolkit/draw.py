"""Plots of an evaluation, as matplotlib figures: no display, no LaTeX, any number of trackers."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any, TypeVar

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toolkit.evaluate import GROUP, Evaluation, Scores
from toolkit.metrics import FloatArray
from toolkit.metrics.eao import ExpectedOverlap
from toolkit.metrics.long_term import LongTermScores
from toolkit.metrics.success import (
    ERROR_THRESHOLDS,
    NORMALIZED_THRESHOLDS,
    OVERLAP_THRESHOLDS,
    OnePassScores,
)
from toolkit.results import write_atomic

# Okabe and Ito's colours, which most colour-blind readers can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
LINES = ("-", "--", "-.", ":")
MARKERS = "osD^vP*X"

T = TypeVar("T")
Plot = Callable[[Evaluation], Figure]


def styles(count: int) -> list[dict[str, Any]]:
    """Return as many pairs of colour and line as wanted, all different up to 28."""
    pairs = ({"color": colour, "linestyle": line} for line in LINES for colour in COLOURS)
    return list(islice(cycle(list(pairs)), count))


def success_plot(evaluation: Evaluation) -> Figure:
    """Draw the share of frames above each overlap; the legend has the area under the curve."""
    return _curves(
        evaluation, "success_auc", OVERLAP_THRESHOLDS, lambda s: s.success, "overlap threshold", "success rate"
    )


def precision_plot(evaluation: Evaluation) -> Figure:
    """Draw the share of frames within each centre error; the legend has the one at 20 pixels."""
    return _curves(
        evaluation, "precision", ERROR_THRESHOLDS, lambda s: s.precision, "centre error threshold (pixels)", "precision"
    )


def normalized_precision_plot(evaluation: Evaluation) -> Figure:
    """Draw the share of frames within each relative centre error; the legend has the area under the curve."""
    return _curves(
        evaluation,
        "normalized_precision_auc",
        NORMALIZED_THRESHOLDS,
        lambda s: s.normalized_precision,
        "centre error threshold relative to the target's size",
        "normalised precision",
    )


def eao_curve_plot(evaluation: Evaluation) -> Figure:
    """Draw the expected overlap over the length; the range that EAO averages is shaded."""
    figure, axes = _canvas("frames", "expected overlap", evaluation)
    for scores, style in _styled(evaluation):
        family = _metrics(scores, ExpectedOverlap)
        curve = family.curve(np.ones((1, len(scores.sequences))))[0]
        axes.plot(np.arange(1, len(curve) + 1), curve, label=_label(scores, "eao/all"), **style)
    axes.axvspan(*evaluation.dataset.benchmark.eao_lengths, color="0.5", alpha=0.12, linewidth=0)
    axes.set_ylim(0, 1)
    return _with_legend(figure, axes)


def eao_ranking_plot(evaluation: Evaluation) -> Figure:
    """Draw EAO by rank, the best on the right, with the 95 % bootstrap interval."""
    figure, axes = _canvas("rank", "EAO", evaluation)
    for rank, (scores, style) in enumerate(_styled(evaluation), 1):
        value, (low, high) = scores.value("eao/all"), scores.interval("eao/all")
        error = np.maximum([[value - low], [high - value]], 0)
        marker = MARKERS[(rank - 1) % len(MARKERS)]
        label = _label(scores, "eao/all")
        axes.errorbar(rank, value, error, fmt=marker, color=style["color"], capsize=3, label=label)
    axes.set_xticks(range(1, len(evaluation.scores) + 1))
    axes.invert_xaxis()
    return _with_legend(figure, axes)


def accuracy_robustness_plot(evaluation: Evaluation, frames: int = 100) -> Figure:
    """Draw accuracy against the chance to track ``frames`` frames without a failure; the best is top right."""
    figure, axes = _canvas(f"reliability: exp(-failures per {frames} frames)", "accuracy", evaluation)
    for number, (scores, style) in enumerate(_styled(evaluation)):
        reliability = np.exp(-scores.value("robustness") * frames / 100)
        marker = MARKERS[number % len(MARKERS)]
        axes.plot(reliability, scores.value("accuracy"), marker, color=style["color"], label=scores.tracker)
    axes.set_xlim(0, 1)
    return _with_legend(figure, axes)


def precision_recall_plot(evaluation: Evaluation) -> Figure:
    """Draw long-term precision against recall over all thresholds; a dot marks the best F."""
    figure, axes = _canvas("recall", "precision", evaluation)
    for scores, style in _styled(evaluation):
        family = _metrics(scores, LongTermScores)
        precision, recall, f = (curve[0] for curve in family.curve(np.ones((1, len(scores.sequences)))))
        axes.plot(recall, precision, label=_label(scores, "f1"), **style)
        axes.plot(recall[f.argmax()], precision[f.argmax()], "o", color=style["color"])
    axes.set(xlim=(0, 1), ylim=(0, 1))
    return _with_legend(figure, axes)


def attribute_radar(evaluation: Evaluation) -> Figure:
    """Draw the leading metric per attribute of the sequences, or EAO per frame tag."""
    leading = evaluation.dataset.benchmark.leading_metric
    figure = Figure(figsize=(6.4, 6.4), layout="constrained")
    axes = figure.add_subplot(projection="polar")
    axes.set_title(f"{evaluation.dataset.benchmark.name}: {leading.partition(GROUP)[0].replace('_', ' ')}", pad=20)
    angles: FloatArray = np.zeros(0)
    names: list[str] = []
    for scores, style in _styled(evaluation):
        values = _per_tag(scores, leading) if GROUP in leading else scores.per_attribute(leading)
        names, angles = list(values), np.linspace(0, 2 * np.pi, len(values), endpoint=False)
        heights = np.array(list(values.values()))
        axes.plot(np.append(angles, 0), np.append(heights, heights[0]), label=scores.tracker, **style)
    axes.set_xticks(angles, [name.replace("_", " ") for name in names])
    for text, angle in zip(axes.get_xticklabels(), angles, strict=True):
        beside = np.cos(angle)
        text.set_horizontalalignment("center" if abs(beside) < 0.1 else "left" if beside > 0 else "right")
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside lower center", ncols=3, fontsize="small")
    return figure


def _per_tag(scores: Scores, leading: str) -> dict[str, float]:
    """Return the members of a group of headline numbers, such as EAO per tag."""
    group = leading.partition(GROUP)[0] + GROUP
    return {name.removeprefix(group): scores.value(name) for name in scores.statistics if name.startswith(group)}


PLOTS: dict[str, dict[str, Plot]] = {
    "one_pass": {
        "success": success_plot,
        "precision": precision_plot,
        "normalized_precision": normalized_precision_plot,
    },
    "supervised": {
        "eao_ranking": eao_ranking_plot,
        "eao_curve": eao_curve_plot,
        "accuracy_robustness": accuracy_robustness_plot,
        "attributes": attribute_radar,
    },
    "unsupervised": {},
    "long_term": {"precision_recall": precision_recall_plot},
    "average_overlap": {},
}


def draw_all(evaluation: Evaluation) -> dict[str, Figure]:
    """Return the plots that apply to a benchmark, by name; none if nothing was scored."""
    if not evaluation.scores:
        return {}
    plots = dict(PLOTS[evaluation.dataset.benchmark.family])
    if next(iter(evaluation.scores.values())).attributes:
        plots["attributes"] = attribute_radar
    return {name: plot(evaluation) for name, plot in plots.items()}


def image_bytes(figure: Figure, kind: str) -> bytes:
    """Return a figure as "png" or "svg"; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    with matplotlib.rc_context({"svg.hashsalt": "toolkit"}):
        figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
    return buffer.getvalue()


def save_plots(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write every plot as PNG and SVG and return the files."""
    written = []
    for name, figure in draw_all(evaluation).items():
        for kind in ("png", "svg"):
            path = folder / f"{evaluation.dataset.benchmark.name}_{name}.{kind}"
            write_atomic(path, image_bytes(figure, kind))
            written.append(path)
    return written


def _curves(
    evaluation: Evaluation,
    name: str,
    thresholds: FloatArray,
    rates: Callable[[OnePassScores], FloatArray],
    across: str,
    up: str,
) -> Figure:
    figure, axes = _canvas(across, up, evaluation)
    for scores, style in _styled(evaluation):
        curve = rates(_metrics(scores, OnePassScores)).mean(axis=0)
        axes.plot(thresholds, curve, label=_label(scores, name), **style)
    axes.set(xlim=(thresholds[0], thresholds[-1]), ylim=(0, 1))
    return _with_legend(figure, axes)


def _canvas(across: str, up: str, evaluation: Evaluation) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlabel=across, ylabel=up, title=evaluation.dataset.benchmark.name)
    axes.grid(visible=True, alpha=0.3)
    return figure, axes


def _with_legend(figure: Figure, axes: Axes) -> Figure:
    if len(axes.get_legend_handles_labels()[0]) > 10:
        figure.legend(loc="outside right center", fontsize="small")
    else:
        axes.legend(fontsize="small")
    return figure


def _styled(evaluation: Evaluation) -> list[tuple[Scores, dict[str, Any]]]:
    """Return the trackers, the best first, each with the style that it has in all plots."""
    by_tracker = dict(zip(evaluation.scores, styles(len(evaluation.scores)), strict=True))
    return [(scores, by_tracker[scores.tracker]) for scores in evaluation.ranked()]


def _label(scores: Scores, name: str) -> str:
    return f"{scores.tracker} [{scores.value(name):.3f}]"


def _metrics(scores: Scores, kind: type[T]) -> T:
    return next(family for family in scores.metrics if isinstance(family, kind))
