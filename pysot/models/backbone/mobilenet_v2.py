"""MobileNetV2 with dilated last stages: stride 8 from stage 3 on.

Source: MobileNetV2 (table 2), strides, dilations and paddings of the public SiamRPN++ checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from pysot.models.backbone.base import BACKBONES, Backbone, Grid
from pysot.ops import dilated_depthwise_conv

# Expansion, channels before the width multiplier, blocks, stride of the first block, dilation.
_STAGES = (
    (1, 16, 1, 1, 1),
    (6, 24, 2, 2, 1),
    (6, 32, 3, 2, 1),
    (6, 64, 4, 1, 2),
    (6, 96, 3, 1, 2),
    (6, 160, 3, 1, 4),
    (6, 320, 1, 1, 4),
)
_FIRST_CHANNELS = 32
_GRIDS = {0: Grid(2, 1), 1: Grid(2, 1), 2: Grid(4, 3), **dict.fromkeys(range(3, 8), Grid(8, 7))}


class DepthwiseConv2d(nn.Conv2d):
    """A convolution channel by channel."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of (B, C, H, W)."""
        if self.dilation == (1, 1) or self.bias is not None:  # a bias is a folded normalisation's: nothing is trained
            return super().forward(x)
        return dilated_depthwise_conv(x, self.weight, int(self.padding[0]), self.dilation[0])


class InvertedResidual(nn.Module):
    """Expand, filter depth-wise, project; with a shortcut where shapes allow."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int, dilation: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        # Strided convolutions are unpadded, so that a target keeps its place relative to the crop's centre.
        padding = 0 if stride == 2 else dilation
        self.has_shortcut = stride == 1 and in_channels == out_channels
        self.conv = nn.Sequential(
            nn.Conv2d(in_channels, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(inplace=True),
            DepthwiseConv2d(hidden, hidden, 3, stride, padding, dilation, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, out_channels, H', W') for x (B, in_channels, H, W)."""
        return x + self.conv(x) if self.has_shortcut else self.conv(x)


@BACKBONES.register("mobilenetv2")
class MobileNetV2(Backbone):
    """Stage 0 is the first convolution, stages 1 to 7 are the rows of the paper's table.

    Args:
        width_mult: Factor on all channel counts, cut to integers (1.4 in the published tracker).
        used_layers: Stages whose outputs are returned; stages after the last one are not built.
    """

    def __init__(self, width_mult: float = 1.0, used_layers: Sequence[int] = (3, 5, 7)) -> None:
        channels = {0: int(_FIRST_CHANNELS * width_mult)}
        channels |= {stage: int(row[1] * width_mult) for stage, row in enumerate(_STAGES, 1)}
        super().__init__(used_layers, channels, _GRIDS)
        self.layer0 = nn.Sequential(
            nn.Conv2d(3, channels[0], 3, stride=2, padding=0, bias=False),
            nn.BatchNorm2d(channels[0]),
            nn.ReLU6(inplace=True),
        )
        for stage, (expansion, _, depth, stride, dilation) in enumerate(_STAGES[: self.depth], 1):
            width = channels[stage]
            # A stage's first block still has the dilation of the stage before, which its input was made for.
            before = _STAGES[max(stage - 2, 0)][-1]
            blocks = [InvertedResidual(channels[stage - 1], width, stride, expansion, before)]
            blocks += [InvertedResidual(width, width, 1, expansion, dilation) for _ in range(depth - 1)]
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))

    def _run_stages(self, image: Tensor) -> dict[int, Tensor]:
        outputs, features = {}, image
        for stage in range(self.depth + 1):
            features = outputs[stage] = self.get_submodule(f"layer{stage}")(features)
        return outputs
