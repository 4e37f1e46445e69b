"""Accuracy, robustness and lost number of the VOT supervised protocol, in which a lost tracker is restarted.

Source: Kristan et al., "A Novel Performance Evaluation Methodology for Single-Target Trackers", TPAMI 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.metrics import FloatArray, Statistic, weighted_ratio
from toolkit.regions import FAILED, INITIALIZED, Regions

BURN_IN = 10
"""Frames from each start on, the start included, that do not count for accuracy."""


@dataclass(frozen=True)
class AccuracyRobustness:
    """Sums over the frames of every sequence, repetitions averaged.

    Attributes:
        overlap: (S,) summed overlap of the frames that count.
        frames: (S,) how many count.
        failures: (S,) failures per repetition.
        lengths: (S,) all frames.
    """

    overlap: FloatArray
    frames: FloatArray
    failures: FloatArray
    lengths: FloatArray

    def statistics(self) -> dict[str, Statistic]:
        """Return accuracy (mean overlap), robustness (failures per 100 frames) and lost number (failures)."""
        rate = weighted_ratio(100 * self.failures, self.lengths)
        total = self.failures
        return {
            "accuracy": weighted_ratio(self.overlap, self.frames),
            "robustness": rate,
            "lost_number": lambda weights: weights @ total,
        }


def failure_frames(regions: Regions) -> NDArray[np.int64]:
    """Return the indices of the frames on which the tracker failed."""
    return np.flatnonzero(regions.is_code(FAILED))


def after_burn_in(regions: Regions, burn_in: int = BURN_IN) -> NDArray[np.bool_]:
    """Return the (N,) mask of frames that are not within ``burn_in`` frames of a start."""
    starts = np.flatnonzero(regions.is_code(INITIALIZED))
    counted = np.ones(len(regions), dtype=bool)
    frames = (starts[:, None] + np.arange(burn_in)).ravel()
    counted[frames[frames < len(regions)]] = False
    return counted


def accuracy_robustness(
    runs: Sequence[Sequence[Regions]], overlaps: Sequence[Sequence[FloatArray]]
) -> AccuracyRobustness:
    """Sum up the runs of a tracker.

    A frame's overlap is averaged over the repetitions that tracked it; frames that none tracked do not count.

    Args:
        runs: for each sequence its repetitions, N regions each.
        overlaps: likewise, (N,) overlaps with the ground truth, NaN on frames with a status code.
    """
    sums, frames, failures = [], [], []
    for repetitions, values in zip(runs, overlaps, strict=True):
        counted = [np.where(after_burn_in(run), value, np.nan) for run, value in zip(repetitions, values, strict=True)]
        known = ~np.isnan(counted)
        times = known.sum(axis=0)
        mean = np.where(known, counted, 0).sum(axis=0) / np.maximum(times, 1)
        sums.append(mean.sum())
        frames.append(np.count_nonzero(times))
        failures.append(np.mean([len(failure_frames(run)) for run in repetitions]))
    lengths = [len(repetitions[0]) for repetitions in runs]
    return AccuracyRobustness(*(np.array(column, dtype=np.float64) for column in (sums, frames, failures, lengths)))
