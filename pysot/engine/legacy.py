"""Layouts of public checkpoints, recognised by their parameter names, and the way to this project's names.

The native layout is that of PySOT's public checkpoints (``backbone.``, ``neck.``, ``rpn_head.``, ...). A layout here
is a row of a table: how to recognise it and how a name or the whole state becomes native.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

State = dict[str, Tensor]

_SIAMMASK_PREFIXES = {
    "features.features.": "backbone.",
    "features.downsample.": "neck.downsample.",
    "rpn_model.": "rpn_head.",
    "mask_model.mask.": "mask_head.",
    "refine_model.": "refine_head.",
}
_DASIAMRPN_PREFIXES = {
    "featureExtract.": "backbone.features.",
    "conv_cls1.": "rpn_head.template_cls_conv.",
    "conv_r1.": "rpn_head.template_loc_conv.",
    "conv_cls2.": "rpn_head.search_cls_conv.",
    "conv_r2.": "rpn_head.search_loc_conv.",
    "regress_adjust.": "rpn_head.loc_adjust.",
}
# Where the five convolutions (and the normalisation after each) lie in the one-chain AlexNet.
_ALEXNET_CHAIN = {0: "layer1.0", 1: "layer1.1", 4: "layer2.0", 5: "layer2.1", 8: "layer3.0", 9: "layer3.1"}
_ALEXNET_CHAIN |= {11: "layer4.0", 12: "layer4.1", 14: "layer5.0", 15: "layer5.1"}
_ALEXNET_LAYERS = {layer: f"features.{index}" for index, layer in _ALEXNET_CHAIN.items()}

# torchvision's networks expect RGB divided by 255 and normalised with these.
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
# Inner module index of an inverted residual block: torchvision's -> native.
_MOBILENET_BLOCK = {"0.0": "0", "0.1": "1", "1.0": "3", "1.1": "4", "2": "6", "3": "7"}
_MOBILENET_FIRST_BLOCK = {"0.0": "3", "0.1": "4", "1": "6", "2": "7"}
_MOBILENET_DEPTHS = (1, 2, 3, 4, 3, 3, 1)


@dataclass(frozen=True)
class Converted:
    """A checkpoint's tensors under native names.

    Attributes:
        layout: Name of the layout that was recognised.
        state: Native name -> tensor.
        sources: Native name -> name in the file; a tensor without one was derived.
        unused: Name in the file -> why it has no native name.
        backbone_only: The file holds a backbone; everything else of a network keeps its weights.
    """

    layout: str
    state: State
    sources: dict[str, str]
    unused: dict[str, str] = field(default_factory=dict)
    backbone_only: bool = False


@dataclass(frozen=True)
class Layout:
    """A way to name parameters.

    Attributes:
        name: As shown to users.
        matches: Whether a state is of this layout.
        rename: Native name of a name in the file, or None where nothing corresponds to it.
        backbone_only: See `Converted`.
        finish: Changes the native state where names alone do not suffice.
    """

    name: str
    matches: Callable[[Mapping[str, Tensor]], bool]
    rename: Callable[[str], str | None]
    backbone_only: bool = False
    finish: Callable[[State], None] = lambda state: None


def to_native(state: Mapping[str, Tensor]) -> Converted | None:
    """Return a checkpoint's tensors under native names, or None if no layout is recognised."""
    layout = next((layout for layout in LAYOUTS if layout.matches(state)), None)
    if layout is None:
        return None
    native: State = {}
    sources, unused = {}, {}
    for name, tensor in state.items():
        renamed = layout.rename(name)
        if renamed is None:
            unused[name] = f"has no place in a tracker's network ({layout.name})"
        else:
            native[renamed], sources[renamed] = tensor, name
    layout.finish(native)
    return Converted(layout.name, native, sources, unused, layout.backbone_only)


def rename_alexnet(state: Mapping[str, Tensor], wanted: Mapping[str, object]) -> dict[str, str]:
    """Return name -> name for the AlexNet of a native state, in whichever of its two layouts ``wanted`` has.

    The public checkpoints name it ``backbone.features.N``, training names it ``backbone.layerK.{0,1}``. Empty where
    nothing has to be renamed.
    """
    for key, to in (("backbone.features.0.weight", _ALEXNET_CHAIN), ("backbone.layer1.0.weight", _ALEXNET_LAYERS)):
        if key in state and key not in wanted:
            table = {f"{index}": value for index, value in to.items()}
            break
    else:
        return {}
    renamed = {}
    for name in state:
        found = re.fullmatch(r"backbone\.(?:features\.)?(layer\d\.\d|\d+)\.(\w+)", name)
        target = f"backbone.{table.get(found[1])}.{found[2]}" if found else name
        if found and found[1] in table and target not in state:  # a file may hold both layouts
            renamed[name] = target
    # Only if that is what the network has: ResNet and MobileNetV2 have a layer1, too.
    return renamed if set(renamed.values()) & set(wanted) else {}


