"""ImageNet weights of torchvision: what fits, what cannot, and that the input convention is converted exactly.

The references are written out here with torchvision's own convention: RGB / 255, normalised by mean and std.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from foreign_layouts import (
    check_accounts,
    fill,
    random_values,
    torchvision_mobilenet,
    torchvision_resnet,
    with_backbone,
)

import pysot
from pysot.utils import CheckpointError

MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)


def save(path, state):
    torch.save(state, path)
    return path


def normalised_rgb(bgr):
    return (bgr.flip(1) / 255 - MEAN) / STD


def norm(state, name, x):
    leaves = (state[f"{name}.{leaf}"] for leaf in ("running_mean", "running_var", "weight", "bias"))
    mean, var, weight, bias = leaves
    return F.batch_norm(x, mean, var, weight, bias, eps=1e-5)


def resnet_file(layers):
    shapes = torchvision_resnet(layers)
    return fill(shapes) | random_values(
        shapes, [name for name in shapes if name.startswith(("conv1", "bn1.r", "bn1.w"))]
    )


@pytest.mark.parametrize(("layers", "count"), [(18, 122), (34, 218), (50, 320)])
def test_resnet(tmp_path, layers, count):
    state = resnet_file(layers)
    assert len(state) == count
    model = with_backbone(f"resnet{layers}")
    head = {name: tensor.clone() for name, tensor in model.rpn_head.state_dict().items()}
    before = model.backbone.layer3[0].downsample[0].weight.clone()
    report = pysot.load_checkpoint(model, save(tmp_path / "resnet.pth", state))
    check_accounts(report, state, model)
    assert report.layout == "torchvision ResNet"
    assert report.backbone_only
    assert set(report.unused) == {"fc.weight", "fc.bias"}
    assert set(report.unused.values()) == {"has no place in a tracker's network (torchvision ResNet)"}
    # The shortcuts are 1x1 there and 3x3 here.
    assert set(report.mismatched) == {f"layer{stage}.0.downsample.0.weight" for stage in (2, 3, 4)}
    wide, narrow = (1024, 512) if layers == 50 else (256, 128)
    shapes = f"({wide}, {narrow}, 1, 1), expected ({wide}, {narrow}, 3, 3)"
    assert report.mismatched["layer3.0.downsample.0.weight"] == shapes
    assert (
        f"3 mismatched (first: layer2.0.downsample.0.weight {report.mismatched['layer2.0.downsample.0.weight']})"
        in str(report)
    )
    assert not any([report.missing, report.unexpected, report.derived])
    assert len(report.loaded) == count - 2 - 3
    value = state["layer4.1.conv2.weight"].flatten()[0]
    assert bool((model.backbone.layer4[1].conv2.weight == value).all())
    assert torch.equal(model.backbone.layer3[0].downsample[0].weight, before)
    assert all(torch.equal(model.rpn_head.state_dict()[name], tensor) for name, tensor in head.items())


@pytest.mark.parametrize("half", [False, True])
def test_first_layer_of_the_resnet_answers_raw_bgr_as_torchvisions_answers_normalised_rgb(tmp_path, half):
    state = resnet_file(18)
    if half:
        state = {name: tensor.half() for name, tensor in state.items()}
    model = with_backbone("resnet18", used_layers=[2]).eval()
    pysot.load_checkpoint(model, save(tmp_path / "resnet18.pth", state))
    image = torch.randint(0, 256, (2, 3, 127, 127), generator=torch.Generator().manual_seed(3)).float()
    state = {name: tensor.double() for name, tensor in state.items()}
    expected = norm(state, "bn1", F.conv2d(normalised_rgb(image.double()), state["conv1.weight"], stride=2))
    actual = model.backbone.bn1(model.backbone.conv1(image))
    assert actual.shape == (2, 64, 61, 61)
    torch.testing.assert_close(actual.double(), expected, rtol=1e-5, atol=1e-4)
    assert expected.abs().max() > 10


def mobilenet_file():
    shapes = torchvision_mobilenet()
    state = fill(shapes) | random_values(shapes, [name for name in shapes if name.startswith("features.0.")])
    return state | random_values(
        shapes, [n for n in shapes if n.startswith("features.1.") and "num_batches" not in n], 1
    )


def first_two_blocks(state, image):
    """torchvision's features[0] and features[1], the first convolution unpadded as in the trackers."""
    x = F.relu6(norm(state, "features.0.1", F.conv2d(normalised_rgb(image), state["features.0.0.weight"], stride=2)))
    yield x
    block = "features.1.conv"
    x = F.conv2d(x, state[f"{block}.0.0.weight"], padding=1, groups=32)
    x = F.relu6(norm(state, f"{block}.0.1", x))
    yield norm(state, f"{block}.2", F.conv2d(x, state[f"{block}.1.weight"]))


