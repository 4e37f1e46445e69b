"""Masks: the mean of their overlap with the annotated ones.

Source: Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR 2016:
region similarity J, its mean over a sequence's frames and then over the sequences. Of theirs, the frames that were
given and those in which nothing of the target is seen are left out here; the last frame is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.metrics import FloatArray, Statistic, weighted_ratio


@dataclass(frozen=True)
class MaskScores:
    """How well masks were drawn.

    Attributes:
        overlap: (S,) mean intersection over union of a sequence's masks; NaN for one without masks.
    """

    overlap: FloatArray

    def statistics(self) -> dict[str, Statistic]:
        """Return the headline number, a mean over the sequences that have masks."""
        known = np.isfinite(self.overlap)
        return {"mask_iou": weighted_ratio(np.where(known, self.overlap, 0.0), known.astype(np.float64))}


def mask_scores(overlaps: Sequence[FloatArray]) -> MaskScores:
    """Score the masks of many sequences.

    Args:
        overlaps: per sequence the overlap in each frame (N,), NaN in frames that do not count; all NaN, or none at
            all, for a sequence without masks.

    Example:
        >>> mask_scores([np.array([np.nan, 0.5, 1.0]), np.array([])]).overlap.tolist()
        [0.75, nan]
    """
    counted = [frames[np.isfinite(frames)] for frames in overlaps]
    return MaskScores(np.array([frames.mean() if frames.size else np.nan for frames in counted]))
