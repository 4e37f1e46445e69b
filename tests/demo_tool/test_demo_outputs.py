"""Files: where they go, that they are whole or not there, and what is in them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from demo_material import FakePrediction, make_images, make_video, needs_animation, picture

from pysot.demo import Outputs, open_outputs, open_source, outputs, resolve_output
from pysot.utils import InputError


@pytest.fixture
def video(tmp_path):
    return make_video(tmp_path / "clip.avi", frames=2)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_run(path: Path, frames: int = 6, fps: float = 20.0) -> Outputs:
    with open_outputs(path, fps, {"video": "clip.avi"}) as files:
        for index in range(frames):
            files.write_picture(picture(index))
            files.write_box(index, 1, FakePrediction(np.array([1.234567, 2, 3, 4]) + index, score=0.5))
    return files


def test_default_is_beside_the_video_and_beside_the_folder_of_images(video, tmp_path):
    assert resolve_output(open_source(str(video)), None) == tmp_path / "clip_tracked.mp4"
    folder = make_images(tmp_path / "take.1", ["1.png"])
    assert resolve_output(open_source(str(folder)), None) == tmp_path / "take.1_tracked.mp4"
    assert resolve_output(open_source(str(folder / "*.png")), None) == tmp_path / "take.1_tracked.mp4"


def test_folder_given_as_a_dot_has_its_real_name(tmp_path, monkeypatch):
    monkeypatch.chdir(make_images(tmp_path / "seq", ["1.png"]))
    assert resolve_output(open_source("."), None) == tmp_path / "seq_tracked.mp4"


@pytest.mark.parametrize(("label", "name"), [("camera 0", "camera_0"), ("rtsp://h:5/a?b=c", "rtsp_h_5_a_b_c")])
def test_camera_or_stream_goes_to_the_current_folder(video, label, name):
    source = open_source(str(video))
    source.path, source.label = None, label
    assert resolve_output(source, None) == Path(f"{name}_tracked.mp4")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("here.avi", "here.avi"),
        ("deep/er/here.MOV", "deep/er/here.MOV"),
        ("new", "new/clip_tracked.mp4"),
        ("new.d/", "new.d/clip_tracked.mp4"),
        ("there.is", "there.is/clip_tracked.mp4"),
    ],
)
def test_output_is_a_file_or_a_folder(video, tmp_path, monkeypatch, output, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.is").mkdir()
    path = resolve_output(open_source(str(video)), output)
    assert path == Path(expected)
    assert path.parent.is_dir()
    assert all(item.name == "clip.avi" or item.is_dir() for item in path.parent.iterdir())


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("boxes.txt", "--output boxes.txt: unknown format '.txt'; expected one of .mp4"),
        ("clip.avi", "--output clip.avi: this is the input"),
        ("file/below.mp4", "cannot write into file: .*give --output FILE_OR_FOLDER"),
        ("/proc/nowhere/", "cannot write into /proc/nowhere: .*give --output"),
    ],
)
def test_impossible_output_is_refused_at_once(video, tmp_path, monkeypatch, output, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=message) as caught:
        resolve_output(open_source("clip.avi"), output)
    assert "\n" not in str(caught.value)


def test_folder_that_refuses_a_file_is_named(video, monkeypatch):
    def refuse(dir):
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr(outputs.tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match=r"cannot write into .*: Permission denied; give --output"):
        resolve_output(open_source(str(video)), None)


@pytest.mark.parametrize("suffix", sorted(outputs.VIDEO_CODECS))
def test_every_video_format_can_be_read_back(tmp_path, suffix):
    files = write_run(tmp_path / f"out{suffix}")
    capture = cv2.VideoCapture(str(files.video_path))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 6
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(20)
    ok, frame = capture.read()
    assert ok
    assert np.abs(frame.astype(int) - picture(0)).mean() < 6
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["out.csv", "out.json", f"out{suffix}"])


@pytest.mark.parametrize(("width", "shape"), [(48, (36, 48, 3)), (192, (144, 192, 3)), (96, (72, 96, 3))])
def test_pictures_in_another_width_keep_their_proportions(tmp_path, width, shape):
    with open_outputs(tmp_path / "out.avi", 20.0, {}, width) as files:
        files.write_picture(picture(0))
    frame = cv2.VideoCapture(str(files.video_path)).read()[1]
    assert frame.shape == shape
    assert np.abs(cv2.resize(frame, (96, 72)).astype(int) - picture(0)).mean() < 8


@needs_animation
@pytest.mark.parametrize("suffix", outputs.ANIMATION_SUFFIXES)
def test_animation_keeps_real_time_at_fewer_pictures(tmp_path, suffix):
    files = write_run(tmp_path / f"out{suffix}", frames=10, fps=25)
    ok, animation = cv2.imreadanimation(str(files.video_path))
    assert ok
    assert len(animation.frames) == 5  # every second frame of 25 per second, 80 ms each
    assert list(animation.durations) == [80] * 5
    assert np.abs(animation.frames[2][..., :3].astype(int) - picture(4)).mean() < 12
    assert files.warning is None


@needs_animation
def test_long_animation_ends_early_with_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(outputs, "ANIMATION_PICTURES", 3)
    files = write_run(tmp_path / "out.webp", frames=10, fps=25)
    assert files.warning == "the animation has the first 6 of 10 frames"
    assert len(cv2.imreadanimation(str(files.video_path))[1].frames) == 3


def test_animation_needs_an_opencv_that_writes_them(video, monkeypatch):
    monkeypatch.delattr(cv2, "imwriteanimation", raising=False)
    with pytest.raises(InputError, match=r"--output out.gif: OpenCV .* cannot write .gif, 4.11 and newer can"):
        resolve_output(open_source(str(video)), "out.gif")


def test_missing_codec_is_an_error_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(outputs.VIDEO_CODECS, ".mp4", "????")
    with (
        pytest.raises(InputError, match=r"cannot write .mp4 .*ending in .avi"),
        open_outputs(tmp_path / "out.mp4", 25.0, {}) as files,
    ):
        files.write_picture(picture(0))
    assert not list(tmp_path.iterdir())


def test_csv_and_json_say_the_same(tmp_path):
    with open_outputs(tmp_path / "out.avi", 25.0, {"video": "clip.avi", "model": "m"}) as files:
        files.write_picture(picture(0))
        polygon = np.arange(8) + 0.125
        files.write_box(0, 1, FakePrediction(np.array([1.234567, 2, 3, 4]), 0.98765, polygon, None, True))
        files.write_box(0, 2, FakePrediction(np.array([-0.001, 6, 7, 8.0]), 1.0))
    assert read_csv(files.csv_path) == [
        {"frame": "0", "target": "1", "x": "1.23", "y": "2.0", "w": "3.0", "h": "4.0", "score": "0.9877", "lost": "1"}
        | {"polygon": "0.12 1.12 2.12 3.12 4.12 5.12 6.12 7.12"},
        {"frame": "0", "target": "2", "x": "0.0", "y": "6.0", "w": "7.0", "h": "8.0", "score": "1.0", "lost": "0"}
        | {"polygon": ""},
    ]
    told = json.loads(files.json_path.read_text())
    assert (told["video"], told["model"]) == ("clip.avi", "m")
    assert told["boxes"][0] == {"frame": 0, "target": 1, "x": 1.23, "y": 2.0, "w": 3.0, "h": 4.0} | {
        "score": 0.9877,
        "lost": True,
        "polygon": [0.12, 1.12, 2.12, 3.12, 4.12, 5.12, 6.12, 7.12],
    }
    assert told["boxes"][1]["polygon"] is None


def test_nothing_is_replaced_before_the_run_is_finished_nor_by_a_failed_one(tmp_path):
    write_run(tmp_path / "out.avi", frames=4)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(RuntimeError), open_outputs(tmp_path / "out.avi", 20.0, {}) as files:  # noqa: PT012
        files.write_picture(picture(9))
        files.write_box(0, 1, FakePrediction(np.ones(4)))
        assert (tmp_path / "out.avi").read_bytes() == before["out.avi"]
        raise RuntimeError
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_two_runs_give_the_same_files(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_run(tmp_path / name / "out.mp4")
    for suffix in (".mp4", ".csv", ".json"):
        assert (tmp_path / f"a/out{suffix}").read_bytes() == (tmp_path / f"b/out{suffix}").read_bytes()
