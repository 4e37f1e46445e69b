"""The training loop: one function to read from top to bottom, the same for one process and for many.

A step is: batch, forward, agree on whether the losses are finite, backward, reduce, clip, update. Everything that a
step depends on (weights, optimizer, averages, place in the data) is in a `TrainingState`, so a run that stops after any
step goes on as if it had not; random numbers of the data are a function of seed, epoch and index.
"""

from __future__ import annotations

import contextlib
import gc
import math
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
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
from pysot.models import SiameseNet
from pysot.models.losses import Criterion, TrainingNetwork
from pysot.utils import CheckpointError, PysotError

# What the batches hold beside the labels.
_NOT_LABELS = ("template", "search", "names", "faults")
_MOST_NAMED = 16


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
        log_grads: Measure the gradients of every part.
    """

    grad_clip: float = 10.0
    grad_reduce: str = "mean"
    accumulate: int = 1
    bf16: bool = False
    channels_last: bool = False
    compile: bool = False
    lr_per_step: bool = False
    most_skipped: int = 10
    log_grads: bool = False


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
        skipped: Names of the pairs that made the step be skipped, or of all; empty otherwise.
        grad_norms: Of every part, before clipping; where that is asked for.
    """

    epoch: int
    step: int
    losses: dict[str, float]
    grad_norm: float
    lr: float
    waited: float
    seconds: float
    skipped: tuple[str, ...] = ()
    grad_norms: Mapping[str, float] = field(default_factory=dict)

    def add_to(self, totals: dict[str, float]) -> None:
        """Add this step to what the steps of an epoch add up to: losses, waiting, seconds, skipped steps, steps."""
        own = {"waited": self.waited, "seconds": self.seconds, "skipped": float(bool(self.skipped)), "steps": 1.0}
        for name, value in {**self.losses, **own}.items():
            totals[name] = totals.get(name, 0.0) + value


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

    Attributes:
        totals: What the steps of the epoch add up to, those before a resume included; see `Step.add_to`.
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
        on_epoch: Callable[[int, SiameseNet], float | None] = lambda epoch, network: None,
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
        self.totals: dict[str, float] = {}
        self._skipped_in_a_row = 0
        memory_format = torch.channels_last if options.channels_last else torch.contiguous_format
        self._memory_format = memory_format
        self.network.to(memory_format=memory_format)  # type: ignore[call-overload]
        self._statistics = [buffer.clone() for buffer in self.network.buffers()]
        self._module = TrainingNetwork(self.network, criterion)
        self._forward: nn.Module = self._module
        self._forward_trains: tuple[str, ...] | None = None

    # The run

    def run(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """Train from the current place to the last epoch.

        Args:
            stop: Asked in every process after every step; when it says so in any, all save and return.

        Returns:
            True when the training is complete, False when it was stopped.

        Raises:
            TrainingError: Too many steps in a row had losses that are not finite, or the processes start from
                different places.
        """
        self._agree()
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

    def _agree(self) -> None:
        place = torch.tensor([self.epoch, self.step, self.steps], dtype=torch.float64, device=self.group.device)
        if self.group.any(not torch.equal(self.group.mean(place), place)):
            raise TrainingError(
                f"the processes do not start from the same place (process {self.group.rank}: epoch {self.epoch}, step "
                f"{self.step} of {self.steps}): TRAIN.SNAPSHOT_DIR and the data must be the same for all machines"
            )

    def _enter_epoch(self) -> None:
        """Set what is trained; where that changes, wrap the network anew, for a wrapper looks at it once."""
        self.plan.apply(self.epoch)
        trained = self.plan.trained(self.epoch)
        if trained == self._forward_trains:
            return
        self._forward_trains = trained
        self._forward = self._module
        gc.collect()  # a wrapper of before would go on exchanging gradients
        if self.options.compile:
            self._forward = torch.compile(self._forward)  # type: ignore[assignment]
        if self.group.size > 1:
            on_gpu = [self.group.device] if self.group.device.type == "cuda" else None
            with warnings.catch_warnings():  # PyTorch 2.13 renames the argument, older ones do not know the new name
                warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
                self._forward = DistributedDataParallel(self._forward, device_ids=on_gpu, broadcast_buffers=False)

    @property
    def judged(self) -> SiameseNet:
        """The network that is validated and kept: the averaged one where there is one."""
        return self.network if self.average is None else self.average.network

    def _leave_epoch(self) -> None:
        judged = self.judged
        if self.group.is_main:
            with evaluating(judged):
                score = self.on_epoch(self.epoch, judged)
            # Without scores, the latest weights are the ones to use; anything is better than what is not a number.
            if score is None or self.best is None or math.isnan(self.best) or score > self.best:
                self.best = score
                if self.snapshots is not None:
                    self.snapshots.save_best(judged.state_dict())
        self.epoch, self.step, self.totals = self.epoch + 1, 0, {}
        self.save()
        self.group.wait()

    # A step

    def _lr_factor(self, step: int) -> float:
        return self.schedule.factor(self.epoch + (step / self.steps if self.options.lr_per_step else 0))

    @property
    def last_lr(self) -> float:
        """The learning rate of neck and heads in the epoch's last step, whether or not this process trained it."""
        return float(self.optimizer.param_groups[-1]["initial_lr"]) * self._lr_factor(self.steps - 1)

    def _train_step(self, batches: Iterator[dict[str, Any]]) -> Step:
        began = time.perf_counter()
        set_learning_rates(self.optimizer, self._lr_factor(self.step))
        loaded = [next(batches) for _ in range(self.options.accumulate)]
        waited = time.perf_counter() - began
        self._keep_statistics()
        self.optimizer.zero_grad(set_to_none=True)
        losses = self._backward([self._to_device(batch) for batch in loaded])
        grad_norms = self._grad_norms() if self.options.log_grads else {}
        norm = clip_gradients(self.optimizer, self.options.grad_clip)
        own = torch.stack([torch.stack(list(of_batch.values())) for of_batch in losses])
        # Means over the processes: one NaN makes them NaN for all, as it makes the gradients. All decide the same.
        means = self.group.mean(own.mean(dim=0))
        *values, grad_norm = torch.cat([means, norm[None]]).tolist()
        skipped: tuple[str, ...] = ()
        if math.isfinite(sum(values)) and math.isfinite(grad_norm):
            self.optimizer.step()
            self.group.share_statistics(self.network)
            if self.average is not None:
                self.average.update(self.network)
        else:
            self._restore_statistics()
            skipped = self._names(loaded, own)
        return Step(
            epoch=self.epoch,
            step=self.step,
            losses={} if skipped else dict(zip(losses[0], values, strict=True)),
            grad_norm=math.nan if skipped else grad_norm,
            lr=self.optimizer.param_groups[-1]["lr"],
            waited=waited,
            seconds=time.perf_counter() - began,
            skipped=skipped,
            grad_norms=grad_norms,
        )

    def _backward(self, batches: list[tuple[Tensor, Tensor, dict[str, Tensor]]]) -> list[dict[str, Tensor]]:
        """Add up the gradients of the batches of a step and return the losses of each."""
        # What the losses divide by is counted over all batches and processes: together they give what one with all
        # pairs would.
        own = torch.stack([self.criterion.counts(targets) for _, _, targets in batches]).mean(dim=0)
        counts = self.group.mean(own)
        factor = reduction_factor(self.options.grad_reduce, self.group.size) / len(batches)
        found = []
        for number, (template, search, targets) in enumerate(batches, 1):
            exchange = number == len(batches)
            alone = contextlib.nullcontext() if exchange or self.group.size == 1 else self._forward.no_sync()  # type: ignore[operator]
            with alone:
                with torch.autocast(self.group.device.type, torch.bfloat16, enabled=self.options.bf16):
                    losses: dict[str, Tensor] = self._forward(template, search, targets, counts)
                (losses["total"] * factor).backward()
            found.append({name: loss.detach().float() for name, loss in losses.items()})
        return found

    def _keep_statistics(self) -> None:
        for kept, buffer in zip(self._statistics, self.network.buffers(), strict=True):
            kept.copy_(buffer)

    def _restore_statistics(self) -> None:
        """Make the normalisations forget what was not finite."""
        for kept, buffer in zip(self._statistics, self.network.buffers(), strict=True):
            buffer.copy_(kept)

    def _grad_norms(self) -> dict[str, float]:
        norms = {}
        for group in self.optimizer.param_groups:
            gradients = [parameter.grad for parameter in group["params"] if parameter.grad is not None]
            if gradients:
                norms[group["name"]] = nn.utils.get_total_norm(gradients).item()
        return norms

    def _names(self, batches: list[dict[str, Any]], own: Tensor) -> tuple[str, ...]:
        """Return, in every process, the pairs whose batches have losses that are not finite; all where none has."""
        sound = torch.isfinite(own).all(dim=1).tolist()
        guilty = [
            name for batch, is_sound in zip(batches, sound, strict=True) if not is_sound for name in batch["names"]
        ]
        everywhere = self.group.gather(guilty)
        return tuple(everywhere or self.group.gather([name for batch in batches for name in batch["names"]]))

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
        step.add_to(self.totals)
        self.on_step(step)
        self._skipped_in_a_row = self._skipped_in_a_row + 1 if step.skipped else 0
        if self._skipped_in_a_row > self.options.most_skipped:
            named = "\n".join(f"  {name}" for name in step.skipped[:_MOST_NAMED])
            raise TrainingError(
                f"{self._skipped_in_a_row} steps in a row had losses or gradients that are not finite "
                f"(TRAIN.MAX_SKIPPED {self.options.most_skipped}); lower TRAIN.BASE_LR, or look at these pairs "
                f"of the last one; the last checkpoint is sound\n{named}"
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
            steps=self.steps,
            state_dict=self.network.state_dict(),
            optimizer=self.optimizer.state_dict(),
            averaged={} if self.average is None else self.average.state_dict(),
            rng=rng,
            config=self.config,
            best=self.best,
            totals=self.totals,
        )

    def save(self) -> None:
        """Write a checkpoint in the main process."""
        if self.group.is_main and self.snapshots is not None:
            self.snapshots.save(self.state())

    def resume(self, state: TrainingState) -> None:
        """Go on from a checkpoint; to be called before `run`.

        Learning rates, momentum and weight decay are those of the configuration. With other numbers of processes or
        pairs, a run that was stopped within an epoch goes on at the same share of it.

        Raises:
            CheckpointError: The checkpoint is of another network, or of another choice of what is trained.
        """
        groups = self.optimizer.param_groups
        settings = [{name: value for name, value in group.items() if name != "params"} for group in groups]
        try:
            self.network.load_state_dict(state.state_dict)
            self.optimizer.load_state_dict(state.optimizer)
        except (RuntimeError, ValueError, KeyError) as error:
            raise CheckpointError(
                f"the checkpoint does not fit the configuration ({textwrap.shorten(str(error), 200)}); to go on, leave "
                f"the network, BACKBONE.TRAIN_LAYERS and TRAIN.FROZEN as they were; to start from its weights, use "
                f"TRAIN.PRETRAINED"
            ) from error
        for group, own in zip(self.optimizer.param_groups, settings, strict=True):
            group.update(own)
        if self.average is not None:
            if state.averaged:
                self.average.load_state_dict(state.averaged)
            else:
                self.average.network.load_state_dict(state.state_dict)
        torch.set_rng_state(state.rng["cpu"])
        if self.group.device.type == "cuda" and "cuda" in state.rng:
            torch.cuda.set_rng_state(state.rng["cuda"], self.group.device)
        self.best = state.best
        self.epoch, self.step = state.epoch, state.step * self.steps // state.steps
        # Steps of another size count for more or fewer; the time they took is what it was.
        size = {name: 1.0 for name in ("seconds", "waited")}
        self.totals = {name: total * size.get(name, self.steps / state.steps) for name, total in state.totals.items()}


@contextlib.contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode for the block; what is trained is set anew when the next epoch begins."""
    network.eval()
    with torch.no_grad():
        yield
