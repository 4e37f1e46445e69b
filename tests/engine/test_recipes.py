"""Every configuration that trains: a step on drawn crops, with the published network and with a narrow one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import tiny_training as tiny
import torch
import yaml

import pysot
from pysot.engine.build import build_network, build_trainer
from pysot.engine.train_loop import Step

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted(
    folder.parent.name
    for folder in (ROOT / "experiments").glob("*/config.yaml")
    if "DATASET" in yaml.safe_load(folder.read_text(encoding="utf-8"))
)
#: Those whose gradients PySOT summed over the GPUs.
SUMMED = [
    "siamrpn_alex_dwxcorr_16gpu",
    "siamrpn_r50",
    "siamrpn_r50_l234_dwxcorr_16gpu",
    "siamrpn_r50_l234_dwxcorr_8gpu",
    "siamrpn_r50_l234_dwxcorr_otb_8gpu",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_training_set(tmp_path_factory.mktemp("recipes") / "set")


def narrow(cfg: Any) -> list[Any]:
    """Return what makes the network narrow, and the crops small where the score map allows it."""
    if cfg.BACKBONE.TYPE == "alexnet":
        return ["BACKBONE.KWARGS.width_mult", 0.1, "RPN.KWARGS.in_channels", 25, "RPN.KWARGS.out_channels", 8]
    if cfg.BACKBONE.TYPE != "resnet50":
        return []
    layers = cfg.BACKBONE.KWARGS.used_layers if len(cfg.ADJUST.KWARGS.in_channels) > 1 else [3]
    channels: Any = [8] * len(layers)
    small = ["BACKBONE.TYPE", "resnet18", "ADJUST.KWARGS.in_channels", [64 * 2 ** (layer - 1) for layer in layers]]
    small += ["ADJUST.KWARGS.out_channels", channels]
    small += ["RPN.KWARGS.in_channels", channels if len(layers) > 1 else 8]
    return small + (["MASK.KWARGS.in_channels", 8, "MASK.KWARGS.hidden", 8] if cfg.MASK.MASK else [])


def train_a_step_of_both_phases(name: str, data: Path, sizes: list[Any]) -> None:
    recipe = pysot.load_cfg(name)
    sources = [
        option
        for source in recipe.DATASET.NAMES
        for key, value in (("ROOT", str(data)), ("ANNO", str(data / "train.json")), ("NUM_USE", -1))
        for option in (f"DATASET.{source}.{key}", value)
    ]
    overrides = [
        *[*sources, *sizes, "TRAIN.BATCH_SIZE", 2, "DATASET.VIDEOS_PER_EPOCH", 2, "TRAIN.NUM_WORKERS", 0],
        *["BACKBONE.PRETRAINED", "", "TRAIN.EPOCH", 2, "TRAIN.LR_WARMUP.WARMUP", False],
        *["BACKBONE.TRAIN_EPOCH", min(1, recipe.BACKBONE.TRAIN_EPOCH)],
    ]
    cfg = pysot.load_cfg(name, overrides)
    network, _ = build_network(cfg, tiny.ALONE)
    steps: list[Step] = []
    trainer = build_trainer(cfg, network, tiny.ALONE, on_step=steps.append)
    before = tiny.weights_of(trainer)
    trainer.run()
    assert len(steps) == 2
    assert all(math.isfinite(step.losses["total"]) and step.losses["total"] > 0 for step in steps)
    changed = tiny.differing(before, tiny.weights_of(trainer))
    for part in trainer.plan.parts:
        assert any(weight.startswith(f"{part.name}.") for weight in changed), part.name


@pytest.mark.parametrize("name", [name for name in RECIPES if name in ("siamrpn_r50", "siamrpn_alex_dwxcorr_16gpu")])
def test_narrow_it_takes_steps(name, data):
    train_a_step_of_both_phases(name, data, narrow(pysot.load_cfg(name)))


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_as_it_is_it_takes_steps(name, data):
    train_a_step_of_both_phases(name, data, [])


def test_the_recipes_are_those_known():
    assert {*SUMMED, "siamfc_alex", "siammask_r50_base"} <= set(RECIPES)
    assert {name for name in RECIPES if pysot.load_cfg(name).TRAIN.GRAD_REDUCE == "sum"} == set(SUMMED)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
