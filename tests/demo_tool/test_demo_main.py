"""The tool from its command line to its files, with a fake tracker in place of a network."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from demo_material import FakeMultiTracker, make_images, make_video, needs_animation, picture, square_x, truth_lines

import pysot
from pysot import demo


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in, with clip.avi of 12 frames and its ground truth."""
    monkeypatch.chdir(tmp_path)
    make_video(tmp_path / "clip.avi", frames=12)
    (tmp_path / "clip.txt").write_text(truth_lines(12))
    return tmp_path


def boxes_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def frames_of(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    return [capture.read()[1] for _ in range(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))]


def test_video_with_ground_truth_from_start_to_closing_line(here, tool, loaded, capsys):
    assert tool.main(["--video", "clip.avi"]) == 0
    shown = capsys.readouterr()
    assert loaded == [(("siamrpn_nano",), {"device": "auto", "overrides": []})]
    # The fake moves with the square, so its boxes are the ground truth.
    assert shown.out.startswith("12 frames, ")
    assert "fps (mean, tracking alone), mean IoU 1.000 with clip.txt (axis-aligned boxes)" in shown.out
    assert shown.out.endswith("clip_tracked.mp4, boxes in clip_tracked.csv and clip_tracked.json beside it\n")
    assert "12/12" in shown.err  # the progress bar
    rows = boxes_of(here / "clip_tracked.csv")
    assert [(row["frame"], row["target"], row["x"]) for row in rows] == [
        (str(n), "1", f"{10 + n}.0") for n in range(12)
    ]
    assert rows[0]["score"] == "1.0"
    assert rows[1]["score"] == "0.75"
    assert [row["lost"] for row in rows].count("1") == 3
    told = json.loads((here / "clip_tracked.json").read_text())
    assert {key: told[key] for key in told if key != "boxes"} == {
        "video": "clip.avi",
        "model": "siamrpn_nano",
        "width": 96,
        "height": 72,
        "fps": 20.0,
    }
    assert len(told["boxes"]) == 12
    assert len(frames_of(here / "clip_tracked.mp4")) == 12


@pytest.mark.parametrize("flag", ["--video", "--video_name", "--video-name"])
def test_aliases_of_the_video_flag(here, tool, loaded, flag):
    assert tool.main([flag, "clip.avi", "--max-frames", "2"]) == 0


@pytest.mark.parametrize("config_flag", ["--config", "--cfg"])
def test_pysot_command_line_gives_configuration_and_checkpoint(here, tool, loaded, config_flag):
    Path("mine.yaml").write_text("TRACK:\n  LR: 0.2\n")
    Path("model.pth").touch()
    argv = [config_flag, "mine.yaml", "--snapshot", "model.pth", "--video_name", "clip.avi", "--device", "cpu"]
    assert tool.main([*argv, "TRACK.PENALTY_K", "0.3"]) == 0
    ((args, kwargs),) = loaded
    assert args == ()
    assert (kwargs["cfg"].TRACK.LR, kwargs["cfg"].TRACK.PENALTY_K) == (0.2, 0.3)
    assert (kwargs["snapshot"], kwargs["device"]) == (Path("model.pth"), "cpu")


def test_configuration_with_public_weights_needs_no_checkpoint(here, tool, loaded):
    assert tool.main(["--video", "clip.avi", "--config", "siamrpn_nano", "TRACK.LR", "0.4"]) == 0
    ((_, kwargs),) = loaded
    assert kwargs["cfg"].TRACK.LR == 0.4
    assert kwargs["snapshot"].name == "siamrpn_nano.safetensors"


def test_model_of_the_zoo_by_name_with_another_setting(here, tool, loaded):
    assert tool.main(["--video", "clip.avi", "--model", "siamrpn_alex_dwxcorr", "TRACK.LR", "0.4"]) == 0
    assert loaded == [(("siamrpn_alex_dwxcorr",), {"device": "auto", "overrides": ["TRACK.LR", "0.4"]})]


