"""From a configuration to the parts of a training: the only reader of TRAIN's keys of optimisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pysot.engine.schedules import Schedule, make_schedule
from pysot.models.losses import Criterion, MaskTerm

if TYPE_CHECKING:
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
