"""Checkpoints of other projects, made here: their names and shapes, with values that cost nothing to store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from pysot.engine import LoadReport
from pysot.models import SiameseNet
from pysot.models.backbone import BACKBONES, AlexNet, AlexNetLegacy
from pysot.models.head import DepthwiseRPN, UPChannelRPN

Shapes = dict[str, tuple[int, ...]]

_NORM = ("weight", "bias", "running_mean", "running_var")


def fill(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """Give every name a tensor of its own constant; one number each in memory and in a file."""
    return {name: torch.tensor(float(index)).expand(tuple(shape)) for index, (name, shape) in enumerate(shapes.items())}


def shapes_of(model: nn.Module) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def tiny(legacy: bool = True, *, width: float = 0.1, up_channel: bool = False) -> SiameseNet:
    """A SiamRPN network of a few thousand parameters."""
    backbone = (AlexNetLegacy if legacy else AlexNet)(width_mult=width)
    channels = backbone.out_channels[0]
    return SiameseNet(backbone, UPChannelRPN(channels) if up_channel else DepthwiseRPN(channels, 5, 16))


def with_backbone(name: str, **kwargs: object) -> SiameseNet:
    """A network with a backbone of its real size and a small head on its last level."""
    backbone = BACKBONES[name](**kwargs)
    return SiameseNet(backbone, DepthwiseRPN(backbone.out_channels[-1], 5, 4))


def torchvision_resnet(layers: int) -> Shapes:
    """Names and shapes of torchvision's resnet18, resnet34 and resnet50."""
    depths = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}[layers]
    bottleneck = layers == 50
    shapes: Shapes = {"conv1.weight": (64, 3, 7, 7), **_norm("bn1", 64)}
    before = 64
    for stage, depth in enumerate(depths, 1):
        width = 64 * 2 ** (stage - 1)
        after = width * 4 if bottleneck else width
        for index in range(depth):
            block = f"layer{stage}.{index}"
            if bottleneck:
                sides = [(width, before, 1), (width, width, 3), (after, width, 1)]
            else:
                sides = [(width, before, 3), (width, width, 3)]
            for number, (to, of, side) in enumerate(sides, 1):
                shapes |= {f"{block}.conv{number}.weight": (to, of, side, side), **_norm(f"{block}.bn{number}", to)}
            if before != after:
                shapes |= {
                    f"{block}.downsample.0.weight": (after, before, 1, 1),
                    **_norm(f"{block}.downsample.1", after),
                }
            before = after
    return {**shapes, "fc.weight": (1000, before), "fc.bias": (1000,)}


def torchvision_mobilenet() -> Shapes:
    """Names and shapes of torchvision's mobilenet_v2."""
    shapes: Shapes = {"features.0.0.weight": (32, 3, 3, 3), **_norm("features.0.1", 32)}
    before, index = 32, 1
    for expansion, after, depth in (
        (1, 16, 1),
        (6, 24, 2),
        (6, 32, 3),
        (6, 64, 4),
        (6, 96, 3),
        (6, 160, 3),
        (6, 320, 1),
    ):
        for _ in range(depth):
            block, hidden = f"features.{index}.conv", before * expansion
            convs = [(hidden, before, 1)] if expansion > 1 else []
            convs.append((hidden, 1, 3))
            for number, (to, of, side) in enumerate(convs):
                shapes |= {f"{block}.{number}.0.weight": (to, of, side, side), **_norm(f"{block}.{number}.1", to)}
            shapes |= {
                f"{block}.{len(convs)}.weight": (after, hidden, 1, 1),
                **_norm(f"{block}.{len(convs) + 1}", after),
            }
            before, index = after, index + 1
    shapes |= {"features.18.0.weight": (1280, 320, 1, 1), **_norm("features.18.1", 1280)}
    return {**shapes, "classifier.1.weight": (1000, 1280), "classifier.1.bias": (1000,)}


def random_values(shapes: Mapping[str, Sequence[int]], names: Iterable[str], seed: int = 0) -> dict[str, Tensor]:
    """Replace the constants of some tensors by values as trained ones could be."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name in names:
        noise = torch.randn(tuple(shapes[name]), generator=generator)
        state[name] = noise.abs() + 0.5 if name.endswith("running_var") else noise
    return state


def siammask_names(shapes: Mapping[str, Sequence[int]]) -> Shapes:
    """Native names -> foolwood/SiamMask's."""
    table = {
        "backbone.": "features.features.",
        "neck.downsample.": "features.downsample.downsample.",
        "rpn_head.": "rpn_model.",
        "mask_head.": "mask_model.mask.",
        "refine_head.": "refine_model.",
    }
    return _renamed(
        {name.replace("downsample.downsample.", "downsample."): shape for name, shape in shapes.items()}, table
    )


def dasiamrpn_names(shapes: Mapping[str, Sequence[int]]) -> Shapes:
    """Native names -> foolwood/DaSiamRPN's, from a version of PyTorch that counted no batches."""
    table = {
        "backbone.features.": "featureExtract.",
        "rpn_head.template_cls_conv.": "conv_cls1.",
        "rpn_head.template_loc_conv.": "conv_r1.",
        "rpn_head.search_cls_conv.": "conv_cls2.",
        "rpn_head.search_loc_conv.": "conv_r2.",
        "rpn_head.loc_adjust.": "regress_adjust.",
    }
    return _renamed({name: shape for name, shape in shapes.items() if "num_batches" not in name}, table)


def check_accounts(report: LoadReport, file_names: Iterable[str], model: nn.Module) -> None:
    """Check that the report tells every name of the file and of the network exactly once."""
    told = [*report.mismatched, *report.unexpected, *report.unused]
    names = set(file_names)
    assert len(set(told)) == len(told)
    assert set(told) <= names
    assert len(told) + len(report.loaded) == len(names)

    scope = "backbone." if report.backbone_only else ""
    wanted = [name for name in model.state_dict() if name.startswith(scope)]
    has = [*report.loaded, *report.derived, *report.missing]
    assert len(set(has)) == len(has)
    assert set(has) <= set(wanted)
    rest = [name for name in wanted if name not in has]
    counters = [name for name in rest if name.endswith("num_batches_tracked")]
    assert len(rest) - len(counters) <= len(report.mismatched) <= len(rest)


def _norm(name: str, channels: int) -> Shapes:
    return {**{f"{name}.{leaf}": (channels,) for leaf in _NORM}, f"{name}.num_batches_tracked": ()}


def _renamed(shapes: Mapping[str, Sequence[int]], table: Mapping[str, str]) -> Shapes:
    renamed = {}
    for name, shape in shapes.items():
        old, new = next((old, new) for old, new in table.items() if name.startswith(old))
        renamed[new + name.removeprefix(old)] = tuple(shape)
    return renamed
