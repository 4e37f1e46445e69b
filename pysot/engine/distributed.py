"""One process or many: the same training code.

``python tools/train.py`` is a group of one; ``torchrun ... tools/train.py`` starts the processes of a larger one and
tells each its place through environment variables.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from pysot.utils import ConfigError


@dataclass(frozen=True)
class Group:
    """The place of this process among those that train together.

    Attributes:
        rank: Of this process, from 0.
        size: Number of processes.
        device: Where this process computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process writes the files and speaks for all."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set in any process; all processes must call."""
        return self.sum(torch.tensor(float(flag))).item() > 0

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean of a tensor over the processes; all processes must call."""
        return self.sum(values) / self.size

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum of a tensor over the processes; all processes must call."""
        if self.size == 1:
            return values
        total = values.detach().to(self.device, copy=True)
        distributed.all_reduce(total)
        return total

    def wait(self) -> None:
        """Wait for all processes."""
        if self.size > 1:
            distributed.barrier()


@contextlib.contextmanager
def join_group(device: str = "auto") -> Iterator[Group]:
    """Join the processes that torchrun started, or stand alone, for the length of the block.

    Args:
        device: ``auto``: each process of a machine takes a GPU of its own, or the CPU where there is none; or the name
            of a device.

    Raises:
        ConfigError: More processes than GPUs on this machine, or variables that do not fit together.
    """
    rank, size, local = (
        _variable(name, default) for name, default in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))
    )
    if not 0 <= rank < size:
        raise ConfigError(f"RANK is {rank}, WORLD_SIZE {size}: expected a rank from 0 to size - 1; start with torchrun")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        if local >= torch.cuda.device_count():
            raise ConfigError(
                f"process {local} of this machine has no GPU: there are {torch.cuda.device_count()}; "
                f"use torchrun --nproc-per-node {torch.cuda.device_count()}"
            )
        device = f"cuda:{local}"
    chosen = torch.device(device)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if size == 1:
        yield Group(rank, size, chosen)
        return
    distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Group(rank, size, chosen)
    finally:
        distributed.destroy_process_group()


def _variable(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    try:
        return int(text)
    except ValueError:
        raise ConfigError(
            f"the environment variable {name} is {text!r}: expected a number, as torchrun sets it"
        ) from None
