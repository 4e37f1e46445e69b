"""One batch, over and over: every system learns it by heart, so nothing keeps gradients from where they belong.

The recipes with narrow networks (`narrow_recipes`), without warm-up and with learning rates that suit two drawn pairs.
The numbers behind the limits are what was reached when they were written, about half of each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tiny_training as tiny
import torch
from narrow_recipes import narrow, recipe_trainer, repeat_one_batch

import pysot
from pysot.engine.train_loop import Step, Trainer

_EPOCHS = 10


class Case(NamedTuple):
    """A system: its recipe, learning rate, steps, pairs, other changes, and below what its losses end."""

    recipe: str
    lr: float
    steps: int
    pairs: int
    changes: list[Any]
    limits: dict[str, float]


_MASK = ["MASK.KWARGS.hidden", 128, "TRAIN.MASK_WEIGHT", 100, "TRAIN.GRAD_CLIP", 0.0, "DATASET.NEG", 0.0]
CASES = {
    "SiamFC": Case("siamfc_alex", 0.1, 150, 2, [], {"cls": 0.03}),
    "SiamRPN": Case("siamrpn_alex_upchannel_1gpu", 0.01, 120, 2, [], {"cls": 0.005, "loc": 0.005}),
    "DaSiamRPN": Case("dasiamrpn_vot_1gpu", 0.01, 120, 2, [], {"cls": 0.005, "loc": 0.005}),
    "SiamRPN++": Case(
        *("siamrpn_r50_l234_dwxcorr_1gpu", 0.3, 80, 2),
        ["BACKBONE.TRAIN_LAYERS", ["layer6", "layer7"]],
        {"cls": 0.02, "loc": 0.06},
    ),
    # The outline of 63 x 63 pixels enlarged to 127 is not exact.
    "SiamMask": Case(
        *("siammask_r50_base", 0.1, 80, 1),
        [*_MASK, "BACKBONE.TRAIN_LAYERS", []],
        {"cls": 0.05, "loc": 0.2, "mask": 0.04},
    ),
    "SiamMask, refined": Case("siammask_r50_refine", 0.003, 60, 1, [], {"mask": 0.03}),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_training_set(tmp_path_factory.mktemp("overfit") / "set")


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def learn(case: Case, data: Path) -> tuple[Trainer, list[Step]]:
    """Train on one batch with a learning rate that falls to a hundredth."""
    schedule = ["TRAIN.EPOCH", _EPOCHS, "TRAIN.LR_WARMUP.WARMUP", False, "TRAIN.BASE_LR", case.lr]
    schedule += ["TRAIN.LR.TYPE", "log", "TRAIN.LR.KWARGS.start_lr", 1.0, "TRAIN.LR.KWARGS.end_lr", 0.01]
    schedule += ["BACKBONE.TRAIN_EPOCH", 0, "BACKBONE.LAYERS_LR", 1.0]
    changes = [*narrow(case.recipe), *schedule, *case.changes]
    trainer, steps = recipe_trainer(case.recipe, data, *changes, pairs=case.pairs)
    repeat_one_batch(trainer, case.steps // _EPOCHS)
    trainer.run()
    return trainer, steps


@pytest.mark.filterwarnings("ignore:TRAIN.LR.KWARGS.step has no effect")
@pytest.mark.parametrize("system", CASES)
def test_one_batch_is_learnt_by_heart(system: str, data: Path):
    case = CASES[system]
    trainer, steps = learn(case, data)
    assert len(steps) == case.steps
    assert not any(step.skipped for step in steps)
    assert not trainer.loader.batch["negative"].all()
    if system == "DaSiamRPN":  # different targets: nothing of the search crop is the template's
        assert trainer.loader.batch["negative"].any()
    first, last = steps[0].losses, steps[-1].losses
    for name, limit in case.limits.items():
        assert last[name] < limit < 0.3 * first[name], (name, first, last)
    # Where several processes train together, a parameter without a gradient would make them wait for each other.
    idle = [name for name, weight in trainer.network.named_parameters() if weight.requires_grad and weight.grad is None]
    assert idle == []


@pytest.mark.parametrize("factor", [1, 10])
def test_ten_times_the_rate_ends_most_of_the_refinement(factor: int, data: Path):
    """What the recipe's header warns of: nothing normalises there, and activations become zero for good."""
    name = "siammask_r50_refine"
    rate = factor * pysot.load_cfg(name).TRAIN.BASE_LR
    trainer, _ = recipe_trainer(name, data, *narrow(name), "TRAIN.EPOCH", 1, "TRAIN.BASE_LR", rate, pairs=1)
    repeat_one_batch(trainer, 25)
    trainer.run()
    drawing = list(trainer.network.refine_head.parameters())
    moving = sum(bool(weight.grad.abs().sum() > 0) for weight in drawing)
    assert len(drawing) == 32
    assert moving == 32 if factor == 1 else moving < 16
