"""The demo clip: what ships is whole, the ground truth fits the picture, and the renderer repeats itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "demo"))

import render_bag  # noqa: E402
from bag_clip import motion, truth  # noqa: E402

CLIP, BOXES = ROOT / "demo" / "bag.avi", ROOT / "demo" / "bag.txt"


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(CLIP))
    assert capture.isOpened()
    found = []
    while True:
        more, frame = capture.read()
        if not more:
            return found
        found.append(frame)


@pytest.fixture(scope="module")
def polygons() -> np.ndarray:
    return np.loadtxt(BOXES, delimiter=",").reshape(-1, 4, 2)


def test_the_clip_is_whole_and_small(frames: list[np.ndarray], polygons: np.ndarray) -> None:
    capture = cv2.VideoCapture(str(CLIP))
    assert len(frames) == len(polygons) == int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == render_bag.CLIP_FRAMES
    assert capture.get(cv2.CAP_PROP_FPS) == motion.FPS
    assert {frame.shape for frame in frames} == {(480, 640, 3)}
    assert CLIP.stat().st_size < 2_000_000


def test_the_truth_is_made_of_rectangles_in_the_frame(polygons: np.ndarray) -> None:
    one, two = polygons[:, 1] - polygons[:, 0], polygons[:, 3] - polygons[:, 0]
    assert np.allclose(polygons[:, 2], polygons[:, 0] + one + two, atol=0.03)
    sides = np.linalg.norm(one, axis=1), np.linalg.norm(two, axis=1)
    assert np.abs(np.sum(one * two, axis=1) / (sides[0] * sides[1])).max() < 0.002
    assert polygons.min() >= 0
    assert (polygons.max(axis=(0, 1)) <= (640, 480)).all()
    share = sides[0] * sides[1] / (640 * 480)
    assert share.min() > 0.01
    assert share.max() < 0.25
    assert share.max() / share.min() > 3  # the clip is about a change of scale, too


def test_the_truth_moves_smoothly(polygons: np.ndarray) -> None:
    steps = np.linalg.norm(np.diff(polygons.mean(axis=1), axis=0), axis=1)
    assert steps.sum() > 20
    assert steps.max() < 12
    area = np.array([cv2.contourArea(polygon.astype(np.float32)) for polygon in polygons])
    assert np.abs(np.diff(np.log(area))).max() < 0.06


@pytest.mark.parametrize("index", [0, 30, 50, 150, 200, 220, 239])
def test_the_truth_is_where_the_mustard_canvas_is(frames: list[np.ndarray], polygons: np.ndarray, index: int) -> None:
    """The bag's colour is known: inside the box it is frequent, in a ring around the box it is rare."""
    hue, saturation, value = cv2.split(cv2.cvtColor(frames[index], cv2.COLOR_BGR2HSV))
    mustard = (hue > 13) & (hue < 28) & (saturation > 150) & (value > 50)
    inside = _filled(polygons[index])
    centre = polygons[index].mean(axis=0)
    ring = _filled(centre + 1.35 * (polygons[index] - centre)) & ~_filled(centre + 1.03 * (polygons[index] - centre))
    assert mustard[inside].mean() > 0.2
    assert mustard[ring].mean() < 0.2 * mustard[inside].mean()


def _filled(polygon: np.ndarray) -> np.ndarray:
    mask = np.zeros((480, 640), np.uint8)
    cv2.fillPoly(mask, [np.round(polygon).astype(np.int32)], 1)
    return mask > 0


def test_a_box_spans_whole_mask_pixels() -> None:
    scale = truth.MASK_SCALE
    mask = np.zeros((40 * scale, 50 * scale), bool)
    mask[10 * scale : 16 * scale, 20 * scale : 31 * scale] = True  # picture pixels x 20..30, y 10..15
    np.testing.assert_allclose(truth.rotated_box(mask), [[20, 10], [31, 10], [31, 16], [20, 16]], atol=1e-4)


def test_a_turned_box_is_found_and_keeps_its_first_corner() -> None:
    scale = truth.MASK_SCALE
    corners = cv2.boxPoints(((30.0, 22.0), (24.0, 10.0), 25.0))
    mask = np.zeros((44 * scale, 60 * scale), np.uint8)
    cv2.fillPoly(mask, [np.round(corners * scale).astype(np.int32)], 1)
    for first in range(4):
        box = truth.rotated_box(mask > 0, np.roll(corners, first, axis=0))
        np.testing.assert_allclose(box, np.roll(corners, first, axis=0), atol=0.6)


