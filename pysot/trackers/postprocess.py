"""From score and box maps to one box per target, for a batch, on the network's device.

Source: SiamRPN, section 4.3 (cosine window, penalty on changes of scale and ratio), as the published trackers do it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

# exp of more than this would make a box ten thousand anchors wide, of less than its negative one without a size: only
# a broken or untrained network says so, and infinities and zeros divided by zeros would spread into the state.
_LARGEST_LOG_SIZE = 9.0


class Proposals(NamedTuple):
    """Every box with its score, N = k * S * S per target for k boxes per cell, in flattened (k, row, column) order.

    Attributes:
        boxes_cxcywh: (B, 4, N) relative to the crop's centre, network pixels.
        score: (B, N) probability of the target.
        penalty: (B, N) factor in 0..1, small where size or ratio changed a lot.
        rank: (B, N) float64 score after penalty and window; the best one is the target.
    """

    boxes_cxcywh: Tensor
    score: Tensor
    penalty: Tensor
    rank: Tensor


@dataclass(frozen=True)
class RankingWeights:
    """How strongly a target is expected to stay as it is and where it is.

    Attributes:
        penalty_k: Strength of the penalty on changes of size and ratio.
        window_influence: (B,) or scalar share of the cosine window in the rank.
    """

    penalty_k: float
    window_influence: Tensor | float


class BoxCode(Protocol):
    """What a network's box map means."""

    @property
    def per_cell(self) -> int:
        """Boxes per cell of the score map, k."""

    def decode(self, loc: Tensor) -> Tensor:
        """Return (B, 4, N) boxes cx, cy, w, h, network pixels relative to the crop's centre, from (B, 4k, S, S)."""


class AnchorCode(NamedTuple):
    """Offsets from anchors (4, N), ``per_cell`` in each cell."""

    anchors_cxcywh: Tensor
    per_cell: int

    def decode(self, loc: Tensor) -> Tensor:
        """Return (B, 4, N) boxes, see `decode_boxes`."""
        return decode_boxes(loc, self.anchors_cxcywh)


class PointCode(NamedTuple):
    """Distances of a box's sides from points (2, N), one in each cell, in units of ``stride`` network pixels."""

    points_xy: Tensor
    stride: int
    per_cell: int = 1

    def decode(self, loc: Tensor) -> Tensor:
        """Return (B, 4, N) boxes, see `decode_distances`."""
        return decode_distances(loc, self.points_xy, self.stride)


def decode_boxes(loc: Tensor, anchors_cxcywh: Tensor) -> Tensor:
    """Return (B, 4, N) boxes cx, cy, w, h from offsets (B, 4k, S, S) and anchors (4, N).

    cx = dx * w_a + cx_a, w = exp(dw) * w_a, likewise for y and h.
    """
    offsets = loc.reshape(loc.shape[0], 4, -1)
    centers = offsets[:, :2] * anchors_cxcywh[2:] + anchors_cxcywh[:2]
    sizes = _sizes(offsets[:, 2:]) * anchors_cxcywh[2:]
    return torch.cat([centers, sizes], dim=1)


def decode_distances(loc: Tensor, points_xy: Tensor, stride: int) -> Tensor:
    """Return (B, 4, N) boxes cx, cy, w, h from log distances (B, 4, S, S) of their sides from points (2, N).

    With l, t, r, b = exp(loc) * stride: cx = x + (r - l) / 2, w = l + r, likewise for y and h.
    """
    low, high = (_sizes(loc.reshape(loc.shape[0], 4, -1)) * stride).split(2, dim=1)
    return torch.cat([points_xy + (high - low) / 2, low + high], dim=1)


def _sizes(logarithms: Tensor) -> Tensor:
    return logarithms.clamp(-_LARGEST_LOG_SIZE, _LARGEST_LOG_SIZE).exp()


def target_probability(cls: Tensor, quality: Tensor | None = None) -> Tensor:
    """Return (B, N) target probabilities from logits (B, 2k, S, S), class outer, anchor inner.

    Args:
        cls: The logits.
        quality: (B, k, S, S) logits of the boxes' overlap with the target, a factor on the probability.
    """
    score = cls.reshape(cls.shape[0], 2, -1).softmax(dim=1)[:, 1]
    return score if quality is None else score * quality.flatten(1).sigmoid()


def change_penalty(sizes_wh: Tensor, target_wh: Tensor, penalty_k: float) -> Tensor:
    """Return exp(-(r * s - 1) * k), with r and s the changes of aspect ratio and of size, each at least 1.

    Args:
        sizes_wh: (B, 2, N) proposed sizes.
        target_wh: (B, 2) the target's last size, in the same pixels.
        penalty_k: k.

    Returns:
        (B, N) factors in 0..1.
    """
    size_change = _change(_context_size(sizes_wh) / _context_size(target_wh[:, :, None]))
    ratio_change = _change((target_wh[:, 0] / target_wh[:, 1])[:, None] / (sizes_wh[:, 0] / sizes_wh[:, 1]))
    return torch.exp(-(ratio_change * size_change - 1) * penalty_k)


def rank_proposals(
    boxes: Tensor, score: Tensor, window: Tensor, target_wh: Tensor, weights: RankingWeights
) -> Proposals:
    """Return all proposals with their rank.

    Args:
        boxes: (B, 4, N) cx, cy, w, h, from `BoxCode.decode`.
        score: (B, N) from `target_probability`.
        window: (N,) float64 cosine window.
        target_wh: (B, 2) the target's last size in network pixels.
        weights: Penalty and window.
    """
    penalty = change_penalty(boxes[:, 2:], target_wh, weights.penalty_k)
    influence = weights.window_influence
    # Double precision: where scores saturate at 1, the window alone decides between neighbours.
    rank = (penalty * score).to(window.dtype) * (1 - influence) + window * influence
    return Proposals(boxes, score, penalty, rank)


def _context_size(sizes_wh: Tensor) -> Tensor:
    """Return sqrt((w + p)(h + p)) with p = (w + h) / 2, for sizes (B, 2, N)."""
    width, height = sizes_wh[:, 0], sizes_wh[:, 1]
    padding = (width + height) * 0.5
    return torch.sqrt((width + padding) * (height + padding))


def _change(ratio: Tensor) -> Tensor:
    return torch.maximum(ratio, 1 / ratio)
