"""Convolutions whose weights lie ready in oneDNN's own memory layout.

PyTorch's CPU convolution brings the weights into that layout anew at every call; for a batch of one this costs up to
half of a network's time. Here it is done once. The arithmetic is oneDNN's as before.
"""

from __future__ import annotations

import copy
import functools
import platform
from typing import Any

import torch
from torch import Tensor, nn

from pysot.models import SiameseNet, Template


def can_pack(device: torch.device) -> bool:
    """Return whether convolutions can be packed for this device, by this PyTorch."""
    return device.type == "cpu" and platform.machine().lower() in ("x86_64", "amd64") and _packs()


@functools.cache
def _packs() -> bool:
    # What packing needs is not public and may be gone or changed in another PyTorch.
    if not torch.backends.mkldnn.is_available():
        return False
    try:
        conv = nn.utils.skip_init(nn.Conv2d, 2, 2, 3, bias=False)  # draws no random numbers: a training may be running
        inputs = torch.arange(18.0).reshape(1, 2, 3, 3)
        conv.weight.data.copy_(inputs.flip(-1).expand(2, 2, 3, 3))
        return torch.allclose(PackedConv2d(conv, (1, 2, 3, 3))(inputs), conv(inputs), rtol=1e-4)
    except (AttributeError, RuntimeError, TypeError):
        return False


class PackedConv2d(nn.Module):
    """A convolution that computes what the given one does, for inference.

    Args:
        conv: With weights on the CPU.
        input_shape: (B, C, H, W) for which the layout is chosen. Inputs of other shapes give the same values, slower.
    """

    def __init__(self, conv: nn.Conv2d, input_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.bias = conv.bias
        self._geometry = (list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups)
        reorder: Any = torch._C._nn.mkldnn_reorder_conv2d_weight  # its annotations lag behind
        self._weight = reorder(conv.weight.detach().to_mkldnn(), *self._geometry, list(input_shape))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the convolution of (B, C, H, W)."""
        out: Tensor = torch.ops.mkldnn._convolution_pointwise(
            inputs, self._weight, self.bias, *self._geometry, "none", [], ""
        )
        return out


def pack_for(network: SiameseNet, template: Template, image: Tensor) -> SiameseNet:
    """Return a copy of the network packed for inputs of these shapes. What is not packed stays shared."""
    shapes: dict[str, tuple[int, ...]] = {}
    hooks = [
        module.register_forward_pre_hook(_shape_noter(shapes, name))
        for name, module in network.named_modules()
        if _packable(module)
    ]
    try:
        network(template, image)
    finally:
        for hook in hooks:
            hook.remove()
    return _packed(network, shapes)


def _packable(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and module.weight.dtype == torch.float32
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )


def _shape_noter(shapes: dict[str, tuple[int, ...]], name: str) -> Any:
    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        shapes[name] = tuple(inputs[0].shape)

    return note


def _packed(network: SiameseNet, shapes: dict[str, tuple[int, ...]]) -> SiameseNet:
    shared = {id(tensor): tensor for tensor in [*network.parameters(), *network.buffers()]}
    packed = copy.deepcopy(network, shared)
    for name, shape in shapes.items():
        parent, _, child = name.rpartition(".")
        setattr(packed.get_submodule(parent), child, PackedConv2d(network.get_submodule(name), shape))  # type: ignore[arg-type]
    return packed
