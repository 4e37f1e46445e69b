"""ResNet-18/34/50 with dilated last stages: stride 8 from stage 2 on.

Source: SiamRPN++ (section 3.3), layout and paddings of the public PySOT checkpoints: unpadded strided convolutions,
and 3x3 shortcut convolutions from stage 2 on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn

from pysot.models.backbone.base import BACKBONES, Backbone, Grid

_GRIDS = {0: Grid(2, 3), 1: Grid(4, 3), 2: Grid(8, 7), 3: Grid(8, 7), 4: Grid(8, 7)}


def _conv3x3(in_channels: int, out_channels: int, stride: int, dilation: int) -> nn.Conv2d:
    # Strided convolutions are unpadded, so that a target keeps its place relative to the crop's centre.
    padding = 0 if stride == 2 else dilation
    return nn.Conv2d(in_channels, out_channels, 3, stride, padding, dilation, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (ResNet-18 and -34)."""

    expansion = 1

    def __init__(
        self, in_channels: int, channels: int, stride: int, dilation: int, downsample: nn.Module | None
    ) -> None:
        super().__init__()
        # A stage's first block reaches half as far as the others: its input still has the dilation of the stage before.
        first_dilation = max(1, dilation // 2) if downsample is not None else dilation
        self.conv1 = _conv3x3(in_channels, channels, stride, first_dilation)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _conv3x3(channels, channels, 1, dilation)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels, H', W') for x (B, in_channels, H, W)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + shortcut)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut (ResNet-50)."""

    expansion = 4

    def __init__(
        self, in_channels: int, channels: int, stride: int, dilation: int, downsample: nn.Module | None
    ) -> None:
        super().__init__()
        middle_dilation = max(1, dilation // 2) if downsample is not None else dilation
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv3x3(channels, channels, stride, middle_dilation)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, channels * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 4 * channels, H', W') for x (B, in_channels, H, W)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu(out + shortcut)


class ResNet(Backbone):
    """A dilated ResNet. Stage 0 is the first convolution, stages 1 to 4 are ``layer1`` to ``layer4``.

    Cells per side: 127 -> 61, 31, 15, 15, 15; 255 -> 125, 63, 31, 31, 31.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        depths: Blocks in each of the four stages.
        used_layers: Stages whose outputs are returned; stages after the last one are not built.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: Sequence[int],
        used_layers: Sequence[int] = (2, 3, 4),
    ) -> None:
        widths = {stage: 64 * 2 ** (stage - 1) * block.expansion for stage in range(1, 5)}
        super().__init__(used_layers, {0: 64, **widths}, _GRIDS)
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=0, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        in_channels = 64
        for stage, (stride, dilation) in enumerate(((1, 1), (2, 1), (1, 2), (1, 4))[: self.depth], 1):
            channels = 64 * 2 ** (stage - 1)
            layer = _make_layer(block, in_channels, channels, depths[stage - 1], stride, dilation)
            self.add_module(f"layer{stage}", layer)
            in_channels = channels * block.expansion

    def _run_stages(self, image: Tensor) -> dict[int, Tensor]:
        outputs = {0: self.relu(self.bn1(self.conv1(image)))}
        features = outputs[0]
        if self.depth > 0:
            features = self.maxpool(features)
        for stage in range(1, self.depth + 1):
            features = outputs[stage] = self.get_submodule(f"layer{stage}")(features)
        return outputs


def _make_layer(
    block: type[BasicBlock] | type[Bottleneck],
    in_channels: int,
    channels: int,
    depth: int,
    stride: int,
    dilation: int,
) -> nn.Sequential:
    out_channels = channels * block.expansion
    downsample = None
    if stride != 1 or in_channels != out_channels:
        if stride == 1 and dilation == 1:
            conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        else:
            conv = _conv3x3(in_channels, out_channels, stride, max(1, dilation // 2))
        downsample = nn.Sequential(conv, nn.BatchNorm2d(out_channels))
    blocks = [block(in_channels, channels, stride, dilation, downsample)]
    blocks += [block(out_channels, channels, 1, dilation, None) for _ in range(depth - 1)]
    return nn.Sequential(*blocks)


BACKBONES.register("resnet18")(partial(ResNet, BasicBlock, (2, 2, 2, 2)))
BACKBONES.register("resnet34")(partial(ResNet, BasicBlock, (3, 4, 6, 3)))
BACKBONES.register("resnet50")(partial(ResNet, Bottleneck, (3, 4, 6, 3)))
