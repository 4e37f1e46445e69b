"""Every configuration that trains does: its loss falls on drawn pairs, and its published network takes steps."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import tiny_training as tiny
import torch
from narrow_recipes import RECIPES, drawn, narrow, recipe_trainer, repeat_one_batch

import pysot
from pysot.engine.build import build_network
from pysot.utils import ConfigError

#: Those whose gradients PySOT summed over the GPUs.
SUMMED = [
    "siamrpn_alex_dwxcorr_16gpu",
    "siamrpn_r50",
    "siamrpn_r50_l234_dwxcorr_16gpu",
    "siamrpn_r50_l234_dwxcorr_8gpu",
    "siamrpn_r50_l234_dwxcorr_otb_8gpu",
]
#: Each method has at least these.
SYSTEMS = [
    "siamfc_alex",
    "siamrpn_alex_upchannel_1gpu",
    "dasiamrpn_vot_1gpu",
    "siamrpn_alex_dwxcorr_1gpu",
    "siamrpn_mobilev2_l234_dwxcorr_1gpu",
    "siamrpn_r18_l234_dwxcorr_1gpu",
    "siamrpn_r34_l234_dwxcorr_1gpu",
    "siamrpn_r50_l234_dwxcorr_1gpu",
    "siammask_r50_base",
    "siammask_r50_refine",
]


#: Narrow, these compute what another one does.
TWINS = [
    "siamfc_alex_5s",
    "siamrpn_r34_l234_dwxcorr_1gpu",
    "siamrpn_r50",
    "siamrpn_r50_l234_dwxcorr_16gpu",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_training_set(tmp_path_factory.mktemp("recipes") / "set")


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in TWINS else name for name in RECIPES]
)
def test_its_loss_falls(name: str, data: Path):
    """The whole recipe, warm-up, unfreezing and schedule, with a step or a few in each of its epochs."""
    # Refined masks are the most expensive, and nine of a pair; unrefined ones learn the slowest.
    refined, masks = pysot.load_cfg(name).REFINE.REFINE, pysot.load_cfg(name).MASK.MASK
    trainer, steps = recipe_trainer(name, data, *narrow(name), pairs=1 if refined else 2 if masks else 4)
    each = math.ceil(20 / trainer.schedule.epochs) * (3 if masks and not refined else 1)
    repeat_one_batch(trainer, each)
    before = tiny.weights_of(trainer)
    trainer.run()
    assert len(steps) == trainer.schedule.epochs * each
    assert not any(step.skipped for step in steps)
    totals = [step.losses["total"] for step in steps]
    # The mask loss, 36-fold, has the gradient clipped: it falls slowly for a start.
    assert max(totals[-3:]) < (0.92 if masks and not refined else 0.7) * totals[0]
    assert ("mask" in steps[0].losses) == masks
    if masks:
        assert steps[-1].losses["mask"] < 0.97 * steps[0].losses["mask"]
    changed = tiny.differing(before, tiny.weights_of(trainer))
    for part in trainer.plan.parts:
        assert any(weight.startswith(f"{part.name}.") for weight in changed), part.name


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_as_it_is_it_takes_steps(name: str, data: Path):
    """A step before and one after the backbone is unfrozen, with the published network and crops."""
    start = min(1, pysot.load_cfg(name).BACKBONE.TRAIN_EPOCH)
    two = ["TRAIN.EPOCH", 2, "TRAIN.LR_WARMUP.WARMUP", False, "BACKBONE.TRAIN_EPOCH", start]
    trainer, steps = recipe_trainer(name, data, *two)
    before = tiny.weights_of(trainer)
    trainer.run()
    assert len(steps) == 2
    assert all(math.isfinite(step.losses["total"]) and step.losses["total"] > 0 for step in steps)
    changed = tiny.differing(before, tiny.weights_of(trainer))
    for part in trainer.plan.parts:
        assert any(weight.startswith(f"{part.name}.") for weight in changed), part.name


def test_every_system_has_a_recipe():
    assert {*SUMMED, *SYSTEMS} <= set(RECIPES)


def test_the_gradients_of_pysot_s_recipes_alone_are_summed():
    assert {name for name in RECIPES if pysot.load_cfg(name).TRAIN.GRAD_REDUCE == "sum"} == set(SUMMED)


@pytest.mark.parametrize("name", RECIPES)
def test_its_header_says_for_how_many_gpus_it_is(name: str):
    text = (Path(pysot.__file__).parents[1] / "experiments" / name / "config.yaml").read_text(encoding="utf-8")
    header = " ".join(line for line in text.split("\n\n")[0].splitlines())
    assert "CPU" in header or ("GPU" in header and "GRAD_REDUCE" in text)
    assert " --config " in header


@pytest.mark.parametrize("name", [name for name in RECIPES if pysot.load_cfg(name).MASK.MASK])
def test_a_network_with_masks_is_given_some(name: str):
    cfg = pysot.load_cfg(name)
    assert any(cfg.DATASET[source].MASKS for source in cfg.DATASET.NAMES)


def test_the_second_stage_of_siammask_starts_from_the_first_and_keeps_it(data: Path):
    """Backbone, neck and box head of the first stage come out of the second as they went in, statistics included."""
    first, _ = recipe_trainer("siammask_r50_base", data, *narrow("siammask_r50_base"))
    file = data.parent / "first.pth"
    torch.save(first.network.state_dict(), file)
    second, steps = recipe_trainer(
        *("siammask_r50_refine", data, *narrow("siammask_r50_refine")),
        *["TRAIN.PRETRAINED", str(file), "TRAIN.EPOCH", 2],
        pairs=1,
    )
    second.run()
    assert len(steps) == 2
    ends = second.network.state_dict()
    kept = {name: tensor for name, tensor in first.network.state_dict().items() if not name.startswith("mask_head.")}
    assert tiny.differing(kept, {name: ends[name] for name in kept}) == []
    learnt = {name.split(".")[0] for name in ends if name not in kept}
    assert learnt == {"mask_head", "refine_head"}


def test_the_second_stage_refuses_a_first_whose_frozen_parts_do_not_fit(data: Path):
    other, _ = recipe_trainer("siammask_r50_base", data, *narrow("siammask_r50_base"), "RPN.KWARGS.out_channels", 16)
    file = data.parent / "other.pth"
    torch.save(other.network.state_dict(), file)
    stage = ("siammask_r50_refine", data, *narrow("siammask_r50_refine"), "TRAIN.PRETRAINED", str(file))
    message = r"TRAIN.FROZEN: \d+ fresh weights of rpn_head are never trained .*TRAIN.PRETRAINED .*other.pth has none"
    with pytest.raises(ConfigError, match=message):
        recipe_trainer(*stage)
    recipe_trainer(*stage, "TRAIN.FROZEN", ["backbone", "neck"])


def test_frozen_parts_that_start_fresh_are_told(data: Path):
    name = "siammask_r50_refine"
    _, notes = build_network(pysot.load_cfg(name, [*drawn(name, data), *narrow(name)]), tiny.ALONE)
    assert re.fullmatch(r"TRAIN.FROZEN: \d+ fresh weights of backbone, neck, rpn_head are never trained .*", *notes)


STAGES = [("siammask_r50_base", "siammask_r50_refine"), ("siammask_synthetic", "siammask_synthetic_refine")]


@pytest.mark.parametrize("stages", STAGES)
def test_the_second_stage_starts_from_what_the_first_keeps(stages):
    first, second = (pysot.load_cfg(stage).TRAIN for stage in stages)
    assert Path(second.PRETRAINED) == Path(first.SNAPSHOT_DIR) / "best.pth"
    assert len({Path(train[key]) for train in (first, second) for key in ("SNAPSHOT_DIR", "LOG_DIR")}) == 4


@pytest.mark.parametrize("stages", STAGES)
def test_the_second_stage_is_the_first_one_s_network_and_wastes_no_pair(stages):
    first, second = map(pysot.load_cfg, stages)
    for section in ("ADJUST", "RPN", "MASK"):
        assert first[section] == second[section]
    assert first.BACKBONE.KWARGS.used_layers[-1] == second.BACKBONE.KWARGS.used_layers[-1]
    assert second.DATASET.NEG == 0  # a pair of different targets has no mask to learn
