"""Files that are no checkpoints, broken ones and hostile ones: a message, nothing executed, nothing changed."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
import torch
from foreign_layouts import tiny
from torch import nn

import pysot
from pysot.engine import checkpoint
from pysot.utils import CheckpointError


class Command:
    """Runs a shell command when it is unpickled."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


class Evaluated:
    def __init__(self, text):
        self.text = text

    def __reduce__(self):
        return eval, (self.text,)


def write_hostile(path, trace, kind):
    command = Command(f"touch {trace}")
    state = tiny().state_dict()
    if kind == "eval":
        torch.save({**state, "x": Evaluated(f"open({str(trace)!r}, 'w')")}, path)
    elif kind == "bare pickle":
        path.write_bytes(pickle.dumps({**state, "x": command}, protocol=2))
    else:
        torch.save({"state_dict": state, "optimizer": command}, path, _use_new_zipfile_serialization=kind == "zip")


@pytest.mark.parametrize("kind", ["zip", "before 1.6", "bare pickle", "eval"])
@pytest.mark.parametrize("strict", [True, False])
def test_hostile_file_is_not_executed(tmp_path, kind, strict):
    path, trace = tmp_path / "model.pth", tmp_path / "trace"
    write_hostile(path, trace, kind)
    model = tiny()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        pysot.load_checkpoint(model, path, strict=strict)
    assert not trace.exists()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    if kind != "bare pickle":
        asked = "eval" if kind == "eval" else f"{os.system.__module__}.system"
        assert f"{path}: refused, nothing was executed: the file asks for {asked}, and only tensors" in str(
            caught.value
        )


def test_the_hostile_file_is_hostile(tmp_path):
    """Else the test above would prove nothing."""
    path, trace = tmp_path / "model.pth", tmp_path / "trace"
    write_hostile(path, trace, "zip")
    torch.load(path, weights_only=False)
    assert trace.exists()


def test_numpys_own_way_to_run_pickles_is_closed(tmp_path):
    """An object array is a pickle in a pickle."""
    torch.save(
        {"state_dict": tiny().state_dict(), "best": np.array([Command("true")], dtype=object)}, tmp_path / "m.pth"
    )
    with pytest.raises(CheckpointError, match=r"asks for numpy\.\w+\.multiarray\._reconstruct"):
        pysot.load_checkpoint(tiny(), tmp_path / "m.pth")


def module(path):
    torch.save(nn.Linear(2, 2), path)


def torch_script(path):
    torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)).save(str(path))


def truncated(path):
    torch.save(tiny().state_dict(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def truncated_before_1_6(path):
    torch.save(tiny().state_dict(), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-1000])


def arrays(path):
    with path.open("wb") as file:
        np.savez(file, weight=np.zeros(3))


CASES = {
    "module": (module, r"refused, nothing was executed: the file asks for torch\.nn\.modules\.linear\.Linear"),
    "TorchScript": (torch_script, r"a TorchScript program, not weights; save the state_dict\(\) alone$"),
    "truncated": (truncated, r"not a checkpoint, or a damaged or incomplete one \(RuntimeError: "),
    "truncated, old format": (truncated_before_1_6, r"or a damaged or incomplete one \(.*\)$"),
    "empty": (lambda path: path.touch(), r"damaged or incomplete one \(EOFError: no content\)$"),
    "text": (lambda path: path.write_text("hello world\n" * 100), r"not a checkpoint, or a damaged"),
    "web page": (lambda path: path.write_text("<!DOCTYPE html>"), r"not a checkpoint, or a damaged"),
    "NumPy archive": (arrays, r"not a checkpoint, or a damaged"),
    "folder": (lambda path: path.mkdir(), r"is a folder, expected a checkpoint file$"),
    "list": (lambda path: torch.save([1, 2], path), r"\(a state_dict\), got a list$"),
    "tensor": (lambda path: torch.save(torch.zeros(3), path), r"got a Tensor$"),
    "empty dictionary": (lambda path: torch.save({}, path), r"got an empty one$"),
    "numbers": (
        lambda path: torch.save({"epoch": 3, "loss": 0.1}, path),
        r"got one with \['epoch', 'loss'\], where 'epoch' is of type int$",
    ),
    "numbered tensors": (
        lambda path: torch.save({0: torch.zeros(3)}, path),
        r"got one with \[0\], where 0 is of type int$",
    ),
    "one of many is no tensor": (
        lambda path: torch.save({**tiny().state_dict(), "note": "trained on a laptop"}, path),
        r"where 'note' is of type str$",
    ),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TorchScript itself, which is only used to make the file
@pytest.mark.parametrize("case", CASES)
def test_message(tmp_path, case, recwarn):
    write, message = CASES[case]
    path = tmp_path / "model.pth"
    write(path)
    recwarn.clear()
    model = tiny()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=message) as caught:
        pysot.load_checkpoint(model, path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    assert "weights_only" not in text  # PyTorch's advice to switch the protection off is not passed on
    assert len(text) < len(str(path)) + 260
    assert not recwarn.list
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"model\.pth"):
        pysot.load_checkpoint(tiny(), tmp_path / "model.pth")


def test_an_old_pytorch_is_warned_of_and_needs_no_newer_functions(tmp_path, monkeypatch):
    path = tmp_path / "weights.pth"
    torch.save({"backbone.weight": torch.ones(1)}, path)
    monkeypatch.setattr(torch, "__version__", "2.4.1")
    monkeypatch.delattr(torch.serialization, "safe_globals")
    checkpoint._warn_of_old_torch.cache_clear()
    with pytest.warns(UserWarning, match="PyTorch 2.4.1 can be made to execute code .* install 2.6 or newer"):
        assert list(checkpoint.read_tensors(path)) == ["backbone.weight"]