def test_the_belt_is_a_closed_loop_of_constant_speed() -> None:
    along = np.linspace(0, motion.LAP, 2001)
    places = np.array([motion.belt_place(float(s)) for s in along])
    steps = np.diff(places[:, :2], axis=0)
    np.testing.assert_allclose(np.linalg.norm(steps, axis=1), motion.LAP / 2000, rtol=1e-3)
    middle = (places[:-1, 2] + places[1:, 2]) / 2
    forward = np.stack([np.cos(middle), np.sin(middle)], axis=1)[:-1]
    np.testing.assert_allclose(steps[:-1] / (motion.LAP / 2000), forward, atol=0.01)


def test_the_same_seed_gives_the_same_frames() -> None:
    pytest.importorskip("moderngl", reason='the renderer is an extra: pip install "pysot[render]"')
    from bag_clip import renderer

    try:
        first, second = (list(renderer.render(2, (96, 72), seed=4)) for _ in range(2))
    except OSError as error:
        pytest.skip(str(error))
    for (picture, box), (again, box_again) in zip(first, second, strict=True):
        np.testing.assert_array_equal(picture, again)
        np.testing.assert_array_equal(box, box_again)
    assert first[0][0].std() > 20
    shipped = np.loadtxt(BOXES, delimiter=",", max_rows=2).reshape(2, 4, 2) * 96 / 640
    np.testing.assert_allclose([box for _, box in first], shipped, atol=0.5)


@pytest.mark.parametrize("arguments", [["--frames", "0"], ["--output", "bag.mp4"]])
def test_a_wrong_request_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert render_bag.main(arguments) == 2
    assert "expected at least one frame and an output that ends in .avi" in capsys.readouterr().err


def test_a_wrong_size_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    for size in ("640", "8x8", "641x480"):
        with pytest.raises(SystemExit):
            render_bag.parse_args(["--size", size])
        assert f"expected even WIDTHxHEIGHT from 16x16 on, such as 640x480, got '{size}'" in capsys.readouterr().err


def test_a_missing_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("moderngl", reason='the renderer is an extra: pip install "pysot[render]"')
    assert render_bag.main(["--output", str(tmp_path / "none" / "clip.avi")]) == 2
    assert "create it, or choose another --output" in capsys.readouterr().err


def test_a_missing_renderer_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "bag_clip.renderer", raising=False)
    monkeypatch.setitem(sys.modules, "moderngl", None)
    assert render_bag.main(["--output", str(tmp_path / "clip.avi")]) == 2
    assert 'pip install "pysot[render]"' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the renderer's place: plain pictures, each of its own grey, without OpenGL."""

    def render(frames: int, size: tuple[int, int], seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for index in range(frames):
            yield np.full((size[1], size[0], 3), 40 * (index + 1), np.uint8), np.full((4, 2), index + 0.5)

    monkeypatch.setitem(sys.modules, "bag_clip.renderer", SimpleNamespace(render=render))


@pytest.mark.usefixtures("painted")
def test_ffmpeg_writes_every_frame(tmp_path: Path) -> None:
    try:
        render_bag.find_ffmpeg()
    except OSError as error:
        pytest.skip(str(error))
    assert render_bag.main(["--output", str(tmp_path / "clip.avi"), "--frames", "4", "--size", "64x48"]) == 0
    capture = cv2.VideoCapture(str(tmp_path / "clip.avi"))
    assert capture.get(cv2.CAP_PROP_FPS) == motion.FPS
    found = [float(capture.read()[1].mean()) for _ in range(4)]
    np.testing.assert_allclose(found, [40, 80, 120, 160], atol=5)  # video levels round
    assert not capture.read()[0]
    assert np.loadtxt(tmp_path / "clip.txt", delimiter=",")[:, 0].tolist() == [0.5, 1.5, 2.5, 3.5]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.avi", "clip.txt"]


@pytest.mark.usefixtures("painted")
@pytest.mark.parametrize("named", [None, "no-such-encoder"])
def test_a_missing_ffmpeg_is_one_line(
    named: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("FFMPEG", named) if named else monkeypatch.delenv("FFMPEG", raising=False)
    assert render_bag.main(["--output", str(tmp_path / "clip.avi")]) == 2
    error = capsys.readouterr().err
    assert f"no program '{named or 'ffmpeg'}' found: install ffmpeg (apt install ffmpeg, brew" in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("painted")
@pytest.mark.skipif(os.name == "nt", reason="the stand-in for ffmpeg is a shell script")
@pytest.mark.parametrize("before", ["", "cat > /dev/null; "])
def test_an_ffmpeg_that_fails_is_quoted(
    before: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may fail with the first frames or, having taken all of them, at the end."""
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{before}echo no such encoder >&2; exit 8\n")
    program.chmod(0o755)
    monkeypatch.setenv("FFMPEG", str(program))
    assert render_bag.main(["--output", str(tmp_path / "clip.avi"), "--frames", "5"]) == 2
    assert "ffmpeg failed with status 8: no such encoder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["ffmpeg"]
