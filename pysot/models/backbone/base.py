"""What every backbone has in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from pysot.utils import ConfigError, Registry

BACKBONES: Registry[Callable[..., Backbone]] = Registry("backbone")


class Grid(NamedTuple):
    """Where the cells of a feature map lie in the image: the middle of cell i is pixel ``first + i * stride``."""

    stride: int
    first: int


class Backbone(nn.Module):
    """A chain of stages whose outputs can be taken at any of them.

    Subclasses register their stages under the names of the public checkpoints and say in `_run_stages` how an image
    passes through them.

    Args:
        used_layers: Indices of the stages whose outputs are returned, ascending.
        channels: Output channels by stage index; a stage that cannot be used is absent.
        grids: By stage index where the cells of its output lie.

    Raises:
        ConfigError: An index without a stage, or not ascending.
    """

    def __init__(self, used_layers: Sequence[int], channels: dict[int, int], grids: dict[int, Grid]) -> None:
        super().__init__()
        layers = tuple(int(layer) for layer in used_layers)
        if not layers or list(layers) != sorted(set(layers)) or not set(layers) <= set(channels):
            raise ConfigError(
                f"{type(self).__name__}: used_layers must be ascending indices among {sorted(channels)}, "
                f"got {list(used_layers)} (BACKBONE.KWARGS.used_layers)"
            )
        self.used_layers = layers
        self.out_channels = tuple(channels[layer] for layer in layers)
        self.grids = tuple(grids[layer] for layer in layers)
        self.strides = tuple(grid.stride for grid in self.grids)

    @property
    def depth(self) -> int:
        """Index of the last stage that is needed; later ones are not built."""
        return self.used_layers[-1]

    def _run_stages(self, image: Tensor) -> dict[int, Tensor]:
        raise NotImplementedError

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the used layers' feature maps for images (B, 3, S, S) in 0..255."""
        outputs = self._run_stages(image)
        return tuple(outputs[layer] for layer in self.used_layers)
