"""Contracts of every registered part, alone and in every combination."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import pysot
from pysot.geometry import score_size
from pysot.models import build_model
from pysot.models.backbone import BACKBONES, Grid
from pysot.models.head import HEADS, MASK_HEADS, REFINERS, Refine
from pysot.models.head.refine import _windows
from pysot.models.neck import NECKS, AdjustAllLayer
from pysot.runtime import fuse_conv_bn
from pysot.utils import ConfigError
from tests.models.small_networks import calibrated

# Arguments that make a backbone small, and the layers its stages of stride 8 are.
SMALL = {
    "alexnet": ({"width_mult": 0.1}, (3, 4, 5)),
    "alexnetlegacy": ({"width_mult": 0.1}, (3, 4, 5)),
    "alexnetsiamfc": ({}, (3, 4, 5)),
    "resnet18": ({}, (2, 3, 4)),
    "resnet34": ({}, (2, 3, 4)),
    "resnet50": ({}, (2, 3, 4)),
    "mobilenetv2": ({"width_mult": 0.25}, (3, 5, 7)),
}


def config(backbone, head, layers, **more):
    """Return a configuration of a backbone, a head and layers, with nothing else repeated."""
    cfg = pysot.get_cfg()
    cfg.BACKBONE.TYPE = backbone
    for key, value in {**SMALL[backbone][0], "used_layers": list(layers)}.items():
        cfg.BACKBONE.KWARGS[key] = value
    cfg.ADJUST.ADJUST = more.pop("neck", False)
    cfg.RPN.TYPE = head
    for key, value in more.items():
        cfg.RPN.KWARGS[key] = value
    return cfg


def images(count, size, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).uniform(0, 255, (count, 3, size, size)).astype(np.float32))


def small_network(**more):
    torch.manual_seed(0)
    return build_model(config("alexnet", "DepthwiseRPN", [5], out_channels=8, **more)).eval()


def test_every_backbone_is_under_contract():
    assert set(SMALL) == set(BACKBONES)


@pytest.mark.parametrize("name", SMALL)
def test_backbones_return_what_they_declare(name):
    kwargs, layers = SMALL[name]
    for used in (layers, layers[-1:], layers[:1]):
        backbone = BACKBONES[name](used_layers=used, **kwargs).eval()
        with torch.inference_mode():
            template, search = backbone(images(1, 127)), backbone(images(2, 191))
        assert len(template) == len(search) == len(used)
        for features, larger, channels, stride in zip(
            template, search, backbone.out_channels, backbone.strides, strict=True
        ):
            assert features.shape[:2] == (1, channels)
            assert larger.shape[:2] == (2, channels)
            assert larger.shape[-1] - features.shape[-1] == (191 - 127) // stride


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("used", [(), (99,), (5, 3), (4, 4), (-1,)])
def test_backbones_refuse_layers_they_have_not(name, used):
    with pytest.raises(
        ConfigError, match=r"used_layers must be ascending indices among \[.*BACKBONE.KWARGS.used_layers"
    ):
        BACKBONES[name](used_layers=used)


def test_spatial_sizes_of_the_published_backbones():
    resnet = BACKBONES["resnet18"](used_layers=(0, 1, 2, 3, 4)).eval()
    with torch.inference_mode():
        for size, cells in [
            (127, (61, 31, 15, 15, 15)),
            (255, (125, 63, 31, 31, 31)),
            (831, (413, 207, 103, 103, 103)),
        ]:
            assert tuple(features.shape[-1] for features in resnet(images(1, size))) == cells
        assert BACKBONES["alexnet"](width_mult=0.1).eval()(images(1, 127))[0].shape[-1] == 6
        assert BACKBONES["alexnetsiamfc"]().eval()(images(1, 255))[0].shape[-1] == 22


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("backbone", SMALL)
@pytest.mark.parametrize("several", [False, True], ids=["one level", "three levels"])
def test_any_backbone_works_with_any_head(backbone, head, several):
    layers = SMALL[backbone][1] if several else SMALL[backbone][1][-1:]
    more = {"branch": head, "weighted": True} if several and head != "MultiRPN" else {}
    cfg = config(backbone, "MultiRPN" if several else head, layers, neck=True, **more)
    cfg.ADJUST.KWARGS.out_channels = [8] * len(layers)
    network = build_model(cfg).eval()
    with torch.inference_mode():
        output = network(network.encode_template(images(2, 127)), images(2, 191))
    padded = not backbone.startswith("alexnet")
    side = score_size(191, 127, 8, 8 if padded else 0)
    if head == "SiamFCHead":
        assert output.cls.shape == (2, 1, side, side)
        assert output.loc is None
    elif head == "PointHead":
        assert output.cls.shape == (2, 2, side, side)
        assert output.loc.shape == (2, 4, side, side)
        assert output.quality[0].shape == (2, 1, side, side)
    else:
        assert output.quality == ()
        assert output.cls.shape == (2, 10, side, side)
        assert output.loc.shape == (2, 20, side, side)


def test_a_single_level_head_on_several_levels_points_to_multirpn():
    with pytest.raises(ConfigError, match=r"takes one level, the backbone gives 3; .* or RPN.TYPE MultiRPN"):
        build_model(config("resnet18", "DepthwiseRPN", [2, 3, 4]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["ADJUST.KWARGS.in_channels", [512]], r"ADJUST.KWARGS.in_channels says \[512\], .* give \[1024\]"),
        (["MASK.KWARGS.in_channels", 64], r"MASK.KWARGS.in_channels says \[64\], .* give \[256\]"),
        (["BACKBONE.KWARGS.used_layer", [3]], "BACKBONE.KWARGS: .*unexpected keyword argument 'used_layer'"),
        (["RPN.KWARGS.anchors", 5], "RPN.KWARGS: .*unexpected keyword argument 'anchors'"),
        (["BACKBONE.TYPE", "res50"], "unknown backbone 'res50'. Did you mean 'resnet50'"),
        (["ADJUST.TYPE", "AdjustAll"], "unknown neck 'AdjustAll'. Did you mean 'AdjustAllLayer'"),
        (["RPN.TYPE", "MultiRpn"], "unknown head .RPN.TYPE. 'MultiRpn'. Did you mean 'MultiRPN'"),
        (["MASK.KWARGS.out_channels", 3970], "the area of a square mask, got 3970"),
    ],
)
def test_contradictions_are_named(change, message):
    cfg = pysot.load_cfg("siammask_r50_l3").clone()
    cfg.defrost()
    *sections, leaf = change[0].split(".")
    node = cfg
    for section in sections:
        node = node[section]
    node[leaf] = change[1]
    with pytest.raises(ConfigError, match=message):
        build_model(cfg)


@pytest.mark.parametrize(
    ("experiment", "keys", "millions"),
    [
        ("siamrpn_alex_dwxcorr", 75, (6.251, 3.750, 0, 2.501)),
        ("siamrpn_alex_upchannel", 45, (22.633, 3.750, 0, 18.883)),
        ("siamrpn_r50_l234_dwxcorr", 458, (53.951, 45.528, 0.919, 7.503)),
        ("siamrpn_r50_l234_dwxcorr_lt", 458, (60.018, 45.528, 1.378, 13.112)),
        ("siamrpn_mobilev2_l234_dwxcorr", 450, (11.150, 3.485, 0.162, 7.503)),
        ("siammask_r50_l3", 356, (21.482, 13.786, 0.263, 2.501)),
        ("siamrpn_r18_l234_dwxcorr", 260, (20.287, 12.553, 0.231, 7.503)),
        ("siamrpn_r34_l234_dwxcorr", 356, (30.395, 22.661, 0.231, 7.503)),
    ],
)
def test_published_sizes(experiment, keys, millions):
    # The reference's counts of these two are with a neck of 256 channels; no configuration of theirs says so.
    wide = ["ADJUST.KWARGS.out_channels", [256] * 3, "RPN.KWARGS.in_channels", [256] * 3]
    overrides = wide if experiment.startswith(("siamrpn_r18", "siamrpn_r34")) else []
    network = build_model(pysot.load_cfg(experiment, overrides))
    counted = [
        sum(p.numel() for p in part.parameters()) / 1e6 if part is not None else 0
        for part in (network, network.backbone, network.neck, network.rpn_head)
    ]
    assert len(network.state_dict()) == keys
    assert counted == pytest.approx(millions, abs=6e-4)


@pytest.mark.parametrize(
    "experiment",
    [
        *["siamfc_alex", "siamrpn_alex_upchannel", "siamrpn_r18_l234_dwxcorr", "siammask_r50_l3", "siammask_r50_base"],
        "siamrpn_r18_l234_dwxcorr with points",
    ],
)
def test_every_parameter_gets_a_gradient(experiment):
    cfg = pysot.load_cfg(experiment.split(" ")[0]).clone()
    cfg.defrost()
    if "points" in experiment:
        cfg.RPN.KWARGS.branch, cfg.RPN.KWARGS.weighted = "PointHead", True
    if cfg.MASK.MASK:
        cfg.BACKBONE.TYPE = "resnet18"
        cfg.ADJUST.KWARGS.in_channels = [256]
    # With fixed statistics: in training mode, a bias before a batch normalisation has no effect and no gradient.
    network = calibrated(build_model(cfg))
    output = network(network.encode_template(images(2, 127)), images(2, 191))
    total = output.cls.square().mean()
    if output.loc is not None:
        total = total + output.loc.square().mean()
    if output.quality:
        total = total + output.quality[0].square().mean()
    if network.mask_head is not None:
        total = total + network.masks_at(output, torch.tensor([[0, 3, 4], [1, 12, 12]])).square().mean()
        if network.refine_head is not None:  # the coarse masks are another branch
            total = (
                total
                + network.mask_head.at(output.mask_correlation[0], torch.tensor([[0, 1, 1], [1, 2, 2]])).square().mean()
            )
    total.backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


def test_masks_of_cells_equal_the_whole_head():
    cfg = pysot.load_cfg("siammask_r50_base").clone()
    cfg.defrost()
    cfg.BACKBONE.TYPE = "resnet18"
    cfg.ADJUST.KWARGS.in_channels = [256]
    network = build_model(cfg).eval()
    with torch.inference_mode():
        output = network(network.encode_template(images(2, 127)), images(2, 255))
        whole = network.mask_head.head(output.mask_correlation[0])
        cells = torch.tensor([[0, 0, 0], [1, 24, 3], [0, 12, 12]])
        masks = network.masks_at(output, cells)
    for mask, (batch, row, column) in zip(masks, cells.tolist(), strict=True):
        torch.testing.assert_close(mask.flatten(), whole[batch, :, row, column], atol=1e-3, rtol=1e-4)


def test_refinement_windows_equal_padding_and_slicing():
    features = images(2, 40)
    padded = torch.nn.functional.pad(features, [8] * 4)
    cells = torch.tensor([[0, 0, 0], [1, 20, 7], [1, 3, 24]])
    got = _windows(features, cells, size=31, stride=1, padding=8)
    for window, (batch, row, column) in zip(got, cells.tolist(), strict=True):
        expected = torch.zeros(3, 31, 31)
        piece = padded[batch, :, row : row + 31, column : column + 31]
        expected[:, : piece.shape[1], : piece.shape[2]] = piece
        assert torch.equal(window, expected)


def test_masks_need_a_mask_head_and_refinement_three_maps():
    network = small_network()
    with torch.inference_mode():
        output = network(network.encode_template(images(1, 127)), images(1, 287))
    with pytest.raises(ValueError, match="no mask head"):
        network.masks_at(output, torch.tensor([[0, 0, 0]]))
    with pytest.raises(ConfigError, match=r"needs three feature maps of stride 2, 4 and 8 .* got \[2\]"):
        Refine(256, (64,), (Grid(2, 3),))
    assert set(MASK_HEADS) == {"MaskCorr"}
    assert set(REFINERS) == {"Refine"}


def test_neck_crops_templates_only():
    assert set(NECKS) == {"AdjustAllLayer", "AdjustLayer"}
    neck = AdjustAllLayer([4], [6]).eval()
    features = torch.randn(1, 4, 15, 15)
    with torch.inference_mode():
        torch.testing.assert_close(neck.encode_template([features])[0], neck([features])[0][..., 4:11, 4:11])
        assert neck.encode_template([features[..., :6, :6]])[0].shape[-1] == 6
        several = AdjustAllLayer([4, 4], [6, 6]).eval()
        cropped = several.encode_template([features, features[..., :11, :11]])
        assert [level.shape[-1] for level in cropped] == [11, 7]


@pytest.mark.parametrize("name", ["alexnet", "alexnetsiamfc", "resnet18", "mobilenetv2"])
def test_folded_networks_compute_the_same(name):
    torch.manual_seed(0)
    _, layers = SMALL[name]
    network = build_model(config(name, "DepthwiseRPN", layers[-1:], neck=True, out_channels=8))
    with torch.no_grad():
        for _ in range(4):
            network(network.encode_template(images(4, 127)), images(4, 255, 1))
    network.eval()
    folded = fuse_conv_bn(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    with torch.inference_mode():
        expected = network(network.encode_template(images(1, 127)), images(1, 255, 2)).cls
        got = folded(folded.encode_template(images(1, 127)), images(1, 255, 2)).cls
    torch.testing.assert_close(got, expected, atol=1e-3 * float(expected.abs().max()), rtol=0)
