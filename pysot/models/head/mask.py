"""SiamMask's mask head: a small mask for every cell of the score map."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pysot.models.head.rpn import DepthwiseXCorr
from pysot.utils import ConfigError, Registry

MASK_HEADS: Registry[type[MaskCorr]] = Registry("mask head (MASK.TYPE)")


@MASK_HEADS.register("MaskCorr")
class MaskCorr(DepthwiseXCorr):
    """Depth-wise correlation whose output channels are the pixels of a square mask.

    Args:
        in_channels: Channels of the level.
        hidden: Channels that are correlated; the refinement starts from them.
        out_channels: Pixels of a mask, a square number (3969 = 63 * 63).

    Source: SiamMask, section 3.2.
    """

    def __init__(self, in_channels: int, hidden: int = 256, out_channels: int = 63 * 63) -> None:
        side = math.isqrt(out_channels)
        if side * side != out_channels:
            raise ConfigError(f"MASK.KWARGS.out_channels is the area of a square mask, got {out_channels}")
        super().__init__(in_channels, hidden, out_channels)
        self.mask_size = side

    def at(self, correlation: Tensor, cells: Tensor) -> Tensor:
        """Return the masks of single cells.

        Computing the head at one cell instead of all 625 saves most of its time. While the normalisation learns, the
        layers up to the last run at all cells, whose statistics it takes; the last one is by far the largest.

        Args:
            correlation: (B, hidden, S, S) from `correlate`.
            cells: (N, 3) int64: batch index, row, column.

        Returns:
            (N, mask_size, mask_size) logits.
        """
        everywhere = len(self.head) - 1 if self.head[1].training else 0
        picked = self.head[:everywhere](correlation)[cells[:, 0], :, cells[:, 1], cells[:, 2]]
        logits = self.head[everywhere:](picked[:, :, None, None])
        return torch.reshape(logits, (-1, self.mask_size, self.mask_size))
