"""Batches of an epoch, in order, from any number of workers and for any number of ranks."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Sampler

from pysot.datasets.samples import Batch, PairDataset, PairKey
from pysot.utils import ConfigError, InputError


class EpochSampler(Sampler[list[PairKey]]):
    """Yields the keys of this rank's batches of an epoch, from any step on.

    Step by step, the ranks' batches laid end to end are the batch that one process with a batch of their joint size
    has: no pair is in two of them. What is left of an epoch after the last full step is not used, or, where every pair
    counts, makes a smaller last batch.

    Args:
        pairs_per_epoch: Length of an epoch.
        batch_size: Of one rank.
        rank: Of this process.
        world_size: How many processes there are.
        every_pair: Use what is left; for one process.

    Raises:
        ConfigError: An epoch is shorter than one step of all ranks.

    Example:
        >>> sampler = EpochSampler(pairs_per_epoch=9, batch_size=2, rank=1, world_size=2)
        >>> sampler.seek(epoch=3)
        >>> [[key.number for key in batch] for batch in sampler]
        [[2, 3], [6, 7]]
    """

    def __init__(
        self, pairs_per_epoch: int, batch_size: int, rank: int = 0, world_size: int = 1, every_pair: bool = False
    ) -> None:
        self.pairs, self.batch_size, self.rank, self.world_size = pairs_per_epoch, batch_size, rank, world_size
        self.steps = -(-pairs_per_epoch // batch_size) if every_pair else pairs_per_epoch // (batch_size * world_size)
        if not self.steps:
            raise ConfigError(
                f"DATASET.VIDEOS_PER_EPOCH {pairs_per_epoch} is less than one step: "
                f"TRAIN.BATCH_SIZE {batch_size} times {world_size} processes"
            )
        self.seek(0)

    def seek(self, epoch: int, first_step: int = 0) -> None:
        """Choose what the next iteration yields."""
        self.epoch, self.first_step = epoch, first_step

    def __len__(self) -> int:
        return self.steps - self.first_step

    def __iter__(self) -> Iterator[list[PairKey]]:
        for step in range(self.first_step, self.steps):
            first = (step * self.world_size + self.rank) * self.batch_size
            yield [PairKey(self.epoch, number) for number in range(first, min(first + self.batch_size, self.pairs))]


class PairLoader:
    """Loads batches and keeps count of the images that cannot be read.

    Attributes:
        steps: Batches in an epoch.
        faults: How often each unreadable image was met, by a text that names the file and says what is wrong.

    Args:
        dataset: The pairs.
        batch_size: Of one rank.
        rank: Of this process.
        world_size: How many processes there are.
        workers: Loading processes; with 0, this one loads. The batches are the same.
        max_faulty: Unreadable images before an error.
        pin_memory: Page-lock the batches, for a faster copy to a GPU.
        every_pair: Let the last batch be smaller instead of leaving pairs out; for one process.
    """

    def __init__(
        self,
        dataset: PairDataset,
        batch_size: int,
        *,
        rank: int = 0,
        world_size: int = 1,
        workers: int = 0,
        max_faulty: int = 100,
        pin_memory: bool = False,
        every_pair: bool = False,
    ) -> None:
        self.dataset = dataset
        self.max_faulty = max_faulty
        self.faults: Counter[str] = Counter()
        self._sampler = EpochSampler(len(dataset), batch_size, rank, world_size, every_pair)
        self.steps = self._sampler.steps
        self._loader: DataLoader[Batch] = DataLoader(
            dataset,
            batch_sampler=self._sampler,
            collate_fn=_as_it_is,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=pin_memory,
            worker_init_fn=_start_worker,
            generator=torch.Generator(),  # without one, every epoch takes a number from the training's
        )

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, from ``first_step`` on.

        Raises:
            InputError: Too many images cannot be read; names some of them.
        """
        self._sampler.seek(epoch, first_step)
        for batch in self._loader:
            self.faults.update(batch["faults"])
            if len(self.faults) > self.max_faulty:
                raise InputError(f"{self.fault_report()}\nMore than DATASET.MAX_FAULTY {self.max_faulty}: stopped.")
            yield batch

    def fault_report(self, most: int = 10) -> str:
        """Return how many images cannot be read and which, in lines; empty if there are none."""
        if not self.faults:
            return ""
        shown = [f"  {fault}" for fault, _ in self.faults.most_common(most)]
        more = len(self.faults) - len(shown)
        shown += [f"  and {more} more"] if more > 0 else []
        times = sum(self.faults.values())
        head = f"{len(self.faults)} image(s) cannot be read; other pairs took their place ({times} times):"
        return "\n".join([head, *shown])


def _as_it_is(batch: Any) -> Batch:
    return batch


def _start_worker(_: int) -> None:
    """Keep a worker to one core; its random numbers come from the keys, so there is nothing to seed."""
    cv2.setNumThreads(0)
    if not hasattr(signal, "sigwaitinfo"):  # Windows and macOS
        return
    # A signal to the whole group (Ctrl-C, a scheduler's SIGTERM) is the training's to heed: it saves, then ends its
    # workers, whose SIGTERM comes from it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_heed_parent, args=(os.getppid(),), daemon=True).start()


def _heed_parent(parent: int) -> None:
    """End this process at a SIGTERM of its parent's; that of anyone else is passed over."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)
