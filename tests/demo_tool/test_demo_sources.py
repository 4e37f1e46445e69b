"""Frames of every kind of source arrive in order, and what cannot be read says so in a line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest
from demo_material import HEIGHT, WIDTH, make_images, make_video, picture, square_x

from pysot.demo import open_source
from pysot.utils import InputError


def columns(source) -> list[int]:
    return [square_x(frame) - 10 for frame in source]


@pytest.mark.parametrize("name", ["clip.avi", "clip.mp4"])
def test_video_file_gives_every_frame_in_order(tmp_path, name):
    source = open_source(str(make_video(tmp_path / name, frames=12, fps=20)))
    assert (source.promised, source.fps, source.live) == (12, 20.0, False)
    assert columns(source) == list(range(12))
    assert source.warning is None


def test_video_is_looked_for_in_the_search_folders_after_the_place_as_given(tmp_path, monkeypatch):
    (tmp_path / "demo").mkdir()
    make_video(tmp_path / "demo" / "clip.avi")
    monkeypatch.chdir(tmp_path)
    assert open_source("clip.avi", [Path("demo")]).path == Path("demo/clip.avi")
    make_video(tmp_path / "clip.avi", frames=3)
    assert open_source("clip.avi", [Path("demo")]).promised == 3


def test_folder_is_read_in_natural_order_whatever_the_case_of_the_suffix(tmp_path):
    names = ["1.jpg", "2.JPG", "9.png", "10.PNG", "11.bmp", "100.tif", "101.webp", "102.JPEG"]
    make_images(tmp_path / "seq", names)
    (tmp_path / "seq" / "notes.txt").write_text("not an image")
    source = open_source(str(tmp_path / "seq"))
    assert [path.name for path in source.files] == names
    assert columns(source) == list(range(8))
    assert source.warning is None


@pytest.mark.parametrize("below", ["img", "color"])
def test_folder_of_a_benchmark_sequence_leads_to_its_images(tmp_path, below):
    make_images(tmp_path / "Crossing" / below, ["0001.jpg", "0002.jpg"])
    source = open_source(str(tmp_path / "Crossing"))
    assert (source.promised, source.path) == (2, tmp_path / "Crossing")


def test_glob_takes_the_matching_images_only(tmp_path):
    make_images(tmp_path / "seq", ["a2.jpg", "a10.jpg", "b1.jpg"])
    (tmp_path / "seq" / "a3.txt").write_text("not an image")
    source = open_source(str(tmp_path / "seq" / "a*"))
    assert [path.name for path in source.files] == ["a2.jpg", "a10.jpg"]
    assert not source.whole
    assert open_source(str(tmp_path / "seq" / "*.jpg")).whole


def test_folder_whose_name_holds_pattern_characters_is_taken_literally(tmp_path):
    make_images(tmp_path / "take [1]", ["1.jpg"])
    assert open_source(str(tmp_path / "take [1]")).promised == 1


def test_names_that_are_not_ascii_are_read(tmp_path):
    assert open_source(str(make_images(tmp_path / "séquence_序列", ["画像1.png"]))).promised == 1


def test_images_keep_their_depth_and_channels(tmp_path):
    for index, image in enumerate([picture(0, np.uint16, 1), picture(0, np.uint8, 1), picture(0, np.uint16, 3)]):
        cv2.imwrite(str(tmp_path / f"{index}.png"), image)
        (read,) = open_source(str(tmp_path / f"{index}.png"))
        np.testing.assert_array_equal(read, image)


def test_image_is_turned_upright_as_exif_says(tmp_path):
    ok, data = cv2.imencode(".jpg", picture(0))
    jpeg = data.tobytes()
    # APP1: little-endian TIFF header and one IFD entry, orientation (0x0112) = 6: turn a quarter clockwise.
    tiff = b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" + b"\0\0\0\0"
    app1 = b"\xff\xe1" + (len(tiff) + 8).to_bytes(2, "big") + b"Exif\0\0" + tiff
    (tmp_path / "1.jpg").write_bytes(jpeg[:2] + app1 + jpeg[2:])
    assert ok
    assert open_source(str(tmp_path / "1.jpg")).first.shape == (WIDTH, HEIGHT, 3)


class FakeCapture:
    """A camera: endless frames, no count, a made-up rate."""

    opened: ClassVar[list] = []

    def __init__(self, target):
        self.opened.append(target)
        self.reads = 0

    def isOpened(self):
        return True

    def get(self, prop):
        return {cv2.CAP_PROP_FPS: 0.0, cv2.CAP_PROP_FRAME_COUNT: -1.0}[prop]

    def read(self):
        self.reads += 1
        return True, picture(self.reads)

    def release(self):
        pass


@pytest.mark.parametrize(("text", "target"), [("0", 0), ("rtsp://cam/1", "rtsp://cam/1"), ("http://h/x", "http://h/x")])
def test_camera_and_stream_are_live_and_start_on_a_fresh_frame(monkeypatch, tmp_path, text, target):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)
    source = open_source(text)
    assert FakeCapture.opened[-1] == target
    assert (source.live, source.fps, source.path) == (True, 25.0, None)
    source.refresh()
    frames = iter(source)
    assert [square_x(next(frames)) - 10 for _ in range(3)] == [6, 7, 8]


def test_recorded_source_is_not_refreshed(tmp_path):
    source = open_source(str(make_video(tmp_path / "clip.avi", frames=4)))
    source.refresh()
    assert columns(source) == [0, 1, 2, 3]


def test_truncated_video_ends_at_its_last_readable_frame_with_a_warning(tmp_path):
    whole = make_video(tmp_path / "clip.avi", frames=40).read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    source = open_source(str(tmp_path / "cut.avi"))
    read = columns(source)
    assert 5 < len(read) < 35
    assert read == list(range(len(read)))
    assert f"stopped after {len(read)} of 40 promised frames" in source.warning


def test_sequence_ends_with_a_warning_before_an_unreadable_image(tmp_path):
    make_images(tmp_path, ["1.png", "2.png", "3.png", "4.png"])
    (tmp_path / "3.png").write_bytes(b"not a picture")
    source = open_source(str(tmp_path))
    assert columns(source) == [0, 1]
    assert "3.png: cannot be read; stopped after 2 of 4 promised frames" in source.warning


def test_sequence_ends_with_a_warning_before_an_image_of_another_size(tmp_path):
    make_images(tmp_path, ["1.png", "2.png", "3.png"])
    cv2.imwrite(str(tmp_path / "2.png"), np.zeros((30, 40, 3), np.uint8))
    source = open_source(str(tmp_path))
    assert columns(source) == [0]
    assert "2.png: 40x30 pixels, but the first frame has 96x72; stopped after 1 frames" in source.warning


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nowhere.avi", r"no video 'nowhere.avi': .*looked for nowhere.avi, demo.nowhere.avi"),
        ("empty.avi", r"empty.avi: cannot be opened; expected a complete video"),
        ("junk.mp4", r"junk.mp4: cannot be opened"),
        ("hollow", r"hollow: no images in this folder; expected .jpg"),
        ("hollow/*.png", r"hollow/\*.png: matches no image"),
        ("junk.png", r"junk.png: no frame can be read"),
        ("float.tif", r"float.tif: a frame is uint8"),
        ("77", r"camera 77: cannot be opened; expected the index of a connected camera"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hollow").mkdir()
    (tmp_path / "empty.avi").touch()
    for name in ("junk.mp4", "junk.png"):
        (tmp_path / name).write_bytes(bytes(range(256)) * 20)
    cv2.imwrite("float.tif", np.zeros((8, 8, 3), np.float32))
    with pytest.raises(InputError, match=message) as caught:
        open_source(text, [Path("demo")])
    assert "\n" not in str(caught.value)


def test_opencv_and_ffmpeg_keep_quiet_about_a_broken_video(tmp_path, repo_root):
    whole = make_video(tmp_path / "clip.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])  # the index, at the end of an MP4, is gone
    code = (
        "from pysot.demo import open_source, quiet_opencv\nquiet_opencv()\n"
        "try: open_source('cut.mp4')\nexcept ValueError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(repo_root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("cut.mp4: cannot be opened")
    assert done.stderr == ""
