"""The executor: devices, colours, and the network it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import pysot
from pysot.runtime import Executor, choose_device
from pysot.utils import InputError


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    cfg = pysot.load_cfg("siamrpn_alex_upchannel", ["BACKBONE.KWARGS.width_mult", 0.1, "RPN.KWARGS.feature_in", 25])
    return pysot.build_model(cfg).eval()


@pytest.fixture
def crop():
    return np.random.default_rng(0).integers(0, 256, (127, 127, 3), dtype=np.uint8)


@pytest.mark.parametrize("runtime", ["eager", "fused"])
@pytest.mark.parametrize("color", ["BGR", "RGB"])
def test_crops_become_the_networks_input(network, crop, runtime, color):
    pixels = crop if color == "BGR" else crop[..., ::-1].copy()
    expected = network.encode_template(torch.from_numpy(pixels).permute(2, 0, 1)[None].float()).kernels
    got = Executor(network, torch.device("cpu"), color, runtime).encode_template([crop]).kernels
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * float(other.detach().abs().max()))


def test_the_given_network_stays_as_it_was(network, crop):
    network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    executor = Executor(network, torch.device("cpu"))
    executor.encode_template([crop])
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(InputError, match=r"'cuda:1' was asked for, but torch .* finds no CUDA device"):
        choose_device("cuda:1")
    with pytest.raises(InputError, match="unknown device 'gpu': expected 'auto', 'cpu', 'cuda' or 'cuda:N'"):
        choose_device("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cuda")


def test_unknown_runtime(network):
    with pytest.raises(InputError, match=r"unknown runtime 'fast': expected one of \['eager', 'fused'\]"):
        Executor(network, torch.device("cpu"), runtime="fast")
