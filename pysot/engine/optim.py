"""What of a network is trained, from which epoch, at which learning rate; and what that costs in memory.

The optimizer has all its groups from the start. A part that is still frozen has no gradients, which the optimizer
passes over; when it is unfrozen, nothing of the optimizer changes, and the others keep their momentum.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import SGD, Optimizer
from torch.optim.swa_utils import get_ema_multi_avg_fn

from pysot.engine.schedules import Schedule
from pysot.models import SiameseNet
from pysot.utils import ConfigError

#: The parts of a network that can be kept frozen.
PARTS = ("backbone", "neck", "rpn_head", "mask_head", "refine_head")


@dataclass(frozen=True)
class Part:
    """A part of the network that is trained as one.

    Attributes:
        name: Such as ``neck`` or ``backbone.layer3``.
        module: It.
        share: Of the base learning rate.
        from_epoch: First epoch in which it is trained.
    """

    name: str
    module: nn.Module
    share: float
    from_epoch: int


@dataclass(frozen=True)
class TrainingPlan:
    """Which parts of a network are trained when; everything else is frozen.

    Attributes:
        network: The network.
        parts: Its parts that are trained at some time.
        notes: What a user should know about the rest, and about normalisations.
        freeze_norm_epoch: First epoch in which normalisations keep their statistics; negative: none.
    """

    network: SiameseNet
    parts: tuple[Part, ...]
    notes: tuple[str, ...]
    freeze_norm_epoch: int = -1

    def trained(self, epoch: int) -> tuple[str, ...]:
        """Return the names of the parts that are trained in an epoch."""
        return tuple(part.name for part in self.parts if epoch >= part.from_epoch)

    def phases(self, epochs: int) -> list[int]:
        """Return the epochs, from 0 up to ``epochs``, at which other parts begin to be trained than before."""
        return sorted({0, *(part.from_epoch for part in self.parts if part.from_epoch < epochs)})

    def apply(self, epoch: int) -> None:
        """Set what is trained in an epoch; the normalisations of frozen parts keep their statistics.

        From ``freeze_norm_epoch`` on, those of all parts do, and normalise by them: the network is then trained as it
        will be used. Before, templates and search crops pass the same normalisations each with statistics of their
        own, while what is kept, and used for both, is a mixture.

        To be called at the start of every epoch and after every ``train()`` or ``eval()``. Where ``trained`` changes,
        wrappers that look at what has gradients (DistributedDataParallel) must be made anew.
        """
        self.network.eval().requires_grad_(False)
        for part in self.parts:
            if epoch >= part.from_epoch:
                part.module.train().requires_grad_(True)
        if 0 <= self.freeze_norm_epoch <= epoch:
            for module in self.network.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()


def plan_training(
    network: SiameseNet,
    train_layers: Sequence[str],
    layers_share: float = 0.1,
    train_epoch: int = 0,
    frozen: Sequence[str] = (),
    freeze_norm_epoch: int = -1,
) -> TrainingPlan:
    """Return the plan: neck and heads from the start, layers of the backbone from an epoch on.

    Args:
        network: The network.
        train_layers: Layers of the backbone to train, or blocks of them (``layer4.3``); unknown ones are noted.
        layers_share: Their learning rate, as a share of the base learning rate.
        train_epoch: First epoch in which they are trained.
        frozen: Of `PARTS`, those that are never trained.
        freeze_norm_epoch: See `TrainingPlan`.

    Raises:
        ConfigError: The backbone has none of the layers, or nothing is left to train.
    """
    modules = {name: module for name in PARTS if (module := getattr(network, name)) is not None}
    if network.mask_head is not None and network.refine_head is not None:
        # The refinement starts from the correlation. The mask head's own masks have no loss then, and parameters
        # without a gradient would make several processes wait for each other.
        del modules["mask_head"]
        modules |= {f"mask_head.{name}": getattr(network.mask_head, name) for name in ("conv_kernel", "conv_search")}
    layers, notes = _find_layers(modules.pop("backbone"), train_layers)
    parts = [Part(f"backbone.{name}", layer, layers_share, train_epoch) for name, layer in layers.items()]
    parts += [Part(name, module, 1.0, 0) for name, module in modules.items()]
    # A head without parameters (SiamFC's) is nothing to train.
    parts = [part for part in parts if part.name.split(".")[0] not in frozen and _has_weights(part.module)]
    notes += [f"TRAIN.FROZEN: the network has no {name}" for name in frozen if getattr(network, name, None) is None]
    if not parts:
        raise ConfigError("nothing is trained: TRAIN.FROZEN and BACKBONE.TRAIN_LAYERS leave no part of the network")
    return TrainingPlan(network, tuple(parts), tuple(notes), freeze_norm_epoch)


def _find_layers(backbone: nn.Module, names: Sequence[str]) -> tuple[dict[str, nn.Module], list[str]]:
    children = {name: child for name, child in backbone.named_children() if _has_weights(child)}
    blocks = {f"{name}.{index}": block for name, child in children.items() for index, block in child.named_children()}
    known = children | blocks
    found = {name: known[name] for name in names if name in known}
    kind = type(backbone).__name__
    if names and not found:
        raise ConfigError(
            f"BACKBONE.TRAIN_LAYERS {list(names)}: this {kind} has none of them, it has {sorted(children)}; "
            f"name some of these, or [] to keep it frozen"
        )
    twice = [name for name in found if name.split(".")[0] in found and name not in children]
    if twice:
        raise ConfigError(f"BACKBONE.TRAIN_LAYERS: {twice[0]} is a part of {twice[0].split('.')[0]}; name one of them")
    absent = [name for name in names if name not in known]
    return found, [f"BACKBONE.TRAIN_LAYERS: this {kind} has no {name}, it is passed over" for name in absent]


def make_optimizer(plan: TrainingPlan, base_lr: float, momentum: float = 0.9, weight_decay: float = 1e-4) -> SGD:
    """Return the optimizer of a plan: a group per part, all of them from the start.

    Every group has its ``name`` and its ``initial_lr``, which `set_learning_rates` scales.
    """
    groups = [
        {
            "name": part.name,
            "params": list(part.module.parameters()),
            "lr": base_lr * part.share,
            "initial_lr": base_lr * part.share,
        }
        for part in plan.parts
    ]
    return SGD(groups, lr=base_lr, momentum=momentum, weight_decay=weight_decay)


def set_learning_rates(optimizer: Optimizer, factor: float) -> None:
    """Set every group's learning rate to ``factor`` (from `Schedule.factor`) times its initial one."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor


