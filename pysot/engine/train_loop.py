"""The training loop: one function to read from top to bottom, the same for one process and for many.

A step is: batch, forward, agree on whether the losses are finite, backward, reduce, clip, update. Everything that a
step depends on (weights, optimizer, averages, place in the data) is in a `TrainingState`, so a run that stops after any
step goes on as if it had not; random numbers of the data are a function of seed, epoch and index.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pysot.datasets.device import DeviceAugment
from pysot.datasets.loading import PairLoader
from pysot.engine.distributed import Group
from pysot.engine.optim import (
    TrainingPlan,
    WeightAverage,
    clip_gradients,
    reduction_factor,
    set_learning_rates,
)
from pysot.engine.schedules import Schedule
from pysot.engine.snapshots import Snapshots, TrainingState
from pysot.models.losses import Criterion, TrainingNetwork
from pysot.utils import PysotError

# What the batches hold beside the labels.
_NOT_LABELS = ("template", "search", "names", "faults")


class TrainingError(PysotError, RuntimeError):
    """The training cannot go on; the message says why and what to do."""


@dataclass(frozen=True)
class Options:
    """How the steps are computed.

    Attributes:
        grad_clip: Largest norm of the whole gradient; 0: any.
        grad_reduce: ``mean`` or ``sum`` of the processes' gradients.
        accumulate: Batches of a step.
        bf16: Forward in bfloat16 where that is safe (autocast).
        channels_last: Keep channels last in memory.
        compile: Compile the network.
        lr_per_step: Follow the schedule within an epoch.
        most_skipped: Steps in a row that may be skipped because of losses or gradients that are not finite.
    """

    grad_clip: float = 10.0
    grad_reduce: str = "mean"
    accumulate: int = 1
    bf16: bool = False
    channels_last: bool = False
    compile: bool = False
    lr_per_step: bool = False
    most_skipped: int = 10


@dataclass(frozen=True)
class Step:
    """What a step did, for logs.

    Attributes:
        epoch: From 0.
        step: Within the epoch, from 0.
        losses: Means over the batches and processes; empty where the step was skipped.
        grad_norm: Before clipping; NaN where the step was skipped.
        lr: Of neck and heads.
        waited: Seconds spent waiting for data.
        seconds: All of the step's.
        skipped: Names of the pairs of a skipped step; empty otherwise.
    """

    epoch: int
    step: int
    losses: dict[str, float]
    grad_norm: float
    lr: float
    waited: float
    seconds: float
    skipped: tuple[str, ...] = ()


class Trainer:
    """Trains a network.

    Args:
        plan: What is trained when.
        criterion: The losses.
        optimizer: From `make_optimizer`.
        schedule: The learning rate over the epochs.
        loader: The training pairs.
        group: This process among all.
        options: How the steps are computed.
        config: The configuration as YAML, for the checkpoints.
        average: Averaged weights, or None.
        augment: Makes batches of what the loader gives, on the device, or None.
        snapshots: Where checkpoints go, or None for none.
        on_step: Called in every process after every step.
        on_epoch: Called in the main process after every epoch with the network to be judged (the averaged one where
            there is one); returns the score by which the best weights are kept, or None.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        criterion: Criterion,
        optimizer: torch.optim.Optimizer,
        schedule: Schedule,
        loader: PairLoader,
        group: Group,
        options: Options,
        *,
        config: str = "",
        average: WeightAverage | None = None,
        augment: DeviceAugment | None = None,
        snapshots: Snapshots | None = None,
        on_step: Callable[[Step], None] = lambda step: None,
        on_epoch: Callable[[int, nn.Module], float | None] = lambda epoch, network: None,
    ) -> None:
        self.plan = plan
        self.network = plan.network
        self.criterion = criterion
        self.optimizer = optimizer
        self.schedule = schedule
        self.loader = loader
        self.group = group
        self.options = options
        self.config = config
        self.average = average
        self.augment = augment
        self.snapshots = snapshots
        self.on_step = on_step
        self.on_epoch = on_epoch
        self.steps = loader.steps // options.accumulate
        if self.steps == 0:
            raise TrainingError(
                f"an epoch has {loader.steps} batches: fewer than TRAIN.ACCUMULATE {options.accumulate}"
            )
        self.epoch = 0
        self.step = 0
        self.best: float | None = None
        self._skipped_in_a_row = 0
        memory_format = torch.channels_last if options.channels_last else torch.contiguous_format
        self._memory_format = memory_format
        self.network.to(memory_format=memory_format)  # type: ignore[call-overload]
        self._statistics = [buffer.clone() for buffer in self.network.buffers()]
        self._module = TrainingNetwork(self.network, criterion)
        self._forward: nn.Module = self._module

    # The run

    def run(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """Train from the current place to the last epoch.

        Args:
            stop: Asked in every process after every step; when it says so in any, all save and return.

        Returns:
            True when the training is complete, False when it was stopped.

        Raises:
            TrainingError: Too many steps in a row had losses that are not finite.
        """
        while self.epoch < self.schedule.epochs:
            self._enter_epoch()
            batches = self.loader.epoch(self.epoch, self.step * self.options.accumulate)
            while self.step < self.steps:
                self._report(self._train_step(batches))
                self.step += 1
                if self.group.any(stop()):
                    self.save()
                    return False
            self._leave_epoch()
        return True

    def _enter_epoch(self) -> None:
        """Set what is trained, and wrap it anew: a wrapper looks at that once."""
        self.plan.apply(self.epoch)
        self._forward = self._module
        if self.options.compile:
            self._forward = torch.compile(self._forward)  # type: ignore[assignment]
        if self.group.size > 1:
            on_gpu = [self.group.device] if self.group.device.type == "cuda" else None
            self._forward = DistributedDataParallel(self._forward, device_ids=on_gpu)

    def _leave_epoch(self) -> None:
        judged = self.network if self.average is None else self.average.network
        score = None
        if self.group.is_main:
            with _evaluating(judged):
                score = self.on_epoch(self.epoch, judged)
            if score is not None and (self.best is None or score > self.best):
                self.best = score
                if self.snapshots is not None:
                    self.snapshots.save_best(judged.state_dict())
        self.save()
        self.group.wait()
        self.epoch, self.step = self.epoch + 1, 0

    # A step

    def _train_step(self, batches: Iterator[dict[str, Any]]) -> Step:
        began = time.perf_counter()
        time_in_epochs = self.epoch + (self.step / self.steps if self.options.lr_per_step else 0)
        set_learning_rates(self.optimizer, self.schedule.factor(time_in_epochs))
        self.optimizer.zero_grad(set_to_none=True)
        waited, finite = 0.0, True
        names: list[str] = []
        sums: dict[str, float] = {}
        torch._foreach_copy_(self._statistics, list(self.network.buffers()))
        for part in range(self.options.accumulate):
            asked = time.perf_counter()
            batch = next(batches)
            waited += time.perf_counter() - asked
            names += batch["names"]
            is_last = part == self.options.accumulate - 1
            losses, is_finite = self._forward_backward(batch, reduce=is_last, backward=finite)
            finite = finite and is_finite
            for name, loss in losses.items():
                sums[name] = sums.get(name, 0.0) + loss / self.options.accumulate
        norm = clip_gradients(self.optimizer, self.options.grad_clip).item() if finite else math.nan
        # The gradients are the same in all processes, so all come to the same conclusion.
        finite = finite and math.isfinite(norm)
        if finite:
            self.optimizer.step()
            if self.average is not None:
                self.average.update(self.network)
        else:
            # The normalisations have seen what was not finite; it must not stay.
            torch._foreach_copy_(list(self.network.buffers()), self._statistics)
        lr = self.optimizer.param_groups[-1]["lr"]
        seconds = time.perf_counter() - began
        return Step(
            self.epoch, self.step, sums if finite else {}, norm, lr, waited, seconds, () if finite else tuple(names)
        )

    def _forward_backward(
        self, batch: dict[str, Any], *, reduce: bool, backward: bool
    ) -> tuple[dict[str, float], bool]:
        """Return the losses of a batch, and whether they are finite in every process; if so, add their gradients.

        Args:
            batch: From the loader.
            reduce: Exchange the gradients with the other processes in this call.
            backward: False once a batch of this step was not finite: its gradients are not needed any more.
        """
        template, search, targets = self._to_device(batch)
        # What the losses divide by is counted over all processes: together they give what one with all pairs would.
        counts = self.group.mean(self.criterion.counts(targets).to(self.group.device))
        sync = contextlib.nullcontext() if reduce or self.group.size == 1 else self._forward.no_sync()  # type: ignore[operator]
        with sync:
            with torch.autocast(self.group.device.type, torch.bfloat16, enabled=self.options.bf16):
                losses: dict[str, Tensor] = self._forward(template, search, targets, counts)
            names = list(losses)
            values = self.group.mean(torch.stack([losses[name].detach().float() for name in names]))
            # A sum over processes with a NaN is NaN: all see it, and all skip.
            finite = bool(torch.isfinite(values).all())
            if finite and backward:
                factor = reduction_factor(self.options.grad_reduce, self.group.size) / self.options.accumulate
                (losses["total"] * factor).backward()
        return dict(zip(names, values.tolist(), strict=True)), finite

    def _to_device(self, batch: dict[str, Any]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        moved = {
            name: value.to(self.group.device, non_blocking=True)
            for name, value in batch.items()
            if isinstance(value, Tensor)
        }
        if self.augment is not None:
            moved = self.augment(moved)
        crops = [moved[name].to(torch.float32, memory_format=self._memory_format) for name in ("template", "search")]
        return crops[0], crops[1], {name: value for name, value in moved.items() if name not in _NOT_LABELS}

    def _report(self, step: Step) -> None:
        self.on_step(step)
        self._skipped_in_a_row = self._skipped_in_a_row + 1 if step.skipped else 0
        if self._skipped_in_a_row > self.options.most_skipped:
            raise TrainingError(
                f"{self._skipped_in_a_row} steps in a row had losses or gradients that are not finite, the last with "
                f"{step.skipped[0]}: lower TRAIN.BASE_LR, or look at these images; the last checkpoint is sound"
            )

    def losses_of(self, network: nn.Module, batch: dict[str, Any]) -> dict[str, float]:
        """Return the losses of another batch, or of another network's weights, without training on it."""
        template, search, targets = self._to_device(batch)
        with torch.no_grad():
            losses = TrainingNetwork(network, self.criterion)(template, search, targets)  # type: ignore[arg-type]
        return {name: loss.item() for name, loss in losses.items()}

    # Checkpoints

    def state(self) -> TrainingState:
        """Return everything the run needs to go on."""
        rng = {"cpu": torch.get_rng_state()}
        if self.group.device.type == "cuda":
            rng["cuda"] = torch.cuda.get_rng_state(self.group.device)
        return TrainingState(
            epoch=self.epoch,
            step=self.step,
            state_dict=self.network.state_dict(),
            optimizer=self.optimizer.state_dict(),
            averaged={} if self.average is None else self.average.state_dict(),
            rng=rng,
            config=self.config,
            best=self.best,
        )

    def save(self) -> None:
        """Write a checkpoint in the main process."""
        if self.group.is_main and self.snapshots is not None:
            self.snapshots.save(self.state(), steps_per_epoch=self.steps)

    def resume(self, state: TrainingState) -> None:
        """Go on from a checkpoint; to be called before `run`, with the same data and number of processes."""
        self.network.load_state_dict(state.state_dict)
        self.optimizer.load_state_dict(state.optimizer)
        if self.average is not None and state.averaged:
            self.average.load_state_dict(state.averaged)
        torch.set_rng_state(state.rng["cpu"])
        if self.group.device.type == "cuda" and "cuda" in state.rng:
            torch.cuda.set_rng_state(state.rng["cuda"], self.group.device)
        self.best = state.best
        self.epoch, self.step = state.epoch, state.step
        if self.step >= self.steps:
            self.epoch, self.step = self.epoch + 1, 0


@contextlib.contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode for the block; what is trained is set anew when the next epoch begins."""
    network.eval()
    with torch.no_grad():
        yield
