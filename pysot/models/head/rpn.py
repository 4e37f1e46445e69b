"""Region proposal heads: up-channel (SiamRPN), depth-wise (SiamRPN++) and several levels of either."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pysot.models.head.base import HEADS, Head, Kernels, Maps, only_level
from pysot.ops import xcorr, xcorr_depthwise
from pysot.utils import ConfigError


class DepthwiseXCorr(nn.Module):
    """Depth-wise correlation of two adjusted feature maps and a small convolutional head.

    Args:
        in_channels: Channels of template and search features.
        hidden: Channels that are correlated.
        out_channels: Channels of the output.
    """

    def __init__(self, in_channels: int, hidden: int, out_channels: int) -> None:
        super().__init__()
        self.conv_kernel = _conv3x3(in_channels, hidden)
        self.conv_search = _conv3x3(in_channels, hidden)
        self.head = nn.Sequential(
            nn.Conv2d(hidden, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, out_channels, 1),
        )

    def correlate(self, kernel: Tensor, search: Tensor) -> Tensor:
        """Return the correlation (B, hidden, S, S) of an encoded kernel with search features (B_x, C, H, W)."""
        return xcorr_depthwise(self.conv_search(search), kernel)

    def forward(self, kernel: Tensor, search: Tensor) -> Tensor:
        """Return (B, out_channels, S, S)."""
        return self.head(self.correlate(kernel, search))


@HEADS.register("DepthwiseRPN")
class DepthwiseRPN(Head):
    """SiamRPN++'s head of one level.

    Args:
        in_channels: Channels of the level.
        anchor_num: Anchors per cell, k.
        out_channels: Channels that are correlated.
    """

    def __init__(self, in_channels: int, anchor_num: int = 5, out_channels: int = 256) -> None:
        super().__init__()
        self.cls = DepthwiseXCorr(in_channels, out_channels, 2 * anchor_num)
        self.loc = DepthwiseXCorr(in_channels, out_channels, 4 * anchor_num)

    @classmethod
    def from_channels(cls, channels: Sequence[int], anchor_num: int, **kwargs: Any) -> DepthwiseRPN:
        """Build the head for one level."""
        return cls(only_level(cls.__name__, channels), anchor_num, **kwargs)

    def encode(self, levels: Sequence[Tensor]) -> Kernels:
        """Return the class and box kernels, (B, hidden, h - 2, w - 2) each."""
        (template,) = levels
        return self.cls.conv_kernel(template), self.loc.conv_kernel(template)

    def forward(self, kernels: Kernels, levels: Sequence[Tensor]) -> Maps:
        """Return cls (B, 2k, S, S) and loc (B, 4k, S, S)."""
        (search,) = levels
        return Maps(self.cls(kernels[0], search), self.loc(kernels[1], search))


@HEADS.register("UPChannelRPN")
class UPChannelRPN(Head):
    """SiamRPN's head: the template becomes 2k and 4k full kernels.

    Args:
        feature_in: Channels of the level.
        anchor_num: Anchors per cell, k.
    """

    def __init__(self, feature_in: int, anchor_num: int = 5) -> None:
        super().__init__()
        scores, offsets = 2 * anchor_num, 4 * anchor_num
        self.template_cls_conv = nn.Conv2d(feature_in, feature_in * scores, 3)
        self.template_loc_conv = nn.Conv2d(feature_in, feature_in * offsets, 3)
        self.search_cls_conv = nn.Conv2d(feature_in, feature_in, 3)
        self.search_loc_conv = nn.Conv2d(feature_in, feature_in, 3)
        self.loc_adjust = nn.Conv2d(offsets, offsets, 1)

    @classmethod
    def from_channels(cls, channels: Sequence[int], anchor_num: int, **kwargs: Any) -> UPChannelRPN:
        """Build the head for one level."""
        return cls(only_level(cls.__name__, channels), anchor_num, **kwargs)

    def encode(self, levels: Sequence[Tensor]) -> Kernels:
        """Return the class and box kernels, (B, 2k * C, h - 2, w - 2) and (B, 4k * C, h - 2, w - 2)."""
        (template,) = levels
        return self.template_cls_conv(template), self.template_loc_conv(template)

    def forward(self, kernels: Kernels, levels: Sequence[Tensor]) -> Maps:
        """Return cls (B, 2k, S, S) and loc (B, 4k, S, S)."""
        (search,) = levels
        cls = xcorr(self.search_cls_conv(search), kernels[0])
        loc = self.loc_adjust(xcorr(self.search_loc_conv(search), kernels[1]))
        return Maps(cls, loc)


@HEADS.register("MultiRPN")
class MultiRPN(Head):
    """One head per level, named ``rpn2``, ``rpn3``, ..., and the mean of their maps (layer-wise aggregation).

    Args:
        branches: The heads, all with maps of the same shape.
        weighted: Learn a weight per level, for scores and boxes each (softmax over the levels), instead of the mean.
    """

    def __init__(self, branches: Sequence[Head], weighted: bool = False) -> None:
        super().__init__()
        self._names = [f"rpn{level + 2}" for level in range(len(branches))]
        for name, branch in zip(self._names, branches, strict=True):
            self.add_module(name, branch)
        self.weighted = weighted
        if weighted:
            self.cls_weight = nn.Parameter(torch.ones(len(branches)))
            self.loc_weight = nn.Parameter(torch.ones(len(branches)))

    @classmethod
    def from_channels(
        cls,
        channels: Sequence[int],
        anchor_num: int,
        weighted: bool = False,
        branch: str = "DepthwiseRPN",
        **kwargs: Any,
    ) -> MultiRPN:
        """Build a ``branch`` head per level; a depth-wise branch correlates as many channels as its level has."""
        if branch == "MultiRPN":
            raise ConfigError("RPN.KWARGS.branch is the head of one level, it cannot be MultiRPN itself")
        part = HEADS[branch]
        widths = [{"out_channels": width} if part is DepthwiseRPN else {} for width in channels]
        branches = [
            part.from_channels([width], anchor_num, **{**own, **kwargs})
            for width, own in zip(channels, widths, strict=True)
        ]
        return cls(branches, weighted)

    def _branches(self) -> list[Head]:
        return [self.get_submodule(name) for name in self._names]  # type: ignore[misc]

    def encode(self, levels: Sequence[Tensor]) -> Kernels:
        """Return the kernels of all levels, one after the other."""
        encoded = [branch.encode([level]) for branch, level in zip(self._branches(), levels, strict=True)]
        return tuple(kernel for kernels in encoded for kernel in kernels)

    def forward(self, kernels: Kernels, levels: Sequence[Tensor]) -> Maps:
        """Return the fused maps; the quality of boxes has the weights of the boxes."""
        share = len(kernels) // len(levels)
        maps = [
            branch(kernels[index * share : (index + 1) * share], [level])
            for index, (branch, level) in enumerate(zip(self._branches(), levels, strict=True))
        ]
        scores, *of_boxes = zip(*maps, strict=True)
        loc, quality = (
            None if parts[0] is None else self._fuse(parts, self.loc_weight if self.weighted else None)
            for parts in of_boxes
        )
        return Maps(self._fuse(scores, self.cls_weight if self.weighted else None), loc, quality)

    @staticmethod
    def _fuse(maps: Sequence[Tensor], weight: Tensor | None) -> Tensor:
        if weight is None:
            return sum(maps[1:], start=maps[0]) / len(maps)
        shares = torch.softmax(weight, dim=0)
        return sum(
            (share * level for share, level in zip(shares[1:], maps[1:], strict=True)),
            start=shares[0] * maps[0],
        )


def _conv3x3(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
