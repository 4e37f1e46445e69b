"""One process or many: the same training code.

``python tools/train.py`` is a group of one; ``torchrun ... tools/train.py`` starts the processes of a larger one and
tells each its place through environment variables.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from pysot.utils import ConfigError

_LONGEST_WAIT = datetime.timedelta(hours=2)


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

    def gather(self, texts: Sequence[str]) -> list[str]:
        """Return the texts of all processes, in the order of their ranks; all processes must call."""
        if self.size == 1:
            return list(texts)
        found: list[list[str]] = [[] for _ in range(self.size)]
        distributed.all_gather_object(found, list(texts))
        return [text for own in found for text in own]

    def share_statistics(self, network: nn.Module) -> None:
        """Replace the running statistics of normalisations by their means over the processes; all must call.

        Frozen ones, of modules in evaluation mode, are alike everywhere: a mean would only round them. All processes
        must have the same modules in training mode.
        """
        learning = [module for module in network.modules() if module.training]
        own = [buffer for module in learning for buffer in module.buffers(recurse=False)]
        buffers = [buffer for buffer in own if buffer.is_floating_point()]
        if self.size == 1 or not buffers:
            return
        together = self.mean(torch.cat([buffer.flatten() for buffer in buffers]))
        parts = together.split([buffer.numel() for buffer in buffers])
        for buffer, part in zip(buffers, parts, strict=True):
            buffer.copy_(part.view_as(buffer))

    def wait(self) -> None:
        """Wait for all processes."""
        if self.size > 1:
            distributed.barrier()


@contextlib.contextmanager
def join_group(device: torch.device) -> Iterator[Group]:
    """Join the processes that torchrun started, or stand alone, for the length of the block.

    Args:
        device: Where to compute. Of ``cuda`` without an index, each process of a machine takes a GPU of its own.

    Raises:
        ConfigError: More processes than GPUs, one GPU for several processes, or variables that do not fit together.
    """
    rank, size, local = (
        _variable(name, default) for name, default in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))
    )
    if not 0 <= rank < size:
        raise ConfigError(f"RANK is {rank}, WORLD_SIZE {size}: expected a rank from 0 to size - 1; start with torchrun")
    device = _own_device(device, size, local)
    if size == 1:
        yield Group(rank, size, device)
        return
    # While the main process validates, the others wait; the default of ten minutes would be too short for a large set.
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_LONGEST_WAIT)
    try:
        yield Group(rank, size, device)
    finally:
        distributed.destroy_process_group()


def _own_device(device: torch.device, size: int, local: int) -> torch.device:
    if device.type != "cuda":
        return device
    if device.index is not None and size > 1:
        raise ConfigError(f"{size} processes on one GPU {device}: use --device cuda, each takes its own then")
    if device.index is None:
        count = torch.cuda.device_count()
        if local >= count:
            raise ConfigError(
                f"process {local} of this machine has no GPU of its own: expected at most {count} processes, as many "
                f"as there are GPUs; use torchrun --nproc-per-node {count}, or --device cpu"
            )
        device = torch.device("cuda", local)
    torch.cuda.set_device(device)
    return device


def _variable(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    try:
        return int(text)
    except ValueError:
        raise ConfigError(
            f"the environment variable {name} is {text!r}: expected a number, as torchrun sets it"
        ) from None
