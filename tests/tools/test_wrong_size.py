"""The benchmark of wrong sizes: a tracker that knows, one that repeats and one that goes half-way are told apart."""

from __future__ import annotations

import doctest
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import wrong_size
from pysot.trackers import Prediction
from toolkit.regions import Regions
from toolkit.sequence import Frames, Sequence

SIDE = 24.0
SOME = ["approach", "spin"]


@dataclass(frozen=True)
class Believed:
    center_xy: np.ndarray
    size_wh: np.ndarray


class Mending:
    """Answers with the true centre, and a size that takes back a share of the mistake, on a logarithmic scale."""

    def __init__(self, share: float, score: float = 0.5) -> None:
        self.share, self.score = share, score

    def start(self, frame, box):
        return Believed(np.zeros(2), np.asarray(box[2:]))

    def step(self, frames, states):
        assert len(frames) == len(states) == 1
        (state,) = states
        answered = state.size_wh * (SIDE / state.size_wh) ** self.share
        after = state.size_wh * (1 - self.score) + answered * self.score
        box = np.concatenate([state.center_xy - after / 2, after])
        return [(state, Prediction(box, self.score, False))]


@pytest.fixture
def video(tmp_path: Path) -> Sequence:
    for index in range(31):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.zeros((80, 80, 3), np.uint8))
    truth = np.tile([30.0, 25.0, SIDE, SIDE], (31, 1))
    truth[15] = np.nan
    return Sequence("still", Frames(tmp_path), Regions.from_array(truth))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 2.0])
def test_the_share_that_is_mended(video, share: float, factor: float):
    found = list(wrong_size.looks(Mending(share), video, factor, every=10))
    assert len(found) == 2  # frames 5 and 25; frame 15 has no truth
    side = factor ** (1 - share)
    for look in found:
        assert look.side == pytest.approx(side)
        assert look.overlap == pytest.approx(min(side, 1 / side) ** 2)
    cells = wrong_size.row(factor, found).strip("| ").split(" | ")
    assert cells[:3] == [f"{factor:g}", f"{side:.3f}", f"{share:.2f}"]
    assert cells[4:] == ["0.0%", "0.50"]


def test_an_answer_about_something_else_is_lost_and_no_size():
    found = [wrong_size.Look(0.9, 1.0, 0.8), wrong_size.Look(0.1, 5.0, 0.6)]
    assert wrong_size.row(1.0, found) == "| 1 | 1.000 |  | 0.500 | 50.0% | 0.70 |  |"
    assert "nan" in wrong_size.row(0.5, [wrong_size.Look(0.0, 5.0, 0.6)])


class Clipping(Mending):
    """Repeats what it believes, and keeps to 10 pixels, as trackers do."""

    def step(self, frames, states):
        ((state, prediction),) = super().step(frames, states)
        size = np.maximum(prediction.bbox[2:], 10)
        return [(state, Prediction(np.concatenate([prediction.bbox[:2], size]), self.score, False))]


def test_a_size_that_was_clipped_is_left_out(video):
    assert not list(wrong_size.looks(Clipping(0.0), video, 0.4, every=10))
    assert not list(wrong_size.looks(Mending(0.0), video, 4.0, every=10))  # as large as the frame
    assert len(list(wrong_size.looks(Clipping(0.0), video, 0.6, every=10))) == 2
    assert wrong_size.row(0.4, []) == "| 0.4 | - | | - | - | - | |"


class Drawing(Mending):
    """Also draws the left half of what it believes, as a mask."""

    def step(self, frames, states):
        ((state, prediction),) = super().step(frames, states)
        mask = np.zeros(frames[0].shape[:2], bool)
        x, y, w, h = prediction.bbox.astype(int)
        mask[y : y + h, x : x + w // 2] = True
        return [(state, replace(prediction, mask=mask))]


def test_masks_are_compared_where_there_is_something_to_see(video, tmp_path: Path):
    masks = tmp_path.with_name(f"{tmp_path.name}_masks")
    masks.mkdir()
    for index in range(31):
        mask = np.zeros((80, 80), np.uint8)
        mask[25:49, 30:54] = 255 * (index != 25)  # hidden in frame 25
        cv2.imwrite(str(masks / f"{index}.png"), mask)
    found = list(wrong_size.looks(Drawing(0.0), replace(video, masks=masks.name), 1.0, every=10))
    assert found[0].mask == 0.5
    assert np.isnan(found[1].mask)
    assert wrong_size.row(1.0, found).endswith("| 0.50 | 0.500 |")
    assert np.isnan([look.mask for look in wrong_size.looks(Drawing(0.0), video, 1.0, every=10)]).all()


def test_frames_in_which_the_target_is_said_to_be_absent_are_passed_over(video):
    absent = replace(video, visible=np.arange(31) != 25)
    assert len(list(wrong_size.looks(Mending(0.0), absent, 1.0, every=10))) == 1


def test_its_example_holds():
    found = doctest.testmod(wrong_size)
    assert found.attempted
    assert not found.failed


def test_the_command(capsys, monkeypatch):
    monkeypatch.setattr(wrong_size, "FACTORS", (0.8, 1.0))
    assert wrong_size.main(["--every", "40", "--device", "cpu", "--sequences", *SOME]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("siamrpn_nano (siamrpn_nano.safetensors) on Builtin, ")
    small, true = (line.strip("| ").split(" | ") for line in lines[-2:])
    assert (small[0], true[0]) == ("0.8", "1")
    assert 0.8 < float(small[1]) < float(true[1]) < 1.3
    assert float(true[3]) > 0.6


def test_nothing_to_look_at_is_told(capsys):
    assert wrong_size.main(["--every", "9999", "--device", "cpu", "--sequences", SOME[0]]) == 2
    assert "nothing to look at; lower --every 9999" in capsys.readouterr().err


def test_trackers_that_answer_without_boxes_are_refused(tmp_path, capsys):
    (tmp_path / "none.pth").touch()
    assert wrong_size.main(["--config", "siamfc_alex", "--snapshot", str(tmp_path / "none.pth")]) == 2
    assert "SiamFCTracker tries a few sizes" in capsys.readouterr().err
