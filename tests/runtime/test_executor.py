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
    with pytest.raises(InputError, match="device 'meta' cannot be used with torch"):
        choose_device("meta")
    assert choose_device(torch.device("cpu")) == torch.device("cpu")


def test_devices_where_there_is_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto") == torch.device("cuda")
    assert choose_device("cuda") == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(InputError, match=r"'cuda:2' was asked for, but torch .* finds 2 CUDA devices"):
        choose_device("cuda:2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match=r"'cuda:1' was asked for, but torch .* finds 1 CUDA device$"):
        choose_device("cuda:1")


@pytest.mark.parametrize("runtime", ["eager", "fused"])
def test_a_batch_of_crops_is_answered_crop_by_crop(network, runtime):
    rng = np.random.default_rng(1)
    templates = [rng.integers(0, 256, (127, 127, 3), dtype=np.uint8) for _ in range(2)]
    searches = [rng.integers(0, 256, (191, 191, 3), dtype=np.uint8) for _ in range(2)]
    executor = Executor(network, torch.device("cpu"), runtime=runtime)
    together = executor.search(executor.encode_template(templates), searches)
    for index, (template, search) in enumerate(zip(templates, searches, strict=True)):
        alone = executor.search(executor.encode_template([template]), [search])
        largest = float(alone.cls.abs().max())
        torch.testing.assert_close(together.cls[index], alone.cls[0], rtol=1e-4, atol=1e-4 * largest)
    assert together.cls.is_inference()
    assert together.cls.dtype == torch.float32


def test_crops_may_be_views_of_a_frame(network, crop):
    frame = np.random.default_rng(2).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    view = frame[20:147, 40:167]
    executor = Executor(network, torch.device("cpu"))
    expected = executor.encode_template([view.copy()]).kernels[0]
    assert torch.equal(executor.encode_template([view]).kernels[0], expected)
    flipped = np.ascontiguousarray(view[:, ::-1])
    assert torch.equal(
        executor.encode_template([view[:, ::-1]]).kernels[0], executor.encode_template([flipped]).kernels[0]
    )


def test_an_executor_serves_several_trackers(network, crop):
    executor = Executor(network, torch.device("cpu"))
    first = executor.encode_template([crop])
    search = np.random.default_rng(3).integers(0, 256, (191, 191, 3), dtype=np.uint8)
    before = executor.search(first, [search]).cls
    executor.search(executor.encode_template([crop[::-1]]), [search])
    assert torch.equal(executor.search(first, [search]).cls, before)


@pytest.mark.parametrize(
    "experiment",
    ["siamfc_synthetic", "siamrpn_mobilev2_synthetic", "siammask_synthetic_refine", "dasiamrpn_distractor"],
)
def test_bfloat16_rounds_and_gives_float32(experiment):
    torch.manual_seed(1)
    network = pysot.build_model(pysot.load_cfg(experiment)).eval()
    rng = np.random.default_rng(1)
    template, search = (rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for side in (127, 191))
    answers = {}
    for runtime in ("fused", "bf16"):
        executor = Executor(network, torch.device("cpu"), runtime=runtime)
        encoded = executor.encode_template([template])
        output = executor.search(encoded._replace(features=()), [search])
        answers[runtime] = [*encoded.features, output.cls, *output.features, *output.quality]
        if output.loc is not None:
            answers[runtime].append(output.loc)
        if executor.network.mask_size is not None:
            answers[runtime].append(executor.masks_at(output, torch.tensor([[0, 5, 6]])))
    for coarse, exact in zip(answers["bf16"], answers["fused"], strict=True):
        assert coarse.dtype == torch.float32
        assert 0 < float((coarse - exact).abs().max()) < 0.1 * float(exact.abs().max())


@pytest.mark.gpu
@pytest.mark.parametrize("runtime", ["eager", "fused"])
@pytest.mark.parametrize("color", ["BGR", "RGB"])
def test_cuda_answers_as_the_cpu(network, crop, runtime, color):
    search = np.random.default_rng(3).integers(0, 256, (287, 287, 3), dtype=np.uint8)
    maps = []
    for device in ("cpu", "cuda"):
        executor = Executor(network, choose_device(device), color, runtime)
        output = executor.search(executor.encode_template([crop]), [search])
        assert output.cls.device.type == device
        maps.append(torch.cat([output.cls, output.loc], dim=1).cpu())
    # CUDA multiplies in TF32, with 10 bits; a wrong colour or layout is off by the whole value.
    torch.testing.assert_close(maps[1], maps[0], rtol=0, atol=2e-2 * float(maps[0].abs().max()))


def test_unknown_runtime(network):
    with pytest.raises(InputError, match=r"unknown runtime 'fast': expected one of \['eager', 'fused', 'bf16'\]"):
        Executor(network, torch.device("cpu"), runtime="fast")
