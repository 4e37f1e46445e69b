"""The Triton kernels: their arithmetic in Triton's interpreter, that they compile for Hopper, and on a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from depthwise_cases import SMALL, TRACKERS, assert_like_reference, make_inputs

from pysot.ops import xcorr_depthwise

triton = pytest.importorskip("triton", reason="the kernels need triton")


def test_interpreted_kernels_match_the_reference(repo_root: Path):
    # A process of its own: the interpreter is chosen when triton is imported.
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": str(repo_root), "OMP_NUM_THREADS": "1"}
    script = Path(__file__).with_name("depthwise_cases.py")
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "agree" in done.stdout


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp64"])
def test_correlation_compiles_for_hopper(dtype, full, tmp_path, monkeypatch):
    from pysot.ops import xcorr_triton

    sizes = {"X_HEIGHT": 29, "X_WIDTH": 29, "HEIGHT": 5, "WIDTH": 5, "OUT_HEIGHT": 25, "OUT_WIDTH": 25}
    constants = {**sizes, "SUM_OVER": 1, "FULL": full, "POSITIONS": xcorr_triton.BLOCK}
    assert compile_for_hopper(xcorr_triton.correlate_kernel, constants, dtype, tmp_path, monkeypatch)


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp64"])
def test_template_gradient_compiles_for_hopper(dtype, tmp_path, monkeypatch):
    from pysot.ops import xcorr_triton

    sizes = {"X_HEIGHT": 29, "X_WIDTH": 29, "GRAD_HEIGHT": 25, "GRAD_WIDTH": 25, "HEIGHT": 5, "WIDTH": 5}
    constants = {**sizes, "SUM_OVER": 1, "TAPS": 32, "POSITIONS": xcorr_triton.TAP_POSITIONS}
    assert compile_for_hopper(xcorr_triton.template_gradient_kernel, constants, dtype, tmp_path, monkeypatch)


def compile_for_hopper(kernel, constants, dtype, tmp_path, monkeypatch):
    """Return the machine code for compute capability 9.0; this needs no GPU."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    if tuple(map(int, triton.__version__.split(".")[:2])) < (3, 3):
        pytest.skip("compiling without a GPU is written for triton >= 3.3")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("TRITON_DEFAULT_FP_FUSION", "1")
    constants = constants | {"SUMS": triton.language.float64 if dtype == "fp64" else triton.language.float32}
    kinds = {"x": f"*{dtype}", "k": f"*{dtype}", "grad": f"*{dtype}", "out": f"*{dtype}"}
    signature = {n: "constexpr" if n in constants else kinds.get(n, "i32") for n in kernel.arg_names}
    return triton.compile(ASTSource(kernel, signature, constants), target=GPUTarget("cuda", 90, 32)).asm["cubin"]


@pytest.fixture
def exact_convolutions():
    """Keep cuDNN from rounding float32 to TF32, which the tolerances do not allow for."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.usefixtures("exact_convolutions")
class TestOnGpu:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64], ids=str)
    @pytest.mark.parametrize("case", SMALL + TRACKERS, ids=str)
    def test_kernels_match_the_reference(self, case, dtype):
        from pysot.ops.xcorr_triton import depthwise_triton

        assert_like_reference(depthwise_triton, make_inputs(case, dtype, "cuda"))

    @pytest.mark.parametrize("backend", ["auto", "conv", "triton"])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
    @pytest.mark.parametrize("case", [SMALL[2], SMALL[7], SMALL[9], TRACKERS[0], TRACKERS[3]], ids=str)
    def test_every_backend_matches_the_reference(self, case, dtype, backend):
        from pysot.ops import set_depthwise_backend

        with set_depthwise_backend(backend):
            assert_like_reference(xcorr_depthwise, make_inputs(case, dtype, "cuda"))

    def test_gradients_match_finite_differences(self):
        from pysot.ops.xcorr_triton import depthwise_triton

        for case in [(2, 2, 2, 4, 5, 2, 3), (4, 2, 1, 3, 3, 2, 2), (1, 2, 1, 3, 4, 2, 2)]:
            assert torch.autograd.gradcheck(depthwise_triton, make_inputs(case, torch.float64, "cuda"))

    @pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
    def test_memory_layout_does_not_matter(self, layout):
        inputs = make_inputs(TRACKERS[4], torch.float32, "cuda")
        inputs = [t.detach().to(memory_format=layout).requires_grad_() for t in inputs]
        assert_like_reference(xcorr_depthwise, inputs)

    def test_the_choice_is_measured_once_and_serves_a_cuda_graph(self):
        from pysot.ops import backend, set_depthwise_backend

        search, kernel = (t.detach() for t in make_inputs(TRACKERS[0], torch.float32, "cuda"))
        with set_depthwise_backend("auto"):
            eager = xcorr_depthwise(search, kernel)
            timed = len(backend._choice._chosen)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                captured = xcorr_depthwise(search, kernel)
            graph.replay()
        assert len(backend._choice._chosen) == timed
        torch.testing.assert_close(captured, eager)

    def test_autocast_runs_in_half_precision_and_returns_full_gradients(self):
        inputs = make_inputs(TRACKERS[0], torch.float32, "cuda")
        with torch.autocast("cuda", dtype=torch.bfloat16):
            out = xcorr_depthwise(*inputs)
        out.float().sum().backward()
        assert out.dtype == torch.bfloat16
        assert all(t.grad.dtype == torch.float32 for t in inputs)
