"""Protocols: what a tracker is given on which frame, and what comes to stand in the files."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from made_benchmarks import Answer, Loses, Oracle, Static, moving, write_benchmark, write_truth

from toolkit.datasets import load_dataset
from toolkit.errors import DatasetError, ResultError
from toolkit.protocols import (
    PROTOCOLS,
    RealTime,
    find_protocol,
    result_files,
    run_long_term,
    run_one_pass,
    run_supervised,
    run_unsupervised,
    save,
    start_box_xywh,
)
from toolkit.regions import box_corners

NAN = float("nan")


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Return a function that makes the sequence of a ground truth."""

    def make(truth, **extra):
        monkeypatch.setenv("MADE_TRUTH", str(write_benchmark(tmp_path, "VOT2018", {"a": truth}, **extra)))
        return load_dataset("VOT2018", tmp_path).sequences[0]

    return make


def codes(trajectory):
    """Return the trajectory with R for a region."""
    return "".join(str(int(region[0])) if region.size == 1 else "R" for region in trajectory.regions)


# Where a tracker is started.


def test_start_of_a_box_is_moved_by_half_a_pixel():
    assert start_box_xywh([10, 20, 30, 40]).tolist() == [10.5, 20.5, 30, 40]
    # So that x + (w - 1) / 2, the centre for trackers, is x + w / 2 of the ground truth.
    x, y, w, h = start_box_xywh([10, 20, 31, 7])
    assert (x + (w - 1) / 2, y + (h - 1) / 2) == (10 + 31 / 2, 20 + 7 / 2)


def test_start_of_a_polygon_by_hand():
    # A square of side sqrt(50) on its corner: centre (15, 15), enclosing box 10 x 10, areas 50 : 100.
    x, y, w, h = start_box_xywh([15, 10, 20, 15, 15, 20, 10, 15])
    side = 10 * np.sqrt(0.5) + 1
    assert (w, h) == pytest.approx((side, side))
    assert (x, y) == pytest.approx((15 - (side - 1) / 2, 15 - (side - 1) / 2))


def test_vot_box_becomes_a_polygon_that_ends_on_the_last_pixel(made):
    sequence = made([[10.0, 20, 30, 40]] * 3)
    tracker = Oracle()
    run_supervised(tracker, sequence)
    # Corners (10, 20) to (39, 59): centre (24.5, 39.5), sides 29 + 1 and 39 + 1.
    assert tracker.starts == [(0, 0, [10, 20, 30, 40])]


# One pass.


def test_one_pass_writes_the_box_that_was_given_then_the_boxes(made, tmp_path):
    truth = moving(4)
    tracker = Oracle()
    trajectory = run_one_pass(tracker, made(truth))
    assert tracker.starts == [(0, 0, [20.5, 30.5, 20, 20])]
    save("one_pass", tmp_path / "out", "a", [trajectory])
    assert (tmp_path / "out/a.txt").read_text() == (
        "20.5,30.5,20.0,20.0\n21.0,30.0,20.0,20.0\n22.0,30.0,20.0,20.0\n23.0,30.0,20.0,20.0\n"
    )


def test_one_pass_takes_boxes_even_where_there_are_polygons(made):
    trajectory = run_one_pass(Oracle(), made(box_corners(moving(3)).tolist()))
    assert [region.tolist() for region in trajectory.regions[1:]] == [[21, 30, 20, 20], [22, 30, 20, 20]]


# Supervised.


def test_failures_are_followed_by_four_skipped_frames_and_a_start(made, tmp_path):
    truth = moving(22)
    tracker = Loses()
    trajectory = run_supervised(tracker, made(truth))
    # 7 is lost, 8 to 11 skipped, 12 a start; 15 is lost, 20 a start: 16 is never seen.
    assert codes(trajectory) == "1RRRRRR200001RR200001R"
    assert trajectory.failures == [7, 15]
    assert [start[:2] for start in tracker.starts] == [(0, 0), (0, 12), (0, 20)]
    assert [start[2][0] for start in tracker.starts] == [20, 32, 40]
    assert trajectory.tracked.nonzero()[0].tolist() == [1, 2, 3, 4, 5, 6, 7, 13, 14, 15, 21]
    save("supervised", tmp_path / "out", "a", [trajectory])
    lines = (tmp_path / "out/baseline/a/a_001.txt").read_text().splitlines()
    assert lines[:2] == ["1", "21.0000,30.0000,20.0000,20.0000"]
    assert lines[7:13] == ["2", "0", "0", "0", "0", "1"]


