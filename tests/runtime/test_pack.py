"""Convolutions packed for oneDNN compute what PyTorch's do."""

from __future__ import annotations

import copy
import itertools
import pickle

import numpy as np
import pytest
import torch
from torch import nn

import pysot
from pysot.runtime import Executor, executor, pack

CPU = torch.device("cpu")

needs_packing = pytest.mark.skipif(not pack.can_pack(CPU), reason="this PyTorch packs no convolutions for this CPU")


@needs_packing
@pytest.mark.parametrize(
    ("groups", "kernel", "stride", "padding", "dilation", "bias"),
    list(itertools.product([1, 8], [1, 3], [1, 2], [0, 1], [1, 2], [True, False])),
)
def test_a_packed_convolution_is_the_convolution(groups, kernel, stride, padding, dilation, bias):
    torch.manual_seed(kernel + 10 * stride + 100 * groups)
    conv = nn.Conv2d(8, 16, kernel, stride, padding, dilation, groups, bias)
    packed = pack.PackedConv2d(conv, (1, 8, 17, 19))
    with torch.inference_mode():
        for shape in [(1, 8, 17, 19), (3, 8, 9, 8)]:  # packed for the first, right for every other
            for layout in (torch.contiguous_format, torch.channels_last):
                inputs = torch.randn(shape).to(memory_format=layout)
                torch.testing.assert_close(packed(inputs), conv(inputs), rtol=1e-5, atol=1e-5)


@needs_packing
@pytest.mark.parametrize("activation", [nn.ReLU(), nn.ReLU6(inplace=True)])
def test_an_activation_that_follows_is_applied_with_the_convolution(activation):
    torch.manual_seed(0)
    between = [[], [nn.Identity()], [nn.BatchNorm2d(16)], [nn.Sigmoid()]]
    for layers, fused in zip(between, (True, True, False, False), strict=True):
        plain = nn.Sequential(nn.Conv2d(8, 16, 3), *layers, activation, nn.Conv2d(16, 4, 1)).eval()
        packed = pack._packed(plain, {"0": (1, 8, 9, 9), f"{len(plain) - 1}": (1, 16, 7, 7)})
        assert isinstance(packed[-2], nn.Identity) == fused
        assert type(plain[-2]) is type(activation)
        inputs = 20 * torch.randn(1, 8, 9, 9)  # beyond both of ReLU6's bounds
        with torch.inference_mode():
            torch.testing.assert_close(packed(inputs), plain(inputs), rtol=1e-5, atol=1e-4)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    overrides = ["BACKBONE.KWARGS.width_mult", 0.25, "ADJUST.KWARGS.in_channels", [8, 24, 80]]
    cfg = pysot.load_cfg("siamrpn_mobilev2_l234_dwxcorr", [*overrides, "BACKBONE.PRETRAINED", ""])
    return pysot.build_model(cfg).eval()


def crops_of(size: int, count: int = 1) -> list[np.ndarray]:
    rng = np.random.default_rng(size)
    return [rng.integers(0, 256, (size, size, 3), dtype=np.uint8) for _ in range(count)]


@needs_packing
@pytest.mark.parametrize("runtime", ["eager", "fused"])
def test_every_search_gives_what_the_plain_network_gives(network, runtime, monkeypatch):
    packing = Executor(network, CPU, runtime=runtime)
    monkeypatch.setattr(executor, "can_pack", lambda device: device.type != "cpu")
    plain = Executor(network, CPU, runtime=runtime)
    template = plain.encode_template(crops_of(127))
    for size, count in [(255, 1), (255, 1), (287, 1), (255, 1), (255, 1)]:
        monkeypatch.setattr(executor, "can_pack", lambda device: False)
        expected = plain.search(template, crops_of(size, count))
        monkeypatch.setattr(executor, "can_pack", lambda device: True)
        got = packing.search(template, crops_of(size, count))
        for one, other in ((got.cls, expected.cls), (got.loc, expected.loc)):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-5 * float(other.abs().max()))
    assert packing._packed is not None
    assert packing._packed_size == 255
    assert plain._packed is None


@needs_packing
def test_only_packed_weights_are_held_twice(network):
    runner = Executor(network, CPU)
    runner.search(runner.encode_template(crops_of(127)), crops_of(255))
    assert runner._packed is not None
    own = {tensor.data_ptr() for tensor in runner.network.state_dict().values()}
    assert all(tensor.data_ptr() in own for tensor in runner._packed.state_dict().values())
    assert any(isinstance(module, pack.PackedConv2d) for module in runner._packed.modules())
    assert not any(isinstance(module, pack.PackedConv2d) for module in runner.network.modules())


@needs_packing
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda runner: pickle.loads(pickle.dumps(runner))])
def test_an_executor_in_use_is_copied(network, clone):
    runner = Executor(network, CPU)
    template = runner.encode_template(crops_of(127))
    runner.search(template, crops_of(255))
    other = clone(runner)
    assert other._packed is None
    grown = other.search(template, crops_of(287))  # another size first: the copy packs for the size the original did
    assert torch.equal(grown.cls, runner.search(template, crops_of(287)).cls)
    assert torch.equal(other.search(template, crops_of(255)).cls, runner.search(template, crops_of(255)).cls)
    assert other._packed is not None


def test_a_pytorch_without_these_parts_runs_plainly(network, monkeypatch):
    pack._packs.cache_clear()
    monkeypatch.setattr(pack.PackedConv2d, "forward", lambda self, inputs: torch.ops.mkldnn.is_gone(inputs))
    assert not pack.can_pack(CPU)
    runner = Executor(network, CPU)
    assert runner.search(runner.encode_template(crops_of(127)), crops_of(255)).cls.isfinite().all()
    assert runner._packed is None
    pack._packs.cache_clear()


def test_asking_draws_no_random_numbers():
    pack._packs.cache_clear()
    before = torch.get_rng_state()
    pack.can_pack(CPU)
    assert torch.equal(torch.get_rng_state(), before)
