"""What a run leaves behind: bar, table, pictures, how it was started."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pysot.engine import training_log
from pysot.engine.memory import peak_memory, reset_peak_memory
from pysot.engine.train_loop import Step
from pysot.engine.training_log import TrainingLog, plot_history, read_history, refuse_farther_history
from pysot.utils import ConfigError

CPU = torch.device("cpu")


def step(number: int, epoch: int = 0, **changes) -> Step:
    values = {"losses": {"total": 3.0, "cls": 1.0}, "grad_norm": 2.0, "lr": 0.005, "waited": 0.1, "seconds": 0.4}
    return Step(epoch=epoch, step=number, **(values | changes))


def open_log(folder: Path) -> TrainingLog:
    return TrainingLog(folder, steps=2, pairs_per_step=8, print_freq=1, device=CPU)


def close_epoch(log: TrainingLog, *steps: Step, **validation: float) -> None:
    totals: dict[str, float] = {}
    for each in steps:
        log.step(each)
        each.add_to(totals)
    log.epoch(steps[0].epoch, 0.005, totals, validation)


def test_the_bar_shows_losses_rate_speed_waiting_and_memory(tmp_path, capsys):
    log = open_log(tmp_path)
    close_epoch(log, step(0), step(1, losses={"total": 5.0, "cls": 2.0}))
    log.close()
    shown = capsys.readouterr().err.splitlines()[-1]
    # 16 pairs in 0.8 s, of which 0.2 s were spent waiting.
    for text in ("epoch 0: 100%", "2/2", "total=5.000", "cls=2.000", "lr=0.005", "pairs/s=20.0", "data=25%"):
        assert text in shown
    if sys.platform == "linux":
        assert float(shown.split("GiB=")[1].split("]")[0].split(",")[0]) > 0


def test_a_row_has_the_means_of_the_steps_that_were_taken(tmp_path, capsys):
    log = open_log(tmp_path)
    steps = step(0), step(1, losses={}, grad_norm=float("nan"), skipped=("a.jpg b.jpg",))
    close_epoch(log, *steps, validation_overlap=0.5)
    assert "step 1: losses are not finite, skipped: a.jpg b.jpg" in capsys.readouterr().out
    (row,) = read_history(tmp_path / "history.csv")
    expected = {"epoch": 0, "lr": 0.005, "total": 3, "cls": 1, "pairs_per_second": 20, "data_wait_share": 0.25}
    expected |= {"skipped_steps": 1, "validation_overlap": 0.5}
    assert {name: float(value) for name, value in row.items() if name != "memory_gib"} == pytest.approx(expected)
    assert plot_history(tmp_path / "history.csv", tmp_path / "curves.png")
    assert cv2.imread(str(tmp_path / "curves.png")) is not None


def test_an_epoch_that_is_trained_again_replaces_its_row(tmp_path):
    for first, last in ((0, 3), (2, 4)):  # resumed after two epochs
        log = open_log(tmp_path)
        for epoch in range(first, last):
            close_epoch(log, step(0, epoch, losses={"total": 10.0 * first + epoch}))
        log.close()
    rows = read_history(tmp_path / "history.csv")
    assert [(int(row["epoch"]), float(row["total"])) for row in rows] == [(0, 0), (1, 1), (2, 22), (3, 23)]


def test_a_row_of_another_run_is_not_replaced(tmp_path):
    log = open_log(tmp_path)
    refuse_farther_history(tmp_path, 0, resumed=False)
    for epoch in range(3):
        close_epoch(log, step(0, epoch))
    log.close()
    refuse_farther_history(tmp_path, 3, resumed=True)
    refuse_farther_history(tmp_path, 2, resumed=True)  # killed before it saved its third epoch
    refuse_farther_history(tmp_path, 3, resumed=False)  # TRAIN.START_EPOCH
    for epoch, resumed in ((0, False), (2, False), (1, True)):
        with pytest.raises(ConfigError, match=r"holds the record of a run that got farther \(history.csv: 3 epochs\)"):
            refuse_farther_history(tmp_path, epoch, resumed)


def test_every_start_is_recorded(tmp_path):
    log = open_log(tmp_path)
    log.record({"command": "python tools/train.py", "data": "A: 3 videos\nB: 4 videos"})
    log.record({"command": "python tools/train.py --resume auto"})
    assert (tmp_path / "runs.txt").read_text() == (
        "command: python tools/train.py\ndata: A: 3 videos\n  B: 4 videos\n\n"
        "command: python tools/train.py --resume auto\n\n"
    )


IMAGE = np.dstack([np.full((6, 9), shade, np.uint8) for shade in (200, 100, 0)])  # blue


def test_pictures_are_files_and_in_tensorboard(tmp_path):
    pytest.importorskip("tensorboardX")
    log = open_log(tmp_path)
    log.step(step(0))
    log.picture("answers", IMAGE, 3)
    log.close()
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "answers_e3.png")), IMAGE)
    (events,) = tmp_path.glob("events*")
    written = events.read_bytes()
    assert all(text in written for text in (b"train/total", b"train/cls", b"train/lr", b"train/grad_norm", b"answers"))
    start = written.index(b"\x89PNG")
    decoded = cv2.imdecode(np.frombuffer(written[start:], np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decoded, IMAGE)


def test_without_tensorboardx_the_rest_is_there(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    log = open_log(tmp_path)
    log.picture("answers", IMAGE, 0)
    close_epoch(log, step(0))
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers_e0.png", "history.csv"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's largest memory")
def test_the_peak_is_that_since_the_reset():
    much = np.ones(50_000_000)
    before = peak_memory(CPU)
    assert before is not None
    assert before > much.nbytes
    del much
    reset_peak_memory(CPU)
    assert peak_memory(CPU) <= before


def test_a_system_that_does_not_tell_is_no_error(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("pysot.engine.memory._STATUS", tmp_path / "absent")
    monkeypatch.setattr("pysot.engine.memory._RESET", tmp_path / "absent" / "file")
    reset_peak_memory(CPU)
    assert training_log.peak_memory(CPU) is None
    log = open_log(tmp_path / "logs")
    close_epoch(log, step(0))
    log.close()
    assert "GiB" not in capsys.readouterr().err
    assert "memory_gib" not in read_history(tmp_path / "logs" / "history.csv")[0]