def test_mobilenet(tmp_path):
    state = mobilenet_file()
    assert len(state) == 314
    model = with_backbone("mobilenetv2")
    report = pysot.load_checkpoint(model, save(tmp_path / "mobilenet_v2.pth", state))
    check_accounts(report, state, model)
    assert report.layout == "torchvision MobileNetV2"
    assert {name.rsplit(".", 1)[0] for name in report.unused} == {"features.18.0", "features.18.1", "classifier.1"}
    assert not any([report.missing, report.unexpected, report.mismatched])
    assert len(report.loaded) == 314 - 8
    leaves = ("0.weight", "1.weight", "1.bias", "1.running_mean", "1.running_var")
    assert set(report.derived) == {f"backbone.layer1.0.conv.{leaf}" for leaf in leaves}
    # The paper's table, row by row: features.17 is the only block of the last row, features.7 the first of the fourth.
    for native, name in (("layer7.0.conv.6", "features.17.conv.2"), ("layer4.0.conv.3", "features.7.conv.1.0")):
        assert torch.equal(model.backbone.get_submodule(native).weight, state[f"{name}.weight"])


def test_first_blocks_of_mobilenet_answer_as_torchvisions(tmp_path):
    state = mobilenet_file()
    model = with_backbone("mobilenetv2", used_layers=[2]).eval()
    pysot.load_checkpoint(model, save(tmp_path / "mobilenet_v2.pth", state))
    image = torch.randint(0, 256, (1, 3, 127, 127), generator=torch.Generator().manual_seed(4)).float()
    state = {name: tensor.double() for name, tensor in state.items()}
    stem, block = first_two_blocks(state, image.double())
    actual = model.backbone.layer0(image)
    torch.testing.assert_close(actual.double(), stem, rtol=1e-5, atol=1e-4)
    assert 0.1 < (stem > 0).double().mean() < 0.9
    torch.testing.assert_close(model.backbone.layer1(actual).double(), block, rtol=1e-5, atol=1e-3)


def test_mobilenet_of_another_width_is_refused_and_the_derived_tensors_are_missing(tmp_path):
    state = mobilenet_file()
    model = with_backbone("mobilenetv2", width_mult=1.4)
    path = save(tmp_path / "mobilenet_v2.pth", state)
    with pytest.raises(CheckpointError, match=r"features\.0\.0\.weight: \(32, 3, 3, 3\), expected \(44, 3, 3, 3\)"):
        pysot.load_checkpoint(model, path)
    report = pysot.load_checkpoint(model, path, strict=False)  # the counters fit
    check_accounts(report, state, model)
    assert all(name.endswith("num_batches_tracked") for name in report.loaded)
    assert "backbone.layer1.0.conv.0.weight" in report.missing


def test_stages_that_are_not_built_need_no_derived_tensors(tmp_path):
    state = mobilenet_file()
    model = with_backbone("mobilenetv2", used_layers=[0])
    report = pysot.load_checkpoint(model, save(tmp_path / "mobilenet_v2.pth", state))
    check_accounts(report, state, model)
    assert len(report.loaded) == 6
    assert not any([report.derived, report.missing])


@pytest.mark.parametrize(("file", "network"), [(18, 50), (50, 18), (34, 18), (18, 34)])
def test_another_depth_is_refused(tmp_path, file, network):
    path = save(tmp_path / "resnet.pth", fill(torchvision_resnet(file)))
    with torch.device("meta"):
        model = with_backbone(f"resnet{network}")
    with pytest.raises(CheckpointError, match=r"missing keys|unexpected|of another shape"):
        pysot.load_checkpoint(model, path)


def test_parts_nobody_knows_are_told_not_stumbled_over(tmp_path):
    state = mobilenet_file() | {"features.3.conv.9.fc.weight": torch.zeros(3)}
    report = pysot.load_checkpoint(with_backbone("mobilenetv2"), save(tmp_path / "m.pth", state))
    assert "features.3.conv.9.fc.weight" in report.unused


@pytest.mark.parametrize("layers", [18, "mobilenet"])
def test_file_without_a_first_layer_for_three_channels_is_refused(tmp_path, layers):
    shapes = torchvision_mobilenet() if layers == "mobilenet" else torchvision_resnet(layers)
    first = "features.0.0.weight" if layers == "mobilenet" else "conv1.weight"
    model = with_backbone("mobilenetv2" if layers == "mobilenet" else f"resnet{layers}")
    for change in ({}, {first: (shapes[first][0], 1, *shapes[first][2:])}):
        state = fill({name: shape for name, shape in shapes.items() if name != first} | change)
        with pytest.raises(CheckpointError):
            pysot.load_checkpoint(model, save(tmp_path / "gray.pth", state))


@pytest.mark.slow
def test_real_mobilenet(tmp_path):
    from pysot.zoo import fetch

    path = fetch("mobilenet_v2")
    model = with_backbone("mobilenetv2").eval()
    state = torch.load(path, weights_only=True)
    report = pysot.load_checkpoint(model, path)
    check_accounts(report, state, model)
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == torchvision_mobilenet()
    assert not any([report.missing, report.unexpected, report.mismatched])
    image = torch.randint(0, 256, (1, 3, 255, 255), generator=torch.Generator().manual_seed(5)).float()
    stem, block = first_two_blocks(state, image)
    torch.testing.assert_close(model.backbone.layer0(image), stem, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(model.backbone.layer1(model.backbone.layer0(image)), block, rtol=1e-4, atol=1e-3)
