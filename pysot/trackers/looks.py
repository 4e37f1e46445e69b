"""What proposals look like: their features, and how much these are the target's.

A network that has learned what objects are scores every object that passes its target high. Features from early in the
backbone, whose cells see little around them, still tell the two apart: `LikenessParams` add that to the rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample, normalize

from pysot.geometry import context_sides
from pysot.trackers.base import to_numpy
from pysot.trackers.postprocess import Proposals

# Best-ranked proposals whose looks are compared. They need not differ: it costs less to compare than to suppress them.
_COMPARED = 128


@dataclass(frozen=True)
class LikenessParams:
    """How much it counts that a proposal looks like the target.

    Attributes:
        weight: Rank that is added for a perfect likeness.
        rate: Share of a frame's look that is taken over into the recent look, times the score, 0..1.
    """

    weight: float
    rate: float


class Look(NamedTuple):
    """What a target looks like: features (C, h, w), each channel without its mean, of length 1 as a whole.

    Attributes:
        first: In the first frame.
        recent: Of late.
    """

    first: Tensor
    recent: Tensor

    @staticmethod
    def of_template(features: Tensor) -> Look:
        """Return the look after the first frame, whose template has the features (1, C, h, w)."""
        look = _appearance(features)[0]
        return Look(look, look)

    def likeness(self, looks: Tensor) -> Tensor:
        """Return the mean of the cosines, -1..1, of looks (D, C, h, w) with the first and the recent look, (D,)."""
        return (looks * (self.first + self.recent) / 2).sum(dim=(1, 2, 3))

    def learned(self, look: Tensor, rate: float) -> Look:
        """Return the look after a frame in which the target looked like ``look`` (C, h, w)."""
        return Look(self.first, unit_length((self.recent + rate * (look - self.recent))[None])[0])


def most_alike(
    proposals: Proposals,
    row: int,
    look: Look,
    features: Tensor,
    params: LikenessParams,
    *,
    template_size: int,
    stride: int,
    context_amount: float,
) -> tuple[Tensor, Look]:
    """Return the index of the proposal with the highest sum of rank and weighted likeness, and the look after it.

    Args:
        proposals: Of all targets.
        row: The target's.
        look: The target's.
        features: As for `sample_proposals`.
        params: Weight and rate.
        template_size: As for `sample_proposals`.
        stride: As for `sample_proposals`.
        context_amount: As for `sample_proposals`.
    """
    ranks, candidates = proposals.rank[row].topk(min(_COMPARED, proposals.rank.shape[1]))
    boxes, cells = to_numpy(proposals.boxes_cxcywh[row][:, candidates]).T, look.first.shape[-1]
    looks = _appearance(sample_proposals(features.float(), boxes, cells, template_size, stride, context_amount))
    best = (ranks + params.weight * look.likeness(looks)).argmax()
    score = float(proposals.score[row][candidates[best]])
    return candidates[best], look.learned(looks[best], params.rate * score)


def sample_proposals(
    features: Tensor,
    boxes_cxcywh: NDArray[np.float64],
    cells: int,
    template_size: int,
    stride: int,
    context_amount: float,
) -> Tensor:
    """Return the search features under proposals, sampled as a template around each would be.

    Args:
        features: (1, C, H, W) search features, whose middle is the crop's centre.
        boxes_cxcywh: (D, 4) relative to the crop's centre, network pixels.
        cells: Side of the template features.
        template_size: Side of the template crop, network pixels.
        stride: Network pixels per cell.
        context_amount: Context around the target, share of width + height.

    Returns:
        (D, C, cells, cells), zero outside the search crop.
    """
    height, width = features.shape[-2:]
    steps = context_sides(boxes_cxcywh[:, 2:], context_amount) / template_size
    offsets = (np.arange(cells) - (cells - 1) / 2)[None, :] * steps[:, None]
    columns = (boxes_cxcywh[:, :1] / stride + offsets) * 2 / (width - 1)
    rows = (boxes_cxcywh[:, 1:2] / stride + offsets) * 2 / (height - 1)
    shape = (len(boxes_cxcywh), cells, cells)
    grid = np.stack([np.broadcast_to(columns[:, None, :], shape), np.broadcast_to(rows[:, :, None], shape)], axis=-1)
    sampled = grid_sample(
        features,
        torch.as_tensor(grid.reshape(1, -1, cells, 2), dtype=features.dtype, device=features.device),
        align_corners=True,
    )
    # In order, as what follows is several times faster on.
    return sampled.reshape(features.shape[1], *shape).transpose(0, 1).contiguous()


def unit_length(features: Tensor) -> Tensor:
    """Return (D, C, h, w) features, each scaled to length 1."""
    return normalize(features.flatten(1), dim=1).reshape(features.shape)


def _appearance(features: Tensor) -> Tensor:
    """Return features (D, C, h, w) without each channel's mean, of length 1: what differs from place to place."""
    return unit_length(features - features.mean(dim=(2, 3), keepdim=True))
