"""Learning rates over the epochs: curves, and the warm-up and the main curve one after the other.

A curve is a function of the time in epochs since its own start. At whole epochs it has the values of PySOT's schedules;
in between, where the learning rate is changed every step, it goes on between them.
"""

from __future__ import annotations

import bisect
import inspect
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pysot.utils import ConfigError, Registry

Curve = Callable[[float], float]

CURVES: Registry[Callable[..., Curve]] = Registry("schedule (TRAIN.LR.TYPE)")

_ARGUMENTS = {"start_lr", "end_lr", "step", "steps", "mult"}


@CURVES.register("log")
def log_curve(epochs: int, start_lr: float = 0.03, end_lr: float = 5e-4) -> Curve:
    """Fall by the same factor every epoch: start (end / start)^(t / (epochs - 1)).

    Example:
        >>> [round(log_curve(3, 1e-2, 1e-4)(epoch), 6) for epoch in range(3)]
        [0.01, 0.001, 0.0001]
    """
    return lambda time: start_lr * (end_lr / start_lr) ** _share(time, epochs)


@CURVES.register("linear")
def linear_curve(epochs: int, start_lr: float = 0.01, end_lr: float = 0.005) -> Curve:
    """Change by the same amount every epoch: start + (end - start) t / (epochs - 1)."""
    return lambda time: start_lr + (end_lr - start_lr) * _share(time, epochs)


@CURVES.register("cos")
def cos_curve(epochs: int, start_lr: float = 0.01, end_lr: float = 0.005) -> Curve:
    """Follow half a cosine: end + (start - end) (1 + cos(pi t / epochs)) / 2; the end comes after the last epoch."""
    return lambda time: end_lr + (start_lr - end_lr) * (1 + math.cos(math.pi * time / epochs)) / 2


