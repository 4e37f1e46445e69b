"""From a configuration to the parts of a training: the only reader of TRAIN's keys of optimisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pysot.engine.schedules import Schedule, make_schedule

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
