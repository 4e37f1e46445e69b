"""SiamFC's head: plain cross-correlation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pysot.models.head.base import HEADS, Head, Kernels, Maps, only_level
from pysot.ops import xcorr


@HEADS.register("SiamFCHead")
class SiamFCHead(Head):
    """Correlates template and search features into one score map; has no box map, and no parameters but the offset.

    Args:
        out_scale: Factor on the scores, which keeps the logistic loss in its sensitive range.
        bias: Learn an offset of all scores. Template and search share their features, so the correlation of unlike
            things is 0 in the mean, which says "perhaps"; an offset lets it say no. It moves no peak.

    Source: SiamFC, equation 1, b; siamfc-pytorch has none, and the scale of 0.001.
    """

    def __init__(self, out_scale: float = 0.001, bias: bool = False) -> None:
        super().__init__()
        self.out_scale = out_scale
        self.bias = nn.Parameter(torch.zeros(1)) if bias else None

    @classmethod
    def from_channels(cls, channels: Sequence[int], anchor_num: int, **kwargs: Any) -> SiamFCHead:
        """Build the head for one level; it has no anchors."""
        only_level(cls.__name__, channels)
        return cls(**kwargs)

    def encode(self, levels: Sequence[Tensor]) -> Kernels:
        """Return the template features themselves."""
        (template,) = levels
        return (template,)

    def forward(self, kernels: Kernels, levels: Sequence[Tensor]) -> Maps:
        """Return the response (B, 1, S, S), a logit."""
        (search,) = levels
        response = xcorr(search, kernels[0]) * self.out_scale
        return Maps(response if self.bias is None else response + self.bias, None)