def test_several_targets_are_numbered_in_the_order_given(here, tool, loaded):
    argv = ["--video", "clip.avi", "--init-rect", "10,30,20,20", "--init-rect", "40,5,10,10", "--output", "out/two.avi"]
    assert tool.main(argv) == 0
    rows = boxes_of(here / "out" / "two.csv")
    assert [(row["target"], row["x"], row["y"]) for row in rows[:2]] == [("1", "10.0", "30.0"), ("2", "40.0", "5.0")]
    assert len(rows) == 24
    assert len(frames_of(here / "out" / "two.avi")) == 12


def test_other_box_than_the_ground_truths_is_not_measured_against_it(here, tool, loaded, capsys):
    assert tool.main(["--video", "clip.avi", "--init-rect", "5,5,10,10"]) == 0
    assert "IoU" not in capsys.readouterr().out


def test_start_box_alone_is_no_ground_truth_for_the_video(here, tool, loaded, capsys):
    (here / "clip.txt").write_text(truth_lines(1))
    assert tool.main(["--video", "clip.avi"]) == 0
    assert "IoU" not in capsys.readouterr().out


def test_frames_without_the_target_do_not_count_in_the_iou(here, tool, loaded, capsys):
    lines = truth_lines(12).splitlines()
    lines[5] = "NaN,NaN,NaN,NaN"
    lines[6] = "16,40,20,20"  # half of the height above: IoU 1/3
    (here / "clip.txt").write_text("\n".join(lines))
    assert tool.main(["--video", "clip.avi"]) == 0
    assert f"mean IoU {(9 + 1 / 3) / 10:.3f}" in capsys.readouterr().out


@pytest.mark.parametrize(("dtype", "channels"), [(np.uint8, 1), (np.uint16, 3)])
def test_images_reach_the_tracker_as_they_are(here, tool, loaded, monkeypatch, dtype, channels):
    made: list[FakeMultiTracker] = []

    def make(tracker):
        made.append(FakeMultiTracker(tracker))
        return made[-1]

    monkeypatch.setattr(pysot, "MultiTracker", make)
    folder = make_images(here / "seq", [])
    for index in range(3):
        cv2.imwrite(str(folder / f"{index}.png"), picture(index, dtype, channels))
    assert tool.main(["--video", "seq", "--init-rect", "10,30,20,20"]) == 0
    assert [square_x(frame) for frame in made[0].frames] == [10, 11, 12]
    np.testing.assert_array_equal(made[0].frames[1], picture(1, dtype, channels))
    assert len(frames_of(here / "seq_tracked.mp4")) == 3


