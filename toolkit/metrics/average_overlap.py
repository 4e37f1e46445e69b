"""Average overlap and success rates of GOT-10k.

Source: Huang, Zhao and Huang, "GOT-10k", TPAMI 2019, and its toolkit: the given first frame and frames without
any visible part are left out, boxes are cut to the image, and all frames of all sequences are averaged together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.metrics import FloatArray, Statistic, sums_per_sequence, weighted_ratio
from toolkit.overlap import iou_xywh

SUCCESS_RATES = {"sr_50": 0.5, "sr_75": 0.75}


@dataclass(frozen=True)
class AverageOverlapScores:
    """Sums over the frames of every sequence.

    Attributes:
        overlap: (S,) summed IoU.
        successes: per success rate, (S,) frames with an IoU above its threshold.
        frames: (S,) frames that count.
    """

    overlap: FloatArray
    successes: dict[str, FloatArray]
    frames: FloatArray

    def statistics(self) -> dict[str, Statistic]:
        """Return the headline numbers, each a mean over frames."""
        rates = {name: weighted_ratio(hits, self.frames) for name, hits in self.successes.items()}
        return {"ao": weighted_ratio(self.overlap, self.frames), **rates}

    def gathered(self, owner: NDArray[np.int64], count: int) -> AverageOverlapScores:
        """Return the sums over the repetitions of every sequence: row i here goes to ``owner[i]`` of ``count``."""

        def gather(values: FloatArray) -> FloatArray:
            return np.bincount(owner, weights=values, minlength=count).astype(np.float64)

        successes = {name: gather(hits) for name, hits in self.successes.items()}
        return AverageOverlapScores(gather(self.overlap), successes, gather(self.frames))


def average_overlap_scores(
    ground_truth: FloatArray,
    predictions: FloatArray,
    lengths: NDArray[np.int64],
    sizes: FloatArray,
    visible: NDArray[np.bool_] | None = None,
) -> AverageOverlapScores:
    """Score the boxes of many sequences at once, one after the other.

    Args:
        ground_truth: (F, 4) boxes x, y, w, h, pixels.
        predictions: (F, 4) boxes x, y, w, h, pixels.
        lengths: (S,) frames of each sequence; they sum to F.
        sizes: (S, 2) image width and height.
        visible: (F,) False where nothing of the target can be seen; None if it always can.
    """
    limits = np.repeat(sizes, lengths, axis=0)
    counted = np.ones(len(ground_truth), dtype=bool) if visible is None else visible.copy()
    counted[np.cumsum(lengths) - lengths] = False
    overlaps = iou_xywh(_cut(predictions, limits), _cut(ground_truth, limits))
    per_frame = {name: overlaps > threshold for name, threshold in SUCCESS_RATES.items()}
    return AverageOverlapScores(
        overlap=sums_per_sequence(np.where(counted, overlaps, 0), lengths),
        successes={name: sums_per_sequence(hit & counted, lengths) for name, hit in per_frame.items()},
        frames=sums_per_sequence(counted, lengths),
    )


def _cut(boxes_xywh: FloatArray, limits: FloatArray) -> FloatArray:
    """Return (F, 4) boxes cut to images that end at ``limits`` (F, 2)."""
    low = np.clip(boxes_xywh[:, :2], 0, limits)
    high = np.clip(boxes_xywh[:, :2] + boxes_xywh[:, 2:], 0, limits)
    return np.concatenate([low, high - low], axis=1)
