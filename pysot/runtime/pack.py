"""Convolutions whose weights lie ready in oneDNN's own memory layout.

PyTorch's CPU convolution brings the weights into that layout anew at every call; for a batch of one this costs up to
half of a network's time. Here it is done once. The arithmetic is oneDNN's as before. An activation that follows at once
is applied where the convolution writes its result.
"""

from __future__ import annotations

import copy
import functools
import platform
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from pysot.models import SiameseNet, Template

Network = TypeVar("Network", bound=nn.Module)


def can_pack(device: torch.device) -> bool:
    """Return whether convolutions can be packed for this device, by this PyTorch."""
    return device.type == "cpu" and platform.machine().lower() in ("x86_64", "amd64") and _packs()


# Activations that oneDNN applies itself: its names and arguments.
_FUSED: dict[type[nn.Module] | type[None], tuple[str, list[float]]] = {
    nn.ReLU: ("relu", []),
    nn.ReLU6: ("hardtanh", [0.0, 6.0]),
}


@functools.cache
def _packs() -> bool:
    # What packing needs is not public and may be gone or changed in another PyTorch.
    if not torch.backends.mkldnn.is_available():
        return False
    try:
        conv = nn.utils.skip_init(nn.Conv2d, 2, 2, 3, bias=False)  # draws no random numbers: a training may be running
        inputs = torch.arange(18.0).reshape(1, 2, 3, 3)
        conv.weight.data.copy_(inputs.flip(-1).expand(2, 2, 3, 3))
        expected = conv(inputs)
        return all(
            torch.allclose(PackedConv2d(conv, (1, 2, 3, 3), then)(inputs), then(expected), rtol=1e-4)
            for then in (nn.Identity(), nn.ReLU(), nn.ReLU6())
        )
    except (AttributeError, RuntimeError, TypeError):
        return False


class PackedConv2d(nn.Module):
    """A convolution that computes what the given one does, for inference.

    Args:
        conv: With weights on the CPU.
        input_shape: (B, C, H, W) for which the layout is chosen. Inputs of other shapes give the same values, slower.
        then: Applied to the result: a kind of `_FUSED`, or nothing.
    """

    def __init__(self, conv: nn.Conv2d, input_shape: tuple[int, ...], then: nn.Module | None = None) -> None:
        super().__init__()
        self._then = _FUSED.get(type(then), ("none", []))
        self.bias = conv.bias
        self._geometry = (list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups)
        reorder: Any = torch._C._nn.mkldnn_reorder_conv2d_weight  # its annotations lag behind
        self._weight = reorder(conv.weight.detach().to_mkldnn(), *self._geometry, list(input_shape))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the convolution of (B, C, H, W)."""
        out: Tensor = torch.ops.mkldnn._convolution_pointwise(
            inputs, self._weight, self.bias, *self._geometry, *self._then, ""
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


def _packed(network: Network, shapes: dict[str, tuple[int, ...]]) -> Network:
    shared = {id(tensor): tensor for tensor in [*network.parameters(), *network.buffers()]}
    # oneDNN's activations turn what is not a number into one: broken weights would go unnoticed.
    finite = all(bool(tensor.isfinite().all()) for tensor in shared.values())
    packed = copy.deepcopy(network, shared)
    for name, shape in shapes.items():
        path, _, child = name.rpartition(".")
        parent = packed.get_submodule(path)
        then = _activation_after(parent, child) if finite else None
        activation = parent.get_submodule(then) if then else None
        setattr(parent, child, PackedConv2d(network.get_submodule(name), shape, activation))  # type: ignore[arg-type]
        if then:
            setattr(parent, then, nn.Identity())
    return packed


def _activation_after(parent: nn.Module, child: str) -> str | None:
    """Return the name of the activation that follows a convolution in a sequence, folded layers aside, or None."""
    if not isinstance(parent, nn.Sequential):
        return None
    names = list(parent._modules)
    for name in names[names.index(child) + 1 :]:
        following = parent.get_submodule(name)
        if type(following) in _FUSED:
            return name
        if not isinstance(following, nn.Identity):
            return None
    return None
