"""What a configuration leaves out is derived; what it says is heard; what a part does not take is an error."""

from __future__ import annotations

import pytest
import torch

from pysot.models import build_model
from pysot.models.head import HEADS
from pysot.models.neck import NECKS
from pysot.utils import ConfigError
from tests.models.small_networks import images, small_cfg


def outputs(network, search=191):
    with torch.inference_mode():
        return network.eval()(network.encode_template(images(1, 127)), images(1, search))


@pytest.mark.parametrize("head", ["DepthwiseRPN", "UPChannelRPN", "MultiRPN"])
def test_heads_have_as_many_anchors_as_the_configuration(head):
    cfg = small_cfg("alexnet", head, **{"ANCHOR.RATIOS": [0.5, 1], "ANCHOR.SCALES": [8], "ANCHOR.ANCHOR_NUM": 2})
    output = outputs(build_model(cfg))
    assert output.cls.shape[1] == 2 * 2
    assert output.loc.shape[1] == 4 * 2


def test_a_head_without_anchors_has_one_score_per_cell():
    output = outputs(build_model(small_cfg("alexnet", "SiamFCHead", **{"ANCHOR.ANCHOR_NUM": 3})))
    assert output.cls.shape[1] == 1
    assert output.loc is None


def test_out_scale_scales_the_response():
    def response(**keys):
        torch.manual_seed(0)
        return outputs(build_model(small_cfg("alexnet", "SiamFCHead", **keys))).cls

    torch.testing.assert_close(response(**{"RPN.KWARGS.out_scale": 0.01}), 10 * response())


def test_the_offset_of_the_response_is_learned():
    model = build_model(small_cfg("alexnet", "SiamFCHead", **{"RPN.KWARGS.bias": True}))
    before = outputs(model).cls
    with torch.no_grad():
        model.rpn_head.bias.fill_(-2.0)
    torch.testing.assert_close(outputs(model).cls, before - 2)
    model.rpn_head(
        model.encode_template(torch.zeros(2, 3, 127, 127)).kernels, [torch.ones(2, 25, 22, 22)]
    ).cls.sum().backward()
    assert model.rpn_head.bias.grad.item() == 2 * 17 * 17


