"""The synthetic training set: deterministic, resumable, exact annotations, readable by training and evaluation."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pysot.datasets.curation.backgrounds import load_photo
from pysot.datasets.curation.images import CROP_SIZE, crop_zoom
from pysot.datasets.curation.synthetic.render import View, box_of, shoot
from pysot.datasets.curation.synthetic.write import CropWriter, Film, cut_box, is_seen
from pysot.datasets.index import read_index
from toolkit.datasets import find_dataset

SCRIPT = Path(__file__).resolve().parents[2] / "training_dataset" / "synthetic" / "prepare.py"
SMALL = ("--videos", "3", "--frames", "4", "--val-videos", "1", "--test-videos", "1", "--test-frames", "3")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("prepare_synthetic", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made(script, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    assert script.main([*SMALL, "--workers", "1", "--output", str(folder)]) == 0
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_two_processes_draw_the_same_as_one(script, made, tmp_path):
    assert script.main([*SMALL, "--workers", "2", "--output", str(tmp_path)]) == 0
    first, second = contents(made), contents(tmp_path)
    assert first.keys() == second.keys()
    assert [name for name in first if not name.endswith(".journal") and first[name] != second[name]] == []


def test_a_seed_is_another_set(script, made, tmp_path):
    assert script.main([*SMALL, "--seed", "1", "--workers", "1", "--output", str(tmp_path)]) == 0
    assert contents(tmp_path)["train.json"] != contents(made)["train.json"]


def test_training_reads_every_crop_and_mask(made):
    index = read_index(made / "train.json")
    assert len(index.videos) == 3
    assert len(index.category_names) >= 1
    for row in range(len(index.frames)):
        track = index.track_of(row)
        video = index.videos[index.video_of(track)]
        stem = made / "crop511" / video / f"{index.frames[row]:06d}.{index.tracks[track]}"
        image, mask = cv2.imread(f"{stem}.x.jpg"), cv2.imread(f"{stem}.m.png", cv2.IMREAD_UNCHANGED)
        assert image.shape == (CROP_SIZE, CROP_SIZE, 3)
        assert mask.shape == (CROP_SIZE, CROP_SIZE)
        assert set(np.unique(mask)) == {0, 255}


def test_masks_lie_in_their_boxes(made):
    tracks = json.loads((made / "train.json").read_text())
    for video, name, frame, box in [
        (video, name, frame, box)
        for video, by_name in tracks.items()
        for name, boxes in by_name.items()
        for frame, box in boxes.items()
    ]:
        mask = cv2.imread(str(made / "crop511" / video / f"{frame}.{name}.m.png"), cv2.IMREAD_UNCHANGED)
        size = np.array([box[2] - box[0], box[3] - box[1]])
        zoom = crop_zoom(tuple(size))
        x, y, w, h = cv2.boundingRect(mask)
        low, high = CROP_SIZE / 2 - zoom * size / 2, CROP_SIZE / 2 + zoom * size / 2
        slack = 1.5 * max(zoom, 1) + 1
        assert (np.array([x, y]) >= low - slack).all()
        assert (np.array([x + w, y + h]) <= high + slack).all()


def test_boxes_fit_the_drawn_target_exactly():
    checked = 0
    for number in range(12):
        scene = Film("x", 5, number, 3).scene((), 1)
        target, frame = scene.targets[0], 0  # the first frame has no streak
        box = box_of(scene, target, frame)
        if not is_seen(cut_box(box, scene.size_wh), box) or not np.array_equal(cut_box(box, scene.size_wh), box):
            continue
        shot = shoot(scene, target, frame, View(1.0, 0.0, 0.0, scene.size_wh))
        if shot.visible < 1:
            continue
        x, y, w, h = cv2.boundingRect(shot.mask)
        # Half-covered pixels count as seen; a sharp corner may have none.
        np.testing.assert_allclose([x, y, x + w, y + h], box, atol=2.0)
        checked += 1
    assert checked >= 3


def test_evaluation_reads_the_frames(made):
    (entry,) = find_dataset("Synthetic", made).entries
    sequence = entry.read()
    assert len(sequence.frames) == 3
    assert cv2.imread(str(sequence.frames.paths[0])).shape[:2] == sequence.annotated_size[::-1]


def test_an_interrupted_run_goes_on(script, made, tmp_path):
    assert script.main([*SMALL, "--workers", "1", "--output", str(tmp_path)]) == 0
    journal = tmp_path / ".train.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:2]) + lines[2][:20])  # killed while the second video was noted
    (tmp_path / "train.json").unlink()
    kept = (tmp_path / "crop511" / "train_000000" / "000000.00.x.jpg").stat().st_mtime_ns
    assert script.main([*SMALL, "--workers", "1", "--output", str(tmp_path)]) == 0
    assert contents(tmp_path) == contents(made)
    assert (tmp_path / "crop511" / "train_000000" / "000000.00.x.jpg").stat().st_mtime_ns == kept


def test_a_folder_of_other_settings_is_refused(script, made, capsys):
    assert script.main([*SMALL, "--seed", "2", "--workers", "1", "--output", str(made)]) == 2
    error = capsys.readouterr().err
    assert f'error: {made}: its run was begun with {{"seed": 0}}, this one has {{"seed": 2}} (the same' in error


def test_each_split_has_its_album(script, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(script, "album", lambda args, photos, split: asked.append(split))
    assert script.main([*SMALL, "--workers", "1", "--output", str(tmp_path)]) == 0
    assert asked == ["train", "val", "test"]


def test_textures_come_from_photographs(tmp_path):
    rng = np.random.default_rng(0)
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), rng.integers(0, 256, (300, 400, 3), dtype=np.uint8))
    film = Film("x", 0, 0, 2)
    plain, textured = CropWriter(tmp_path / "a"), CropWriter(tmp_path / "b", (photo,))
    plain(film), textured(film)
    assert contents(tmp_path / "a") != contents(tmp_path / "b")


def test_only_as_many_photographs_are_in_memory_as_are_used(tmp_path):
    photos = tuple(tmp_path / f"{number}.png" for number in range(200))
    for number, photo in enumerate(photos):
        cv2.imwrite(str(photo), np.full((30, 40, 3), number, np.uint8))
    load_photo.cache_clear()
    Film("x", 0, 0, 2).scene(photos)
    assert 0 < load_photo.cache_info().currsize < 40


def test_a_folder_without_photographs_is_an_error(script, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    args = [*SMALL, "--output", str(tmp_path / "out"), "--photos", str(tmp_path / "empty")]
    assert script.main(args) == 2
    assert "no images" in capsys.readouterr().err
