"""From a configuration to the parts of a training: the only reader of TRAIN's keys of optimisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pysot.engine.optim import MemoryNeed, TrainingPlan, estimate_memory, make_optimizer, plan_training
from pysot.engine.schedules import Schedule, make_schedule
from pysot.models import SiameseNet
from pysot.models.losses import Criterion, MaskTerm

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from yacs.config import CfgNode


def build_schedule(cfg: CfgNode) -> Schedule:
    """Return the learning rate over the epochs, from TRAIN.LR and TRAIN.LR_WARMUP.

    Raises:
        ConfigError: An unknown schedule or argument, or a value that cannot be.
    """
    main, warmup = cfg.TRAIN.LR, cfg.TRAIN.LR_WARMUP
    return make_schedule(
        cfg.TRAIN.EPOCH,
        main.TYPE,
        main.KWARGS,
        warmup.EPOCH if warmup.WARMUP else 0,
        warmup.TYPE,
        warmup.KWARGS,
    )


def build_criterion(cfg: CfgNode) -> Criterion:
    """Return the losses of a configuration's network and their weights."""
    train = cfg.TRAIN
    mask = None
    if cfg.MASK.MASK:
        padding = cfg.ANCHOR.STRIDE * train.BASE_SIZE // 2
        mask = MaskTerm(cfg.ANCHOR.STRIDE, padding, train.EXEMPLAR_SIZE, train.MASK_CELLS == "inside")
    return Criterion(train.CLS_WEIGHT, train.LOC_WEIGHT, train.MASK_WEIGHT, train.LOC_LOSS, train.LABEL_SMOOTHING, mask)


def build_plan(cfg: CfgNode, network: SiameseNet) -> TrainingPlan:
    """Return which parts of the network are trained from which epoch on.

    Raises:
        ConfigError: BACKBONE.TRAIN_LAYERS names nothing of this backbone, or nothing is trained at all.
    """
    backbone = cfg.BACKBONE
    return plan_training(network, backbone.TRAIN_LAYERS, backbone.LAYERS_LR, backbone.TRAIN_EPOCH, cfg.TRAIN.FROZEN)


def build_optimizer(cfg: CfgNode, plan: TrainingPlan) -> Optimizer:
    """Return the optimizer of a plan, with TRAIN's learning rate, momentum and weight decay."""
    return make_optimizer(plan, cfg.TRAIN.BASE_LR, cfg.TRAIN.MOMENTUM, cfg.TRAIN.WEIGHT_DECAY)


def estimate_phases(cfg: CfgNode, plan: TrainingPlan) -> dict[int, MemoryNeed]:
    """Return the memory that a process needs from each epoch on at which further parts begin to be trained."""
    train, mask_cells = cfg.TRAIN, 0
    if cfg.MASK.MASK:
        inside = (train.SEARCH_SIZE - train.EXEMPLAR_SIZE) // cfg.ANCHOR.STRIDE + 1
        mask_cells = inside**2 if train.MASK_CELLS == "inside" else train.POS_NUM
    sizes = (train.BATCH_SIZE, train.EXEMPLAR_SIZE, train.SEARCH_SIZE)
    return {
        epoch: estimate_memory(plan, epoch, *sizes, mask_cells=mask_cells, average=train.EMA > 0)
        for epoch in plan.phases(train.EPOCH)
    }
