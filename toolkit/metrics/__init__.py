"""The metrics, one file per family: pure functions on arrays and a result that any set of sequences can be put to.

Every headline number is a function of sequence weights: ones give the benchmark's score, a mask an attribute's,
resampled counts a confidence interval. So each formula is written once. ``Statistic`` takes weights (B, S) and
returns (B,).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Statistic = Callable[[FloatArray], FloatArray]


def weighted_ratio(numerator: FloatArray, denominator: FloatArray) -> Statistic:
    """Return the statistic "weighted sum of one quantity over that of another".

    Args:
        numerator: (S,) per sequence.
        denominator: (S,) per sequence; ones make it a weighted mean.

    Example:
        >>> hits, frames = np.array([1.0, 30.0]), np.array([10.0, 40.0])
        >>> weighted_ratio(hits, frames)(np.array([[1.0, 1.0], [1.0, 0.0]])).tolist()
        [0.62, 0.1]
    """

    def ratio(weights: FloatArray) -> FloatArray:
        below = weights @ denominator
        return np.divide(weights @ numerator, below, out=np.full(len(weights), np.nan), where=below != 0)

    return ratio


def mean_of(values: FloatArray) -> Statistic:
    """Return the statistic "mean over sequences" of values (S,)."""
    return weighted_ratio(values, np.ones(len(values)))


def sums_per_sequence(values: NDArray[np.generic], lengths: NDArray[np.int64]) -> FloatArray:
    """Return (S,) sums of frame values (F,), the sequences one after the other with ``lengths`` (S,) frames."""
    owner = np.repeat(np.arange(len(lengths)), lengths)
    return np.bincount(owner, weights=values, minlength=len(lengths)).astype(np.float64)
