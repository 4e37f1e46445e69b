"""Every path of the two correlations against the loop that specifies them, their gradients and their errors."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from depthwise_cases import SMALL, TOLERANCES, assert_like_reference, make_inputs
from torch.autograd import gradcheck, gradgradcheck

from pysot.ops import xcorr, xcorr_depthwise, xcorr_depthwise_reference, xcorr_reference
from pysot.ops.conv import MAX_FOLD_FILTERS, depthwise_conv, xcorr_conv, xcorr_fold

BATCHES = [(1, 1), (3, 1), (4, 2), (1, 3), (2, 4), (3, 3)]
FILTERS = [1, MAX_FOLD_FILTERS, MAX_FOLD_FILTERS + 1, 10]


def make_upchannel(batches, filters, dtype=torch.float64, channels=3, search=(6, 7), size=(2, 3), seed=0):
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(batches[0], channels, *search, generator=rng, dtype=torch.float64)
    z = torch.randn(batches[1], filters * channels, *size, generator=rng, dtype=torch.float64)
    return x.to(dtype).requires_grad_(), z.to(dtype).requires_grad_()


class TestReference:
    """The specification itself, by hand and against a formula written differently."""

    def test_values_by_hand(self):
        search = torch.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]]])
        kernel = torch.tensor([[[[1.0, 0.0], [0.0, -1.0]], [[2.0, 0.0], [0.0, 3.0]]]])
        # channel 0: 1-5, 2-6; channel 1: 2*0+3*0, 2*1+3*1
        depthwise = torch.tensor([[[[-4.0, -4.0]], [[0.0, 5.0]]]])
        assert torch.equal(xcorr_depthwise_reference(search, kernel), depthwise)
        assert torch.equal(xcorr_reference(search, kernel), depthwise.sum(dim=1, keepdim=True))

    def test_filters_of_a_template_are_consecutive_blocks_of_channels(self):
        search = torch.tensor([1.0, 10.0]).reshape(1, 2, 1, 1)
        kernel = torch.tensor([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1, 1)
        assert xcorr_reference(search, kernel).flatten().tolist() == [21.0, 43.0]

    def test_kernel_of_the_size_of_the_search_is_the_inner_product(self):
        search, kernel = (t.detach() for t in make_inputs((2, 2, 3, 5, 4, 5, 4), torch.float64))
        torch.testing.assert_close(
            xcorr_depthwise_reference(search, kernel).flatten(1), torch.einsum("bchw,bchw->bc", search, kernel)
        )

    def test_batches_pair_consecutive_entries(self):
        ones = torch.ones(1, 1, 1, 1)
        six, two = torch.arange(6.0).reshape(6, 1, 1, 1), torch.tensor([1.0, 10.0]).reshape(2, 1, 1, 1)
        expected = [0.0, 1.0, 2.0, 30.0, 40.0, 50.0]
        for run in (xcorr_depthwise_reference, xcorr_reference, xcorr_depthwise, xcorr):
            assert run(six, two).flatten().tolist() == expected
            assert run(two, six).flatten().tolist() == expected
            assert run(six, ones).flatten().tolist() == six.flatten().tolist()


class TestDepthwise:
    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
    @pytest.mark.parametrize("case", [*SMALL, (2, 2, 32, 17, 15, 5, 5)], ids=str)
    def test_output_and_gradients_match_the_reference(self, case, dtype):
        assert_like_reference(xcorr_depthwise, make_inputs(case, dtype))

    @pytest.mark.parametrize("batches", BATCHES)
    def test_gradients_of_both_orders_match_finite_differences(self, batches):
        inputs = make_inputs((*batches, 2, 4, 5, 2, 3), torch.float64)
        assert gradcheck(xcorr_depthwise, inputs)
        assert gradgradcheck(xcorr_depthwise, inputs)

    def test_gradients_match_those_of_the_convolution(self):
        inputs = make_inputs((4, 4, 16, 29, 29, 5, 5), torch.float32)
        grad = torch.randn(4, 16, 25, 25, generator=torch.Generator().manual_seed(2))
        ours = torch.autograd.grad(xcorr_depthwise(*inputs), inputs, grad)
        theirs = torch.autograd.grad(depthwise_conv(*inputs), inputs, grad)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)

    @pytest.mark.parametrize("wanted", [0, 1])
    def test_one_gradient_alone(self, wanted):
        inputs = make_inputs(SMALL[2], torch.float64)
        both = torch.autograd.grad(xcorr_depthwise(*inputs).sum(), inputs)
        inputs[1 - wanted].requires_grad_(False)
        xcorr_depthwise(*inputs).sum().backward()
        torch.testing.assert_close(inputs[wanted].grad, both[wanted])
        assert inputs[1 - wanted].grad is None


class TestUpChannel:
    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
    @pytest.mark.parametrize("filters", FILTERS)
    @pytest.mark.parametrize("batches", BATCHES)
    def test_output_and_gradients_match_the_reference(self, batches, filters, dtype):
        assert_like_reference(xcorr, make_upchannel(batches, filters, dtype), xcorr_reference)

    @pytest.mark.parametrize("path", [xcorr_conv, xcorr_fold])
    @pytest.mark.parametrize("size", [(1, 1), (6, 7), (4, 2)])
    @pytest.mark.parametrize("batches", BATCHES)
    def test_both_paths_match_the_reference_at_any_size(self, batches, size, path):
        assert_like_reference(path, make_upchannel(batches, 2, size=size), xcorr_reference)

    @pytest.mark.parametrize("filters", [1, MAX_FOLD_FILTERS + 1])
    def test_gradients_match_finite_differences(self, filters):
        inputs = make_upchannel((2, 2), filters, channels=2, search=(3, 4), size=(2, 2))
        assert gradcheck(xcorr, inputs)
        assert gradgradcheck(xcorr, inputs)

    def test_one_filter_is_the_sum_of_the_depthwise_correlation(self):
        inputs = make_upchannel((3, 1), 1, channels=64, search=(22, 22), size=(6, 6))
        torch.testing.assert_close(xcorr(*inputs), xcorr_depthwise(*inputs).sum(dim=1, keepdim=True))


@pytest.mark.parametrize("run", [xcorr, xcorr_depthwise])
class TestBoth:
    def test_memory_layout_does_not_matter(self, run):
        search, kernel = (t.detach() for t in make_inputs((4, 2, 8, 9, 7, 3, 2), torch.float32))
        expected = run(search, kernel)
        layouts = [
            (search.to(memory_format=torch.channels_last), kernel.to(memory_format=torch.channels_last)),
            (search.transpose(2, 3).contiguous().transpose(2, 3), kernel),
            (F.pad(search, (1, 2, 3, 4))[..., 3:-4, 1:-2], kernel.expand(2, 8, 3, 2)),
        ]
        for layout in layouts:
            torch.testing.assert_close(run(*layout), expected)

    def test_scales_linearly_and_moves_with_the_search(self, run):
        search, kernel = (t.detach() for t in make_inputs((1, 1, 4, 12, 12, 3, 3), torch.float64))
        torch.testing.assert_close(run(search * 2.5, kernel), run(search, kernel) * 2.5)
        rolled = torch.roll(search, (2, 1), dims=(2, 3))
        torch.testing.assert_close(run(rolled, kernel)[..., 2:, 1:], run(search, kernel)[..., :-2, :-1])

    def test_autocast_computes_in_half_precision_and_returns_full_gradients(self, run):
        inputs = make_inputs((2, 2, 8, 9, 9, 3, 3), torch.float32)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = run(*inputs)
        assert out.dtype == torch.bfloat16
        rtol, atol = TOLERANCES[torch.bfloat16]
        torch.testing.assert_close(out.float(), run(*inputs), rtol=rtol, atol=atol)
        out.float().sum().backward()
        assert all(t.grad.dtype == torch.float32 for t in inputs)

    def test_autocast_accepts_a_template_kept_in_another_precision(self, run):
        search, kernel = (t.detach() for t in make_inputs((1, 1, 4, 5, 5, 2, 2), torch.float32))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(run(search, kernel.bfloat16()), run(search, kernel))

    @pytest.mark.parametrize("batches", [(1, 1), (2, 2), (4, 2), (2, 4)])
    def test_a_recorded_graph_is_one_convolution(self, run, batches):
        inputs = tuple(t.detach() for t in make_inputs((*batches, 6, 9, 9, 3, 3), torch.float32))

        class Correlation(torch.nn.Module):
            def forward(self, search, kernel):
                return run(search, kernel)

        exported = torch.export.export(Correlation(), inputs)
        targets = [str(node.target) for node in exported.graph.nodes if node.op == "call_function"]
        assert sum("conv2d" in target for target in targets) == 1
        torch.testing.assert_close(exported.module()(*inputs), run(*inputs))
        compiled = torch.compile(run, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(*inputs), run(*inputs))

    def test_functional_gradient(self, run):
        search, kernel = make_inputs((1, 1, 3, 6, 6, 2, 2), torch.float64)
        expected = torch.autograd.grad(run(search, kernel).sum(), kernel)[0]
        got = torch.func.grad(lambda k: run(search.detach(), k).sum())(kernel.detach())
        torch.testing.assert_close(got, expected)

    @pytest.mark.parametrize(
        ("search", "kernel", "error", "message"),
        [
            ([1.0], torch.ones(1, 2, 2, 2), TypeError, "search: expected a torch.Tensor, got list"),
            (torch.ones(1, 2, 3, 3).int(), torch.ones(1, 2, 2, 2), TypeError, "floating point .* torch.int32"),
            (torch.ones(2, 3, 3), torch.ones(1, 2, 2, 2), ValueError, r"search: .*, got \(2, 3, 3\)"),
            (torch.ones(1, 2, 3, 3), torch.ones(1, 3, 2, 2), ValueError, r"the 2 of the search .*\(1, 3, 2, 2\)"),
            (torch.ones(1, 2, 3, 3), torch.ones(1, 0, 2, 2), ValueError, r"no empty .*\(1, 0, 2, 2\)"),
            (torch.ones(1, 2, 3, 3), torch.ones(1, 2, 4, 2), ValueError, r"most .* \(3, 3\), got \(4, 2\)"),
            (torch.ones(3, 2, 3, 3), torch.ones(2, 2, 2, 2), ValueError, "3 searches and 2 kernels"),
            (torch.ones(0, 2, 3, 3), torch.ones(1, 2, 2, 2), ValueError, "0 searches and 1 kernels"),
            (torch.ones(1, 2, 3, 3), torch.ones(1, 2, 2, 2).double(), TypeError, "float32 .* got torch.float64"),
            (torch.ones(1, 2, 3, 3), torch.ones(1, 2, 2, 2, device="meta"), ValueError, "expected cpu .* meta"),
        ],
    )
    def test_unfit_inputs_say_what_was_expected(self, run, search, kernel, error, message):
        with pytest.raises(error, match=message):
            run(search, kernel)


def test_depthwise_takes_no_multiple_of_the_channels():
    with pytest.raises(ValueError, match=r"kernel channels: expected the 2 .* got \(1, 4, 2, 2\)"):
        xcorr_depthwise(torch.ones(1, 2, 3, 3), torch.ones(1, 4, 2, 2))


def test_import_loads_neither_triton_nor_another_package_of_pysot(repo_root):
    code = (
        "import sys, torch; before = set(sys.modules); import pysot.ops; new = set(sys.modules) - before; "
        "print([m for m in new if 'triton' in m.split('.')[0] or (m.startswith('pysot.') and 'ops' not in m)])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=repo_root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
