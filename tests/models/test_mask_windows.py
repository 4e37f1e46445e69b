"""Where a cell's mask lies: what it should show, what the mask head draws and what the refinement sees agree."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import nn

from pysot.models.backbone import BACKBONES, Grid
from pysot.models.head import Refine
from pysot.models.head.refine import _windows
from pysot.models.losses import MaskTerm, mask_loss, mask_windows
from pysot.utils import ConfigError

# Side of the search crop, cells of its score map, how far the first cell's window begins before the crop.
CROPS = {255: (25, 32), 143: (11, 32)}
# The refinement's windows in a ResNet's early features: side, stride, padding, as in the public code.
RESNET_WINDOWS = ((61, 4, 16), (31, 2, 8), (15, 1, 4))
ALL_LAYERS = {
    **dict.fromkeys(("resnet18", "resnet34", "resnet50"), range(5)),
    "mobilenetv2": range(8),
    **dict.fromkeys(("alexnet", "alexnetlegacy", "alexnetsiamfc"), range(2, 6)),
}
EARLY = {"resnet18": (0, 1, 2, 3), "mobilenetv2": (1, 2, 3, 5)}


def blob(side: int, box: tuple[int, int, int, int]) -> torch.Tensor:
    """A mask (1, side, side) of 1 in the box x1, y1, x2, y2 (both ends included) and -1 elsewhere."""
    mask = -torch.ones(1, side, side, dtype=torch.int8)
    x1, y1, x2, y2 = box
    mask[:, y1 : y2 + 1, x1 : x2 + 1] = 1
    return mask


def without_maximum(name: str, used_layers: Sequence[int]) -> nn.Module:
    """A backbone with averages for maxima: the same geometry, and every pixel counts."""
    torch.manual_seed(0)
    backbone = BACKBONES[name](used_layers=used_layers).eval()
    for parent in list(backbone.modules()):
        for child, module in parent.named_children():
            if isinstance(module, nn.MaxPool2d):
                setattr(parent, child, nn.AvgPool2d(module.kernel_size, module.stride, module.padding))
            elif isinstance(module, nn.ReLU | nn.ReLU6):
                setattr(parent, child, nn.Identity())
    return backbone


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_cells_lie_where_the_grids_say(name: str):
    backbone = without_maximum(name, ALL_LAYERS[name])
    crop = torch.rand(1, 3, 255, 255, requires_grad=True)
    measured = 0
    for features, grid in zip(backbone(crop), backbone.grids, strict=True):
        cell = features.shape[-1] // 2 - 1
        (gradient,) = torch.autograd.grad(features[0, :, cell, cell].sum(), crop, retain_graph=True)
        seen = (gradient.abs().sum(dim=(0, 1)) > 0).any(dim=0).nonzero().flatten()
        if seen[0] > 0 and seen[-1] < 254:  # the crop's edge cuts nothing off what is seen
            assert (seen[0] + seen[-1]).item() / 2 == grid.first + cell * grid.stride
            measured += 1
    assert measured >= 3


def test_a_resnet_s_windows_are_those_of_the_public_code():
    grids = BACKBONES["resnet50"](used_layers=EARLY["resnet18"]).grids
    assert Refine(256, (64, 256, 512), grids[:3]).windows == RESNET_WINDOWS


def test_a_level_without_a_cell_in_the_middle_of_the_masks_is_refused():
    with pytest.raises(ConfigError, match=r"cells lie at Grid\(stride=2, first=2\): none is at pixel 31"):
        Refine(8, (16, 16, 16), [Grid(2, 2), Grid(4, 3), Grid(8, 7)])


@pytest.mark.parametrize("name", EARLY)
@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("side", "cell"), [(255, (12, 12)), (255, (10, 14)), (143, (5, 5)), (143, (4, 6))])
def test_the_middle_of_a_window_of_early_features_sees_the_middle_of_the_masks(name, level: int, side: int, cell):
    backbone = without_maximum(name, EARLY[name])
    refine = Refine(8, backbone.out_channels[:3], backbone.grids[:3])
    crop = torch.rand(1, 3, side, side, requires_grad=True)
    features = backbone(crop)[level]
    window = _windows(features, torch.tensor([[0, *cell]]), *refine.windows[level])
    middle = refine.windows[level][0] // 2
    window[0, :, middle, middle].sum().backward()
    seen = crop.grad.abs().sum(dim=(0, 1)) > 0
    _, padding = CROPS[side]
    for axis, index in ((1, cell[0]), (0, cell[1])):
        pixels = seen.any(dim=axis).nonzero().flatten()
        first = index * 8 - padding  # of the mask's window
        assert 0 < pixels[0] < pixels[-1] < side - 1  # the crop's edge cuts nothing off what is seen
        assert (pixels[0] + pixels[-1]).item() / 2 == first + 63


@pytest.mark.parametrize("side", CROPS)
def test_cells_inside_are_those_whose_windows_are(side: int):
    cells, padding = CROPS[side]
    targets = {"cls": torch.full((1, 5, cells, cells), -1), "mask": blob(side, (60, 60, 80, 80))}
    targets["has_mask"] = torch.tensor([True])
    chosen, windows = MaskTerm(8, padding, 127, all_inside=True).windows(targets)
    width = (side - 127) // 8 + 1
    assert len(chosen) == width**2 == {255: 289, 143: 9}[side]
    assert chosen[:, 1].unique().tolist() == list(range(4, 4 + width))
    assert (windows != 0).all()  # nothing unknown: no window leaves the crop


def identity_refinement(features: list[int]) -> Refine:
    """A refinement that draws the first channel of the finest features, enlarged, and nothing else."""
    refine = Refine(8, features, [Grid(2, 3), Grid(4, 3), Grid(8, 7)])  # a ResNet's
    for parameter in refine.parameters():
        nn.init.zeros_(parameter)
    for conv in (refine.v0[0], refine.v0[2], refine.post2):
        conv.weight.data[0, 0, 1, 1] = 1.0
    return refine


@pytest.mark.parametrize("cell", [(5, 5), (4, 4), (6, 5)])
def test_a_target_seen_by_the_first_features_is_drawn_where_its_mask_is(cell: tuple[int, int]):
    """An oracle: features that are the mask itself are drawn as the mask, and nowhere better than in its place."""
    mask = blob(143, (50, 58, 92, 84))
    # Cell i of the first convolution (7 wide, stride 2, no padding) has its middle at pixel 2 i + 3.
    finest = (mask[:, 3:-3:2, 3:-3:2] > 0).float()[:, None].expand(1, 16, -1, -1)
    features = [finest, torch.zeros(1, 16, 35, 35), torch.zeros(1, 16, 17, 17)]
    cells = torch.tensor([[0, *cell]])
    drawn = identity_refinement([16, 16, 16])(torch.zeros(1, 8, 11, 11), features, cells)[0] > 0.5
    wanted = mask_windows(mask, cells, 8, 32, 127)[0] > 0

    def overlap(dy: int, dx: int) -> float:
        moved = torch.roll(drawn, (dy, dx), dims=(0, 1))
        return ((moved & wanted).sum() / (moved | wanted).sum()).item()

    overlaps = {(dy, dx): overlap(dy, dx) for dy in range(-4, 5) for dx in range(-4, 5)}
    assert overlaps[0, 0] > 0.88
    # The enlargement from 61 to 127 is 2.08, not 2: up to 3 pixels at a window's edge, none in its middle.
    best = max(overlaps, key=overlaps.__getitem__)
    assert max(map(abs, best)) <= 1


def test_a_coarse_mask_that_is_the_target_costs_its_outline_alone():
    """An oracle: 63 x 63 logits of the mask's own even pixels, enlarged corner to corner, are the mask."""
    wanted = mask_windows(blob(143, (40, 50, 100, 90)), torch.tensor([[0, 5, 5], [0, 4, 6]]), 8, 32, 127)
    logits = 50.0 * wanted[:, ::2, ::2].float()
    placed = mask_loss(logits, wanted).item()
    shifted = [mask_loss(torch.roll(logits, shift, dims=axis), wanted).item() for shift in (-1, 1) for axis in (1, 2)]
    assert placed < 0.12
    assert min(shifted) > 2 * placed
