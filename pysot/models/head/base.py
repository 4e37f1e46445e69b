"""What every head has in common: it encodes a template once, then compares it with any number of search regions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from pysot.utils import ConfigError, Registry

HEADS: Registry[type[Head]] = Registry("head (RPN.TYPE)")

# What a head keeps of a template: tensors whose first dimension is the target.
Kernels = tuple[Tensor, ...]


class Maps(NamedTuple):
    """A head's answer for a batch of search regions.

    Attributes:
        cls: (B, 2k or 1, S, S) logits.
        loc: (B, 4k, S, S) boxes in the head's code, or None.
        quality: (B, k, S, S) logits of the boxes' overlap with the target, or None.
    """

    cls: Tensor
    loc: Tensor | None
    quality: Tensor | None = None


class Head(nn.Module):
    """Compares template and search features of one or several levels.

    ``encode`` does the template's share of the work, once per target; ``forward`` the search region's, every frame.
    """

    def encode(self, levels: Sequence[Tensor]) -> Kernels:
        """Return the kernels of template features, levels of (B, C_i, h, w)."""
        raise NotImplementedError

    def forward(self, kernels: Kernels, levels: Sequence[Tensor]) -> Maps:
        """Return the score map and, where the head has them, the maps of boxes and of their quality.

        Args:
            kernels: From `encode`; first dimension B_t, the number of targets.
            levels: Search features, (B_x, C_i, H, W) each. B_t and B_x may differ: see `pysot.ops.xcorr`.
        """
        raise NotImplementedError

    @classmethod
    def from_channels(cls, channels: Sequence[int], anchor_num: int, **kwargs: Any) -> Head:
        """Build the head for levels of the given channel counts.

        Args:
            channels: One count per level.
            anchor_num: Anchors per cell; a head without anchors does not look at it.
            kwargs: The remaining keys of RPN.KWARGS.
        """
        raise NotImplementedError


def only_level(head: str, channels: Sequence[int]) -> int:
    """Return the channels of the single level, or raise a ConfigError that points to MultiRPN."""
    if len(channels) != 1:
        raise ConfigError(
            f"RPN.TYPE {head} takes one level, the backbone gives {len(channels)}; "
            f"use one entry in BACKBONE.KWARGS.used_layers, or RPN.TYPE MultiRPN"
        )
    return channels[0]
