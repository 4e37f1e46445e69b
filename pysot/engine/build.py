"""From a configuration to the parts of a training: the only reader of TRAIN's keys of optimisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from pysot.config import predicts_points
from pysot.datasets.build import build_device_augment, build_pair_loader
from pysot.engine.checkpoint import LoadReport, load_checkpoint
from pysot.engine.distributed import Group
from pysot.engine.optim import (
    MemoryNeed,
    TrainingPlan,
    WeightAverage,
    estimate_memory,
    make_optimizer,
    plan_training,
)
from pysot.engine.schedules import Schedule, make_schedule
from pysot.engine.snapshots import Snapshots
from pysot.engine.train_loop import Options, Step, Trainer
from pysot.models import SiameseNet, build_model
from pysot.models.losses import Criterion, MaskTerm
from pysot.utils import ConfigError

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
    return Criterion(
        train.CLS_WEIGHT,
        train.LOC_WEIGHT,
        train.MASK_WEIGHT,
        train.LOC_LOSS,
        train.LABEL_SMOOTHING,
        mask,
        points=predicts_points(cfg),
        quality_weight=train.QUALITY_WEIGHT,
    )


def build_plan(cfg: CfgNode, network: SiameseNet) -> TrainingPlan:
    """Return which parts of the network are trained from which epoch on.

    Raises:
        ConfigError: BACKBONE.TRAIN_LAYERS names nothing of this backbone, or nothing is trained, at all or at first.
    """
    backbone = cfg.BACKBONE
    plan = plan_training(
        network,
        backbone.TRAIN_LAYERS,
        backbone.LAYERS_LR,
        backbone.TRAIN_EPOCH,
        cfg.TRAIN.FROZEN,
        cfg.TRAIN.FREEZE_NORM_EPOCH,
    )
    if not plan.trained(cfg.TRAIN.START_EPOCH):
        raise ConfigError(
            f"nothing is trained before epoch {backbone.TRAIN_EPOCH} (BACKBONE.TRAIN_EPOCH): this network has no other "
            f"part to train; set it to {cfg.TRAIN.START_EPOCH}"
        )
    first = cfg.TRAIN.FREEZE_NORM_EPOCH
    if first < 0:
        return plan
    note = f"normalisations keep their statistics from epoch {first} on (TRAIN.FREEZE_NORM_EPOCH)"
    if first >= cfg.TRAIN.EPOCH:
        note += f", which never comes: TRAIN.EPOCH is {cfg.TRAIN.EPOCH}"
    return replace(plan, notes=(*plan.notes, note))


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


def build_options(cfg: CfgNode) -> Options:
    """Return how the steps of a training are computed."""
    train = cfg.TRAIN
    return Options(
        grad_clip=train.GRAD_CLIP,
        grad_reduce=train.GRAD_REDUCE,
        accumulate=train.ACCUMULATE,
        bf16=train.PRECISION == "bf16",
        channels_last=train.CHANNELS_LAST,
        compile=train.COMPILE,
        lr_per_step=train.LR_PER_STEP,
        most_skipped=train.MAX_SKIPPED,
        log_grads=train.LOG_GRADS,
    )


def refuse_missing_files(cfg: CfgNode) -> None:
    """Make sure that weights to start from and training data are there, all of them, before anything is built.

    Raises:
        ConfigError: Some are not; names each of them, with its key.
    """
    files = {f"{section}.PRETRAINED": cfg[section].PRETRAINED for section in ("BACKBONE", "TRAIN")}
    for name in (*cfg.DATASET.NAMES, *cfg.TRAIN.VALIDATE_NAMES):
        files |= {f"DATASET.{name}.{key}": cfg.DATASET[name][key] for key in ("ROOT", "ANNO")}
    missing = [f"{key} {path}" for key, path in files.items() if path and not Path(path).exists()]
    if missing:
        raise ConfigError(
            f"not there: {', '.join(missing)}. docs/training.md says where to get weights ('' starts fresh), "
            "training_dataset/README.md where data; with nothing downloaded: "
            "python benchmarks/recipe.py --config siamfc_synthetic --folder synthetic (half an hour on two cores)"
        )


def build_network(cfg: CfgNode, group: Group) -> tuple[SiameseNet, list[str]]:
    """Return the network to train, with the weights it starts from, on its device, and what was loaded, in lines.

    BACKBONE.PRETRAINED is loaded into the backbone, then TRAIN.PRETRAINED into the whole network as far as it
    fits. What TRAIN.FROZEN names must be in them.

    Raises:
        CheckpointError: A file cannot be read or does not fit.
        ConfigError: One of these files is not there or lacks weights that stay frozen, or TRAIN.SYNC_BN on the CPU.
    """
    for section in ("BACKBONE", "TRAIN"):
        path = cfg[section].PRETRAINED
        if path and not Path(path).is_file():
            raise ConfigError(
                f"{section}.PRETRAINED {path}: no such file; put one there that docs/training.md names, or start from "
                f"fresh weights with {section}.PRETRAINED ''"
            )
    torch.manual_seed(cfg.TRAIN.SEED)
    network = build_model(cfg)
    reports = []
    if cfg.BACKBONE.PRETRAINED:
        reports.append(load_checkpoint(network, cfg.BACKBONE.PRETRAINED))
    if cfg.TRAIN.PRETRAINED:
        reports.append(load_checkpoint(network, cfg.TRAIN.PRETRAINED, strict=False))
    notes = [*map(str, reports), *_check_frozen(cfg, network, reports)]
    if cfg.TRAIN.SYNC_BN and group.size > 1:
        if group.device.type == "cpu":
            raise ConfigError(
                "TRAIN.SYNC_BN needs GPUs: PyTorch has no such normalisation for the CPU; set it to False"
            )
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    return network.to(group.device), notes


def _check_frozen(cfg: CfgNode, network: SiameseNet, reports: list[LoadReport]) -> list[str]:
    """Return a note of the parts that stay as fresh as they are, where TRAIN.PRETRAINED is not there to fill them."""
    loaded = {name for report in reports for name in (*report.loaded, *report.derived)}
    parts = tuple(f"{part}." for part in cfg.TRAIN.FROZEN)
    fresh = [name for name, _ in network.named_parameters() if name.startswith(parts) and name not in loaded]
    if not fresh:
        return []
    named = ", ".join(dict.fromkeys(name.split(".")[0] for name in fresh))
    what = f"TRAIN.FROZEN: {len(fresh)} fresh weights of {named} are never trained (first: {fresh[0]})"
    if cfg.TRAIN.PRETRAINED:
        raise ConfigError(
            f"{what}: TRAIN.PRETRAINED {cfg.TRAIN.PRETRAINED} has none that fit; name the checkpoint of a network with "
            f"the same {named}, or take these parts out of TRAIN.FROZEN"
        )
    return [what]


def build_trainer(
    cfg: CfgNode,
    network: SiameseNet,
    group: Group,
    *,
    snapshots: Snapshots | None = None,
    on_step: Callable[[Step], None] = lambda step: None,
    on_epoch: Callable[[int, nn.Module], float | None] = lambda epoch, network: None,
) -> Trainer:
    """Return the training of a network as a configuration describes it.

    Args:
        cfg: TRAIN, BACKBONE and DATASET are read.
        network: From `build_network`.
        group: This process among all.
        snapshots: Where checkpoints go.
        on_step: See `Trainer`.
        on_epoch: See `Trainer`.

    Raises:
        ConfigError: Keys cannot be used together.
        InputError: Training data is not there or cannot be read.
    """
    train = cfg.TRAIN
    plan = build_plan(cfg, network)
    on_gpu = group.device.type == "cuda"
    loader = build_pair_loader(cfg, train.SEED, rank=group.rank, world_size=group.size, pin_memory=on_gpu)
    return Trainer(
        plan,
        build_criterion(cfg),
        build_optimizer(cfg, plan),
        build_schedule(cfg),
        loader,
        group,
        build_options(cfg),
        config=cfg.dump(),
        average=WeightAverage(network, train.EMA) if train.EMA else None,
        augment=build_device_augment(cfg) if cfg.DATASET.DEVICE_AUGMENT else None,
        snapshots=snapshots,
        on_step=on_step,
        on_epoch=on_epoch,
    )
