"""One-pass evaluation: success, precision and normalised precision.

Source: Wu, Lim and Yang, "Object Tracking Benchmark", TPAMI 2015; normalised precision: Mueller et al.,
"TrackingNet", ECCV 2018.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.conventions import PUBLISHED, Conventions
from toolkit.metrics import FloatArray, Statistic, mean_of
from toolkit.overlap import iou_xywh

OVERLAP_THRESHOLDS = np.arange(0, 1.05, 0.05)
"""21 overlaps; a frame succeeds if its IoU is *greater*."""
ERROR_THRESHOLDS = np.arange(0, 51, 1, dtype=np.float64)
"""51 centre errors in pixels; a frame is precise if its error is not greater. Published: the one at 20."""
NORMALIZED_THRESHOLDS = np.arange(0, 51, 1) / 100
"""51 centre errors relative to the ground truth's size. Published at 0.20 or as area under the curve."""
AT_20_PIXELS = 20
AT_ONE_FIFTH = 20


@dataclass(frozen=True)
class OnePassScores:
    """Hit rates of every sequence at every threshold.

    Attributes:
        success: (S, 21) share of frames with IoU above :data:`OVERLAP_THRESHOLDS`.
        precision: (S, 51) share of frames with centre error up to :data:`ERROR_THRESHOLDS`.
        normalized_precision: (S, 51) the same with :data:`NORMALIZED_THRESHOLDS`.
    """

    success: FloatArray
    precision: FloatArray
    normalized_precision: FloatArray

    def statistics(self) -> dict[str, Statistic]:
        """Return the headline numbers, each a mean over sequences."""
        return {
            "success_auc": mean_of(self.success.mean(axis=1)),
            "precision": mean_of(self.precision[:, AT_20_PIXELS]),
            "normalized_precision": mean_of(self.normalized_precision[:, AT_ONE_FIFTH]),
            "normalized_precision_auc": mean_of(self.normalized_precision.mean(axis=1)),
        }


def one_pass_scores(
    ground_truth: FloatArray,
    predictions: FloatArray,
    lengths: NDArray[np.int64],
    visible: NDArray[np.bool_] | None = None,
    conventions: Conventions = PUBLISHED,
) -> OnePassScores:
    """Score the boxes of many sequences at once, one after the other.

    Args:
        ground_truth: (F, 4) boxes x, y, w, h, pixels; NaN or no size where there is none.
        predictions: (F, 4) boxes x, y, w, h, pixels.
        lengths: (S,) frames of each sequence; they sum to F.
        visible: (F,) False where the target is flagged absent; None if nothing is flagged.
        conventions: what to do with absent frames, invalid ones and the first.
    """
    if conventions.first_box == "given":
        predictions = predictions.copy()
        first = np.cumsum(lengths) - lengths
        predictions[first] = ground_truth[first]
    truth, boxes = np.ascontiguousarray(ground_truth.T), np.ascontiguousarray(predictions.T)
    has_size = (truth[2] > 0) & (truth[3] > 0)
    hidden = np.zeros(len(has_size), dtype=bool)
    if visible is not None and conventions.absent != "counted":
        hidden = ~visible
    left_out = hidden if conventions.absent == "ignored" else np.zeros_like(hidden)
    if conventions.invalid == "ignored":
        left_out = left_out | ~has_size
    never = hidden | left_out
    owner = np.repeat(np.arange(len(lengths)), lengths)
    frames = lengths - np.bincount(owner[left_out], minlength=len(lengths))
    overlaps = np.where(has_size & ~never, iou_xywh(truth.T, boxes.T), -1.0)
    # The centre of a box is its middle pixel, x + (w - 1) / 2.
    true_centres, centres = (columns[:2] + (columns[2:] - 1) / 2 for columns in (truth, boxes))
    no_centre = ~(true_centres > 0).all(axis=0)

    def precise(unit: FloatArray | float, thresholds: FloatArray) -> FloatArray:
        across, down = true_centres / unit - centres / unit
        errors = np.sqrt(across * across + down * down)
        if conventions.invalid == "published":
            errors[no_centre] = -1
        else:
            errors[~has_size] = np.inf
        errors[never] = np.inf
        return _not_above(errors, thresholds, owner, frames)

    with np.errstate(invalid="ignore", divide="ignore"):
        return OnePassScores(
            success=(lengths[:, None] - _not_above(overlaps, OVERLAP_THRESHOLDS, owner, frames)) / frames[:, None],
            precision=precise(1.0, ERROR_THRESHOLDS) / frames[:, None],
            normalized_precision=precise(truth[2:] + 1e-16, NORMALIZED_THRESHOLDS) / frames[:, None],
        )


def _not_above(
    values: FloatArray, thresholds: FloatArray, owner: NDArray[np.int64], frames: NDArray[np.int64]
) -> FloatArray:
    """Return (S, T): for every sequence and threshold the number of values not above it."""
    bins = thresholds.size + 1
    place = owner * bins + np.searchsorted(thresholds, values)
    histogram = np.bincount(place, minlength=len(frames) * bins).reshape(-1, bins)
    return histogram.cumsum(axis=1)[:, :-1].astype(np.float64)