@CURVES.register("step")
def step_curve(
    epochs: int, start_lr: float = 0.01, end_lr: float | None = None, step: int = 10, mult: float = 0.1
) -> Curve:
    """Multiply every ``step`` epochs: start mult^floor(t / step).

    With ``end_lr``, ``mult`` is what reaches it in floor(epochs / step) changes.

    Raises:
        ConfigError: ``step`` is not positive, or ``end_lr`` is given and there is no change.

    Example:
        >>> [step_curve(4, 1.0, step=2)(epoch) for epoch in range(4)]
        [1.0, 1.0, 0.1, 0.1]
    """
    if step <= 0:
        raise ConfigError(f"a step schedule changes every 'step' epochs: expected a positive number, got {step}")
    factor = mult if end_lr is None else _factor(start_lr, end_lr, epochs // step, f"{epochs} epochs, step {step}")
    return lambda time: start_lr * factor ** (time // step)


@CURVES.register("multi-step")
def multi_step_curve(
    epochs: int,
    start_lr: float = 0.01,
    end_lr: float | None = None,
    steps: Sequence[int] = (10, 20, 30, 40),
    mult: float = 0.5,
) -> Curve:
    """Multiply at each epoch of ``steps``: start mult^(number of steps <= t).

    With ``end_lr``, ``mult`` is what reaches it in all ``steps``, also those beyond the last epoch.

    Raises:
        ConfigError: ``end_lr`` is given and there is no change.

    Example:
        >>> [multi_step_curve(4, 1.0, steps=[1, 3])(epoch) for epoch in range(4)]
        [1.0, 0.5, 0.5, 0.25]
    """
    # An epoch that is named twice is one change; PySOT never changes at epoch 0.
    changes = sorted({change for change in steps if change > 0})
    factor = mult if end_lr is None else _factor(start_lr, end_lr, len(steps), f"steps {list(steps)}")
    return lambda time: start_lr * factor ** bisect.bisect_right(changes, time)


@dataclass(frozen=True)
class Schedule:
    """The learning rate of a whole training: a warm-up, then the main curve from its own start.

    Attributes:
        epochs: Length of the training, warm-up included.
        main: The main curve.
        warmup: The curve before it, or None.
        warmup_epochs: Length of the warm-up.

    Example:
        >>> schedule = Schedule(4, log_curve(2, 1.0, 0.1), linear_curve(2, 0.2, 0.6), 2)
        >>> [round(schedule(epoch), 6) for epoch in range(4)]
        [0.2, 0.6, 1.0, 0.1]
    """

    epochs: int
    main: Curve
    warmup: Curve | None = None
    warmup_epochs: int = 0

    def __call__(self, epoch: float) -> float:
        """Return the learning rate that the schedule itself names, at a time in epochs from 0 to ``epochs``.

        Raises:
            ValueError: A time outside the training.
        """
        if not 0 <= epoch <= self.epochs:
            raise ValueError(f"the schedule has {self.epochs} epochs: expected a time from 0 to there, got {epoch}")
        if self.warmup is not None and epoch < self.warmup_epochs:
            return self.warmup(epoch)
        return self.main(epoch - self.warmup_epochs)

    def factor(self, epoch: float) -> float:
        """Return what a group's own learning rate is multiplied by: the schedule, relative to the main curve's start.

        A group trains with ``BASE_LR`` (times its share) times this. Where ``BASE_LR`` is not the main curve's start,
        as in PySOT's AlexNet configuration, that is not the value that the schedule names.
        """
        return self(epoch) / self.main(0)


def make_schedule(
    epochs: int,
    kind: str,
    arguments: Mapping[str, Any],
    warmup_epochs: int = 0,
    warmup_kind: str = "step",
    warmup_arguments: Mapping[str, Any] | None = None,
) -> Schedule:
    """Return the schedule of a training; the main curve has the epochs that the warm-up leaves.

    Args:
        epochs: Length of the training.
        kind: Name of the main curve.
        arguments: Its arguments; those of another curve have no effect and are warned of.
        warmup_epochs: 0 for none.
        warmup_kind: Name of the warm-up's curve.
        warmup_arguments: Its arguments.

    Raises:
        ConfigError: An unknown curve or argument, a learning rate that is not positive, or no epoch left.
    """
    if not 0 <= warmup_epochs < epochs:
        raise ConfigError(f"a warm-up of {warmup_epochs} epochs leaves nothing of a training of {epochs}")
    main = _make_curve("TRAIN.LR", kind, epochs - warmup_epochs, arguments)
    if not warmup_epochs:
        return Schedule(epochs, main)
    warmup = _make_curve("TRAIN.LR_WARMUP", warmup_kind, warmup_epochs, warmup_arguments or {})
    return Schedule(epochs, main, warmup, warmup_epochs)


def _make_curve(section: str, kind: str, epochs: int, arguments: Mapping[str, Any]) -> Curve:
    build = CURVES[kind]
    unknown = sorted(set(arguments) - _ARGUMENTS)
    if unknown:
        raise ConfigError(f"{section}.KWARGS: unknown {', '.join(unknown)}: expected some of {sorted(_ARGUMENTS)}")
    own = {name: value for name, value in arguments.items() if name in inspect.signature(build).parameters}
    for name in sorted(set(arguments) - set(own)):
        warnings.warn(f"{section}.KWARGS.{name} has no effect: {section}.TYPE is {kind}", stacklevel=4)
    for name in ("start_lr", "end_lr", "mult"):
        if name in own and not own[name] > 0:
            raise ConfigError(f"{section}.KWARGS.{name}: expected positive, got {own[name]}")
    try:
        return build(epochs, **own)
    except ConfigError as error:
        raise ConfigError(f"{section}: {error}") from error


def _share(time: float, epochs: int) -> float:
    """Return how much of the way is done: all of it from the start of the last epoch on."""
    return min(time / (epochs - 1), 1.0) if epochs > 1 else 0.0


def _factor(start_lr: float, end_lr: float, changes: int, where: str) -> float:
    if changes == 0:
        raise ConfigError(f"there is no change that could lead to end_lr {end_lr} ({where}); remove end_lr")
    return float((end_lr / start_lr) ** (1 / changes))