def test_truncated_video_is_tracked_to_its_end_with_a_warning(here, tool, loaded, capsys):
    whole = make_video(here / "long.avi", frames=40).read_bytes()
    (here / "cut.avi").write_bytes(whole[: len(whole) // 2])
    assert tool.main(["--video", "cut.avi", "--init-rect", "10,30,20,20"]) == 0
    shown = capsys.readouterr()
    frames = len(boxes_of(here / "cut_tracked.csv"))
    assert 5 < frames < 35
    assert shown.out.startswith(f"{frames} frames, ")
    assert f"warning: cut.avi, frame {frames}: cannot be read; stopped after {frames} of 40" in shown.err


@needs_animation
def test_animation_for_a_readme(here, tool, loaded):
    assert tool.main(["--video", "clip.avi", "--output", "picture.webp"]) == 0
    assert len(cv2.imreadanimation("picture.webp")[1].frames) == 6
    assert (here / "picture.csv").is_file()


def test_the_documented_command_makes_the_readmes_picture(repo_root, tool):
    (command,) = re.findall(
        r"^    (python tools/demo.py .*docs/bag.*)$", (repo_root / "demo/README.md").read_text(), re.M
    )
    args = tool.parse_args(command.split()[2:])
    shown = cv2.imread(str(repo_root / args.output))
    assert shown.shape[:2] == (args.width * 480 // 640, args.width)


@needs_animation
def test_smaller_animation_has_the_boxes_of_the_frames(here, tool, loaded):
    words = ["--video", "clip.avi", "--output", "picture.webp", "--model", "siamrpn_alex_dwxcorr", "--no-window"]
    assert tool.main([*words, "--width", "48"]) == 0
    assert loaded == [(("siamrpn_alex_dwxcorr",), {"device": "auto", "overrides": []})]
    shown = cv2.imreadanimation("picture.webp")[1].frames
    assert [frame.shape[:2] for frame in shown] == [(36, 48)] * 6
    assert boxes_of(here / "picture.csv")[0]["x"] == "10.0"
    told = json.loads((here / "picture.json").read_text())
    assert (told["width"], told["height"]) == (96, 72)


@pytest.mark.parametrize("width", ["0", "15", "7681", "wide"])
def test_width_is_a_number_of_pixels(here, tool, loaded, capsys, width):
    with pytest.raises(SystemExit):
        tool.main(["--video", "clip.avi", "--width", width])
    assert f"--width: expected 16 to 7680 pixels, got {width}" in capsys.readouterr().err


def test_ctrl_c_leaves_complete_files_of_what_was_done(here, tool, failing, capsys):
    failing(5, KeyboardInterrupt())
    assert tool.main(["--video", "clip.avi"]) == 0
    assert capsys.readouterr().out.startswith("interrupted, 5 frames, ")
    assert len(frames_of(here / "clip_tracked.mp4")) == len(boxes_of(here / "clip_tracked.csv")) == 5


def test_ctrl_c_before_the_first_frame_leaves_nothing(here, tool, loaded, monkeypatch, capsys):
    def load_tracker(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(pysot, "load_tracker", load_tracker)
    assert tool.main(["--video", "clip.avi"]) == 130
    assert "interrupted before the first frame" in capsys.readouterr().err
    assert sorted(path.name for path in here.iterdir()) == ["clip.avi", "clip.txt"]


def test_error_in_the_tracker_keeps_its_traceback_and_leaves_no_files(here, tool, failing):
    failing(5, RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        tool.main(["--video", "clip.avi"])
    assert sorted(path.name for path in here.iterdir()) == ["clip.avi", "clip.txt"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--video", "gone.avi"], "no video 'gone.avi'"),
        (["--video", "empty.avi"], "empty.avi: cannot be opened"),
        (
            ["--video", "bare.avi"],
            "bare.avi: no box to start on, and no window to draw one in; give --init-rect x,y,w,h",
        ),
        (["--video", "clip.avi", "--init-rect", "1,2,3"], "--init-rect '1,2,3': expected four numbers x,y,w,h"),
        (["--video", "clip.avi", "--init-rect", "900,2,3,4"], "lies outside the frame, which is 96 x 72"),
        (["--video", "clip.avi", "--init-rect", "1,2,0,4"], "is empty"),
        (["--video", "clip.avi", "--output", "x.txt"], "unknown format '.txt'"),
        (["--video", "clip.avi", "--output", "clip.txt/x.mp4"], "cannot write into clip.txt"),
        (["--video", "clip.avi", "--snapshot", "m.pth"], "--snapshot m.pth needs --config"),
        (
            ["--video", "clip.avi", "--model", "siamfc_alex", "--config", "siamfc_alex"],
            "expected it alone, or --config",
        ),
        (["--video", "clip.avi", "--config", "siamfc_alex"], "--cfg siamfc_alex needs --snapshot FILE"),
        (["--video", "clip.avi", "--config", "siamfc_alex", "--snapshot", "m.pth"], "--snapshot m.pth: no such file"),
        (["--video", "clip.avi", "--config", "c.yaml"], "c.yaml"),
        (["--video", "clip.avi", "TRACK.LRR", "0.4"], "TRACK.LRR"),
        (["--video", "a.png", "b.png"], "b.png: no configuration key; a pattern of images needs quotes"),
        (["--video", "clip.avi", "--config", "no.yaml", "--snapshot", "m.pth"], "no.yaml"),
    ],
)
def test_mistake_is_one_line_and_exit_code_2_before_a_model_is_loaded(here, tool, loaded, capsys, argv, message):
    make_video(here / "bare.avi", frames=2)
    (here / "empty.avi").touch()
    assert tool.main(argv) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ")
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    assert loaded == []
    assert not list(here.glob("*_tracked*"))


def test_frame_limit_below_one_is_refused(here, tool, capsys):
    with pytest.raises(SystemExit) as caught:
        tool.main(["--video", "clip.avi", "--max-frames", "0"])
    assert caught.value.code == 2
    assert "--max-frames: expected 1 or more, got 0" in capsys.readouterr().err


def test_a_box_may_begin_outside_the_frame(here, tool, loaded):
    """A value that begins with a minus would pass for an option."""
    assert tool.main(["--video", "clip.avi", "--init-rect", "-5,-3,20,20", "--output", "out/"]) == 0
    assert (boxes_of(here / "out" / "clip_tracked.csv")[0]["x"]) == "-5.0"


def test_display_brings_a_window_and_a_box_drawn_in_it(here, tool, loaded, monkeypatch, capsys):
    (here / "clip.txt").unlink()
    shown = []

    class FakeWindow:
        def __init__(self, title):
            shown.append(title)

        def show(self, image):
            shown.append(image)
            return len(shown) < 5

        def close(self):
            shown.append("closed")

    monkeypatch.setattr(demo, "can_show", lambda: True)
    monkeypatch.setattr(demo, "Window", FakeWindow)
    monkeypatch.setattr(demo.start, "select_box", lambda frame, title: np.array([10.0, 30, 20, 20]))
    assert tool.main(["--video", "clip.avi"]) == 0
    assert (shown[0], shown[-1]) == ("clip.avi", "closed")
    # Closed by the user at the fourth frame; the files hold those four.
    assert capsys.readouterr().out.startswith("4 frames, ")
    assert len(frames_of(here / "clip_tracked.mp4")) == 4
    shown.clear()
    (here / "clip.txt").write_text(truth_lines(12))
    assert tool.main(["--video", "clip.avi", "--no-window"]) == 0
    assert shown == []


def test_help_teaches(tool, capsys):
    with pytest.raises(SystemExit) as caught:
        tool.main(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for taught in ("--video bag.avi", "--init-rect", "--snapshot model.pth", "camera 0", "_tracked.mp4"):
        assert taught in text


def test_runs_as_a_file_from_anywhere_and_finishes_on_a_real_ctrl_c(here, repo_root, tmp_path):
    """The command as users type it: a process of its own, interrupted by a signal while it tracks."""
    make_video(here / "long.avi", frames=400)
    code = f"""
import runpy, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job begins with it ignored
sys.path[:0] = [{str(repo_root)!r}, {str(Path(__file__).parent)!r}]
import pysot
from demo_material import FakeMultiTracker
class Slow(FakeMultiTracker):
    def track(self, frame):
        time.sleep(0.02)
        return super().track(frame)
pysot.load_tracker, pysot.MultiTracker = (lambda *a, **k: None), Slow
sys.argv = ["demo.py", "--video", "long.avi", "--init-rect", "10,30,20,20"]
runpy.run_path({str(repo_root / "tools" / "demo.py")!r}, run_name="__main__")
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    seen = ""
    while not re.search(r" [1-9]\d*/400", seen) and process.poll() is None:
        seen += process.stderr.read(1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, seen
    assert out.startswith("interrupted, ")
    rows = boxes_of(here / "long_tracked.csv")
    assert 1 <= len(rows) < 400
    assert abs(len(frames_of(here / "long_tracked.mp4")) - len(rows)) <= 1