def test_failure_on_the_last_frames_leaves_nothing_to_start_on(made):
    assert codes(run_supervised(Loses(), made(moving(9)))) == "1RRRRRR20"


def test_the_last_common_pixel_keeps_a_run_alive(made):
    static = Static()
    # The static box reaches from 20 to 40, the ground truth begins at 20 + i: from 40 on, edges only touch.
    trajectory = run_supervised(static, made(moving(25)))
    assert codes(trajectory) == "1" + "R" * 19 + "20000"


def test_outside_of_the_image_nothing_is_common(made):
    class Outside(Oracle):
        def track(self, frame):
            return Answer([150.0, 30.0, 40.0, 20.0])

    # Truth and answer overlap from x = 165 on, which is beyond the image's width of 160.
    truth = [[20.0, 30.0, 20.0, 20.0], [165.0, 30.0, 40.0, 20.0], [165.0, 30.0, 40.0, 20.0]]
    assert codes(run_supervised(Outside(), made(truth))) == "120"


def test_a_start_waits_for_a_ground_truth_and_without_one_nothing_fails(made, tmp_path):
    whole, truth = moving(17), moving(17)
    truth[3] = truth[12] = truth[13] = [NAN] * 4
    tracker, sequence = Loses(), made(truth)
    write_truth(tmp_path / "truth.json", {"a": whole})
    # 3 cannot be judged; the start due on 12 is on 14.
    assert codes(run_supervised(tracker, sequence)) == "1RRRRRR2000000120"
    assert tracker.starts[1][:2] == (0, 14)


def test_rotated_regions_count_where_there_are_any(made, tmp_path):
    truth = box_corners(moving(3)).tolist()
    trajectory = run_supervised(Oracle(), made(truth))
    assert trajectory.regions[1].tolist() == truth[1]
    save("supervised", tmp_path / "out", "a", [trajectory])
    line = (tmp_path / "out/baseline/a/a_001.txt").read_text().splitlines()[1]
    assert line == "21.0000,30.0000,41.0000,30.0000,41.0000,50.0000,21.0000,50.0000"


def test_restarts_need_all_of_the_ground_truth(made):
    sequence = made(moving(3))
    shorter = replace(sequence, ground_truth=sequence.ground_truth[:1])
    with pytest.raises(DatasetError, match="a: ground truth of 1 of 3 frames; restarts need that of all"):
        run_supervised(Oracle(), shorter)


# Real time.


class Clocked(Oracle):
    """Takes, by a clock of its own, as long as it is told."""

    def __init__(self, start=0.0, **seconds):
        super().__init__()
        self.now, self.seconds, self.start, self.seen = 0.0, seconds, start, []

    def init(self, frame, box):
        super().init(frame, box)
        self.now += self.start

    def track(self, frame):
        index = self.where(frame)[1]
        self.seen.append(index)
        self.now += self.seconds.get(f"frame{index}", self.seconds.get("each", 0.01))
        return super().track(frame)


def realtime(tracker, sequence):
    return run_supervised(tracker, sequence, lambda: tracker.now, RealTime(fps=20, grace=3))


def test_a_fast_tracker_sees_every_frame(made):
    tracker = Clocked(each=0.049)
    trajectory = realtime(tracker, made(moving(8)))
    assert tracker.seen == list(range(1, 8))
    assert trajectory.seconds[1:] == pytest.approx([0.049] * 7)


def test_three_slow_frames_are_forgiven_then_time_is_carried_over(made):
    # 0.16 s are 0.11 s too long: two frames go by (0.11 > 0.05, 0.06 > 0.05), of the third 0.01 s is left.
    tracker = Clocked(each=0.16)
    truth = moving(12)
    trajectory = realtime(tracker, made(truth))
    assert tracker.seen == [1, 2, 3, 4, 7, 10]
    found = [region[0] for region in trajectory.regions[1:]]
    assert found == [21, 22, 23, 24, 24, 24, 27, 27, 27, 30, 30]
    assert trajectory.tracked.sum() == 6


