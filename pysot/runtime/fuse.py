"""Folding of batch normalisation into the convolution before it, for inference."""

from __future__ import annotations

import copy
import itertools
from typing import TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Net = TypeVar("Net", bound=nn.Module)


def fuse_conv_bn(network: Net) -> Net:
    """Return a copy of a network in which every convolution + batch normalisation is one convolution.

    The copy is in evaluation mode and computes the same function up to rounding. Pairs are neighbours in a
    `torch.nn.Sequential`, or attributes ``convN`` and ``bnN`` of one module (ResNet).
    """
    fused = copy.deepcopy(network).eval()
    for module in list(fused.modules()):
        children = dict(module.named_children())
        names = list(children)
        if isinstance(module, nn.Sequential):
            pairs = list(itertools.pairwise(names))
        else:
            pairs = [(name, "bn" + name.removeprefix("conv")) for name in names if name.startswith("conv")]
        for conv_name, norm_name in pairs:
            conv, norm = children[conv_name], children.get(norm_name)
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, conv_name, fuse_conv_bn_eval(conv, norm))
                setattr(module, norm_name, nn.Identity().eval())
    return fused
