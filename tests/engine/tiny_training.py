"""Small networks and training sets of a few drawn crops, for the tests of the training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

import pysot
from pysot.engine.build import build_network, build_trainer
from pysot.engine.distributed import Group
from pysot.engine.train_loop import Trainer

ALONE = Group(0, 1, torch.device("cpu"))
_ALEXNET = [
    *["BACKBONE.KWARGS.width_mult", 0.1, "TRAIN.SEARCH_SIZE", 159, "TRAIN.OUTPUT_SIZE", 5, "TRAIN.BASE_SIZE", 0],
]
_RESNET = [
    *["BACKBONE.TYPE", "resnet18", "BACKBONE.TRAIN_LAYERS", ["layer3"], "BACKBONE.PRETRAINED", ""],
    *["RPN.KWARGS.in_channels", 8, "RPN.KWARGS.out_channels", 8],
    *["ADJUST.KWARGS.in_channels", [256], "ADJUST.KWARGS.out_channels", [8]],
    *["MASK.KWARGS.in_channels", 8, "MASK.KWARGS.hidden", 64, "TRAIN.SEARCH_SIZE", 143, "TRAIN.OUTPUT_SIZE", 11],
]
SYSTEMS: dict[str, tuple[str, list[Any]]] = {
    "siamfc": ("siamfc_alex", ["TRAIN.SEARCH_SIZE", 143, "TRAIN.OUTPUT_SIZE", 3]),
    "siamrpn": (
        "siamrpn_alex_upchannel",
        [*_ALEXNET, "RPN.KWARGS.feature_in", 25, "BACKBONE.TRAIN_LAYERS", ["features"]],
    ),
    "siamrpn++": (
        "siamrpn_alex_dwxcorr_16gpu",
        [*_ALEXNET, "RPN.KWARGS.in_channels", 25, "RPN.KWARGS.out_channels", 8, "BACKBONE.PRETRAINED", ""],
    ),
    "points": (
        "siamrpn_alex_dwxcorr_16gpu",
        [
            *[*_ALEXNET, "RPN.TYPE", "PointHead", "RPN.KWARGS.in_channels", 25, "RPN.KWARGS.out_channels", 16],
            *["TRAIN.LOC_LOSS", "giou", "BACKBONE.PRETRAINED", ""],
        ],
    ),
    "siammask": ("siammask_r50_base", _RESNET),
    "siammask-refined": ("siammask_r50_l3", [*_RESNET, "TRAIN.MASK_CELLS", "inside"]),
}


def write_training_set(folder: Path, videos: int = 4, frames: int = 3) -> Path:
    """Draw crops of bright rectangles on texture, with their masks, and return their folder."""
    rng = np.random.default_rng(0)
    annotations: dict[str, Any] = {}
    for video in range(videos):
        (folder / f"v{video}").mkdir(parents=True)
        # 40 x 60 becomes 51 x 76 of the 127 pixels of a template.
        annotations[f"v{video}"] = {"00": {f"{frame:06d}": [5, 6, 45, 66] for frame in range(frames)}}
        for frame in range(frames):
            image = cv2.resize(rng.integers(0, 128, (32, 32, 3), dtype=np.uint8), (511, 511))
            mask = np.zeros((511, 511), dtype=np.uint8)
            for drawn, shade in ((image, (255, 60 * video, 128)), (mask, (255,))):
                cv2.rectangle(drawn, (230, 217), (280, 293), shade, -1)
            cv2.imwrite(str(folder / f"v{video}" / f"{frame:06d}.00.x.jpg"), image)
            cv2.imwrite(str(folder / f"v{video}" / f"{frame:06d}.00.m.png"), mask)
    (folder / "train.json").write_text(json.dumps(annotations))
    return folder


def settings(data: Path, *overrides: Any, system: str = "siamrpn++", pairs: int = 16) -> list[Any]:
    """Return the overrides of a small training."""
    _, sizes = SYSTEMS[system]
    return [
        *[*sizes, "DATASET.NAMES", ["VID"], "DATASET.VID.ROOT", str(data)],
        *["DATASET.VID.ANNO", str(data / "train.json"), "DATASET.VID.NUM_USE", -1],
        *["DATASET.VID.MASKS", "{video}/{frame:06d}.{track}.m.png" if "mask" in system else ""],
        *["DATASET.VIDEOS_PER_EPOCH", pairs, "TRAIN.NUM_WORKERS", 0, "TRAIN.BATCH_SIZE", 4, "DATASET.NEG", 0.2],
        *["DATASET.SEARCH.SHIFT", 12, "TRAIN.EPOCH", 3, "TRAIN.LR_WARMUP.WARMUP", False, "TRAIN.GRAD_REDUCE", "mean"],
        *["BACKBONE.TRAIN_EPOCH", 0 if system == "siamfc" else 1],
        *["TRAIN.VALIDATE_ON", "", "TRAIN.LR.KWARGS.start_lr", 0.01, "TRAIN.LR.KWARGS.end_lr", 0.005],
        *overrides,
    ]


def small_cfg(data: Path, *overrides: Any, system: str = "siamrpn++", pairs: int = 16) -> Any:
    """Return the configuration of a small training."""
    return pysot.load_cfg(SYSTEMS[system][0], settings(data, *overrides, system=system, pairs=pairs))


def small_trainer(
    data: Path, *overrides: Any, system: str = "siamrpn++", group: Group = ALONE, pairs: int = 16, **parts: Any
) -> Trainer:
    """Return a small training."""
    cfg = small_cfg(data, *overrides, system=system, pairs=pairs)
    network, _ = build_network(cfg, group)
    return build_trainer(cfg, network, group, **parts)


class SameBatch:
    """A loader whose every batch is the first one of another."""

    def __init__(self, loader: Any, steps: int) -> None:
        self.steps = steps
        self.batch = next(iter(loader.epoch(0)))

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[dict[str, Any]]:
        """Yield the batch over and over."""
        for _ in range(first_step, self.steps):
            yield self.batch


def weights_of(trainer: Trainer) -> dict[str, torch.Tensor]:
    """Return a copy of the weights and statistics."""
    return {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}


def differing(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> list[str]:
    """Return the names of what is not equal to the last bit."""
    assert first.keys() == second.keys()
    return [name for name in first if not torch.equal(first[name], second[name])]
