"""The command that converts checkpoints, end to end."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest
import torch

import pysot
from tools import convert

TINY = """\
BACKBONE: {{TYPE: {backbone}, KWARGS: {{width_mult: 0.1}}}}
ADJUST: {{ADJUST: false}}
RPN: {{TYPE: {head}, KWARGS: {{anchor_num: 5}}}}
"""
# Names of other projects for the tensors of a SiamRPN network.
DASIAMRPN = {
    "backbone.features.": "featureExtract.",
    "rpn_head.template_cls_conv.": "conv_cls1.",
    "rpn_head.template_loc_conv.": "conv_r1.",
    "rpn_head.search_cls_conv.": "conv_cls2.",
    "rpn_head.search_loc_conv.": "conv_r2.",
    "rpn_head.loc_adjust.": "regress_adjust.",
}


@pytest.fixture
def config(tmp_path):
    def write(backbone="alexnetlegacy", head="DepthwiseRPN"):
        path = tmp_path / f"{backbone}_{head}.yaml"
        path.write_text(TINY.format(backbone=backbone, head=head))
        return str(path)

    return write


def build(config):
    return pysot.build_model(pysot.load_cfg(config))


def renamed(state, table):
    for name, tensor in state.items():
        old, new = next(pair for pair in table.items() if name.startswith(pair[0]))
        yield new + name.removeprefix(old), tensor


def run(*argv):
    return convert.main([str(word) for word in argv])


def check_same(path, source):
    state = torch.load(path, weights_only=True)
    assert list(state) == list(source)
    assert all(torch.equal(state[name], tensor) for name, tensor in source.items())


def test_training_checkpoint(tmp_path, config, capsys):
    state = build(config()).state_dict()
    old, new = tmp_path / "checkpoint_e20.pth", tmp_path / "model.pth"
    torch.save({"epoch": 20, "state_dict": {f"module.{name}": t for name, t in state.items()}, "optimizer": {}}, old)
    assert run(old, new) == 0
    assert capsys.readouterr().out == f"{old}: native (PySOT), 75 tensors loaded\nwritten: {new}\n"
    check_same(new, state)
    assert pysot.load_checkpoint(build(config()), new).fits


def test_dasiamrpn(tmp_path, config, capsys):
    chosen = config(head="UPChannelRPN")
    state = build(chosen).state_dict()
    torch.save(dict(renamed(state, DASIAMRPN)), tmp_path / "SiamRPNVOT.model")
    assert run(tmp_path / "SiamRPNVOT.model", tmp_path / "new.pth", "--cfg", chosen) == 0
    assert "foolwood/DaSiamRPN, 45 tensors loaded" in capsys.readouterr().out
    check_same(tmp_path / "new.pth", state)


def test_siammask(tmp_path):
    state = {f"module.{name}": torch.zeros(1) for name in ("features.features.bn1.bias", "mask_model.mask.head.3.bias")}
    torch.save({"state_dict": state}, tmp_path / "SiamMask.pth")
    assert run(tmp_path / "SiamMask.pth", tmp_path / "new.pth") == 0
    assert list(torch.load(tmp_path / "new.pth")) == ["backbone.bn1.bias", "mask_head.head.3.bias"]


@pytest.mark.parametrize("wanted", ["alexnet", "alexnetlegacy"])
@pytest.mark.parametrize("given", ["alexnet", "alexnetlegacy"])
def test_the_configuration_decides_the_layout_of_alexnet(tmp_path, config, given, wanted):
    source = build(config(given))
    torch.save(source.state_dict(), tmp_path / "old.pth")
    assert run(tmp_path / "old.pth", tmp_path / "new.pth", "--cfg", config(wanted)) == 0
    state = torch.load(tmp_path / "new.pth")
    first = {"alexnet": "backbone.layer1.0.weight", "alexnetlegacy": "backbone.features.0.weight"}
    assert first[wanted] in state
    assert torch.equal(state[first[wanted]], source.state_dict()[first[given]])
    assert set(state) == set(build(config(wanted)).state_dict())


def test_without_a_configuration_alexnet_stays_as_it_is(tmp_path, config):
    state = build(config("alexnet")).state_dict()
    torch.save(state, tmp_path / "old.pth")
    assert run(tmp_path / "old.pth", tmp_path / "new.pth") == 0
    check_same(tmp_path / "new.pth", state)


def test_torchvision_file_is_converted_once_and_still_only_a_backbone(tmp_path, capsys):
    """The first layer must not be changed again when the result is loaded or converted again."""
    from pysot.models.backbone import BACKBONES

    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in BACKBONES["resnet18"]().state_dict().items()}
    state = {name: torch.tensor(1.0).expand(shape) for name, shape in shapes.items()}
    state |= {name: tensor[..., :1, :1] for name, tensor in state.items() if "downsample.0" in name}
    torch.save({**state, "fc.bias": torch.zeros(1000)}, tmp_path / "resnet18.pth")
    config = tmp_path / "resnet18.yaml"
    config.write_text("BACKBONE: {TYPE: resnet18}\nADJUST: {KWARGS: {out_channels: [8, 8, 8]}}\nRPN: {KWARGS: {}}\n")

    for options, kept in (([], 3), (["--cfg", config], 0)):
        first, second = tmp_path / f"first{kept}.pth", tmp_path / f"second{kept}.pth"
        assert run(tmp_path / "resnet18.pth", first, *options) == 0
        lines = capsys.readouterr().out.splitlines()
        assert "  not used: fc.bias: has no place in a tracker's network (torchvision ResNet)" in lines
        assert len([line for line in lines if line.startswith("  another shape: layer")]) == 3 - kept
        converted = torch.load(first)
        assert len([name for name in converted if "downsample.0" in name]) == kept
        # 1 / (255 * .225) for blue, which comes first.
        assert float(converted["backbone.conv1.weight"][0, 0, 0, 0]) == pytest.approx(1 / (255 * 0.225))
        assert run(first, second) == 0
        assert "a backbone alone" in capsys.readouterr().out
        check_same(second, converted)

        model = build(str(config))
        report = pysot.load_checkpoint(model, first)
        assert report.fits
        assert report.backbone_only
        assert torch.equal(model.backbone.conv1.weight, converted["backbone.conv1.weight"])


def test_an_existing_file_is_replaced_only_with_force(tmp_path, config, capsys):
    torch.save(build(config()).state_dict(), tmp_path / "old.pth")
    target = tmp_path / "new.pth"
    target.write_text("mine")
    assert run(tmp_path / "old.pth", target) == 2
    assert capsys.readouterr().err == f"error: {target} exists; give --force to replace it\n"
    assert target.read_text() == "mine"
    assert run(tmp_path / "old.pth", target, "--force") == 0
    assert pysot.load_checkpoint(build(config()), target).fits


def test_a_file_can_be_converted_in_place(tmp_path, config):
    path = tmp_path / "model.pth"
    state = build(config()).state_dict()
    torch.save({"state_dict": state}, path)
    assert run(path, path, "--force") == 0
    check_same(path, state)


@pytest.mark.parametrize(
    ("write", "options", "message"),
    [
        (lambda path, _: None, [], "error: [Errno 2] No such file or directory: "),
        (lambda path, _: path.write_text("hello"), [], "not a checkpoint, or a damaged or incomplete one"),
        (
            lambda path, _: torch.save({"a": torch.zeros(1)}, path),
            [],
            "the names of its tensors are of no known layout",
        ),
        (lambda path, state: torch.save(state, path), ["--cfg", "siamrpn_r5"], "Did you mean 'siamrpn_r50'?"),
        (
            lambda path, state: torch.save(state, path),
            ["--cfg", "siamfc_alex"],
            "26 missing keys (first: backbone.conv1.0.weight), 75 unexpected",
        ),
    ],
)
def test_errors_are_one_line_and_write_nothing(tmp_path, config, capsys, write, options, message):
    write(tmp_path / "old.pth", build(config()).state_dict())
    assert run(tmp_path / "old.pth", tmp_path / "new.pth", *options) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert not (tmp_path / "new.pth").exists()
    assert not list(tmp_path.glob(".new*"))


def test_runs_as_a_file_from_anywhere(tmp_path, config, repo_root):
    torch.save(build(config()).state_dict(), tmp_path / "old.pth")
    command = [sys.executable, str(repo_root / "tools" / "convert.py"), "old.pth", "new.pth"]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("written: new.pth\n")


@pytest.mark.parametrize("name", ["model", "model.pth", "Modell ü.pth"])
def test_any_file_name_will_do_and_does_not_change_the_bytes(config, tmp_path, name):
    network = build(config())
    torch.save(network.state_dict(), tmp_path / "in.pth")
    assert run(tmp_path / "in.pth", tmp_path / name) == 0
    assert run(tmp_path / "in.pth", tmp_path / "again.pth") == 0
    assert (tmp_path / name).read_bytes() == (tmp_path / "again.pth").read_bytes()
    check_same(tmp_path / name, network.state_dict())


def test_a_folder_in_place_of_the_output_is_one_line(config, tmp_path, capsys):
    torch.save(build(config()).state_dict(), tmp_path / "in.pth")
    (tmp_path / "out").mkdir()
    assert run(tmp_path / "in.pth", tmp_path / "out", "--force") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_safetensors_keeps_weights_and_says_what_they_are(tmp_path, config):
    from safetensors import safe_open

    path = config()
    source, out, back = tmp_path / "in.pth", tmp_path / "out.safetensors", tmp_path / "back.pth"
    torch.save(build(path).state_dict(), source)
    assert run(source, out, "--cfg", path, "--note", "two epochs") == 0
    with safe_open(out, "pt") as file:
        texts = file.metadata()
    cfg = pysot.load_cfg(path).dump()
    assert texts["config"] == cfg
    assert texts["config_sha256"] == hashlib.sha256(cfg.encode()).hexdigest()
    assert (texts["note"], texts["pysot"]) == ("two epochs", pysot.__version__)
    model = build(path)
    assert pysot.load_checkpoint(model, out).fits
    assert run(out, back) == 0
    state = torch.load(source, weights_only=True)
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert all(torch.equal(tensor, state[name]) for name, tensor in torch.load(back, weights_only=True).items())


@pytest.mark.parametrize("name", ["out.safetensors", "out.pth"])
def test_half_precision_is_read_as_single(tmp_path, config, name):
    path = config()
    original = build(path)
    original.backbone.features[1].running_var.fill_(1e6)  # more than half precision holds
    source, out, whole = tmp_path / "in.pth", tmp_path / name, tmp_path / f"whole_{name}"
    torch.save(original.state_dict(), source)
    assert run(source, out, "--half") == 0
    assert run(source, whole) == 0
    assert out.stat().st_size < 0.55 * whole.stat().st_size
    model = build(path)
    assert pysot.load_checkpoint(model, out).fits
    expected = original.state_dict()
    for key, tensor in model.state_dict().items():
        assert tensor.dtype == expected[key].dtype
        wanted = expected[key].half().float() if tensor.ndim > 1 else expected[key]
        assert torch.equal(tensor, wanted)


def test_what_half_precision_cannot_hold_and_a_note_without_a_place_are_refused(tmp_path, config, capsys):
    model = build(config())
    torch.nn.init.constant_(model.backbone.features[0].weight, 1e5)
    torch.save(model.state_dict(), tmp_path / "in.pth")
    assert run(tmp_path / "in.pth", tmp_path / "out.safetensors", "--half") == 2
    assert "backbone.features.0.weight has values that half precision cannot hold" in capsys.readouterr().err
    assert run(tmp_path / "in.pth", tmp_path / "out.pth", "--note", "x") == 2
    assert "--note needs an OUT that ends in .safetensors" in capsys.readouterr().err
    assert sorted(file.name for file in tmp_path.glob("out*")) == []


def test_a_damaged_safetensors_file_is_refused(tmp_path, config, capsys):
    (tmp_path / "in.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0garbage!")
    assert run(tmp_path / "in.safetensors", tmp_path / "out.pth") == 2
    assert "not a checkpoint, or a damaged or incomplete one (SafetensorError" in capsys.readouterr().err
