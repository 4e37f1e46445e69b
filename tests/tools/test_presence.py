"""The benchmark of the score: the target is really gone, the counting is right, the command runs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import pysot
from benchmarks import presence
from benchmarks.presence import Answers, Record
from pysot.trackers import Prediction
from toolkit.regions import Regions
from toolkit.sequence import Frames, Sequence

BOX = np.array([60.0, 40.0, 20.0, 30.0])  # with its margins: columns 58 to 81, rows 37 to 72
COVERED = (slice(37, 73), slice(58, 82))


def scene(seed: int = 0) -> np.ndarray:
    """A frame of 160 x 120: smooth ground with a slope and noise, and a magenta target."""
    rng = np.random.default_rng(seed)
    slope = np.linspace(60, 140, 160)[None, :, None] + rng.normal(0, 4, (120, 160, 3))
    frame = slope.clip(0, 255).astype(np.uint8)
    frame[40:70, 60:80] = (255, 0, 255)
    return frame


class TestRemoving:
    def test_what_is_removed_is_the_box_and_a_tenth_of_it_on_each_side(self):
        assert presence.covered((120, 160, 3), BOX) == COVERED
        assert presence.covered((120, 160, 3), np.array([-5.0, 100.5, 20.0, 30.0])) == (slice(97, 120), slice(0, 17))

    @pytest.mark.parametrize("remove", [presence.patched, presence.painted])
    def test_the_target_goes_and_all_else_stays(self, remove):
        frame = scene()
        before = frame.copy()
        new = remove(frame, BOX)
        np.testing.assert_array_equal(frame, before)
        outside = np.ones(frame.shape[:2], bool)
        outside[COVERED] = False
        np.testing.assert_array_equal(new[outside], frame[outside])
        inside = new[40:70, 60:80].astype(int)
        # Magenta nowhere: each pixel is near the ground's 60 to 140 in all channels.
        assert np.abs(inside - (255, 0, 255)).max(axis=-1).min() > 80
        around = before[37:73, 40:100][:, np.r_[0:18, 42:60]].mean(axis=(0, 1))
        np.testing.assert_allclose(inside.mean(axis=(0, 1)), around, atol=12)

    def test_a_patch_has_soft_edges_and_comes_from_where_it_fits(self):
        frame = np.full((120, 160, 3), 50, np.uint8)
        frame[:, 82:] = 200  # the pieces on the right do not fit
        frame[40:70, 60:80] = 255
        frame[1:37, 58:82] = 60  # the piece above is nearly the ground
        frame[73:109] = 90
        frame[:, :58] = 100
        new = presence.patched(frame, BOX)
        assert (new[40:70, 60:80] == 60).all()
        assert new[37, 65].tolist() == [55, 55, 55]  # 1 of 2 pixels into the edge: half of 50, half of 60

    def test_a_target_at_the_border_is_gone_up_to_the_border(self):
        frame = scene()
        frame[:30, :20] = (255, 0, 255)
        new = presence.patched(frame, np.array([-4.0, -2.0, 24.0, 32.0]))
        assert np.abs(new[:30, :20].astype(int) - (255, 0, 255)).max(axis=-1).min() > 80

    def test_no_way_around_a_target_that_fills_the_frame(self):
        assert presence.patched(scene(), np.array([10.0, 10.0, 140.0, 100.0])) is None
        assert presence.painted(scene(), np.array([10.0, 10.0, 140.0, 100.0])) is None
        assert presence.painted(scene(), np.array([200.0, 10.0, 14.0, 10.0])) is None
        assert presence.patched(scene(), np.array([200.0, 10.0, 14.0, 10.0])) is None

    def test_a_cut_shows_the_other_scene_in_this_size(self):
        other = np.full((60, 40, 3), 7, np.uint8)
        assert presence.cut(scene(), None) is None
        np.testing.assert_array_equal(presence.cut(scene(), other), np.full((120, 160, 3), 7, np.uint8))


# A tracker that sees magenta. Frame 15 it looks elsewhere, in frames 30 to 32 it doubts; it tells only after three
# frames that its target is gone.


@dataclass(frozen=True)
class Seen:
    steps: int
    missing: int


class Scripted:
    def start(self, frame, box):
        return Seen(0, 0)

    def step(self, frames, states):
        assert len(frames) == len(states)
        return [self.follow(frame, state) for frame, state in zip(frames, states, strict=True)]

    def follow(self, frame, state):
        rows, columns = np.nonzero((frame == (255, 0, 255)).all(axis=-1))
        steps = state.steps + 1
        missing = state.missing + 1 if not rows.size else 0
        score = 0.4 if 30 <= steps <= 32 and rows.size else 0.9 if rows.size else 0.2
        where = (columns.min(), rows.min()) if rows.size and steps != 15 else (0, 0)
        return Seen(steps, missing), Prediction(np.array([*where, 20, 30.0]), score, missing >= 3)


def film(folder: Path, frames: int, *, target: bool = True) -> Sequence:
    """A sequence whose target goes right by one pixel per frame; it is absent in the last but one."""
    folder.mkdir()
    truth = np.array([[40.0 + index, 40, 20, 30] for index in range(frames)])
    for index in range(frames):
        frame = np.full((120, 160, 3), 90, np.uint8)
        if target:
            frame[40:70, 40 + index : 60 + index] = (255, 0, 255)
        cv2.imwrite(str(folder / f"{index}.png"), frame)
    truth[-2] = np.nan
    return Sequence(folder.name, Frames(folder), Regions.from_array(truth))


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    return presence.measure(
        Scripted(), film(folder / "one", 40), film(folder / "two", 7, target=False), every=10, frames=None
    )


class TestMeasuring:
    def test_frames_in_view(self, record):
        assert len(record.in_view.scores) == 38  # without the first, and the one without target
        assert np.flatnonzero(record.in_view.scores < 0.5).tolist() == [29, 30, 31]
        assert np.flatnonzero(~record.on_target).tolist() == [14]
        assert not record.in_view.lost.any()

    def test_cases_begin_after_frames_5_and_25_where_the_tracker_is_on_the_target(self, record):
        assert {way: len(cases) for way, cases in record.cases.items()} == dict.fromkeys(presence.WAYS, 2)
        assert record.off_target == 1  # frame 15; the ten after frame 35 would go beyond the end
        for way in presence.REMOVALS:
            for case in record.cases[way]:
                assert case.scores.tolist() == [0.2] * 10
                assert case.lost.tolist() == [False] * 2 + [True] * 8
        first, second = record.cases["kept"]
        assert first.scores.tolist() == [0.9] * 10
        # The state knew its place: frames 26 to 35, the doubt in 30 to 32.
        assert second.scores.tolist() == [0.9] * 4 + [0.4] * 3 + [0.9] * 3

    def test_shares(self, record):
        assert presence.lost_share([record], None, on_target=False) == 0
        assert presence.lost_share([record], 0.5, on_target=False) == pytest.approx(3 / 38)
        assert presence.lost_share([record], 0.5, on_target=True) == pytest.approx(3 / 37)
        assert presence.noticed([record], "cut", None) == presence.Noticed(2, 1.0, 3.0)
        assert presence.noticed([record], "cut", 0.5) == presence.Noticed(2, 1.0, 1.0)
        assert presence.noticed([record], "kept", 0.5) == presence.Noticed(2, 0.5, 5.0)
        assert presence.noticed([record], "kept", 0.4).share == 0  # below, not at

    def test_one_sequence_alone_has_no_cuts(self, tmp_path):
        alone = presence.measure(Scripted(), film(tmp_path / "one", 20), None, every=1)
        assert {way: len(cases) for way, cases in alone.cases.items()} == {
            "patched": 3, "painted": 3, "cut": 0, "kept": 3,
        }  # fmt: skip
        assert math.isnan(presence.noticed([alone], "cut", None).share)

    def test_a_longer_stride_and_fewer_frames(self, tmp_path):
        video, seen = film(tmp_path / "one", 40), []
        presence.measure(
            Scripted(), video, None, every=4, frames=30, show=lambda name, index, pictures: seen.append((name, index))
        )
        assert seen == [("one", 6), ("one", 10), ("one", 14), ("one", 18)]

    def test_it_is_found_again_where_it_came_back_ten_frames_before(self, tmp_path):
        one, other = film(tmp_path / "one", 40), film(tmp_path / "two", 7, target=False)
        measured = presence.measure(Scripted(), one, other, every=10, absent=12)
        # After frame 5; after frame 25 the sequence is too short for it, but not for noticing.
        assert measured.returns == {way: [True] for way in presence.WAYS}
        assert {way: len(cases) for way, cases in measured.cases.items()} == dict.fromkeys(presence.WAYS, 2)
        assert all(len(case.scores) == 10 for cases in measured.cases.values() for case in cases)

    def test_a_tracker_that_gives_up_finds_nothing_again(self, tmp_path):
        class GivesUp(Scripted):
            def follow(self, frame, state):
                seen, prediction = super().follow(frame, state)
                gone = state.missing >= 11 or seen.missing >= 11
                seen = replace(seen, missing=11) if gone else seen
                return seen, replace(prediction, bbox=np.array([0, 0, 20, 30.0])) if gone else prediction

        one, other = film(tmp_path / "one", 40), film(tmp_path / "two", 7, target=False)
        measured = presence.measure(GivesUp(), one, other, every=10, absent=11)
        assert measured.returns == {"patched": [False], "painted": [False], "cut": [False], "kept": [True]}
        assert presence.returned([measured], 11) == (
            "found again within 10 frames, after 11 out of sight: "
            "patched 0.0% of 1, painted 0.0% of 1, cut 0.0% of 1, kept 100.0% of 1"
        )
        patient = presence.measure(GivesUp(), one, other, every=10, absent=10)
        assert patient.returns == {way: [True] for way in presence.WAYS}


class TestChoosing:
    def test_without_frames_on_the_target_there_is_nothing_to_choose_on(self, record):
        nowhere = replace(record, on_target=np.zeros_like(record.on_target))
        lines = presence.choice_rows([nowhere], [record], "these", "those")
        assert lines[-1] == "nothing to choose on: these have no frames on target"
        assert len(lines) == 4

    @pytest.mark.parametrize("count", [1, 19, 20, 21, 60, 140, 1000])
    def test_fewer_than_the_share_and_no_threshold_higher(self, count):
        scores = np.random.default_rng(count).uniform(0, 1, count)
        threshold = presence.highest_threshold(scores, 0.05)
        assert (scores < threshold).mean() < 0.05
        assert (scores < threshold + 2e-4).mean() >= 0.05 or count > 500

    def test_equal_scores_are_not_lost(self):
        assert presence.highest_threshold(np.full(50, 0.25), 0.05) == 0.25

    def test_it_is_chosen_on_some_and_checked_on_others(self):
        # 40 frames in view with scores 0.01, 0.02, ...: one below 0.02, two (5 %) below 0.03.
        def records(shift):
            scores = np.arange(1, 41) / 100 + shift
            case = Answers(np.full(10, 0.015), np.zeros(10, bool))
            in_view = Answers(scores, np.zeros(40, bool))
            return [Record("a", in_view, np.ones(40, bool), {way: [case] for way in presence.WAYS}, {}, 0)]

        lines = presence.choice_rows(records(0), records(-0.005), "these", "those")
        assert [line.split()[:5] for line in lines[1:3]] == [
            ["chosen", "on", "these", "0.0200", "2.5%"],
            ["checked", "on", "those", "0.0200", "5.0%"],
        ]
        assert lines[1].split()[6:8] == ["100.0%", "1.0"]


def test_the_scene_after_a_cut_is_of_other_images(tmp_path):
    one, two, three = (film(tmp_path / name, 3) for name in ("one", "two", "three"))
    again = Sequence("one-2", one.frames, one.ground_truth)
    videos = [one, again, two, three]
    assert [presence.other_scene(videos, number) for number in range(4)] == [two, two, three, one]
    assert presence.other_scene([one, again], 0) is None
    assert presence.other_scene([one], 0) is None


# The command.

NARROW = ["BACKBONE.KWARGS.width_mult", "0.1", "RPN.KWARGS.in_channels", "25", "RPN.KWARGS.out_channels", "16"]
# A network that knows nothing would run away: its boxes are the anchors as they are, and the window holds the centre.
STILL = ["TRACK.WINDOW_INFLUENCE", "1.0", "TRACK.LR", "0.001"]
NETWORK = [*NARROW, *STILL, "--config", "siamrpn_alex_dwxcorr", "--device", "cpu"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "tiny.pth"
    state = pysot.build_model(pysot.load_cfg("siamrpn_alex_dwxcorr", NARROW)).state_dict()
    boxes = [value for key, value in state.items() if key.startswith("rpn_head.loc.head.3.")]
    assert len(boxes) == 2
    for value in boxes:
        value.zero_()
    torch.save(state, file)
    return str(file)


def test_the_command_on_the_builtin_benchmark(weights, tmp_path, capsys):
    words = [*NETWORK, "--snapshot", weights, "--max-frames", "17", "--sequences", "bounce", "spin", "lamp", "rally"]
    pictures = ["--picture", str(tmp_path / "presence.png"), "--show", str(tmp_path / "removed")]
    assert presence.main([*words, *pictures]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("siamrpn_alex_dwxcorr_tiny on Builtin: 4 sequences, 64 frames in view, ")
    assert tuple(lines[2].split()[-4:]) == presence.WAYS
    assert lines[3].startswith("as it is")
    # 17 frames are too few for 20 without it and 10 with it.
    assert lines[4].startswith("found again within 10 frames, after 20 out of sight: patched - of 0, ")
    chosen, checked = (
        next(line for line in lines if line.startswith(f"  {word} on")) for word in ("chosen", "checked")
    )
    assert chosen.split()[3 + 1] == checked.split()[4 + 1]  # the threshold
    assert lines[-1].startswith("chosen on: ")
    picture = cv2.imread(str(tmp_path / "presence.png"))
    assert picture.shape[1] > 1000
    shown = sorted((tmp_path / "removed").iterdir())
    assert shown
    assert cv2.imread(str(shown[0])).shape == (240, 4 * 320, 3)


def test_the_commands_other_thresholds(weights, capsys):
    words = [*NETWORK, "--snapshot", weights, "--max-frames", "17", "--sequences", "bounce"]
    assert presence.main([*words, "--threshold", "0.7"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines if line.startswith("--threshold")] == [["--threshold", "0.7000"]]
    assert not any("chosen" in line for line in lines)
    assert presence.main([*words, "--choose-on", "Builtin-LT"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("  chosen on Builtin-LT") for line in lines)
    assert any(line.startswith("  checked on Builtin ") for line in lines)


def test_a_tracker_with_a_memory_has_no_curve(weights, tmp_path, capsys):
    words = [*NETWORK, "--snapshot", weights, "--max-frames", "17", "--sequences", "bounce", "spin"]
    memory = ["TRACK.TYPE", "SiamRPNLTTracker", "TRACK.LOST_INSTANCE_SIZE", "415"]
    assert presence.main([*words, *memory, "--picture", str(tmp_path / "x.png")]) == 0
    shown = capsys.readouterr().out
    assert "as it is" in shown
    assert "all thresholds" not in shown
    assert (tmp_path / "x.png").is_file()
    assert presence.main([*words, *memory, "--threshold", "0.7"]) == 2
    assert "has two thresholds and a memory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dataset", "Builtn"], "unknown benchmark 'Builtn'"),
        (["--sequences", "bounce"], "leaves no sequence"),
        (["--sequences", "bounc", "spin"], "bounc"),
        (["--choose-on", "Builtin"], "--choose-on Builtin: chosen on what is reported"),
        (["--absent", "9"], "--absent 9: at least 10"),
        (["--sequences", "bounce", "--max-frames", "1", "--threshold", "0.5"], "no frame after the first"),
    ],
)
def test_mistakes_are_one_line(weights, words, message, capsys):
    assert presence.main([*NETWORK, "--snapshot", weights, *words]) == 2
    error = capsys.readouterr().err
    assert error.splitlines()[-1].startswith("error: ")
    assert message in error.splitlines()[-1]
