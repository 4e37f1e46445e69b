"""The training loop: it learns, and what a run computes depends on neither stops, workers, processes nor batches."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import tiny_training as tiny
import torch

from pysot.engine.optim import reduction_factor
from pysot.engine.snapshots import Snapshots, read_training_state
from pysot.engine.train_loop import Step, Trainer, TrainingError
from pysot.models import build_model
from pysot.utils import CheckpointError


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_training_set(tmp_path_factory.mktemp("training") / "set")


def run(trainer: Trainer, stop_after: int = -1) -> list[Step]:
    """Train, until so many steps are done, and return the steps."""
    steps: list[Step] = []
    trainer.on_step = steps.append
    complete = trainer.run(lambda: len(steps) == stop_after)
    assert complete is not (stop_after > 0)
    return steps


# It learns


@pytest.mark.parametrize("system", ["siamrpn", "siamrpn++"])  # every recipe: test_overfit.py
def test_a_repeated_batch_is_learnt_by_heart(data, system):
    steps = 150
    trainer = tiny.small_trainer(
        data, "TRAIN.EPOCH", 1, "BACKBONE.TRAIN_EPOCH", 0, "TRAIN.BASE_LR", 0.03, "TRAIN.BATCH_SIZE", 2, system=system
    )
    trainer.loader = tiny.SameBatch(trainer.loader, steps)
    trainer.steps = steps
    assert not trainer.loader.batch["negative"].all()
    done = run(trainer)
    assert done[-1].losses["cls"] < 0.05 < 0.5 < done[0].losses["cls"]
    assert done[-1].losses["total"] < 0.1 * done[0].losses["total"]


def test_points_of_a_repeated_batch_are_learnt_by_heart(data):
    options = ["TRAIN.EPOCH", 1, "BACKBONE.TRAIN_EPOCH", 0, "TRAIN.BASE_LR", 0.05, "TRAIN.BATCH_SIZE", 2]
    trainer = tiny.small_trainer(data, *options, system="points")
    trainer.loader, trainer.steps = tiny.SameBatch(trainer.loader, 150), 150
    assert not trainer.loader.batch["negative"].all()
    done = run(trainer)
    assert done[-1].losses["cls"] < 0.02
    assert done[-1].losses["loc"] < 0.08 < 0.2 < done[0].losses["loc"]
    # The overlap itself is no more certain than its cross-entropy at best: near 1, that is near 0.
    assert done[-1].losses["quality"] < 0.5 * done[0].losses["quality"]


@pytest.mark.parametrize("system", ["siamrpn++", "siammask", pytest.param("siammask-refined", marks=pytest.mark.slow)])
def test_the_loss_falls_on_new_pairs(data, system):
    steps = 9 if "mask" in system or system == "siamfc" else 40
    options = ["TRAIN.EPOCH", 1, "BACKBONE.TRAIN_EPOCH", 0, "TRAIN.BASE_LR", 0.03, "TRAIN.MASK_WEIGHT", 1]
    trainer = tiny.small_trainer(data, *options, "TRAIN.BATCH_SIZE", 2, system=system, pairs=2 * steps)
    losses = [step.losses["total"] for step in run(trainer)]
    assert len(losses) == steps
    third = steps // 3
    assert sum(losses[-third:]) < 0.9 * sum(losses[:third])


# Stop and resume


def resumed(data, folder: Path, *overrides, **parts) -> Trainer:
    snapshots = Snapshots(folder)
    trainer = tiny.small_trainer(data, *overrides, snapshots=snapshots, **parts)
    trainer.resume(read_training_state(snapshots.latest()))
    return trainer


@pytest.mark.parametrize("stop_after", [1, 4, 5], ids=["within", "at the unfreezing", "after it"])
def test_a_stopped_run_ends_in_the_same_weights(data, tmp_path, stop_after):
    # 4 steps an epoch, the backbone joins in the second.
    whole = tiny.small_trainer(data, "TRAIN.EMA", 0.9)
    steps = run(whole)
    first = tiny.small_trainer(data, "TRAIN.EMA", 0.9, snapshots=Snapshots(tmp_path))
    before = run(first, stop_after)
    torch.rand(7)  # what else happens in between
    second = resumed(data, tmp_path, "TRAIN.EMA", 0.9)
    after = run(second)
    assert [(step.epoch, step.step) for step in before + after] == [(step.epoch, step.step) for step in steps]
    assert [step.losses for step in before + after] == [step.losses for step in steps]
    assert tiny.differing(tiny.weights_of(whole), tiny.weights_of(second)) == []
    averages = [trainer.average.network.state_dict() for trainer in (whole, second)]
    assert tiny.differing(*averages) == []


def test_frozen_statistics_stay_while_weights_move_also_after_a_resume(data, tmp_path):
    options = ["TRAIN.FREEZE_NORM_EPOCH", 1, "TRAIN.EPOCH", 3]
    seen = []

    def remember(_, network):
        state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        statistics = {name for name in state if name.endswith(("running_mean", "running_var", "num_batches_tracked"))}
        seen.append([{name: state[name] for name in names} for names in (statistics, state.keys() - statistics)])

    whole = tiny.small_trainer(data, *options, on_epoch=remember)
    fresh = tiny.weights_of(whole)
    run(whole)
    (first, weights), (second, moved), (third, _) = seen
    assert tiny.differing(first, {name: fresh[name] for name in first}) != []
    assert tiny.differing(first, second) == tiny.differing(first, third) == []
    assert tiny.differing(weights, moved) != []
    run(tiny.small_trainer(data, *options, snapshots=Snapshots(tmp_path)), 6)  # of 4 steps an epoch
    again = resumed(data, tmp_path, *options)
    run(again)
    assert tiny.differing(tiny.weights_of(whole), tiny.weights_of(again)) == []


def test_another_number_of_workers_changes_nothing(data, tmp_path):
    whole = tiny.small_trainer(data)
    run(whole)
    run(tiny.small_trainer(data, "TRAIN.NUM_WORKERS", 2, snapshots=Snapshots(tmp_path)), 5)
    second = resumed(data, tmp_path, "TRAIN.NUM_WORKERS", 1)
    run(second)
    assert tiny.differing(tiny.weights_of(whole), tiny.weights_of(second)) == []


def test_a_resumed_run_trains_with_the_learning_rate_of_its_configuration(data, tmp_path):
    run(tiny.small_trainer(data, "TRAIN.BASE_LR", 0.01, snapshots=Snapshots(tmp_path)), 1)
    second = resumed(data, tmp_path, "TRAIN.BASE_LR", 0.002, "TRAIN.MOMENTUM", 0.5)
    assert second.optimizer.param_groups[-1]["initial_lr"] == 0.002
    assert second.optimizer.param_groups[-1]["momentum"] == 0.5
    assert run(second, 1)[0].lr == pytest.approx(0.002)


def test_a_run_with_other_batches_goes_on_at_the_same_share_of_the_epoch(data, tmp_path):
    run(tiny.small_trainer(data, snapshots=Snapshots(tmp_path)), 6)
    second = resumed(data, tmp_path, "TRAIN.BATCH_SIZE", 2)
    assert (second.epoch, second.step, second.steps) == (1, 4, 8)
    # Two steps were worth four of these; the time they took is what it was.
    before = read_training_state(Snapshots(tmp_path).latest()).totals
    assert (before["steps"], second.totals["steps"]) == (2, 4)
    assert second.totals["total"] == pytest.approx(2 * before["total"])
    assert second.totals["seconds"] == before["seconds"]


def test_an_average_that_begins_at_a_resume_begins_with_the_weights(data, tmp_path):
    run(tiny.small_trainer(data, snapshots=Snapshots(tmp_path)), 1)
    second = resumed(data, tmp_path, "TRAIN.EMA", 0.9)
    assert tiny.differing(second.network.state_dict(), second.average.network.state_dict()) == []


def test_a_checkpoint_of_another_network_or_plan_is_refused(data, tmp_path):
    run(tiny.small_trainer(data, snapshots=Snapshots(tmp_path)), 1)
    with pytest.raises(CheckpointError, match=r"does not fit the configuration.*to start from its weights"):
        resumed(data, tmp_path, system="siamfc")
    with pytest.raises(CheckpointError, match=r"does not fit the configuration.*leave the network"):
        resumed(data, tmp_path, "BACKBONE.TRAIN_LAYERS", ["layer5"])


# Batches


def frozen_normalisations(monkeypatch):
    """A normalisation over a batch is a function of that batch; without it, only sums over pairs are left."""
    monkeypatch.setattr(
        torch.nn.BatchNorm2d, "train", lambda self, mode=True: torch.nn.Module.train(self, False), raising=True
    )


@pytest.mark.parametrize("system", ["siamfc", "siamrpn++", "siammask"])
def test_accumulated_batches_make_the_step_of_a_larger_one(data, monkeypatch, system):
    frozen_normalisations(monkeypatch)
    options = ["TRAIN.EPOCH", 2, "DATASET.NEG", 0.5, "TRAIN.GRAD_CLIP", 10.0]
    large = tiny.small_trainer(data, *options, "TRAIN.BATCH_SIZE", 4, system=system, pairs=8)
    small = tiny.small_trainer(data, *options, "TRAIN.BATCH_SIZE", 1, "TRAIN.ACCUMULATE", 4, system=system, pairs=8)
    assert large.steps == small.steps == 2
    for one, other in zip(run(large), run(small), strict=True):
        assert one.losses == pytest.approx(other.losses, rel=1e-4)
        assert one.grad_norm == pytest.approx(other.grad_norm, rel=1e-3)
    for name, tensor in tiny.weights_of(large).items():
        torch.testing.assert_close(small.network.state_dict()[name], tensor, rtol=0, atol=1e-5)


def test_an_epoch_shorter_than_a_step_is_refused(data):
    with pytest.raises(TrainingError, match=r"an epoch has 4 batches: fewer than TRAIN.ACCUMULATE 5"):
        tiny.small_trainer(data, "TRAIN.ACCUMULATE", 5)


# Precision, memory format, averages


def test_bfloat16_is_near_and_weights_stay_single(data):
    first = [run(tiny.small_trainer(data, "TRAIN.PRECISION", precision))[0] for precision in ("fp32", "bf16")]
    assert first[1].losses["total"] == pytest.approx(first[0].losses["total"], rel=0.05)
    assert first[1].losses != first[0].losses
    trainer = tiny.small_trainer(data, "TRAIN.PRECISION", "bf16", "TRAIN.CHANNELS_LAST", True)
    run(trainer)
    assert {tensor.dtype for tensor in trainer.network.parameters()} == {torch.float32}


def test_the_average_follows_every_step(data):
    trainer = tiny.small_trainer(data, "TRAIN.EMA", 0.3, "TRAIN.EPOCH", 1)
    name = "rpn_head.cls.head.3.bias"
    expected = tiny.weights_of(trainer)[name]
    steps = []

    def follow(step: Step) -> None:
        nonlocal expected
        steps.append(step)
        decay = min(0.3, (1 + len(steps)) / (10 + len(steps)))
        expected = decay * expected + (1 - decay) * trainer.network.state_dict()[name]

    trainer.on_step = follow
    trainer.run()
    torch.testing.assert_close(trainer.average.network.state_dict()[name], expected)


def test_augmentation_on_the_device_trains(data):
    assert math.isfinite(run(tiny.small_trainer(data, "DATASET.DEVICE_AUGMENT", True))[-1].losses["total"])


def test_gradients_are_measured_by_part(data):
    steps = run(tiny.small_trainer(data, "TRAIN.LOG_GRADS", True, "TRAIN.EPOCH", 2))
    assert set(steps[0].grad_norms) == {"rpn_head"}
    assert set(steps[-1].grad_norms) == {"backbone.layer4", "backbone.layer5", "rpn_head"}
    assert math.hypot(*steps[-1].grad_norms.values()) == pytest.approx(steps[-1].grad_norm, rel=1e-4)


# What is not finite


def poison(trainer: Trainer, *at: int) -> None:
    """Make the losses of some of the batches NaN."""
    forward, calls = trainer._module.forward, iter(range(1000))

    def poisoned(*inputs):
        losses = forward(*inputs)
        if next(calls) in at:
            losses["total"] = losses["total"] * torch.nan
        return losses

    trainer._module.forward = poisoned


def test_a_step_with_a_loss_that_is_not_finite_leaves_no_trace(data):
    trainer = tiny.small_trainer(data, "TRAIN.EPOCH", 1, "TRAIN.EMA", 0.9, "BACKBONE.TRAIN_EPOCH", 0)
    poison(trainer, 2)
    seen = []

    def remember(step: Step) -> None:
        seen.append((step, tiny.weights_of(trainer), tiny.weights_of(trainer.average)))

    trainer.on_step = remember
    trainer.run()
    steps = [step for step, *_ in seen]
    assert [bool(step.skipped) for step in steps] == [False, False, True, False]
    assert (steps[2].losses, math.isnan(steps[2].grad_norm)) == ({}, True)
    assert len(steps[2].skipped) == 4
    assert all(name.count(".x.jpg") == 2 for name in steps[2].skipped)
    assert tiny.differing(seen[1][1], seen[2][1]) == []
    assert tiny.differing(seen[2][1], seen[3][1])


def test_too_many_such_steps_in_a_row_stop_the_run_and_name_pairs(data):
    trainer = tiny.small_trainer(data, "TRAIN.MAX_SKIPPED", 2)
    poison(trainer, 0, 2, 3, 4)
    with pytest.raises(TrainingError, match=r"3 steps in a row.*TRAIN.MAX_SKIPPED 2.*\n.*v\d/000\d+.00.x.jpg"):
        run(trainer)
    assert (trainer.epoch, trainer.step) == (1, 0)


# Epochs, checkpoints


def test_the_best_weights_are_kept_and_judged_in_evaluation_mode(data, tmp_path):
    scores = iter([0.3, 0.5, 0.4])
    judged = []

    def judge(epoch, network):
        assert not network.training
        judged.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
        return next(scores)

    trainer = tiny.small_trainer(data, snapshots=Snapshots(tmp_path), on_epoch=judge)
    trainer.run()
    kept = torch.load(tmp_path / "best.pth", weights_only=True)
    assert tiny.differing(kept, judged[1]) == []
    assert tiny.differing(kept, judged[2])
    assert trainer.best == 0.5
    # What follows a judgement is trained as before it.
    undisturbed = tiny.small_trainer(data)
    undisturbed.run()
    assert tiny.differing(tiny.weights_of(trainer), tiny.weights_of(undisturbed)) == []


def test_a_score_that_is_not_a_number_is_worse_than_any(data, tmp_path):
    scores, judged = iter([math.nan, -7.0, math.nan]), []

    def judge(epoch, network):
        judged.append(tiny.weights_of(trainer))
        return next(scores)

    trainer = tiny.small_trainer(data, snapshots=Snapshots(tmp_path), on_epoch=judge)
    trainer.run()
    assert trainer.best == -7.0
    assert tiny.differing(torch.load(tmp_path / "best.pth", weights_only=True), judged[1]) == []


def test_without_scores_the_latest_average_is_the_best(data, tmp_path):
    trainer = tiny.small_trainer(data, "TRAIN.EMA", 0.5, snapshots=Snapshots(tmp_path))
    trainer.run()
    kept = torch.load(tmp_path / "best.pth", weights_only=True)
    assert tiny.differing(kept, trainer.average.network.state_dict()) == []
    build_model(tiny.small_cfg(data)).load_state_dict(kept)


def test_the_learning_rate_follows_the_schedule_by_epoch_or_step(data):
    by_epoch = [
        step.lr for step in run(tiny.small_trainer(data, "TRAIN.BASE_LR", 0.01, "TRAIN.LR.KWARGS.end_lr", 0.0001))
    ]
    assert by_epoch == pytest.approx([0.01] * 4 + [0.001] * 4 + [0.0001] * 4)
    by_step = [
        step.lr
        for step in run(
            tiny.small_trainer(data, "TRAIN.BASE_LR", 0.01, "TRAIN.LR.KWARGS.end_lr", 0.0001, "TRAIN.LR_PER_STEP", True)
        )
    ]
    assert by_step[:9] == pytest.approx([0.01 * 0.1 ** (step / 4) for step in range(9)])


def test_sum_is_what_the_loss_is_multiplied_by():
    assert [reduction_factor(reduce, 4) for reduce in ("mean", "sum")] == [1, 4]
