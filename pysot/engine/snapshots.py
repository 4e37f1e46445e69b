"""Training checkpoints: everything a run needs to go on as if it had not stopped, in files that appear whole.

A training checkpoint is a dictionary of tensors and plain values, read with the same safe reader as weights; its
``state_dict`` makes it loadable by `pysot.load_checkpoint` as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pysot.utils import CheckpointError, ConfigError, atomic_path

_NAME = re.compile(r"checkpoint_e(\d+)(?:_s(\d+))?\.pth")
_PARTS = ("epoch", "step", "steps", "state_dict", "optimizer", "averaged", "rng", "config", "best")


@dataclass(frozen=True)
class TrainingState:
    """A run between two steps.

    Attributes:
        epoch: Epochs that are done.
        step: Steps of the next one that are done.
        steps: Steps of an epoch.
        state_dict: The network's weights.
        optimizer: The optimizer's state.
        averaged: The averaged weights, or empty.
        rng: Generator states by device.
        config: The configuration as YAML.
        best: Best validation score so far, or None.
        totals: What the steps of the epoch at hand add up to, see `Step.add_to`.
    """

    epoch: int
    step: int
    steps: int
    state_dict: dict[str, Tensor]
    optimizer: dict[str, Any]
    averaged: dict[str, Tensor]
    rng: dict[str, Tensor]
    config: str
    best: float | None
    totals: dict[str, float] = field(default_factory=dict)


class Snapshots:
    """The training checkpoints of one run in a folder.

    Args:
        folder: Made where it is missing.
        keep_every: Epochs between two checkpoints that stay; the latest one always stays.
    """

    def __init__(self, folder: Path, keep_every: int = 1) -> None:
        self.folder = folder
        self.keep_every = keep_every

    def save(self, state: TrainingState) -> Path:
        """Write a checkpoint, named after the epochs and steps that are done, and remove those it makes superfluous."""
        place = f"e{state.epoch}_s{state.step}" if state.step else f"e{state.epoch}"
        path = self.folder / f"checkpoint_{place}.pth"
        with atomic_path(path) as temporary:
            torch.save({part: getattr(state, part) for part in (*_PARTS, "totals")}, temporary)
        for old, (epoch, step) in self._files():
            stays = step == 0 and epoch % self.keep_every == 0
            if old != path and not stays:
                old.unlink(missing_ok=True)
        for left_over in self.folder.glob(".checkpoint_e*.pth"):  # by a process that was killed while it wrote
            left_over.unlink(missing_ok=True)
        return path

    def save_best(self, state_dict: Mapping[str, Tensor]) -> Path:
        """Write the weights that validated best as a plain checkpoint."""
        path = self.folder / "best.pth"
        with atomic_path(path) as temporary:
            torch.save(dict(state_dict), temporary)
        return path

    def save_config(self, config: str) -> None:
        """Write what is run as ``config.yaml``, beside the weights that need it."""
        with atomic_path(self.folder / "config.yaml") as temporary:
            temporary.write_text(config, encoding="utf-8")

    def latest(self) -> Path | None:
        """Return the checkpoint that got farthest, or None."""
        files = self._files()
        return max(files, key=lambda item: item[1])[0] if files else None

    def refuse_farther(self, epoch: int, step: int) -> None:
        """Make sure that a run which starts at some place will be the one that got farthest.

        Raises:
            ConfigError: There is a checkpoint of another run that got farther; ``--resume auto`` would take it for one
                of this run.
        """
        farther = [path for path, place in self._files() if place > (epoch, step)]
        if farther:
            raise ConfigError(
                f"TRAIN.SNAPSHOT_DIR {self.folder} holds a run that got farther ({farther[0].name}): go on with it by "
                f"--resume auto, or choose another TRAIN.SNAPSHOT_DIR, or remove its checkpoints"
            )

    def _files(self) -> list[tuple[Path, tuple[int, int]]]:
        """Return every checkpoint with the epochs and steps that were done when it was written."""
        found = []
        for path in self.folder.glob("checkpoint_e*.pth"):
            match = _NAME.fullmatch(path.name)
            if match:
                found.append((path, (int(match[1]), int(match[2] or 0))))
        return found


def read_training_state(path: Path) -> TrainingState:
    """Read a training checkpoint.

    Raises:
        CheckpointError: The file cannot be read, or is not one of these: those of PySOT hold no state to go on
            from but the weights; use TRAIN.PRETRAINED for them.
        FileNotFoundError: No such file.
        PermissionError: It may not be read.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # a damaged file can make the reader fail in any way
        raise CheckpointError(
            f"{path}: not a readable training checkpoint ({type(error).__name__}): if it is damaged, "
            "remove it, and --resume auto goes on from the one before; or start anew from best.pth (TRAIN.PRETRAINED)"
        ) from error
    missing = [part for part in _PARTS if not isinstance(content, Mapping) or part not in content]
    if missing:
        raise CheckpointError(
            f"{path}: no training checkpoint of this framework, it lacks {missing[0]!r}; to start from its weights, "
            f"use TRAIN.PRETRAINED {path}"
        )
    # Without totals (those of before they were kept), the row of the epoch at hand tells of the rest of it.
    return TrainingState(**{part: content[part] for part in _PARTS}, totals=dict(content.get("totals", {})))
