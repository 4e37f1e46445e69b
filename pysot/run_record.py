"""What a run is made with: the tracker that options name, and what to write down so that it can be repeated."""

from __future__ import annotations

import hashlib
import os
import platform
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from yacs.config import CfgNode

from pysot import __version__, zoo
from pysot.config import load_cfg
from pysot.utils import InputError
from pysot.zoo import DEFAULT_MODEL

TRAINING = ("TRAIN", "DATASET")
"""Parts of a configuration that tracking does not depend on."""


@dataclass(frozen=True)
class Model:
    """A configuration and the weights that go with it.

    Attributes:
        name: What results of it are called.
        cfg: The configuration, checked.
        config: Its file or experiment.
        snapshot: The weights.
    """

    name: str
    cfg: CfgNode
    config: str
    snapshot: Path

    def settings(self) -> dict[str, Any]:
        """Return what results depend on, as JSON takes it."""
        return {
            "configuration": tracking_keys(self.cfg),
            "checkpoint_sha256": sha256(self.snapshot),
        }


def find_model(config: str | None, snapshot: str | None, overrides: Sequence[Any] = ()) -> Model:
    """Return the model that ``--cfg``, ``--snapshot`` and KEY VALUE name; public weights are fetched on first use.

    Args:
        config: An experiment or a YAML file; None or ``default`` for the default model's.
        snapshot: A checkpoint; None for the public one of that name.
        overrides: KEY, VALUE, ...

    Raises:
        InputError: The checkpoint is not there, or none was given and there is no public one.
        ConfigError: A faulty configuration.
        DownloadError: The weights could not be fetched.
    """
    config = None if config == zoo.DEFAULT else config
    given = Path(config or DEFAULT_MODEL).resolve()
    label = given.parent.name if given.stem == "config" else given.stem
    public = {entry.name: entry for entry in zoo.entries() if entry.kind == "tracker"}
    chosen = config or str(public[DEFAULT_MODEL].config)
    cfg = load_cfg(chosen, overrides)
    if snapshot is None and label not in public:
        raise InputError(f"--cfg {config} needs --snapshot FILE: there are public weights for {', '.join(public)}")
    if snapshot and not Path(snapshot).is_file():
        raise InputError(f"--snapshot {snapshot}: no such file")
    file = Path(snapshot) if snapshot else zoo.fetch(public[label])
    if snapshot and file.stem != "model":
        label += f"_{file.stem}"
    return Model(label, cfg, chosen, file)


def tracking_keys(cfg: CfgNode) -> dict[str, Any]:
    """Return the part of a configuration that tracking depends on, as plain values."""
    return {key: part for key, part in yaml.safe_load(cfg.dump()).items() if key not in TRAINING}


def choose_device(name: str, local_rank: int) -> tuple[str, dict[str, Any]]:
    """Return the device of a process, one of its own as far as there are enough, and what to note of it.

    Args:
        name: ``auto``, ``cpu``, ``cuda``, ``cuda:N``, ...
        local_rank: The process's number among those of its machine.

    Raises:
        InputError: No such device.
    """
    import torch  # takes a second, which a mistake in the command line need not wait for

    from pysot import runtime

    device = runtime.choose_device(name)
    if device.type != "cuda":
        label = f"{device} ({platform.processor() or platform.machine()}, {os.cpu_count()} cores)"
        return str(device), {"device": label, "torch_threads": torch.get_num_threads()}
    if device.index is None:
        device = torch.device("cuda", local_rank % torch.cuda.device_count())
    return str(device), {"device": torch.cuda.get_device_name(device)}


def sha256(file: Path) -> str:
    """Return a file's hash in hex."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def reseed(seed: int, repetition: int) -> None:
    """Seed every source of random numbers."""
    random.seed(seed + repetition)
    np.random.seed(seed + repetition)  # noqa: NPY002  # trackers of the user's may use the global generator
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed + repetition)


def versions() -> dict[str, str]:
    """Return what may change results when it changes."""
    return {
        "pysot": __version__,
        "python": platform.python_version(),
        "torch": metadata.version("torch"),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }
