"""Channel adjustment of each level, and the crop of the template's features.

Source: SiamRPN++ (section 3.3): a 1x1 convolution per level to a common width, and the central 7x7 cells of the
template, so that its features do not see the padding.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from pysot.utils import ConfigError, Registry

NECKS: Registry[type[Neck]] = Registry("neck")

_TEMPLATE_CELLS = 7


class Neck(nn.Module):
    """Adjusts every level; a template's features also lose the cells that saw padding.

    Args:
        in_channels: Channels of each level.
        out_channels: Channels after adjustment, one per level.
        center_size: Cells per side that the smallest level of a template keeps.
    """

    def __init__(
        self, in_channels: Sequence[int], out_channels: Sequence[int], center_size: int = _TEMPLATE_CELLS
    ) -> None:
        super().__init__()
        if len(in_channels) != len(out_channels):
            raise ConfigError(
                f"the neck gets {len(in_channels)} levels, ADJUST.KWARGS.out_channels names {len(out_channels)}"
            )
        self.out_channels = tuple(int(channels) for channels in out_channels)
        self.center_size = center_size

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the adjusted levels of a search region, (B, C_i, H, W) each."""
        raise NotImplementedError

    def encode_template(self, levels: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the adjusted levels of a template, without the cells at their edges.

        All levels lose equally many, so that their score maps stay of one size; the smallest keeps its central
        ``center_size``.
        """
        adjusted = self(levels)
        surplus = max(0, min(features.shape[-1] for features in adjusted) - self.center_size)
        return tuple(central_cells(features, features.shape[-1] - surplus) for features in adjusted)


def central_cells(features: Tensor, cells: int) -> Tensor:
    """Return the central (..., cells, cells) of square features; of an odd surplus, more is left out at the end."""
    first = (features.shape[-1] - cells) // 2
    return features[..., first : first + cells, first : first + cells]


class AdjustLayer(nn.Module):
    """1x1 convolution and batch normalisation of one level."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.downsample = _adjustment(in_channels, out_channels)

    def forward(self, features: Tensor) -> Tensor:
        """Return (B, out_channels, H, W) for features (B, in_channels, H, W)."""
        return self.downsample(features)


@NECKS.register("AdjustAllLayer")
class AdjustAllLayer(Neck):
    """An `AdjustLayer` per level: ``downsample`` for one level, ``downsample2``, ``downsample3``, ... for several."""

    def __init__(
        self, in_channels: Sequence[int], out_channels: Sequence[int], center_size: int = _TEMPLATE_CELLS
    ) -> None:
        super().__init__(in_channels, out_channels, center_size)
        several = len(in_channels) > 1
        self._names = [f"downsample{level + 2}" if several else "downsample" for level in range(len(in_channels))]
        for name, before, after in zip(self._names, in_channels, self.out_channels, strict=True):
            self.add_module(name, AdjustLayer(before, after))

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the adjusted levels of a search region, (B, C_i, H, W) each."""
        return tuple(self.get_submodule(name)(level) for name, level in zip(self._names, levels, strict=True))


@NECKS.register("AdjustLayer")
class AdjustOneLayer(Neck):
    """The neck of a single level, whose layout has one name less than `AdjustAllLayer`'s."""

    def __init__(
        self, in_channels: Sequence[int], out_channels: Sequence[int], center_size: int = _TEMPLATE_CELLS
    ) -> None:
        super().__init__(in_channels, out_channels, center_size)
        if len(in_channels) != 1:
            raise ConfigError(f"ADJUST.TYPE AdjustLayer adjusts one level, the backbone gives {len(in_channels)}")
        self.downsample = _adjustment(in_channels[0], self.out_channels[0])

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the adjusted level of a search region, (B, C, H, W)."""
        (level,) = levels
        return (self.downsample(level),)


def _adjustment(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels))
