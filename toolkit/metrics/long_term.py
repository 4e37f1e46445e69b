"""Precision, recall and F of long-term tracking, in which the tracker reports a confidence and the target may go.

Source: Lukezic et al., "Now You See Me: Evaluating Performance in Long-Term Visual Tracking", 2018 (VOT2018-LT).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.metrics import FloatArray, Statistic

RESOLUTION = 100
"""Confidence thresholds, of which the first is minus and the last plus infinity."""


@dataclass(frozen=True)
class LongTermScores:
    """Precision and recall of every sequence at every threshold.

    Attributes:
        thresholds: (T,) confidences, descending.
        precision: (S, T) mean overlap of the reported frames; 1 if none is reported.
        recall: (S, T) summed overlap of the reported frames, over the number of visible ones.
    """

    thresholds: FloatArray
    precision: FloatArray
    recall: FloatArray

    def curve(self, weights: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return (B, T) precision, recall and F of the weighted mean over sequences, weights (B, S)."""
        share = weights / weights.sum(axis=1, keepdims=True)
        precision, recall = share @ self.precision, share @ self.recall
        return precision, recall, f_score(precision, recall)

    def statistics(self) -> dict[str, Statistic]:
        """Return the best F over thresholds, and precision and recall there."""

        def at_best(which: int) -> Statistic:
            def pick(weights: FloatArray) -> FloatArray:
                curves = self.curve(weights)
                best = curves[2].argmax(axis=1)
                return curves[which][np.arange(len(weights)), best]

            return pick

        return {"precision": at_best(0), "recall": at_best(1), "f1": at_best(2)}


def f_score(precision: FloatArray, recall: FloatArray) -> FloatArray:
    """Return the harmonic mean, 0 where both are 0."""
    total = precision + recall
    return np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)


def confidence_thresholds(confidences: FloatArray, resolution: int = RESOLUTION) -> FloatArray:
    """Return (T,) descending thresholds that split all known confidences of a tracker into even portions.

    Args:
        confidences: (F,), NaN where unknown.
        resolution: number of thresholds.
    """
    ranked = np.sort(confidences[~np.isnan(confidences)])
    inner = resolution - 2
    step = len(ranked) // inner
    places = np.floor(np.linspace(step - 1, len(ranked) - step, inner) + 0.5)
    places = np.clip(places, 0, len(ranked) - 1).astype(np.int64)
    return np.concatenate([[np.inf], ranked[places[::-1]], [-np.inf]])


def long_term_scores(
    overlaps: Sequence[FloatArray], confidences: Sequence[FloatArray], visible: Sequence[int]
) -> LongTermScores:
    """Score a tracker's long-term runs.

    Args:
        overlaps: per sequence (N,) overlaps with the ground truth, NaN where there is none.
        confidences: per sequence (N,), NaN where unknown; such a frame counts as confidence 0.
        visible: per sequence the number of frames with a ground truth.
    """
    thresholds = confidence_thresholds(np.concatenate(list(confidences)))
    precision = np.empty((len(overlaps), len(thresholds)))
    recall = np.empty_like(precision)
    for row, (values, scores, count) in enumerate(zip(overlaps, confidences, visible, strict=True)):
        known = np.nan_to_num(scores, nan=0.0)
        order = np.argsort(-known, kind="stable")
        reported = np.searchsorted(-known[order], -thresholds, side="right")
        # The lowest threshold reports what has any confidence at all.
        reported[-1] = np.count_nonzero(known > 0)
        total = np.concatenate([[0.0], np.nan_to_num(values, nan=0.0)[order].cumsum()])[reported]
        precision[row] = np.where(reported > 0, total / np.maximum(reported, 1), 1.0)
        recall[row] = total / count
    return LongTermScores(thresholds, precision, recall)
