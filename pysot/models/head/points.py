"""An anchor-free head: every cell says whether it lies on the target, and how far the target's four sides are from it.

Source: FCOS (arXiv:1904.01355) for boxes as distances from points; SiamBAN (arXiv:2003.06761) for them in a Siamese
tracker; SiamRPN++ for the depth-wise correlation, once for each of the two questions; IoU-Net (arXiv:1807.11590) for
a predicted overlap as the measure of a box, multiplied into the score as FCOS does with its centre-ness.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from pysot.models.head.base import HEADS, Head, Kernels, Maps, only_level
from pysot.ops import xcorr_depthwise

# A template crop shows a square target 64 pixels wide: from its centre, each side is 4 cells of stride 8 away.
_FIRST_DISTANCE = math.log(4.0)


class PointBranch(nn.Module):
    """Depth-wise correlation and a tower of light convolutions over its map.

    Args:
        in_channels: Channels of template and search features.
        hidden: Channels that are correlated, and those of the tower.
        tower: Depth-wise separable 3x3 convolutions of the tower.
    """

    def __init__(self, in_channels: int, hidden: int, tower: int) -> None:
        super().__init__()
        self.conv_kernel = _separable(in_channels, hidden, padding=0)
        self.conv_search = _separable(in_channels, hidden, padding=0)
        self.mix = nn.Sequential(
            nn.Conv2d(hidden, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(inplace=True)
        )
        self.tower = nn.Sequential(*(_separable(hidden, hidden, padding=1) for _ in range(tower)))

    def forward(self, kernel: Tensor, search: Tensor) -> Tensor:
        """Return (B, hidden, S, S) for an encoded kernel and search features (B_x, C, H, W)."""
        features: Tensor = self.tower(self.mix(xcorr_depthwise(self.conv_search(search), kernel)))
        return features


@HEADS.register("PointHead")
class PointHead(Head):
    """Scores every cell and predicts the distances to the target's left, top, right and bottom side from it.

    The distances are exp(loc) strides; there is one box per cell, whatever ANCHOR says.

    Args:
        in_channels: Channels of the level.
        out_channels: Channels that are correlated, and those of the towers.
        tower: Depth-wise separable 3x3 convolutions after each correlation.
        quality: Also predict how much each box overlaps with the target.
    """

    def __init__(self, in_channels: int, out_channels: int = 96, tower: int = 2, quality: bool = True) -> None:
        super().__init__()
        self.cls = PointBranch(in_channels, out_channels, tower)
        self.loc = PointBranch(in_channels, out_channels, tower)
        self.cls_out = nn.Conv2d(out_channels, 2, 1)
        self.loc_out = nn.Conv2d(out_channels, 4, 1)
        self.quality_out = nn.Conv2d(out_channels, 1, 1) if quality else None
        # Exponents: boxes begin near the usual size, so that the overlap has a gradient from the first step on.
        nn.init.normal_(self.loc_out.weight, std=0.01)
        nn.init.constant_(self.loc_out.bias, _FIRST_DISTANCE)  # type: ignore[arg-type]  # it has a bias

    @classmethod
    def from_channels(cls, channels: Sequence[int], anchor_num: int, **kwargs: Any) -> PointHead:
        """Build the head for one level; it has no anchors."""
        return cls(only_level(cls.__name__, channels), **kwargs)

    def encode(self, levels: Sequence[Tensor]) -> Kernels:
        """Return the class and box kernels, (B, hidden, h - 2, w - 2) each."""
        (template,) = levels
        return self.cls.conv_kernel(template), self.loc.conv_kernel(template)

    def forward(self, kernels: Kernels, levels: Sequence[Tensor]) -> Maps:
        """Return cls (B, 2, S, S), loc (B, 4, S, S), logarithms, and quality (B, 1, S, S) logits, or None."""
        (search,) = levels
        boxes = self.loc(kernels[1], search)
        quality = None if self.quality_out is None else self.quality_out(boxes)
        return Maps(self.cls_out(self.cls(kernels[0], search)), self.loc_out(boxes), quality)


def _separable(in_channels: int, out_channels: int, padding: int) -> nn.Sequential:
    """Return a 3x3 convolution in two steps, within channels and across them."""
    return nn.Sequential(
        nn.Conv2d(in_channels, in_channels, 3, padding=padding, groups=in_channels, bias=False),
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
