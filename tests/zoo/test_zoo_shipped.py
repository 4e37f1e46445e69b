"""Weights that ship with the package: found without a network, checked at every load, and tracked with."""

from __future__ import annotations

import hashlib
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import setuptools
import torch

import pysot
from pysot.engine.checkpoint import convert_checkpoint
from pysot.utils import DownloadError
from pysot.zoo import FileState, LocalFile, ZooEntry, cached_path, check, entries, fetch

CONFIG = """\
BACKBONE: {TYPE: mobilenetv2, KWARGS: {width_mult: 0.25, used_layers: [4]}, TRAIN_LAYERS: [layer4]}
ADJUST: {KWARGS: {out_channels: [8]}}
RPN: {TYPE: PointHead, KWARGS: {out_channels: 8}}
TRAIN: {LOC_LOSS: iou}
"""


@pytest.fixture
def entry(tmp_path: Path) -> ZooEntry:
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    model = pysot.build_model(pysot.load_cfg(tmp_path / "tiny.yaml"))
    torch.save(model.state_dict(), tmp_path / "tiny.pth")
    file = tmp_path / "tiny.safetensors"
    convert_checkpoint(tmp_path / "tiny.pth", file, half=True)
    return ZooEntry(
        name="tiny",
        kind="tracker",
        config=str(tmp_path / "tiny.yaml"),
        sources=(LocalFile(str(file)),),
        licence="Apache-2.0",
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        size_bytes=file.stat().st_size,
    )


def test_it_loads_by_name_and_tracks(entry: ZooEntry, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pysot.api.get_entry", {"tiny": entry}.__getitem__)
    assert check(entry).state is FileState.VERIFIED
    tracker = pysot.load_tracker("tiny", device="cpu")
    frame = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    tracker.init(frame, (60, 40, 30, 30))
    assert np.isfinite(tracker.track(frame).bbox).all()
    assert all(tensor.dtype != torch.float16 for tensor in tracker.executor.network.state_dict().values())


def test_a_changed_or_absent_file_is_refused_at_every_load(entry: ZooEntry):
    path = fetch(entry)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DownloadError, match=r"sha256 .*, expected .*; this file is not fetched: restore it"):
        fetch(entry)
    path.unlink()
    with pytest.raises(DownloadError, match="there is no such file; this file is not fetched"):
        fetch(entry)


def test_a_relative_path_is_within_the_package():
    own = ZooEntry("own", "tracker", (LocalFile("weights/default.safetensors"),), "Apache-2.0")
    import pysot.zoo

    assert cached_path(own) == Path(pysot.zoo.__file__).parent / "weights" / "default.safetensors"


def packaged(repo_root: Path) -> set[Path]:
    """Return the files of pysot that setup.py puts into an installed copy beside the modules."""
    given: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(repo_root)
        patch.setattr(setuptools, "setup", lambda **arguments: given.update(arguments))
        runpy.run_path(str(repo_root / "setup.py"))
    package = repo_root / "pysot"
    return {path for pattern in given["package_data"]["pysot"] for path in package.glob(pattern)}


def test_the_package_carries_the_weights_of_its_table_and_no_others(repo_root: Path):
    shipped = {cached_path(entry).resolve() for entry in entries() if entry.local is not None}
    found = {path for path in packaged(repo_root) if path.name != "py.typed"}
    assert found == shipped
    assert set((repo_root / "pysot" / "zoo").rglob("*.safetensors")) == shipped
