"""Training checkpoints: which are kept, which is the latest, and what is refused."""

from __future__ import annotations

import pytest
import torch

import pysot
from pysot.engine.snapshots import Snapshots, TrainingState, read_training_state
from pysot.utils import CheckpointError, ConfigError


def state(epoch: int, step: int = 0) -> TrainingState:
    return TrainingState(
        epoch=epoch,
        step=step,
        steps=10,
        state_dict={"weight": torch.full((2,), float(epoch))},
        optimizer={"state": {}, "param_groups": []},
        averaged={},
        rng={"cpu": torch.get_rng_state()},
        config="",
        best=None,
        totals={"total": 1.5, "steps": 2.0},
    )


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_kept_and_what_is_the_latest(tmp_path):
    snapshots = Snapshots(tmp_path, keep_every=2)
    assert snapshots.latest() is None
    kept = []
    for place in [(0, 4), (1, 0), (1, 7), (2, 0), (3, 0), (3, 2)]:
        path = snapshots.save(state(*place))
        assert snapshots.latest() == path
        kept.append(names(tmp_path))
    assert kept == [
        ["checkpoint_e0_s4.pth"],
        ["checkpoint_e1.pth"],
        ["checkpoint_e1_s7.pth"],
        ["checkpoint_e2.pth"],
        ["checkpoint_e2.pth", "checkpoint_e3.pth"],
        ["checkpoint_e2.pth", "checkpoint_e3_s2.pth"],
    ]


def test_epochs_are_ordered_as_numbers(tmp_path):
    snapshots = Snapshots(tmp_path)
    for epoch in (2, 10, 9):
        snapshots.save(state(epoch))
    assert snapshots.latest().name == "checkpoint_e10.pth"


def test_what_a_killed_writer_left_is_removed_and_other_files_stay(tmp_path):
    for name in (".checkpoint_e3-ab12.pth", "checkpoint_of_mine.pth", "best.pth"):
        (tmp_path / name).write_bytes(b"x")
    Snapshots(tmp_path).save(state(1))
    assert names(tmp_path) == ["best.pth", "checkpoint_e1.pth", "checkpoint_of_mine.pth"]


def test_a_state_is_read_as_it_was_written(tmp_path):
    written = state(3, 4)
    read = read_training_state(Snapshots(tmp_path).save(written))
    assert (read.epoch, read.step, read.steps, read.best, read.config) == (3, 4, 10, None, "")
    assert torch.equal(read.state_dict["weight"], written.state_dict["weight"])
    assert torch.equal(read.rng["cpu"], written.rng["cpu"])
    assert read.totals == {"total": 1.5, "steps": 2.0}


def test_a_state_of_before_totals_were_kept_is_read(tmp_path):
    path = Snapshots(tmp_path).save(state(1))
    content = torch.load(path, weights_only=True)
    del content["totals"]
    torch.save(content, path)
    assert read_training_state(path).totals == {}


def test_the_configuration_lies_beside_the_weights(tmp_path):
    Snapshots(tmp_path / "new").save_config("TRAIN: {EPOCH: 3}\n")
    assert (tmp_path / "new" / "config.yaml").read_text() == "TRAIN: {EPOCH: 3}\n"


def test_a_run_does_not_start_behind_another(tmp_path):
    snapshots = Snapshots(tmp_path)
    snapshots.refuse_farther(0, 0)
    snapshots.save(state(2))
    snapshots.refuse_farther(2, 0)
    with pytest.raises(ConfigError, match=r"holds a run that got farther \(checkpoint_e2.pth\).*--resume auto"):
        snapshots.refuse_farther(1, 9)


def test_files_that_are_no_training_checkpoints_are_refused(tmp_path):
    path = tmp_path / "model.pth"
    with pytest.raises(FileNotFoundError, match=r"model\.pth"):
        read_training_state(path)
    path.write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(CheckpointError, match=r"model\.pth: not a readable training checkpoint"):
        read_training_state(path)
    torch.save({"weight": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match=r"it lacks 'epoch'; to start from its weights, use TRAIN.PRETRAINED"):
        read_training_state(path)
    torch.save([1, 2], path)
    with pytest.raises(CheckpointError, match=r"it lacks 'epoch'"):
        read_training_state(path)


def test_a_truncated_checkpoint_is_refused(tmp_path):
    path = Snapshots(tmp_path).save(state(1))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="not a readable training checkpoint"):
        read_training_state(path)


def test_its_weights_load_into_a_tracker(tmp_path):
    cfg = pysot.load_cfg("siamfc_alex")
    network = pysot.build_model(cfg)
    written = state(1)
    written.state_dict.clear()
    written.state_dict.update(network.state_dict())
    path = Snapshots(tmp_path).save(written)
    assert pysot.load_tracker(cfg=cfg, snapshot=path, device="cpu") is not None
