"""The AlexNets of the Siamese trackers: no padding, total stride 8.

Source: SiamRPN / DaSiamRPN (modified AlexNet with batch normalisation), SiamFC (grouped convolutions).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from pysot.models.backbone.base import BACKBONES, Backbone, Grid

_WIDTHS = (96, 256, 384, 384, 256)
_GRIDS = {2: Grid(8, 19), 3: Grid(8, 27), 4: Grid(8, 35), 5: Grid(8, 43)}


def _stages(width_mult: float) -> list[list[nn.Module]]:
    """Return the modules of the five stages; pooling comes before the activation, the last stage has none."""
    first, second, third, fourth, fifth = (int(width * width_mult) for width in _WIDTHS)
    return [
        [
            nn.Conv2d(3, first, 11, stride=2),
            nn.BatchNorm2d(first),
            nn.MaxPool2d(3, stride=2),
            nn.ReLU(inplace=True),
        ],
        [
            nn.Conv2d(first, second, 5),
            nn.BatchNorm2d(second),
            nn.MaxPool2d(3, stride=2),
            nn.ReLU(inplace=True),
        ],
        [nn.Conv2d(second, third, 3), nn.BatchNorm2d(third), nn.ReLU(inplace=True)],
        [nn.Conv2d(third, fourth, 3), nn.BatchNorm2d(fourth), nn.ReLU(inplace=True)],
        [nn.Conv2d(fourth, fifth, 3), nn.BatchNorm2d(fifth)],
    ]


class _SiamRPNAlexNet(Backbone):
    """SiamRPN's AlexNet: 127 -> 6 cells, 287 -> 26 cells.

    Args:
        width_mult: Factor on all channel counts (DaSiamRPN's big network has 2).
        used_layers: Stages 2 to 5 (stage 1 has another stride and is not offered).
    """

    def __init__(self, width_mult: float = 1.0, used_layers: Sequence[int] = (5,)) -> None:
        channels = {stage: int(width * width_mult) for stage, width in enumerate(_WIDTHS, 1) if stage > 1}
        super().__init__(used_layers, channels, _GRIDS)


@BACKBONES.register("alexnet")
class AlexNet(_SiamRPNAlexNet):
    """SiamRPN's AlexNet with the stages named ``layer1`` to ``layer5`` (the training layout)."""

    def __init__(self, width_mult: float = 1.0, used_layers: Sequence[int] = (5,)) -> None:
        super().__init__(width_mult, used_layers)
        for index, modules in enumerate(_stages(width_mult)[: self.depth], 1):
            self.add_module(f"layer{index}", nn.Sequential(*modules))

    def _run_stages(self, image: Tensor) -> dict[int, Tensor]:
        outputs, features = {}, image
        for index in range(1, self.depth + 1):
            features = outputs[index] = self.get_submodule(f"layer{index}")(features)
        return outputs


@BACKBONES.register("alexnetlegacy")
class AlexNetLegacy(_SiamRPNAlexNet):
    """SiamRPN's AlexNet as one chain named ``features`` (the layout of the public checkpoints)."""

    def __init__(self, width_mult: float = 1.0, used_layers: Sequence[int] = (5,)) -> None:
        super().__init__(width_mult, used_layers)
        stages = _stages(width_mult)[: self.depth]
        self.features = nn.Sequential(*(module for stage in stages for module in stage))
        self._stage_ends = [sum(len(stage) for stage in stages[: index + 1]) for index in range(len(stages))]

    def _run_stages(self, image: Tensor) -> dict[int, Tensor]:
        outputs, features, start = {}, image, 0
        for index, end in enumerate(self._stage_ends, 1):
            features = outputs[index] = self.features[start:end](features)
            start = end
        return outputs


@BACKBONES.register("alexnetsiamfc")
class AlexNetSiamFC(Backbone):
    """SiamFC's AlexNet: grouped convolutions, activation before pooling, no normalisation after the last one.

    127 -> 6 cells, 255 -> 22 cells. The layout is siamfc-pytorch's ``conv1`` to ``conv5``.
    """

    def __init__(self, used_layers: Sequence[int] = (5,)) -> None:
        super().__init__(used_layers, {stage: width for stage, width in enumerate(_WIDTHS, 1) if stage > 1}, _GRIDS)
        first, second, third, fourth, fifth = _WIDTHS

        def norm(channels: int) -> nn.BatchNorm2d:
            return nn.BatchNorm2d(channels, eps=1e-6, momentum=0.05)

        stages: list[list[nn.Module]] = [
            [nn.Conv2d(3, first, 11, 2), norm(first), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2)],
            [nn.Conv2d(first, second, 5, groups=2), norm(second), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2)],
            [nn.Conv2d(second, third, 3), norm(third), nn.ReLU(inplace=True)],
            [nn.Conv2d(third, fourth, 3, groups=2), norm(fourth), nn.ReLU(inplace=True)],
            [nn.Conv2d(fourth, fifth, 3, groups=2)],
        ]
        for index, modules in enumerate(stages[: self.depth], 1):
            self.add_module(f"conv{index}", nn.Sequential(*modules))

    def _run_stages(self, image: Tensor) -> dict[int, Tensor]:
        outputs, features = {}, image
        for index in range(1, self.depth + 1):
            features = outputs[index] = self.get_submodule(f"conv{index}")(features)
        return outputs
