"""Depth-wise correlation as Triton kernels, forward and backward. Needs Triton; loaded only to run on a GPU.

Every program works on one (batch entry, channel) plane. Sums run in float32, in float64 for float64 inputs.
The kernels broadcast batches themselves (:mod:`pysot.ops.inputs`): nothing is repeated in memory. Sizes of planes
are compile-time constants: a tracker has few, and dividing by a constant is cheap.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from pysot.ops.inputs import batch_repeats

# Output positions per program and step: planes of a tracker have 17x17 to 97x97, so that little of a block is
# idle and one batch entry of 256 channels still fills a Hopper GPU several times.
BLOCK = 256
# The gradient of the template keeps a (taps, positions) tile of sums in registers.
MAX_TAPS = 32
TAP_POSITIONS = 64


@triton.jit
def correlate_kernel(
    x: tl.tensor,
    k: tl.tensor,
    out: tl.tensor,
    channels: int,
    x_repeat: int,
    k_repeat: int,
    X_HEIGHT: tl.constexpr,
    X_WIDTH: tl.constexpr,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    OUT_HEIGHT: tl.constexpr,
    OUT_WIDTH: tl.constexpr,
    SUM_OVER: tl.constexpr,
    FULL: tl.constexpr,
    SUMS: tl.constexpr,
    POSITIONS: tl.constexpr,
) -> None:
    """Correlate a block of one output plane; ``FULL`` pads x by the kernel less one and flips the kernel.

    Output entry e is the sum of the pairs e*SUM_OVER ..; pair p reads x[p // x_repeat] and k[p // k_repeat].
    """
    plane = tl.program_id(0).to(tl.int64)
    entry = plane // channels
    channel = plane % channels
    position = tl.program_id(1) * POSITIONS + tl.arange(0, POSITIONS)
    inside = position < OUT_HEIGHT * OUT_WIDTH
    row = position // OUT_WIDTH
    column = position % OUT_WIDTH
    if FULL:
        row -= HEIGHT - 1
        column -= WIDTH - 1
    total = tl.zeros([POSITIONS], dtype=SUMS)
    for p in range(SUM_OVER):
        pair = entry * SUM_OVER + p
        x_plane = x + ((pair // x_repeat) * channels + channel) * X_HEIGHT * X_WIDTH
        k_plane = k + ((pair // k_repeat) * channels + channel) * (HEIGHT * WIDTH)
        for i in range(HEIGHT):
            y = row + i
            for j in tl.static_range(WIDTH):
                z = column + j
                valid = inside
                tap = i * WIDTH + j
                if FULL:
                    valid = inside & (y >= 0) & (y < X_HEIGHT) & (z >= 0) & (z < X_WIDTH)
                    tap = HEIGHT * WIDTH - 1 - tap
                value = tl.load(x_plane + y * X_WIDTH + z, mask=valid, other=0.0)
                total += value.to(SUMS) * tl.load(k_plane + tap).to(SUMS)
    tl.store(out + plane * OUT_HEIGHT * OUT_WIDTH + position, total, mask=inside)


@triton.jit
def template_gradient_kernel(
    x: tl.tensor,
    grad: tl.tensor,
    out: tl.tensor,
    channels: int,
    x_repeat: int,
    X_HEIGHT: tl.constexpr,
    X_WIDTH: tl.constexpr,
    GRAD_HEIGHT: tl.constexpr,
    GRAD_WIDTH: tl.constexpr,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    SUM_OVER: tl.constexpr,
    SUMS: tl.constexpr,
    TAPS: tl.constexpr,
    POSITIONS: tl.constexpr,
) -> None:
    """Sum x[tap + position] * grad[position] over the positions for a block of the taps of one template plane."""
    plane = tl.program_id(0).to(tl.int64)
    entry = plane // channels
    channel = plane % channels
    tap = tl.program_id(1) * TAPS + tl.arange(0, TAPS)
    is_tap = tap < HEIGHT * WIDTH
    tap_offset = (tap // WIDTH) * X_WIDTH + tap % WIDTH
    total = tl.zeros([TAPS, POSITIONS], dtype=SUMS)
    for p in range(SUM_OVER):
        pair = entry * SUM_OVER + p
        x_plane = x + ((pair // x_repeat) * channels + channel) * X_HEIGHT * X_WIDTH
        grad_plane = grad + (pair * channels + channel) * GRAD_HEIGHT * GRAD_WIDTH
        for start in range(0, GRAD_HEIGHT * GRAD_WIDTH, POSITIONS):
            position = start + tl.arange(0, POSITIONS)
            inside = position < GRAD_HEIGHT * GRAD_WIDTH
            offset = (position // GRAD_WIDTH) * X_WIDTH + position % GRAD_WIDTH
            weight = tl.load(grad_plane + position, mask=inside, other=0.0).to(SUMS)
            valid = is_tap[:, None] & inside[None, :]
            value = tl.load(x_plane + tap_offset[:, None] + offset[None, :], mask=valid, other=0.0)
            total += value.to(SUMS) * weight[None, :]
    tl.store(out + plane * HEIGHT * WIDTH + tap, tl.sum(total, axis=1), mask=is_tap)


def _correlate(search: Tensor, kernel: Tensor) -> Tensor:
    """Correlate without gradients; shapes as :func:`pysot.ops.xcorr_depthwise`."""
    batch = max(search.shape[0], kernel.shape[0])
    repeats = batch_repeats(search.shape[0], kernel.shape[0])
    height, width = search.shape[2] - kernel.shape[2] + 1, search.shape[3] - kernel.shape[3] + 1
    out = search.new_empty(batch, search.shape[1], height, width)
    _launch_correlate(search, kernel, out, *repeats, sum_over=1, full=False)
    return out


def _search_gradient(grad: Tensor, kernel: Tensor, search: Tensor) -> Tensor:
    """Return dL/dsearch: the full correlation of dL/dout with the flipped template, summed over shared uses."""
    out = torch.empty_like(search, memory_format=torch.contiguous_format)
    sum_over, k_repeat = batch_repeats(search.shape[0], kernel.shape[0])
    _launch_correlate(grad, kernel, out, 1, k_repeat, sum_over=sum_over, full=True)
    return out


def _launch_correlate(
    x: Tensor, k: Tensor, out: Tensor, x_repeat: int, k_repeat: int, *, sum_over: int, full: bool
) -> None:
    planes, area = out.shape[0] * out.shape[1], out.shape[2] * out.shape[3]
    with _on_device_of(x):
        correlate_kernel[planes, triton.cdiv(area, BLOCK)](
            x,
            k,
            out,
            x.shape[1],
            x_repeat,
            k_repeat,
            *x.shape[2:],
            *k.shape[2:],
            *out.shape[2:],
            SUM_OVER=sum_over,
            FULL=full,
            SUMS=_sum_type(x),
            POSITIONS=BLOCK,
        )


def _template_gradient(search: Tensor, grad: Tensor, kernel: Tensor) -> Tensor:
    """Return dL/dkernel: the correlation of the search features with dL/dout, summed over shared uses."""
    out = torch.empty_like(kernel, memory_format=torch.contiguous_format)
    x_repeat, sum_over = batch_repeats(search.shape[0], kernel.shape[0])
    area = kernel.shape[2] * kernel.shape[3]
    taps = min(MAX_TAPS, triton.next_power_of_2(area))
    with _on_device_of(search):
        template_gradient_kernel[kernel.shape[0] * kernel.shape[1], triton.cdiv(area, taps)](
            search,
            grad,
            out,
            search.shape[1],
            x_repeat,
            *search.shape[2:],
            *grad.shape[2:],
            *kernel.shape[2:],
            SUM_OVER=sum_over,
            SUMS=_sum_type(search),
            TAPS=taps,
            POSITIONS=TAP_POSITIONS,
        )
    return out


def _sum_type(tensor: Tensor) -> tl.dtype:
    return tl.float64 if tensor.dtype == torch.float64 else tl.float32


def _on_device_of(tensor: Tensor) -> contextlib.AbstractContextManager[Any]:
    """Select the tensor's GPU, because Triton launches on the current one; its interpreter runs on the CPU."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else contextlib.nullcontext()


class TritonDepthwise(torch.autograd.Function):
    """Depth-wise correlation and its two first-order gradients as Triton kernels."""

    @staticmethod
    def forward(ctx: Any, search: Tensor, kernel: Tensor) -> Tensor:
        """Correlate; the kernels read packed planes, so other memory layouts are copied first."""
        search, kernel = search.contiguous(), kernel.contiguous()
        ctx.save_for_backward(search, kernel)
        return _correlate(search, kernel)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the gradients that were asked for."""
        search, kernel = ctx.saved_tensors
        grad = grad.contiguous()
        d_search = _search_gradient(grad, kernel, search) if ctx.needs_input_grad[0] else None
        d_kernel = _template_gradient(search, grad, kernel) if ctx.needs_input_grad[1] else None
        return d_search, d_kernel


def depthwise_triton(search: Tensor, kernel: Tensor) -> Tensor:
    """Correlate channel by channel; checked arguments as :func:`pysot.ops.xcorr_depthwise`, once differentiable."""
    return TritonDepthwise.apply(search, kernel)