@pytest.mark.parametrize("branch", sorted(set(HEADS) - {"MultiRPN"}))
@pytest.mark.parametrize("weighted", [False, True])
def test_several_levels_are_averaged(branch, weighted):
    layers = [3, 4, 5]
    keys = {"BACKBONE.KWARGS.used_layers": layers, "RPN.KWARGS.branch": branch, "RPN.KWARGS.weighted": weighted}
    keys |= {"ADJUST.ADJUST": True, "ADJUST.KWARGS.out_channels": [8] * 3}
    network = build_model(small_cfg("alexnet", "MultiRPN", **keys)).eval()
    shares = torch.full((3,), 1 / 3)
    if weighted:
        with torch.no_grad():
            network.rpn_head.cls_weight.copy_(torch.tensor([0.0, 1.0, 2.0]))
        shares = torch.exp(torch.tensor([0.0, 1.0, 2.0]))
        shares /= shares.sum()
    with torch.inference_mode():
        z = network.neck.encode_template(network.backbone(images(1, 127)))
        x = network.neck(network.backbone(images(1, 191, 1)))
        branches = [network.rpn_head.get_submodule(f"rpn{index}") for index in (2, 3, 4)]
        maps = [head(head.encode([one]), [other])[0] for head, one, other in zip(branches, z, x, strict=True)]
        expected = sum(share * level for share, level in zip(shares, maps, strict=True))
        output = network(network.encode_template(images(1, 127)), images(1, 191, 1))
    torch.testing.assert_close(output.cls, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert (output.loc is None) == (branch == "SiamFCHead")


def test_levels_before_the_heads_are_handed_out_as_they_are():
    keys = {"BACKBONE.KWARGS.used_layers": [3, 4, 5], "ADJUST.ADJUST": True, "ADJUST.KWARGS.out_channels": [8]}
    network = build_model(small_cfg("alexnet", "DepthwiseRPN", **keys, **{"RPN.LEVELS": 1})).eval()
    search, template = images(1, 191, 1), images(1, 127)
    with torch.inference_mode():
        encoded = network.encode_template(template)
        output = network(encoded, search)
        third, fourth, fifth = network.backbone(search)
        torch.testing.assert_close(output.early_features, (third, fourth))
        torch.testing.assert_close(output.features, network.neck((fifth,)))
        torch.testing.assert_close(encoded.early_features, network.backbone(template)[:2])
    assert network.early_stride == 8
    keys["BACKBONE.KWARGS.used_layers"] = [5]
    torch.manual_seed(0)
    alone = build_model(small_cfg("alexnet", "DepthwiseRPN", **keys)).eval()
    assert alone.early_stride is None
    # What is read changes no weight: checkpoints of one go into the other.
    assert alone.state_dict().keys() == network.state_dict().keys()


def test_a_head_cannot_read_more_levels_than_there_are():
    with pytest.raises(ConfigError, match=r"RPN\.LEVELS is 2, the backbone hands on 1 level"):
        build_model(small_cfg("alexnet", "MultiRPN", **{"BACKBONE.KWARGS.used_layers": [5], "RPN.LEVELS": 2}))


def test_multirpn_cannot_hold_itself():
    with pytest.raises(ConfigError, match="branch is the head of one level, it cannot be MultiRPN itself"):
        build_model(small_cfg("alexnet", "MultiRPN", **{"RPN.KWARGS.branch": "MultiRPN"}))


@pytest.mark.parametrize(
    ("template", "center_size", "cells"), [(127, 7, 7), (127, 5, 5), (127, 8, 8), (135, 7, 7), (127, 99, 15)]
)
@pytest.mark.parametrize("neck", NECKS)
def test_the_neck_keeps_the_templates_centre(neck, template, center_size, cells):
    keys = {"ADJUST.ADJUST": True, "ADJUST.TYPE": neck, "ADJUST.KWARGS.out_channels": [4]}
    keys |= {"ADJUST.KWARGS.center_size": center_size, "BACKBONE.KWARGS.used_layers": [2]}
    network = build_model(small_cfg("resnet18", "DepthwiseRPN", **keys)).eval()
    image = images(1, template)
    with torch.inference_mode():
        (kept,) = network.encode_template(image).features
        (whole,) = network.neck(network.backbone(image))
    start = (whole.shape[-1] - cells) // 2  # 135: 16 cells, of which 4 to 10 stay
    assert torch.equal(kept, whole[..., start : start + cells, start : start + cells])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"BACKBONE.KWARGS.width": 2}, "BACKBONE.KWARGS: .*unexpected keyword argument 'width'"),
        ({"ADJUST.KWARGS.center": 7}, "ADJUST.KWARGS: .*unexpected keyword argument 'center'"),
        ({"RPN.KWARGS.weighted": True}, "RPN.KWARGS: .*unexpected keyword argument 'weighted'"),
        ({"MASK.KWARGS.hiden": 8}, "MASK.KWARGS: .*unexpected keyword argument 'hiden'"),
        ({"RPN.KWARGS.in_channels": [9]}, r"RPN.KWARGS.in_channels says \[9\], the layers before it give \[4\]"),
        ({"RPN.KWARGS.feature_in": 9}, r"RPN.KWARGS.feature_in says \[9\], the layers before it give \[4\]"),
        ({"ADJUST.KWARGS.in_channels": 9}, r"ADJUST.KWARGS.in_channels says \[9\], .* give \[128\]"),
        (
            {"ADJUST.KWARGS.out_channels": [4, 4]},
            "the neck gets 1 levels, ADJUST.KWARGS.out_channels names 2",
        ),
        ({"REFINE.REFINE": True}, r"REFINE needs three feature maps .* got \[2, 4\] \(BACKBONE.KWARGS.used_layers\)"),
    ],
)
def test_faults_are_named_with_their_key(keys, message):
    parts = {"ADJUST.ADJUST": True, "ADJUST.KWARGS.out_channels": [4], "MASK.MASK": True}
    parts |= {"BACKBONE.KWARGS.used_layers": [0, 1, 2], "RPN.KWARGS.out_channels": 4}
    with pytest.raises(ConfigError, match=message):
        build_model(small_cfg("resnet18", "DepthwiseRPN", **{**parts, **keys}))


def test_the_neck_of_one_level_takes_one_level():
    keys = {"ADJUST.ADJUST": True, "ADJUST.TYPE": "AdjustLayer", "BACKBONE.KWARGS.used_layers": [4, 5]}
    keys |= {"ADJUST.KWARGS.out_channels": [8, 8]}
    with pytest.raises(ConfigError, match=r"ADJUST.TYPE AdjustLayer adjusts one level, the backbone gives 2"):
        build_model(small_cfg("alexnet", "MultiRPN", **keys))


def test_the_configuration_is_left_as_it_was():
    cfg = small_cfg("alexnet", "DepthwiseRPN", **{"RPN.KWARGS.in_channels": [25], "RPN.KWARGS.anchor_num": 5})
    before = cfg.dump()
    build_model(cfg)
    assert cfg.dump() == before
