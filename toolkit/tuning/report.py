"""What came of a search: the table of trials, and the found setting against the configuration's own."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from collections.abc import Sequence as Series
from pathlib import Path
from typing import Any

from toolkit.datasets import Dataset
from toolkit.errors import ToolkitError
from toolkit.evaluate import Scores, evaluate
from toolkit.tables import LABELS, LOWER_IS_BETTER, shown
from toolkit.tuning.split import Split

FEWEST = 5
"""Held-back sequences below which an interval by drawing among them says nothing."""
Comparison = dict[str, dict[str, Any]]


def trials_csv(rows: Series[Mapping[str, Any]]) -> str:
    """Return the trials as CSV, numbers unrounded, one line each."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["trial"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def compare(parts: Mapping[str, Dataset], results: Path, default: str, tuned: str, metric: str) -> Comparison:
    """Score two settings on the tuning and on the testing sequences, from their result files.

    Args:
        parts: the benchmark limited to each.
        results: folder with ``<benchmark>/<setting>/``.
        default: name of the configuration's own setting.
        tuned: name of the found one; may be the same.
        metric: what was tuned for.

    Returns:
        Per part, both settings' headline numbers, and how much better the found one is: in the metric, with the 95 %
        bootstrap interval over sequences and the share of draws in which it is ahead.

    Raises:
        ToolkitError: results are missing.
    """
    return {name: _compared(part, results, default, tuned, metric) for name, part in parts.items()}


def _compared(part: Dataset, results: Path, default: str, tuned: str, metric: str) -> dict[str, Any]:
    evaluation = evaluate(part, results, list(dict.fromkeys([default, tuned])))
    for failure in evaluation.failures.values():
        raise ToolkitError(str(failure))
    first, second = evaluation.scores[default], evaluation.scores[tuned]
    return {
        "sequences": len(part.sequences),
        "default": _numbers(first),
        "tuned": _numbers(second),
        "score": {"default": first.value(metric), "tuned": second.value(metric)},
        "gain": _gain(first, second, metric),
    }


def _numbers(scores: Scores) -> dict[str, Any]:
    return {name: value for name, value in scores.overall().items() if name != "fps"}


def _gain(default: Scores, tuned: Scores, metric: str) -> dict[str, float]:
    """Return by how much the tuned setting is better, positive also where lower is better."""
    better, worse = (default, tuned) if metric in LOWER_IS_BETTER else (tuned, default)
    paired = better.ahead_of(worse, metric)
    return {
        "difference": paired.difference,
        "low": paired.low,
        "high": paired.high,
        "tuned_ahead": paired.first_ahead,
    }


def lines(comparison: Comparison, metric: str) -> list[str]:
    """Return the comparison as lines of a terminal."""
    heading = f"{LABELS[metric]:<24} {'configuration':>13} {'tuned':>8} {'gain':>8}"
    found = [f"{heading}   95 % interval, share of draws ahead"]
    for name, part in comparison.items():
        gain, score = part["gain"], part["score"]
        who = f"{name} ({part['sequences']} sequence{'s' if part['sequences'] > 1 else ''})"
        found.append(
            f"{who:<24} {shown(metric, score['default']):>13} {shown(metric, score['tuned']):>8} "
            f"{gain['difference']:>+8.3f}   [{gain['low']:+.3f}, {gain['high']:+.3f}], {gain['tuned_ahead']:.0%}"
        )
    return found


def verdict(comparison: Comparison) -> str:
    """Say in a line what the held-back sequences make of the gain."""
    tuning, testing = comparison["tuning"]["gain"], comparison["testing"]["gain"]
    if tuning["difference"] <= 0:
        return "nothing better than the configuration's own values was found"
    if testing["difference"] <= 0:
        return "over-fitted: what was gained on the tuning sequences is lost on the held-back ones"
    if testing["low"] <= 0 or comparison["testing"]["sequences"] < FEWEST:
        return "better on the held-back sequences too, but by no more than chance among so few may give"
    return "better on the held-back sequences too"


def split_lines(split: Split, others: int) -> list[str]:
    """Say which sequences tune and which test."""
    left_out = f"; {others} in neither" if others else ""
    return [
        f"tuning on {len(split.tuning)}: {' '.join(split.tuning[:8])}{' ...' if split.tuning[8:] else ''}",
        f"held back {len(split.testing)}: {' '.join(split.testing[:8])}{' ...' if split.testing[8:] else ''}{left_out}",
    ]
