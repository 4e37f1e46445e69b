"""Which implementation of the depth-wise correlation runs on CUDA: a fixed one, or whichever measures faster."""

from __future__ import annotations

import functools
import importlib.util
import logging
import threading
from collections.abc import Callable, Hashable, Mapping
from contextvars import ContextVar
from types import TracebackType

import torch
from torch import Tensor

from pysot.ops.conv import depthwise_conv

BACKENDS = ("auto", "conv", "triton")

Correlation = Callable[[Tensor, Tensor], Tensor]
_log = logging.getLogger(__name__)
_backend: ContextVar[str] = ContextVar("depthwise_backend", default="auto")


class set_depthwise_backend:
    """Choose what :func:`pysot.ops.xcorr_depthwise` runs on CUDA; as a context manager, for the block alone.

    ``"conv"`` is the grouped convolution, ``"triton"`` the Triton kernel (first-order gradients only), ``"auto"``
    (the default) times both on the first call with new shapes and keeps the faster one for them. The choice holds
    for the calling thread. The CPU and recorded graphs (compile, export) always use PyTorch's own operators.

    Raises:
        ValueError: the name is unknown.
        ImportError: ``"triton"`` is asked for and not installed.

    Example:
        >>> with set_depthwise_backend("conv"):
        ...     depthwise_backend()
        'conv'
        >>> depthwise_backend()
        'auto'
    """

    def __init__(self, name: str) -> None:
        if name not in BACKENDS:
            raise ValueError(f"depth-wise backend: expected one of {list(BACKENDS)}, got {name!r}")
        if name == "triton" and importlib.util.find_spec("triton") is None:
            raise ImportError("depth-wise backend 'triton' needs the package triton: expected it installed")
        self._previous = _backend.get()
        _backend.set(name)

    def __enter__(self) -> None:
        """Keep the choice made; leaving restores the one before."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _backend.set(self._previous)


class FastestChoice:
    """Remember per key which candidate took the least time; every key is timed once, by one thread.

    Example:
        >>> FastestChoice().among("key", {"a": lambda: 2.0, "b": lambda: 1.0})
        'b'
    """

    def __init__(self) -> None:
        self._chosen: dict[Hashable, str] = {}
        self._lock = threading.Lock()

    def known(self, key: Hashable) -> str | None:
        """Return the name that won for ``key``, or None while it is untimed."""
        return self._chosen.get(key)

    def among(self, key: Hashable, timers: Mapping[str, Callable[[], float]]) -> str:
        """Return the fastest name for ``key``; the first must work, one of the others that fails is left out."""
        with self._lock:
            if key not in self._chosen:
                self._chosen[key] = _fastest(timers)
            return self._chosen[key]


def _fastest(timers: Mapping[str, Callable[[], float]]) -> str:
    (first, first_timer), *others = timers.items()
    times = {first: first_timer()}
    for name, timer in others:
        try:
            times[name] = timer()
        except Exception as error:  # a GPU compiler fails in many ways, and the first candidate is there
            _log.info("depth-wise correlation without %s: %s", name, error)
    return min(times, key=times.__getitem__)


_choice = FastestChoice()


def depthwise_backend() -> str:
    """Return the backend that is set for the calling thread."""
    return _backend.get()


def depthwise_cuda(search: Tensor, kernel: Tensor) -> Tensor:
    """Correlate channel by channel on CUDA with the chosen backend; inputs are checked already."""
    return _implementation(search, kernel)(search, kernel)


def _implementation(search: Tensor, kernel: Tensor) -> Correlation:
    backend = _backend.get()
    triton = _load_triton() if backend != "conv" else None
    if triton is None:
        return depthwise_conv
    if backend == "auto":
        if torch.are_deterministic_algorithms_enabled():
            return depthwise_conv  # a choice by the clock may differ from run to run
        backend = _measured(search, kernel, triton)
    return triton if backend == "triton" else depthwise_conv


def _measured(search: Tensor, kernel: Tensor, triton: Correlation) -> str:
    grads = (torch.is_grad_enabled() and search.requires_grad, torch.is_grad_enabled() and kernel.requires_grad)
    packed = (search.is_contiguous(), kernel.is_contiguous())
    key = (search.shape, kernel.shape, search.dtype, search.device, grads, packed)
    known = _choice.known(key)
    if known is not None:
        return known
    if torch.cuda.is_current_stream_capturing():
        return "conv"  # nothing can be timed while a CUDA graph records
    timers = {
        name: functools.partial(_milliseconds, run, search, kernel, grads)
        for name, run in (("conv", depthwise_conv), ("triton", triton))
    }
    return _choice.among(key, timers)


def _milliseconds(run: Correlation, search: Tensor, kernel: Tensor, grads: tuple[bool, bool]) -> float:
    """Time ten calls, with the gradients that the caller needs; the best of three rounds after a warm-up."""
    search = search.detach().requires_grad_(grads[0])
    kernel = kernel.detach().requires_grad_(grads[1])
    wanted = [tensor for tensor in (search, kernel) if tensor.requires_grad]

    def ten_calls() -> None:
        for _ in range(10):
            out = run(search, kernel)
            if wanted:
                torch.autograd.grad(out, wanted, torch.ones_like(out))

    with torch.cuda.device(search.device), torch.set_grad_enabled(bool(wanted)):
        ten_calls()
        rounds = []
        for _ in range(3):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            ten_calls()
            end.record()
            end.synchronize()
            rounds.append(start.elapsed_time(end))
    return min(rounds)


@functools.cache
def _load_triton() -> Correlation | None:
    """Import the kernels on first use; None where Triton is missing or does not load."""
    try:
        from pysot.ops.xcorr_triton import depthwise_triton
    except ImportError:
        return None
    return depthwise_triton