def test_a_slow_start_uses_up_forgiveness(made):
    tracker = Clocked(start=0.2, each=0.16)
    realtime(tracker, made(moving(8)))
    assert tracker.seen == [1, 2, 3, 6]


def test_each_restart_is_forgiven_anew(made):
    class Jumps(Clocked):
        def track(self, frame):
            answer = super().track(frame)
            return Answer([140.0, 100.0, 10.0, 10.0]) if self.where(frame)[1] == 2 else answer

    tracker = Jumps(each=0.16)
    assert codes(realtime(tracker, made(moving(14))))[:9] == "1R200001R"
    assert tracker.seen == [1, 2, 8, 9, 10, 11]


# The other protocols.


def test_unsupervised_never_starts_again(made):
    tracker = Loses()
    assert codes(run_unsupervised(tracker, made(moving(20)))) == "1" + "R" * 19
    assert len(tracker.starts) == 1


def test_long_term_files_byte_for_byte(made, tmp_path):
    truth = moving(4)
    truth[2] = [NAN] * 4

    class Unsure(Oracle):
        def track(self, frame):
            index = self.where(frame)[1]
            return Answer([index, 0.5, 3, 4], score=index / 7)

    trajectory = run_long_term(Unsure(), made(truth))
    save("long_term", tmp_path / "out", "a", [trajectory])
    folder = tmp_path / "out/longterm/a"
    assert (folder / "a_001.txt").read_text() == (
        "1\n1.0000,0.5000,3.0000,4.0000\n2.0000,0.5000,3.0000,4.0000\n3.0000,0.5000,3.0000,4.0000\n"
    )
    assert (folder / "a_001_confidence.value").read_text() == "\n0.142857\n0.285714\n0.428571\n"
    times = (folder / "a_time.txt").read_text().splitlines()
    assert len(times) == 4
    assert all(len(line.partition(".")[2]) == 6 for line in times)


def test_got10k_has_a_file_per_repetition_and_a_column_of_times_each(made, tmp_path):
    sequence = made(moving(3))
    runs = [run_one_pass(Oracle(), sequence) for _ in range(3)]
    save("got10k", tmp_path / "out", "a", runs)
    names = sorted(path.name for path in (tmp_path / "out/a").iterdir())
    assert names == ["a_001.txt", "a_002.txt", "a_003.txt", "a_time.txt"]
    rows = [line.split(",") for line in (tmp_path / "out/a/a_time.txt").read_text().splitlines()]
    assert [len(row) for row in rows] == [3, 3, 3]
    expected = {path.name for path in result_files("got10k", tmp_path / "out", "a", 3)}
    assert expected == set(names)


def test_every_layout_has_a_protocol():
    from toolkit.results import LAYOUTS

    assert set(PROTOCOLS) == set(LAYOUTS)
    with pytest.raises(ResultError, match=r"unknown protocol 'real_time'\. Did you mean 'realtime'\?"):
        find_protocol("real_time")


# What can be wrong with a tracker or a sequence.


@pytest.mark.parametrize("box", [[1, 2, 3], [1, 2, NAN, 4], [1, 2, 3, float("inf")]])
def test_a_box_that_is_none_is_named_with_its_frame(made, box):
    class Wrong(Oracle):
        def track(self, frame):
            return Answer(box)

    with pytest.raises(ResultError, match=r"a frame 2: the tracker's bbox is \[1.0, 2.0, .*expected 4 finite numbers"):
        run_one_pass(Wrong(), made(moving(3)))


def test_a_missing_image_is_named(made, tmp_path):
    sequence = made(moving(5))
    (tmp_path / "VOT2018/a/0003.png").unlink()
    with pytest.raises(DatasetError, match=r"0003.png: no such file \(frame 3 of a\)"):
        run_one_pass(Oracle(), sequence)


def test_confidences_are_those_of_the_tracker(made):
    trajectory = run_one_pass(Static(), made(moving(3)))
    np.testing.assert_array_equal(trajectory.confidences, [NAN, 0.5, 0.5])
    assert json.dumps(trajectory.tracked.tolist()) == "[false, true, true]"
