"""Shapes, tolerances and the comparison shared by the tests of the depth-wise correlation.

Run as a program (with TRITON_INTERPRET=1) it checks the Triton kernels on the CPU, see test_xcorr_triton.py.
"""

from __future__ import annotations

import torch

from pysot.ops import xcorr_depthwise_reference

# (B_x, B_k, C, H, W, h, w)
SMALL = [
    (1, 1, 1, 1, 1, 1, 1),
    (1, 1, 3, 5, 4, 1, 1),
    (2, 2, 2, 7, 9, 4, 3),
    (1, 1, 2, 6, 5, 6, 5),
    (1, 1, 1, 19, 18, 2, 3),  # more positions than one block
    (1, 1, 1, 8, 9, 7, 8),  # more taps than one block
    (3, 1, 2, 5, 6, 2, 2),
    (4, 2, 1, 5, 5, 3, 2),
    (1, 3, 2, 5, 6, 2, 3),
    (2, 4, 1, 4, 6, 3, 3),
]
TRACKERS = [
    (1, 1, 256, 29, 29, 5, 5),
    (1, 1, 256, 24, 24, 4, 4),
    (1, 1, 8, 95, 95, 5, 5),
    (28, 28, 64, 29, 29, 5, 5),
    (6, 2, 64, 29, 29, 5, 5),
    (2, 6, 64, 29, 29, 7, 7),
]
# Relative and absolute; inputs are normal, so sums over the positions of a score map reach about 100.
TOLERANCES = {
    torch.float64: (1e-12, 1e-12),
    torch.float32: (1e-4, 1e-4),
    torch.float16: (4e-3, 2e-2),
    torch.bfloat16: (3e-2, 2e-1),
}


def make_inputs(case, dtype, device="cpu", seed=0):
    """Draw (search, kernel) of the case as leaves that want gradients."""
    n_search, n_kernel, channels, height, width, h, w = case
    rng = torch.Generator().manual_seed(seed)
    search = torch.randn(n_search, channels, height, width, generator=rng, dtype=torch.float64)
    kernel = torch.randn(n_kernel, channels, h, w, generator=rng, dtype=torch.float64)
    return tuple(t.to(device, dtype).requires_grad_() for t in (search, kernel))


def assert_like_reference(run, inputs, reference=xcorr_depthwise_reference):
    """Compare output and both gradients with the loop in float64 on the same (rounded) inputs."""
    out = run(*inputs)
    exact = tuple(t.detach().cpu().double().requires_grad_() for t in inputs)
    expected = reference(*exact)
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1)).to(out.dtype)
    grads = torch.autograd.grad(out, inputs, weights.to(out.device))
    expected_grads = torch.autograd.grad(expected, exact, weights.double())
    rtol, atol = TOLERANCES[out.dtype]
    assert out.dtype == inputs[0].dtype
    for got, want in zip((out, *grads), (expected, *expected_grads), strict=True):
        torch.testing.assert_close(got.cpu().double(), want, rtol=rtol, atol=atol)


def main():
    """Check the interpreted Triton kernels."""
    from pysot.ops.xcorr_triton import depthwise_triton

    for seed, case in enumerate(SMALL):
        for dtype in (torch.float64,) if seed % 2 else (torch.float32,):
            assert_like_reference(depthwise_triton, make_inputs(case, dtype, seed=seed))
    for dtype in (torch.float16, torch.bfloat16):
        assert_like_reference(depthwise_triton, make_inputs((2, 2, 1, 6, 7, 3, 2), dtype))
    strided = [t.detach().transpose(2, 3).requires_grad_() for t in make_inputs(SMALL[2], torch.float64)]
    assert_like_reference(depthwise_triton, strided)
    for case in [(1, 1, 1, 4, 5, 2, 3), (4, 2, 1, 3, 3, 2, 2), (1, 2, 1, 3, 4, 2, 2)]:
        assert torch.autograd.gradcheck(depthwise_triton, make_inputs(case, torch.float64), fast_mode=True)
    print("interpreted kernels agree with the reference")


if __name__ == "__main__":
    main()
