"""Dilated depth-wise convolution whose gradients are right and quick on the CPU.

PyTorch's own weight gradient is wrong there in bfloat16 with channels last (found with 2.13), and all of them take
several times as long as without dilation. ``python benchmarks/dilated.py`` shows both.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from pysot.ops.conv import is_traced


def dilated_depthwise_conv(image: Tensor, weight: Tensor, padding: int, dilation: int) -> Tensor:
    """Convolve channel by channel, as `torch.nn.functional.conv2d` with as many groups as channels and stride 1.

    Args:
        image: (B, C, H, W).
        weight: (C, 1, h, w).
        padding: Zeros on each side, a multiple of the dilation.
        dilation: Steps between the taps.

    Raises:
        ValueError: The padding is no multiple of the dilation.
    """
    if padding % dilation:
        raise ValueError(f"padding: expected a multiple of the dilation {dilation}, got {padding}")
    differentiated = torch.is_grad_enabled() and (image.requires_grad or weight.requires_grad)
    if image.device.type != "cpu" or not differentiated:
        return _convolve(image, weight, padding, dilation)
    if is_traced():  # the function below would end the graph; in single precision the gradients are right
        with torch.autocast("cpu", enabled=False):
            wide = torch.promote_types(image.dtype, torch.float32)
            return _convolve(image.to(wide), weight.to(wide), padding, dilation).to(image.dtype)
    if torch.is_autocast_enabled("cpu"):  # it does not reach into the function
        image, weight = (tensor.to(torch.get_autocast_dtype("cpu")) for tensor in (image, weight))
    out: Tensor = _DilatedDepthwiseConv.apply(image, weight, padding, dilation)
    return out


def _convolve(image: Tensor, weight: Tensor, padding: int, dilation: int) -> Tensor:
    return F.conv2d(image, weight, None, 1, padding, dilation, image.shape[1])


class _DilatedDepthwiseConv(torch.autograd.Function):
    """The convolution, with gradients by convolutions without dilation.

    Rows and columns that are the dilation apart never meet others: each such sub-grid is a convolution of its own.
    """

    @staticmethod
    def forward(image: Tensor, weight: Tensor, padding: int, dilation: int) -> Tensor:
        """Convolve."""
        return _convolve(image, weight, padding, dilation)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, int, int], output: Tensor) -> None:
        """Keep what the gradients need."""
        image, weight, ctx.padding, ctx.dilation = inputs
        ctx.save_for_backward(image, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients."""
        image, weight = ctx.saved_tensors
        step, wanted = ctx.dilation, [*ctx.needs_input_grad[:2], False]
        padding = [ctx.padding // step] * 2
        d_image = torch.zeros_like(image) if wanted[0] else None
        # Sums of a few thousand products each: of bfloat16, they are added up in single precision.
        d_weight = torch.zeros_like(weight, dtype=torch.promote_types(weight.dtype, torch.float32))
        for row in range(step):
            for column in range(step):
                phase = (..., slice(row, None, step), slice(column, None, step))
                if not grad[phase].numel():
                    continue
                parts = torch.ops.aten.convolution_backward(
                    grad[phase], image[phase], weight, None, [1, 1], padding, [1, 1], False, [0, 0], len(weight), wanted
                )
                if d_image is not None:
                    d_image[phase] = parts[0]
                if wanted[1]:
                    d_weight += parts[1]
        return d_image, d_weight.to(weight.dtype) if wanted[1] else None, None, None
