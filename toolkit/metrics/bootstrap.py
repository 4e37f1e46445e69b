"""Confidence intervals and paired comparison, by drawing sequences with replacement.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile intervals).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toolkit.metrics import FloatArray, Statistic


@dataclass(frozen=True)
class PairedComparison:
    """How much one tracker is ahead of another on the same sequences.

    Attributes:
        difference: first minus second.
        low: lower end of the interval of the difference.
        high: its upper end.
        first_ahead: share of draws in which the first is ahead; ties count half.
    """

    difference: float
    low: float
    high: float
    first_ahead: float


def draws(sequences: int, count: int = 1000, seed: int = 0) -> FloatArray:
    """Return (count, S) how often each sequence is drawn, in ``count`` draws of S sequences with replacement."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(sequences, np.full(sequences, 1 / sequences), size=count).astype(np.float64)


def confidence_interval(statistic: Statistic, drawn: FloatArray, level: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of a statistic over the draws (B, S)."""
    tail = (1 - level) / 2
    low, high = np.nanquantile(statistic(drawn), [tail, 1 - tail])
    return float(low), float(high)


def compare(first: Statistic, second: Statistic, drawn: FloatArray, level: float = 0.95) -> PairedComparison:
    """Compare two trackers by the same statistic on the same draws (B, S) of sequences."""
    whole = np.ones((1, drawn.shape[1]))

    def gap(weights: FloatArray) -> FloatArray:
        return first(weights) - second(weights)

    differences = gap(drawn)
    low, high = confidence_interval(gap, drawn, level)
    ahead = float(np.mean(differences > 0) + np.mean(differences == 0) / 2)
    return PairedComparison(float(gap(whole)[0]), low, high, ahead)
