"""Files as other times wrote them: numbers of NumPy 1 and 2 beside the weights, PyTorch before 1.6, Python 2."""

from __future__ import annotations

import io
import pickle
import types
import zipfile
from typing import ClassVar

import numpy as np
import pytest
import torch
from foreign_layouts import dasiamrpn_names, shapes_of, tiny

import pysot
from pysot.utils import CheckpointError

NUMBERS = {
    "float64": np.float64(0.005),
    "float32": np.float32(0.5),
    "int64": np.int64(3),
    "uint8": np.uint8(7),
    "bool": np.bool_(True),
    "big-endian": np.array([0.25], dtype=">f8")[0],
}


def training_checkpoint(source):
    """As PySOT writes it: learning rates come from a NumPy table."""
    groups = [{"lr": number, "momentum": 0.9, "params": [index]} for index, number in enumerate(NUMBERS.values())]
    buffers = {0: {"momentum_buffer": torch.zeros(3)}}
    state = {f"module.{name}": tensor for name, tensor in source.state_dict().items()}
    return {"epoch": 12, "state_dict": state, "optimizer": {"state": buffers, "param_groups": groups}}


def as_numpy_1(content: bytes, zipped: bool) -> bytes:
    """Name the module of the numbers as NumPy 1 did."""
    if not zipped:
        return rename(content)
    renamed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(renamed, "w", zipfile.ZIP_STORED) as new:
        for member in old.namelist():
            data = old.read(member)
            new.writestr(member, rename(data) if member.endswith("data.pkl") else data)
    return renamed.getvalue()


def rename(pickled: bytes) -> bytes:
    assert b"cnumpy._core.multiarray\nscalar\n" in pickled
    return pickled.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("numpy_1", [True, False])
def test_training_checkpoint_with_numpy_numbers(tmp_path, zipped, numpy_1):
    source, model = tiny(legacy=False), tiny()
    buffer = io.BytesIO()
    torch.save(training_checkpoint(source), buffer, _use_new_zipfile_serialization=zipped)
    content = buffer.getvalue()
    if np.lib.NumpyVersion(np.__version__) < "2.0.0b1":
        pytest.skip("this NumPy writes the old names by itself")
    path = tmp_path / "checkpoint_e12.pth"
    path.write_bytes(as_numpy_1(content, zipped) if numpy_1 else content)
    report = pysot.load_checkpoint(model, path)
    assert report.fits
    assert len(report.loaded) == 75
    assert torch.equal(model.backbone.features[0].weight, source.backbone.layer1[0].weight)


def test_numpy_numbers_are_not_built_and_stay_forbidden_elsewhere(tmp_path):
    torch.save(training_checkpoint(tiny()), tmp_path / "m.pth")
    before = set(torch.serialization.get_safe_globals())
    pysot.load_checkpoint(tiny(), tmp_path / "m.pth")
    assert set(torch.serialization.get_safe_globals()) == before
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "m.pth", weights_only=True)


def test_numpy_number_among_the_weights_is_no_tensor(tmp_path):
    torch.save({**tiny().state_dict(), "scale": np.float64(2)}, tmp_path / "m.pth")
    with pytest.raises(CheckpointError, match="where 'scale' is of type"):
        pysot.load_checkpoint(tiny(), tmp_path / "m.pth")


@pytest.mark.parametrize("protocol", [2, 4])
def test_other_pickle_protocols(tmp_path, protocol, recwarn):
    source, model = tiny(), tiny()
    torch.save(source.state_dict(), tmp_path / "m.pth", pickle_protocol=protocol)
    if protocol == 2:
        assert pysot.load_checkpoint(model, tmp_path / "m.pth").fits
    else:  # PyTorch's safe reader knows protocol 2, which torch.save writes unless told otherwise
        with pytest.raises(CheckpointError, match="Unsupported operand"):
            pysot.load_checkpoint(model, tmp_path / "m.pth")
    assert not recwarn.list


class Python2Pickler(pickle._Pickler):
    """Writes text as Python 2 wrote it and tensors as PyTorch 0.3 did."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_text(self, text):
        encoded = text.encode("ascii")
        self.write(pickle.SHORT_BINSTRING + bytes([len(encoded)]) + encoded)
        self.memoize(text)

    dispatch[str] = save_text

    def reducer_override(self, value):
        if isinstance(value, torch.Tensor):
            place = (value._typed_storage(), value.storage_offset(), tuple(value.shape), value.stride())
            return torch._utils._rebuild_tensor, place
        return NotImplemented


def python_2_pickle():
    """A stand-in for the module `pickle` that `torch.save` takes."""
    module = types.ModuleType("python_2_pickle")
    module.Pickler = Python2Pickler
    module.dump = lambda value, file, protocol=None: Python2Pickler(file, protocol).dump(value)
    return module


def test_dasiamrpn_file_of_python_2(tmp_path):
    """Its authors wrote theirs with Python 2.7 and PyTorch 0.3."""
    source, model = tiny(up_channel=True), tiny(up_channel=True)
    native = [name for name in source.state_dict() if "num_batches" not in name]
    names = dict(zip(dasiamrpn_names(shapes_of(source)), native, strict=True))
    state = {name: source.state_dict()[to] for name, to in names.items()}
    path = tmp_path / "SiamRPNVOT.model"
    torch.save(state, path, pickle_module=python_2_pickle(), _use_new_zipfile_serialization=False)
    assert b"U\x17featureExtract.0.weight" in path.read_bytes()
    assert b"_rebuild_tensor\n" in path.read_bytes()
    report = pysot.load_checkpoint(model, path)
    assert report.layout == "foolwood/DaSiamRPN"
    assert set(report.loaded) == set(native)
    assert all(torch.equal(model.state_dict()[name], source.state_dict()[name]) for name in native)
