"""Augmentation on the device gives the crops of the CPU, up to rounding and the crop's border."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pysot.config import load_cfg
from pysot.datasets import PairKey, build_device_augment, build_pair_dataset
from tests.drawn_crops import small_set, write_annotations, write_crops

KEYS = [PairKey(0, number) for number in range(24)]


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crops")
    videos = small_set(6)
    write_crops(folder, videos)
    write_annotations(folder, videos)
    return folder


def cfg_of(folder: Path, changes: str, *, device: bool):
    entry = {"ROOT": str(folder), "ANNO": str(folder / "train.json"), "FRAME_RANGE": 100}
    return load_cfg(
        None,
        ["DATASET.SET", entry, "DATASET.NAMES", ["SET"], "DATASET.DEVICE_AUGMENT", device, *changes.split()],
    )


SIDES = ("DATASET.TEMPLATE", "DATASET.SEARCH")
OFF = " ".join(f"{side}.{key} 0" for side in SIDES for key in ("SHIFT", "SCALE", "COLOR"))
ALL = " ".join(f"{side}.{key} 0.5" for side in SIDES for key in ("BLUR", "FLIP", "ASPECT"))


@pytest.mark.parametrize(
    ("changes", "most", "mean"),
    [
        (OFF, 0.0, 0.0),
        (f"{OFF} DATASET.SEARCH.COLOR 1 DATASET.TEMPLATE.COLOR 1", 0.0, 0.0),
        (f"{OFF} DATASET.SEARCH.FLIP 0.5", 0.0, 0.0),
        (f"{OFF} DATASET.GRAY 0.5", 0.6, 0.3),
        (f"{OFF} DATASET.SEARCH.CUTOUT 1", 0.6, 0.1),
        (f"{OFF} DATASET.SEARCH.BLUR 1 DATASET.TEMPLATE.BLUR 1", 1.6, 0.4),
        (f"{OFF} DATASET.SEARCH.SHIFT 64", 0.0, 0.0),
        (f"{OFF} DATASET.SEARCH.SHIFT 64 DATASET.SEARCH.SCALE 0.18", 1.6, 0.4),
        (f"{ALL} DATASET.SEARCH.CUTOUT 0.5 DATASET.GRAY 0.3", 4.0, 0.5),
        (f"{ALL} INPUT.COLOR RGB DATASET.GRAY 0.5", 4.0, 0.5),
    ],
)
def test_the_device_gives_what_the_cpu_gives(crops: Path, changes: str, most: float, mean: float):
    on_cpu = build_pair_dataset(cfg_of(crops, changes, device=False), seed=0).__getitems__(KEYS)
    cfg = cfg_of(crops, changes, device=True)
    on_device = build_device_augment(cfg)(build_pair_dataset(cfg, seed=0).__getitems__(KEYS))
    assert on_cpu.keys() == on_device.keys()
    for name, value in on_cpu.items():
        if name in ("template", "search"):
            assert on_device[name].dtype == torch.float32
            assert on_device[name].shape == value.shape
            # The widest blur reaches 22 pixels into the crop from its border.
            difference = (on_device[name] - value.float()).abs()
            border = 23 if "BLUR" in changes and "SHIFT 0" not in changes else 1
            inner = difference[..., border:-border, border:-border]
            assert inner.max() <= most + 0.01
            assert inner.mean() <= mean + 1e-4
        elif isinstance(value, torch.Tensor):
            assert torch.equal(value, on_device[name]), name
        else:
            assert value == on_device[name], name


def test_workers_hand_over_squares_that_hold_every_change(crops: Path):
    batch = build_pair_dataset(cfg_of(crops, "", device=True), seed=0).__getitems__(KEYS)
    template, search = batch["template_raw"], batch["search_raw"]
    assert template.shape == (24, 3, 145, 145)  # 127 * 1.05 + 2 * 4 and a margin
    assert search.shape == (24, 3, 431, 431)  # 255 * 1.18 + 2 * 64
    assert template.dtype == search.dtype == torch.uint8
    for name, size in (("template", 145), ("search", 431)):
        left, top, width, height = batch[f"{name}_change"][:, :4].numpy().T
        assert min(left.min(), top.min()) >= 0
        assert np.max(left + width) <= size
        assert np.max(top + height) <= size
