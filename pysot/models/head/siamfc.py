"""SiamFC's head: plain cross-correlation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from pysot.models.head.base import HEADS, Head, Kernels, Maps, only_level
from pysot.ops import xcorr


@HEADS.register("SiamFCHead")
class SiamFCHead(Head):
    """Correlates template and search features into one score map; has no parameters and no box map.

    Args:
        out_scale: Factor on the scores, which keeps the logistic loss in its sensitive range.

    Source: SiamFC, equation 1; siamfc-pytorch's scale of 0.001.
    """

    def __init__(self, out_scale: float = 0.001) -> None:
        super().__init__()
        self.out_scale = out_scale

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
        return Maps(xcorr(search, kernels[0]) * self.out_scale, None)
