"""The training recipes under experiments/ with narrow networks, small crops and a few drawn pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tiny_training as tiny
import torch
import yaml
from torch import nn

import pysot
from pysot.engine.build import build_network, build_trainer
from pysot.engine.train_loop import Step, Trainer

_EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
_MASKS = "{video}/{frame:06d}.{track}.m.png"

#: Every configuration that says what to train on.
RECIPES = sorted(
    file.parent.name
    for file in _EXPERIMENTS.glob("*/config.yaml")
    if "DATASET" in yaml.safe_load(file.read_text(encoding="utf-8"))
)


def narrow(name: str) -> list[Any]:
    """Return what makes a recipe's network narrow and its crops small: tens of milliseconds per pair.

    Heads, levels, losses, labels and what is trained when stay the recipe's; a wide backbone becomes a narrow one.
    """
    cfg = pysot.load_cfg(name)
    if cfg.MASK.MASK:
        small = ["ADJUST.KWARGS.out_channels", [8]]
        if cfg.BACKBONE.TYPE == "mobilenetv2" and cfg.REFINE.REFINE:
            small += ["BACKBONE.KWARGS.width_mult", 0.25, "ADJUST.KWARGS.in_channels", [24]]
        else:
            small += ["BACKBONE.TYPE", "resnet18", "ADJUST.KWARGS.in_channels", [256]]
        if cfg.BACKBONE.TYPE == "mobilenetv2" and not cfg.REFINE.REFINE:  # too narrow, it learns no masks
            small += ["BACKBONE.KWARGS", {"used_layers": [3]}, "BACKBONE.TRAIN_LAYERS", ["layer2", "layer3"]]
        # 11 cells are those of the refinement's own recipe.
        small += ["RPN.KWARGS.in_channels", 8, "RPN.KWARGS.out_channels", 8]
        small += ["MASK.KWARGS.in_channels", 8, "MASK.KWARGS.hidden", 32]
        return [*small, "TRAIN.SEARCH_SIZE", 143, "TRAIN.OUTPUT_SIZE", 11]
    if cfg.ADJUST.ADJUST:
        one = cfg.RPN.LEVELS == 1
        layers, channels = ([3, 5], [24]) if one else ([3, 5, 7], [8, 24, 80])
        trained = [f"layer{stage}" for stage in range(3, layers[-1] + 1)]
        widths = [16] * len(channels)
        small = ["BACKBONE.TYPE", "mobilenetv2", "BACKBONE.KWARGS", {"used_layers": layers, "width_mult": 0.25}]
        small += ["BACKBONE.TRAIN_LAYERS", trained, "RPN.LEVELS", int(one)]
        small += ["ADJUST.KWARGS.in_channels", channels, "ADJUST.KWARGS.out_channels", widths]
        small += ["RPN.KWARGS.in_channels", 16 if one else widths]
        return [*small, "TRAIN.SEARCH_SIZE", 159, "TRAIN.OUTPUT_SIZE", 13]
    small = ["BACKBONE.TYPE", "alexnet", "BACKBONE.KWARGS.width_mult", 0.1]
    small += ["TRAIN.SEARCH_SIZE", 159, "TRAIN.OUTPUT_SIZE", 5, "TRAIN.BASE_SIZE", 0]
    if cfg.RPN.TYPE == "SiamFCHead":
        # A tenth of the channels, and they are normalised at the end, which the recipe's are not.
        layers = ["layer1", "layer2", "layer3", "layer4", "layer5"]
        return [*small, "BACKBONE.TRAIN_LAYERS", layers, "RPN.KWARGS.out_scale", 0.02]
    channels = "feature_in" if cfg.RPN.TYPE == "UPChannelRPN" else "in_channels"
    small += [f"RPN.KWARGS.{channels}", 25]
    return small if channels == "feature_in" else [*small, "RPN.KWARGS.out_channels", 16]


def drawn(name: str, data: Path) -> list[Any]:
    """Return what makes a recipe train on the drawn set, from fresh weights, in this process."""
    cfg = pysot.load_cfg(name)
    changes: list[Any] = []
    for source in cfg.DATASET.NAMES:
        entry = {"ROOT": str(data), "ANNO": str(data / "train.json"), "NUM_USE": -1}
        entry["MASKS"] = _MASKS if cfg.MASK.MASK else ""
        changes += [item for key, value in entry.items() for item in (f"DATASET.{source}.{key}", value)]
    # A target near the middle, so that it lies within the small crops.
    changes += ["DATASET.SEARCH.SHIFT", min(cfg.DATASET.SEARCH.SHIFT, 12)]
    changes += ["BACKBONE.PRETRAINED", "", "TRAIN.PRETRAINED", "", "TRAIN.NUM_WORKERS", 0, "TRAIN.VALIDATE_ON", ""]
    return changes


def recipe_trainer(name: str, data: Path, *changes: Any, pairs: int = 2) -> tuple[Trainer, list[Step]]:
    """Return a recipe's training on the drawn set, and the list its steps will go to."""
    batch = ["TRAIN.BATCH_SIZE", pairs, "DATASET.VIDEOS_PER_EPOCH", pairs]
    cfg = pysot.load_cfg(name, [*drawn(name, data), *batch, *changes])
    network, _ = build_network(cfg, tiny.ALONE)
    steps: list[Step] = []
    return build_trainer(cfg, network, tiny.ALONE, on_step=steps.append), steps


def repeat_one_batch(trainer: Trainer, steps: int) -> None:
    """Make every epoch of a training so many steps on one and the same batch.

    The normalisations start with the statistics of that batch, as those of a network that was trained before have
    statistics that fit: a frozen backbone would hand on values in the hundreds otherwise.
    """
    trainer.loader, trainer.steps = tiny.SameBatch(trainer.loader, steps), steps
    norms = {module: module.momentum for module in trainer.network.modules() if isinstance(module, nn.BatchNorm2d)}
    for module in norms:
        module.momentum = None  # the mean over what is seen
    batch = trainer.loader.batch
    with torch.no_grad():
        network = trainer.network.train()
        network(network.encode_template(batch["template"].float()), batch["search"].float())
    for module, momentum in norms.items():
        module.momentum = momentum
