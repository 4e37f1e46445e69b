"""The choice of the CUDA implementation: what can be said without a GPU."""

from __future__ import annotations

import importlib.util
import sys
import threading

import pytest
import torch

from pysot.ops import backend, depthwise_backend, set_depthwise_backend


@pytest.fixture(autouse=True)
def restore_default():
    yield
    set_depthwise_backend("auto")


def test_a_call_sets_and_a_block_restores():
    assert depthwise_backend() == "auto"
    set_depthwise_backend("conv")
    with set_depthwise_backend("auto"):
        assert depthwise_backend() == "auto"
        with pytest.raises(RuntimeError, match="stop"), set_depthwise_backend("conv"):
            raise RuntimeError("stop")
        assert depthwise_backend() == "auto"
    assert depthwise_backend() == "conv"


def test_the_setting_is_the_threads_own():
    set_depthwise_backend("conv")
    seen = []
    thread = threading.Thread(target=lambda: seen.append(depthwise_backend()))
    thread.start()
    thread.join()
    assert seen == ["auto"]


def test_unknown_name():
    with pytest.raises(ValueError, match=r"one of \['auto', 'conv', 'triton'\], got 'cudnn'"):
        set_depthwise_backend("cudnn")
    assert depthwise_backend() == "auto"


def test_triton_must_be_installed_to_be_asked_for(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="triton"):
        set_depthwise_backend("triton")
    assert depthwise_backend() == "auto"


def test_without_triton_auto_is_the_convolution(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "pysot.ops.xcorr_triton", raising=False)
    backend._load_triton.cache_clear()
    try:
        ones = torch.ones(1, 2, 3, 3)
        assert backend._implementation(ones, ones) is backend.depthwise_conv
    finally:
        backend._load_triton.cache_clear()


def test_deterministic_algorithms_leave_nothing_to_the_clock(monkeypatch):
    monkeypatch.setattr(backend, "_load_triton", lambda: pytest.fail)
    monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: True)
    ones = torch.ones(1, 2, 3, 3)
    assert backend._implementation(ones, ones) is backend.depthwise_conv


def test_every_key_is_timed_once_also_by_many_threads():
    choice, calls = backend.FastestChoice(), []
    timers = {"slow": lambda: calls.append("slow") or 2.0, "fast": lambda: calls.append("fast") or 1.0}
    results = []
    threads = [threading.Thread(target=lambda: results.append(choice.among("key", timers))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["fast"] * 8
    assert calls == ["slow", "fast"]
    assert choice.known("key") == "fast"
    assert choice.known("other") is None


def test_a_candidate_that_fails_is_left_out(caplog):
    def broken():
        raise RuntimeError("no compiler here")

    with caplog.at_level("INFO", logger="pysot.ops.backend"):
        assert backend.FastestChoice().among("key", {"conv": lambda: 5.0, "triton": broken}) == "conv"
    assert "without triton: no compiler here" in caplog.text