def _by_prefix(table: Mapping[str, str]) -> Callable[[str], str | None]:
    def rename(name: str) -> str | None:
        return next((new + name.removeprefix(old) for old, new in table.items() if name.startswith(old)), None)

    return rename


def _has_prefix(prefix: str) -> Callable[[Mapping[str, Tensor]], bool]:
    return lambda state: any(name.startswith(prefix) for name in state)


def _is_torchvision_resnet(state: Mapping[str, Tensor]) -> bool:
    # The dilated ResNets of the trackers have the same names, but 3x3 shortcuts.
    shortcut = state.get("layer2.0.downsample.0.weight")
    return shortcut is not None and shortcut.shape[2:] == (1, 1) and _reads_rgb(state, "conv1", "bn1")


def _is_torchvision_mobilenet(state: Mapping[str, Tensor]) -> bool:
    names = {"features.18.0.weight", "features.1.conv.0.0.weight"}
    return names <= set(state) and _reads_rgb(state, "features.0.0", "features.0.1")


def _reads_rgb(state: Mapping[str, Tensor], conv: str, norm: str) -> bool:
    """Return whether the first layer is there, whole, and takes three channels."""
    weight, mean = state.get(f"{conv}.weight"), state.get(f"{norm}.running_mean")
    if weight is None or mean is None:
        return False
    return weight.ndim == 4 and weight.shape[1] == len(_IMAGENET_MEAN) and mean.shape == weight.shape[:1]


def _rename_torchvision_mobilenet(name: str) -> str | None:
    found = re.fullmatch(r"features\.(\d+)\.(.+)\.(\w+)", name)
    if not found:
        return None
    index, inner, leaf = int(found[1]), found[2], found[3]
    if index == 0:
        return f"backbone.layer0.{inner}.{leaf}"
    inner = inner.removeprefix("conv.")
    for stage, depth in enumerate(_MOBILENET_DEPTHS, 1):
        if index <= depth:
            native = (_MOBILENET_FIRST_BLOCK if stage == 1 else _MOBILENET_BLOCK).get(inner)
            return native and f"backbone.layer{stage}.{index - 1}.conv.{native}.{leaf}"
        index -= depth
    return None


def _finish_torchvision_mobilenet(state: State) -> None:
    """Give the first block the expansion that torchvision's lacks, as an identity; fold the normalisation in."""
    channels = state["backbone.layer0.0.weight"].shape[0]
    block = "backbone.layer1.0.conv"
    state[f"{block}.0.weight"] = torch.eye(channels)[:, :, None, None]
    state[f"{block}.1.weight"] = torch.ones(channels)
    state[f"{block}.1.bias"] = torch.zeros(channels)
    state[f"{block}.1.running_mean"] = torch.zeros(channels)
    state[f"{block}.1.running_var"] = torch.full((channels,), 1 - 1e-5)  # plus the layer's epsilon: one
    _fold_normalization(state, "backbone.layer0.0", "backbone.layer0.1")


def _fold_normalization(state: State, conv: str, norm: str) -> None:
    """Make a first layer for normalised RGB give the same answer for BGR in 0..255.

    Exact, because that convolution is unpadded in the trackers' backbones: a constant shift of its input shifts its
    output by a constant, which the running mean takes up.
    """
    weight = state[f"{conv}.weight"]
    mean = torch.tensor(_IMAGENET_MEAN)[None, :, None, None]
    std = torch.tensor(_IMAGENET_STD)[None, :, None, None]
    state[f"{norm}.running_mean"] = state[f"{norm}.running_mean"] + (weight * mean / std).sum(dim=(1, 2, 3))
    state[f"{conv}.weight"] = (weight / (255 * std)).flip(1)


LAYOUTS = (
    Layout("foolwood/SiamMask", _has_prefix("features.features."), _by_prefix(_SIAMMASK_PREFIXES)),
    Layout("foolwood/DaSiamRPN", _has_prefix("featureExtract."), _by_prefix(_DASIAMRPN_PREFIXES)),
    Layout(
        "native, a backbone alone (siamfc-pytorch, converted)",
        lambda state: all(name.startswith("backbone.") for name in state),
        lambda name: name,
        backbone_only=True,
    ),
    Layout("native (PySOT)", _has_prefix("backbone."), lambda name: name),
    Layout(
        "torchvision ResNet",
        _is_torchvision_resnet,
        lambda name: None if name.startswith("fc.") else f"backbone.{name}",
        backbone_only=True,
        finish=lambda state: _fold_normalization(state, "backbone.conv1", "backbone.bn1"),
    ),
    Layout(
        "torchvision MobileNetV2",
        _is_torchvision_mobilenet,
        _rename_torchvision_mobilenet,
        backbone_only=True,
        finish=_finish_torchvision_mobilenet,
    ),
    Layout(
        "backbone alone",
        lambda state: bool({"conv1.weight", "layer0.0.weight", "layer1.0.weight", "features.0.weight"} & set(state)),
        lambda name: None if name.startswith(("fc.", "classifier.")) else f"backbone.{name}",
        backbone_only=True,
    ),
)
