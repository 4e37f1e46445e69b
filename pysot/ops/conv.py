"""The correlations through PyTorch's own operators: convolutions, and on the CPU what measured faster.

Numbers behind the choices: docs/ops.md; ``python benchmarks/xcorr.py`` measures them again.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pysot.ops.inputs import batch_repeats

# Up to this many filters per template, one matrix product and a fold beat the convolution on the CPU, whose
# blocks are 16 output channels wide whether or not there are 16.
MAX_FOLD_FILTERS = 4


def is_traced() -> bool:
    """Tell whether a graph is being recorded (compile, export, trace), which plain operators serve best."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


def xcorr_conv(search: Tensor, kernel: Tensor) -> Tensor:
    """Correlate over all channels with convolutions; arguments as :func:`pysot.ops.xcorr`."""
    (n_search, channels), n_kernel = search.shape[:2], kernel.shape[0]
    filters = kernel.reshape(-1, channels, *kernel.shape[2:])
    if min(n_search, n_kernel) == 1:
        out = F.conv2d(search, filters)
    elif search.device.type == "cpu" and not is_traced():
        # On the CPU one convolution per pair is 2 to 4 times as fast as groups.
        out = _xcorr_pairs(search, filters, min(n_search, n_kernel))
    else:
        filters = _repeat(kernel, batch_repeats(n_search, n_kernel)[1]).reshape(-1, *filters.shape[1:])
        row = search.reshape(1, n_search * channels, *search.shape[2:])
        out = F.conv2d(row, filters, groups=n_search)
    return out.reshape(max(n_search, n_kernel), kernel.shape[1] // channels, *out.shape[2:])


def _xcorr_pairs(search: Tensor, filters: Tensor, pairs: int) -> Tensor:
    searches = search.split(search.shape[0] // pairs)
    templates = filters.split(filters.shape[0] // pairs)
    return torch.cat([F.conv2d(x, z) for x, z in zip(searches, templates, strict=True)])


def xcorr_fold(search: Tensor, kernel: Tensor) -> Tensor:
    """Correlate over all channels with one matrix product over the channels, then add up the taps' planes.

    Every tap of every filter meets every search position; the product at position p for tap t belongs to the
    output at p - t, and ``fold`` with the taps flipped sums exactly those. Arguments as :func:`pysot.ops.xcorr`.
    """
    (n_search, channels), n_kernel = search.shape[:2], kernel.shape[0]
    height, width = kernel.shape[2:]
    pairs = min(n_search, n_kernel)
    taps = kernel.reshape(pairs, -1, channels, height, width).flip(3, 4)
    taps = taps.permute(0, 1, 3, 4, 2).reshape(pairs, 1, -1, channels)
    products = taps @ search.reshape(pairs, n_search // pairs, channels, -1)
    filters = kernel.shape[1] // channels
    return F.fold(
        products.reshape(max(n_search, n_kernel), filters * height * width, -1),
        output_size=(search.shape[2] - height + 1, search.shape[3] - width + 1),
        kernel_size=(height, width),
        padding=(height - 1, width - 1),
    )


def depthwise_conv(search: Tensor, kernel: Tensor, padding: tuple[int, int] = (0, 0)) -> Tensor:
    """Correlate channel by channel with one grouped convolution; arguments as :func:`pysot.ops.xcorr_depthwise`.

    ``padding`` is the number of zero rows and columns added on each side of the search features.
    """
    channels = search.shape[1]
    if kernel.shape[0] == 1:
        return F.conv2d(search, kernel.transpose(0, 1), padding=padding, groups=channels)
    search_repeat, kernel_repeat = batch_repeats(search.shape[0], kernel.shape[0])
    search, kernel = _repeat(search, search_repeat), _repeat(kernel, kernel_repeat)
    groups = search.shape[0] * channels
    row = F.conv2d(
        search.reshape(1, groups, *search.shape[2:]),
        kernel.reshape(groups, 1, *kernel.shape[2:]),
        padding=padding,
        groups=groups,
    )
    return row.reshape(-1, channels, *row.shape[2:])


def _repeat(tensor: Tensor, times: int) -> Tensor:
    return tensor if times == 1 else tensor.repeat_interleave(times, dim=0)


class DepthwiseCorrelation(torch.autograd.Function):
    """The grouped convolution with both gradients as correlations too, several times faster on the CPU.

    With y = corr(x, k) padded by p: dL/dx = corr(dL/dy, flipped k) padded by size(k) - 1 - p, and
    dL/dk = corr(x, dL/dy) padded by p. The forward convolution of oneDNN is fast at any kernel size, its
    gradient with respect to the weights of a convolution of one channel per group is not.
    """

    @staticmethod
    def forward(search: Tensor, kernel: Tensor, padding: tuple[int, int]) -> Tensor:
        """Correlate as :func:`depthwise_conv`."""
        return depthwise_conv(search, kernel, padding)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, tuple[int, int]], output: Tensor) -> None:
        """Keep what the gradients need."""
        search, kernel, ctx.padding = inputs
        ctx.save_for_backward(search, kernel)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Return the gradients; they are made of this function, so they can be differentiated again."""
        search, kernel = ctx.saved_tensors
        (grad,) = grads
        d_search = d_kernel = None
        if ctx.needs_input_grad[0]:
            padding = (kernel.shape[2] - 1 - ctx.padding[0], kernel.shape[3] - 1 - ctx.padding[1])
            full = DepthwiseCorrelation.apply(grad, kernel.flip(2, 3), padding)
            d_search = _sum_shared(full, search.shape[0])
        if ctx.needs_input_grad[1]:
            d_kernel = _sum_shared(DepthwiseCorrelation.apply(search, grad, ctx.padding), kernel.shape[0])
        return d_search, d_kernel, None


def _sum_shared(grad: Tensor, batch: int) -> Tensor:
    """Add up the gradients of the consecutive output entries that shared one input entry."""
    return grad if grad.shape[0] == batch else grad.reshape(batch, -1, *grad.shape[1:]).sum(dim=1)