def clip_gradients(optimizer: Optimizer, most: float) -> Tensor:
    """Scale the gradients down to a norm of ``most`` over all of them, and return the norm they had.

    Args:
        optimizer: Of the parameters.
        most: 0 to leave the gradients as they are.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    return nn.utils.clip_grad_norm_(parameters, most or math.inf)


def reduction_factor(reduce: str, processes: int) -> int:
    """Return what a process's loss is multiplied by, so that averaged gradients become those of TRAIN.GRAD_REDUCE.

    The sum over the processes is their mean times their number; as the learning rate multiplies the gradient, this is
    also how much larger the effective learning rate is.

    Example:
        >>> reduction_factor("mean", 8), reduction_factor("sum", 8)
        (1, 8)
    """
    return {"mean": 1, "sum": processes}[reduce]


def describe_learning_rates(
    plan: TrainingPlan, schedule: Schedule, base_lr: float, reduce: str, processes: int, batch_size: int
) -> str:
    """Say what every part trains with, in lines: nothing about it should have to be guessed.

    Args:
        plan: What is trained.
        schedule: The learning rate over the epochs.
        base_lr: That of neck and heads.
        reduce: ``mean`` or ``sum`` of the processes' gradients.
        processes: How many.
        batch_size: Pairs of one process in a step.
    """
    marks = {0, schedule.warmup_epochs, schedule.epochs - 1}
    lines = []
    for share, start in dict.fromkeys((part.share, part.from_epoch) for part in plan.parts):
        names = ", ".join(part.name for part in plan.parts if (part.share, part.from_epoch) == (share, start))
        at = sorted({max(epoch, start) for epoch in marks})
        rates = ", ".join(f"{base_lr * share * schedule.factor(epoch):.3g} in epoch {epoch}" for epoch in at)
        lines.append(f"learning rate of {names}: {rates}" if start < schedule.epochs else f"never trained: {names}")
    named = schedule(schedule.warmup_epochs)
    if not math.isclose(named, base_lr):
        lines.append(
            f"TRAIN.LR names {named:.3g} where TRAIN.BASE_LR is {base_lr:.3g}: the schedule gives the course, BASE_LR "
            f"the height, so the learning rates are {base_lr / named:.3g} of those it names"
        )
    factor = reduction_factor(reduce, processes)
    lines.append(
        f"effective learning rate: {factor} x these, for the mean gradient of the {processes * batch_size} pairs of a "
        f"step (TRAIN.GRAD_REDUCE {reduce}, {processes} x {batch_size} pairs)"
    )
    return "\n".join(lines)


class WeightAverage:
    """A copy of a network whose weights and statistics are the exponential average of those during the training.

    In step n, the average keeps min(decay, (1 + n) / (10 + n)) of itself: it does not remember the start for long.

    Args:
        network: What is averaged.
        decay: What the average keeps of itself per step, in the long run.

    Attributes:
        network: The averaged network, in evaluation mode.
    """

    def __init__(self, network: SiameseNet, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self._steps = 0

    @torch.no_grad()
    def update(self, network: SiameseNet) -> None:
        """Take over the weights after a step."""
        self._steps += 1
        decay = min(self.decay, (1 + self._steps) / (10 + self._steps))
        own, other = self.network.state_dict(), network.state_dict()
        averaged = [name for name, tensor in own.items() if tensor.is_floating_point()]
        get_ema_multi_avg_fn(decay)([own[name] for name in averaged], [other[name] for name in averaged], self._steps)
        for name in own.keys() - set(averaged):
            own[name].copy_(other[name])

    def state_dict(self) -> dict[str, Any]:
        """Return the weights and the number of steps, for a checkpoint."""
        return {"steps": self._steps, "network": self.network.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.network.load_state_dict(state["network"])
        self._steps = int(state["steps"])


@dataclass(frozen=True)
class MemoryNeed:
    """What a training step keeps in the device's memory at least, bytes.

    Attributes:
        weights: Parameters and statistics.
        gradients: Of the trained parameters.
        momentum: Of the trained parameters.
        average: Averaged weights.
        activations: What the forward pass keeps for the backward pass, in single precision.
    """

    weights: int
    gradients: int
    momentum: int
    average: int
    activations: int

    @property
    def total(self) -> int:
        """All together; what operators use for the time of their work comes on top."""
        return sum(getattr(self, field.name) for field in fields(self))

    def __str__(self) -> str:
        """The total and its parts in GiB."""
        parts = ", ".join(f"{field.name} {_gib(getattr(self, field.name))}" for field in fields(self))
        return f"at least {_gib(self.total)} GiB ({parts})"


def estimate_memory(
    plan: TrainingPlan,
    epoch: int,
    batch_size: int,
    template_size: int,
    search_size: int,
    *,
    mask_cells: int = 0,
    average: bool = False,
) -> MemoryNeed:
    """Return what training in an epoch needs, without using that memory: the step is only followed in thought.

    Args:
        plan: What is trained.
        epoch: An epoch; `TrainingPlan.phases` has those where the need changes.
        batch_size: Pairs of a process in a step.
        template_size: Side of the template crop, network pixels.
        search_size: Side of the search crop, network pixels.
        mask_cells: Masks drawn per pair.
        average: The weights are averaged.
    """
    trained = plan.trained(epoch)
    stored = sum(_bytes(tensor) for tensor in plan.network.state_dict().values())
    moving = sum(_bytes(tensor) for part in plan.parts if part.name in trained for tensor in part.module.parameters())
    network = copy.deepcopy(plan.network).to("meta")
    # The copy's parts, under the plan's own rules.
    parts = tuple(Part(p.name, network.get_submodule(p.name), p.share, p.from_epoch) for p in plan.parts)
    TrainingPlan(network, parts, ()).apply(epoch)
    own = {_storage(tensor) for tensor in network.state_dict(keep_vars=True).values()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if _storage(tensor) not in own:
            kept[_storage(tensor)] = tensor
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        crops = [torch.empty(batch_size, 3, size, size, device="meta") for size in (template_size, search_size)]
        output = network(network.encode_template(crops[0]), crops[1])
        if mask_cells:
            network.masks_at(output, torch.zeros(batch_size * mask_cells, 3, dtype=torch.int64, device="meta"))
    activations = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    return MemoryNeed(stored, moving, moving, stored if average else 0, activations)


def _has_weights(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _gib(count: int) -> str:
    return f"{count / 2**30:.2f}"
