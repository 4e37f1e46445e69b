"""SiamMask's refinement: a mask of one cell, sharpened with the search region's early features.

Source: SiamMask, section 3.2 and appendix A; layout of the public checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from pysot.models.backbone import Grid
from pysot.utils import ConfigError, Registry

REFINERS: Registry[type[Refine]] = Registry("mask refinement (REFINE.TYPE)")

# For each early feature map, finest first: side of the window.
_SIDES = (61, 31, 15)
_MASK_SIZE = 127
# Cell i of the score map has a mask that begins i strides after the first one's, which begins 32 pixels before the crop
# (stride 8, BASE_SIZE 8).
_STRIDE, _BEFORE = 8, 32


@REFINERS.register("Refine")
class Refine(nn.Module):
    """Merges the correlation at a cell with windows of three early feature maps, coarse to fine.

    Args:
        correlation_channels: Channels of the mask head's correlation.
        feature_channels: Channels of the early maps of stride 2, 4 and 8.
        grids: Where their cells lie.
    """

    mask_size = _MASK_SIZE

    def __init__(self, correlation_channels: int, feature_channels: Sequence[int], grids: Sequence[Grid]) -> None:
        super().__init__()
        strides = [grid.stride for grid in grids]
        if strides != [2, 4, 8]:
            raise ConfigError(
                f"REFINE needs three feature maps of stride 2, 4 and 8 before the head's, got {strides} "
                f"(BACKBONE.KWARGS.used_layers)"
            )
        self.windows = tuple(map(window_of, _SIDES, grids))
        widths = (4, 16, 32)
        for level, (channels, width) in enumerate(zip(feature_channels, widths, strict=True)):
            self.add_module(f"v{level}", _two_convs(channels, channels // 4, width))
            self.add_module(f"h{level}", _two_convs(width, width, width))
        self.deconv = nn.ConvTranspose2d(correlation_channels, 32, 15, 15)
        self.post0 = nn.Conv2d(32, 16, 3, padding=1)
        self.post1 = nn.Conv2d(16, 4, 3, padding=1)
        self.post2 = nn.Conv2d(4, 1, 3, padding=1)
        # Nothing here normalises. Three times PyTorch's variance, as in the source's training code, keeps the scale.
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, a=1)

    def forward(self, correlation: Tensor, features: Sequence[Tensor], cells: Tensor) -> Tensor:
        """Return the refined masks of single cells.

        Args:
            correlation: (B, C, S, S) of the mask head.
            features: Search features of stride 2, 4 and 8, (B_x, C_i, H_i, W_i). B is a multiple of B_x: a search
                crop serves as many templates in a row, see `pysot.ops.xcorr`.
            cells: (N, 3) int64: index into B, row, column of the score map.

        Returns:
            (N, 127, 127) logits.
        """
        out = self.deconv(correlation[cells[:, 0], :, cells[:, 1], cells[:, 2]][:, :, None, None])
        templates_per_crop = len(correlation) // len(features[0])
        of_crops = torch.cat([cells[:, :1] // templates_per_crop, cells[:, 1:]], dim=1)
        sizes = (31, 61, _MASK_SIZE)
        for step, (level, size) in enumerate(zip((2, 1, 0), sizes, strict=True)):
            window = _windows(features[level], of_crops, *self.windows[level])
            merged = self.get_submodule(f"h{level}")(out) + self.get_submodule(f"v{level}")(window)
            out = self.get_submodule(f"post{step}")(interpolate(merged, size=(size, size), mode="nearest"))
        return out[:, 0]


def window_of(side: int, grid: Grid) -> tuple[int, int, int]:
    """Return the windows in a feature map whose middles are the masks' middles.

    Returns:
        Side, cells from window to window, and how many cells the first one begins before the map: (61, 4, 16),
        (31, 2, 8) and (15, 1, 4) for a ResNet.

    Raises:
        ConfigError: No cell of the map lies in the middle of a mask.
    """
    middle = (_MASK_SIZE - 1) // 2 - _BEFORE  # pixel of the crop, of the first cell's mask
    cells, rest = divmod(middle - grid.first, grid.stride)
    if rest:
        raise ConfigError(f"REFINE cannot read a level whose cells lie at {grid}: none is at pixel {middle}")
    return side, _STRIDE // grid.stride, side // 2 - cells


def _two_convs(in_channels: int, hidden: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, hidden, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(hidden, out_channels, 3, padding=1),
        nn.ReLU(inplace=True),
    )


def _windows(features: Tensor, cells: Tensor, size: int, stride: int, padding: int) -> Tensor:
    """Return (N, C, size, size): the window of each cell in the zero-padded map, without padding the map."""
    offsets = torch.arange(size, device=features.device) - padding
    rows = cells[:, 1, None] * stride + offsets
    columns = cells[:, 2, None] * stride + offsets
    height, width = features.shape[-2:]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    picked = features.permute(0, 2, 3, 1)[
        cells[:, 0, None, None],
        rows.clamp(0, height - 1)[:, :, None],
        columns.clamp(0, width - 1)[:, None, :],
    ]
    return (picked * inside[..., None]).permute(0, 3, 1, 2)
