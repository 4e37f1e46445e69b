"""Recordings of reference implementations: weights by name, inputs, and what the reference answered."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

import pysot
from pysot.models import SiameseNet

# Recording -> experiment, where the names differ.
_EXPERIMENTS = {
    "siamfc_alexnetv1": "siamfc_alex",
    "siamrpn_r18": "siamrpn_r18_l234_dwxcorr",
    "siamrpn_r34": "siamrpn_r34_l234_dwxcorr",
}
NAMES = (
    "siamfc_alexnetv1",
    "siamrpn_alex_upchannel",
    "siamrpn_alex_dwxcorr",
    "siamrpn_mobilev2_l234_dwxcorr",
    "siamrpn_r18",
    "siamrpn_r34",
    "siamrpn_r50_l234_dwxcorr",
    "siamrpn_r50_l234_dwxcorr_lt",
    "siammask_r50_l3",
    "dasiamrpn_vot",
    "dasiamrpn_otb",
    "dasiamrpn_big",
)


@dataclass(frozen=True)
class Recording:
    """One file of the parity folder."""

    name: str
    arrays: dict[str, np.ndarray]

    @staticmethod
    def read(folder: Path, name: str) -> Recording:
        """Read a recording by name."""
        with np.load(folder / f"{name}.npz") as archive:
            return Recording(name, dict(archive))

    @cached_property
    def meta(self) -> dict[str, Any]:
        """Init box, gains of the weights, conventions."""
        return json.loads(str(self.arrays["meta"]))

    @cached_property
    def experiment(self) -> str:
        """Our configuration of the same system."""
        return _EXPERIMENTS.get(self.name, self.name)

    def weights(self) -> dict[str, Tensor]:
        """Return the made-up weights under the recording's own names."""
        state = {}
        for key, shape in json.loads(str(self.arrays["state_dict_shapes"])).items():
            if key.endswith("num_batches_tracked"):
                state[key] = torch.tensor(0)
                continue
            value = _made_up(key, tuple(shape), self.meta["salt"])
            for pattern, factor in self.meta["gains"]:
                if pattern in key:
                    value = value * factor
            value = self.arrays.get(f"bn/{key}", value)
            state[key] = torch.from_numpy(np.asarray(value, dtype=np.float32)).reshape(shape)
        return state

    def network(self, folder: Path) -> SiameseNet:
        """Return our network with the recording's weights, loaded from a checkpoint file written into ``folder``."""
        path = folder / f"{self.name}.pth"
        torch.save(self.weights(), path)
        model = pysot.build_model(pysot.load_cfg(self.experiment))
        report = pysot.load_checkpoint(model, path)
        path.unlink()  # up to hundreds of megabytes, which pytest would keep
        assert report.fits
        return model.eval()


def _made_up(key: str, shape: tuple[int, ...], salt: str) -> np.ndarray:
    """Return the weight tensor that belongs to a name, as the recordings were made."""
    rng = np.random.default_rng(zlib.crc32((salt + key).encode()))
    if key.endswith("running_var"):
        return rng.uniform(0.5, 1.5, shape)
    if key.endswith("running_mean"):
        return rng.normal(0, 0.1, shape)
    if len(shape) <= 1:
        return rng.uniform(0.5, 1.5, shape) if key.endswith("weight") else rng.normal(0, 0.05, shape)
    deviation = np.sqrt(2.0 / np.prod(shape[1:]))
    return rng.normal(0, 1, shape) * deviation


def read_video(path: Path, count: int | None = None) -> list[np.ndarray]:
    """Return the first frames of a video, or all."""
    video, frames = cv2.VideoCapture(str(path)), []
    while count is None or len(frames) < count:
        ok, frame = video.read()
        if not ok:
            break
        frames.append(frame)
    video.release()
    return frames
