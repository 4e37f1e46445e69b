"""What `load_checkpoint` tells, what it refuses, and that a refused file changes nothing."""

from __future__ import annotations

import random

import pytest
import torch
from foreign_layouts import check_accounts, tiny

import pysot
from pysot.engine.checkpoint import convert_checkpoint
from pysot.utils import CheckpointError


@pytest.fixture
def model():
    return tiny()


def snapshot(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def unchanged(model, before):
    return all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def save(path, state):
    torch.save(state, path)
    return path


@pytest.mark.parametrize("seed", range(20))
def test_every_name_is_told_exactly_once(tmp_path, model, seed):
    """Files with names removed, renamed, reshaped and added, in all layouts of a SiamRPN network."""
    draw = random.Random(seed)
    source = tiny(legacy=draw.random() < 0.5, up_channel=draw.random() < 0.3)
    state = {}
    for name, tensor in source.state_dict().items():
        fate = draw.random()
        if fate < 0.8:
            state[name] = tensor
        elif fate < 0.9 and tensor.ndim:
            state[name] = tensor[:1].repeat(2, *[1] * (tensor.ndim - 1))
        elif fate < 0.95:
            state[f"backbone.extra.{len(state)}"] = tensor
    if draw.random() < 0.5:
        state = {f"module.{name}": tensor for name, tensor in state.items()}
    names = [name.removeprefix("module.") for name in state]
    before = snapshot(model)
    report = pysot.load_checkpoint(model, save(tmp_path / "model.pth", state), strict=False)
    check_accounts(report, names, model)
    assert not report.fits
    for name, tensor in model.state_dict().items():
        if name not in report.loaded:
            assert torch.equal(tensor, before[name]), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda state: state.pop("rpn_head.cls.head.3.bias"),
            r"1 missing keys \(first: rpn_head\.cls\.head\.3\.bias\)",
        ),
        (lambda state: state.update({"rpn_head.more": torch.zeros(1)}), r"1 unexpected \(first: rpn_head\.more\)"),
        (
            lambda state: state.update({"rpn_head.cls.head.3.bias": torch.zeros(7)}),
            r"1 of another shape \(first: rpn_head\.cls\.head\.3\.bias: \(7,\), expected \(10,\)\)",
        ),
    ],
)
def test_strict_refuses_and_lenient_loads_the_rest(tmp_path, model, change, message):
    state = tiny().state_dict()
    change(state)
    path = save(tmp_path / "model.pth", state)
    before = snapshot(model)
    with pytest.raises(CheckpointError, match=message) as caught:
        pysot.load_checkpoint(model, path)
    assert str(caught.value).startswith(f"{path} (native (PySOT)): ")
    assert str(caught.value).endswith("is it the checkpoint of this configuration?")
    assert unchanged(model, before)
    report = pysot.load_checkpoint(model, path, strict=False)
    check_accounts(report, state, model)
    assert not report.fits
    assert torch.equal(model.backbone.features[0].weight, state["backbone.features.0.weight"])


def test_counters_of_batches_may_be_absent(tmp_path, model):
    state = {name: tensor for name, tensor in tiny().state_dict().items() if "num_batches" not in name}
    report = pysot.load_checkpoint(model, save(tmp_path / "model.pth", state))
    check_accounts(report, state, model)
    assert report.fits
    assert len(report.loaded) == 75 - 11


def test_wrong_architecture_is_refused_even_when_lenient(tmp_path, model):
    path = save(tmp_path / "model.pth", {"backbone.conv1.weight": torch.zeros(64, 3, 7, 7), "neck.x": torch.zeros(1)})
    before = snapshot(model)
    for strict in (True, False):
        with pytest.raises(CheckpointError, match=r"64 missing keys.*2 unexpected"):
            pysot.load_checkpoint(model, path, strict=strict)
    assert unchanged(model, before)


def test_other_head_is_refused(tmp_path, model):
    path = save(tmp_path / "model.pth", tiny(up_channel=True).state_dict())
    before = snapshot(model)
    with pytest.raises(CheckpointError, match=r"34 missing keys.*10 unexpected"):
        pysot.load_checkpoint(model, path)
    assert unchanged(model, before)


@pytest.mark.parametrize("kind", ["sparse", "complex", "meta"])
def test_tensors_no_network_can_take_are_refused_before_anything_is_copied(tmp_path, model, kind):
    state = tiny().state_dict()
    name = "rpn_head.loc_adjust.weight" if "rpn_head.loc_adjust.weight" in state else list(state)[-3]
    tensor = state[name]
    made = {"sparse": tensor.to_sparse, "complex": lambda: tensor + 0j, "meta": lambda: tensor.to("meta")}[kind]
    state[name] = made()
    before = snapshot(model)
    for strict in (True, False):
        with pytest.raises(CheckpointError, match=f"where '{name}' is not a dense tensor of real numbers"):
            pysot.load_checkpoint(model, save(tmp_path / "model.pth", state), strict=strict)
    assert unchanged(model, before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_cast(tmp_path, model, dtype):
    state = {name: t.to(dtype) if t.is_floating_point() else t for name, t in tiny().state_dict().items()}
    report = pysot.load_checkpoint(model, save(tmp_path / "model.pth", state))
    assert report.fits
    for name, tensor in model.state_dict().items():
        assert tensor.dtype == (torch.int64 if "num_batches" in name else torch.float32), name
        assert torch.equal(tensor, state[name].to(tensor.dtype)), name


def test_views_and_parameters_load(tmp_path, model):
    source = tiny().state_dict()
    state = dict(source)
    weight = source["backbone.features.0.weight"]
    state["backbone.features.0.weight"] = weight.transpose(2, 3).contiguous().transpose(2, 3)
    state["backbone.features.4.weight"] = source["backbone.features.4.weight"].to(memory_format=torch.channels_last)
    state["rpn_head.cls.head.3.bias"] = torch.nn.Parameter(source["rpn_head.cls.head.3.bias"])
    assert not state["backbone.features.0.weight"].is_contiguous()
    path = save(tmp_path / "model.pth", state)
    pysot.load_checkpoint(model, path)
    assert all(torch.equal(tensor, source[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.is_leaf and parameter.requires_grad for parameter in model.parameters())


def test_converted_file_is_plain_and_loads_to_the_same(tmp_path, model):
    source = tiny(legacy=False)
    old = save(tmp_path / "old.pth", {"epoch": 3, "state_dict": source.state_dict(), "optimizer": {}})
    report = convert_checkpoint(old, tmp_path / "new.pth", model)
    state = torch.load(tmp_path / "new.pth", weights_only=True)
    assert list(report.loaded) == list(state)
    assert set(state) == set(model.state_dict())
    assert pysot.load_checkpoint(model, tmp_path / "new.pth").fits
    assert torch.equal(model.backbone.features[0].weight, source.backbone.layer1[0].weight)


def test_report_names_the_first_of_each_kind(tmp_path, model):
    state = tiny().state_dict()
    del state["rpn_head.cls.head.3.bias"]
    state |= {"rpn_head.a": torch.zeros(1), "rpn_head.b": torch.zeros(1), "backbone.features.0.bias": torch.zeros(2)}
    report = pysot.load_checkpoint(model, save(tmp_path / "model.pth", state), strict=False)
    assert str(report) == (
        f"{tmp_path / 'model.pth'}: native (PySOT), 73 tensors loaded, "
        "1 missing (first: rpn_head.cls.head.3.bias), 2 unexpected (first: rpn_head.a), "
        "1 mismatched (first: backbone.features.0.bias (2,), expected (9,))"
    )
