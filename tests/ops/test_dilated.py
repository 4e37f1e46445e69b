"""Dilated depth-wise convolution against PyTorch's in double precision."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pysot.ops import dilated_depthwise_conv


def made(dtype: torch.dtype, channels: int, side: int, kernel: int = 3, *, last: bool = False) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(channels * 100 + side)
    image = torch.randn(2, channels, side, side + 3, generator=generator).to(dtype)
    weight = torch.randn(channels, 1, kernel, kernel, generator=generator).to(dtype)
    layout = torch.channels_last if last else torch.contiguous_format
    return image.to(memory_format=layout).requires_grad_(), weight.requires_grad_()


def outputs_and_gradients(function, image: Tensor, weight: Tensor) -> list[Tensor]:
    out = function(image, weight)
    wanted = torch.randn(out.shape, generator=torch.Generator().manual_seed(7)).to(out.dtype)
    return [out, *torch.autograd.grad(out, (image, weight), wanted)]


CASES = itertools.product((torch.float32, torch.bfloat16), (False, True), (7, 15, 31), (3, 5), (1, 2, 4), (True, False))


@pytest.mark.parametrize(
    ("dtype", "last", "side", "kernel", "dilation", "pads"),
    # A kernel fits into the image, or the padding makes room for it.
    [case for case in CASES if case[5] or case[2] > case[4] * (case[3] - 1)],
)
def test_it_is_the_convolution_with_its_gradients(dtype, last, side, kernel, dilation, pads):
    padding = dilation * (kernel // 2) if pads else 0
    image, weight = made(dtype, 32, side, kernel, last=last)
    got = outputs_and_gradients(lambda x, w: dilated_depthwise_conv(x, w, padding, dilation), image, weight)
    exact = [tensor.detach().double().requires_grad_() for tensor in (image, weight)]
    expected = outputs_and_gradients(lambda x, w: F.conv2d(x, w, None, 1, padding, dilation, 32), *exact)
    tolerance = 1e-5 if dtype == torch.float32 else 0.01
    for one, other in zip(got, expected, strict=True):
        assert one.dtype == dtype
        assert float(((one.double() - other).abs().max() / other.abs().max()).detach()) < tolerance


def test_gradcheck():
    image, weight = made(torch.float64, 2, 6)
    assert torch.autograd.gradcheck(lambda x, w: dilated_depthwise_conv(x, w, 2, 2), (image, weight))


def test_only_what_is_asked_for_has_a_gradient():
    image, weight = made(torch.float32, 4, 9)
    dilated_depthwise_conv(image.detach(), weight, 2, 2).sum().backward()
    assert weight.grad is not None
    dilated_depthwise_conv(image, weight.detach(), 2, 2).sum().backward()
    assert image.grad is not None


def test_under_autocast_it_computes_in_bfloat16():
    image, weight = made(torch.float32, 16, 15, last=True)
    with torch.autocast("cpu", torch.bfloat16):
        out = dilated_depthwise_conv(image, weight, 2, 2)
    assert out.dtype == torch.bfloat16
    gradients = torch.autograd.grad(out.float().square().sum(), (image, weight))
    exact = torch.autograd.grad(F.conv2d(image, weight, None, 1, 2, 2, 16).square().sum(), (image, weight))
    for one, other in zip(gradients, exact, strict=True):
        assert one.dtype == torch.float32
        assert float((one - other).abs().max() / other.abs().max()) < 0.02


def test_a_padding_that_does_not_fit_is_refused():
    image, weight = made(torch.float32, 2, 5)
    with pytest.raises(ValueError, match="padding: expected a multiple of the dilation 2, got 1"):
        dilated_depthwise_conv(image, weight, 1, 2)


def test_compiled_its_gradients_are_right_too():
    image, weight = made(torch.float32, 64, 31, last=True)

    def loss(x: Tensor, w: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return dilated_depthwise_conv(x.to(torch.bfloat16), w, 2, 2).float().square().sum()

    torch.compiler.reset()
    gradient = torch.autograd.grad(torch.compile(loss, backend="aot_eager")(image, weight), weight)[0]
    exact = torch.autograd.grad(F.conv2d(image, weight, None, 1, 2, 2, 64).square().sum(), weight)[0]
    assert float((gradient - exact).abs().max() / exact.abs().max()) < 0.02
