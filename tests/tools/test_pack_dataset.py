"""A packed training set gives the pairs of the folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pysot.config import load_cfg
from pysot.datasets import PairKey, build_pair_dataset
from tests.drawn_crops import small_set, write_annotations, write_crops
from tools.pack_dataset import main


def test_a_packed_set_is_used_like_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    videos = small_set(2)
    write_crops(tmp_path / "crop511", videos)
    annotations = write_annotations(tmp_path, videos)
    assert main([str(tmp_path / "crop511")]) == 0
    assert f"{tmp_path / 'crop511.sqlar'}: 6 files" in capsys.readouterr().out
    searches = []
    for root in ("crop511", "crop511.sqlar"):
        entry = {"ROOT": str(tmp_path / root), "ANNO": str(annotations)}
        dataset = build_pair_dataset(load_cfg(None, ["DATASET.SET", entry, "DATASET.NAMES", ["SET"]]), seed=0)
        searches.append(dataset.__getitems__([PairKey(0, number) for number in range(8)])["search"])
    assert torch.equal(*searches)


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([str(tmp_path / "absent")]) == 2
    assert f"pack_dataset: {tmp_path / 'absent'}: expected a folder to pack\n" in capsys.readouterr().err
