"""Annotations become arrays, or an error that names the file and the entry."""

from __future__ import annotations

import json
import random
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pysot.datasets import TrackIndex, read_index
from pysot.utils import InputError

VIDEOS = {
    "a/clip": {
        "00": {"000010": [1, 2, 4, 8], "000002": [0.5, 0.5, 2, 3], "note": "written by a script"},
        "01": {"000002": [3, 3, 3, 9]},
    },
    "empty": {"00": {}},
    "größe": {"7": {"000000": [0, 0, 5, 5], "000001": [2, 2, 1, 1]}},
}


def write(folder: Path, content: Any, name: str = "train.json") -> Path:
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_the_arrays_of_a_small_file(tmp_path: Path):
    index = read_index(write(tmp_path, VIDEOS))
    assert list(index.videos) == ["a/clip", "größe"]
    assert list(index.tracks) == ["00", "7"]
    assert index.video_tracks.tolist() == [0, 1, 2]
    assert index.track_rows.tolist() == [0, 2, 3]
    assert index.frames.tolist() == [2, 10, 0]
    assert index.boxes_xyxy.tolist() == [[0.5, 0.5, 2, 3], [1, 2, 4, 8], [0, 0, 5, 5]]
    assert index.categories.tolist() == [-1, -1]
    assert index.dropped == 2  # no width; right of left
    assert index.has_positions
    assert [index.track_of(row) for row in range(3)] == [0, 0, 1]
    assert [index.video_of(track) for track in range(2)] == [0, 1]
    assert (index.tracks_of(1), index.rows_of(0)) == (range(1, 2), range(0, 2))


def test_boxes_may_be_sizes_alone(tmp_path: Path):
    index = read_index(write(tmp_path, {"v": {"00": {"000000": [30, 40]}}}))
    assert index.boxes_xyxy.tolist() == [[0, 0, 30, 40]]
    assert not index.has_positions


def test_categories_lie_beside_the_file(tmp_path: Path):
    file = write(tmp_path, {"v": {"00": {"0": [3, 4]}, "01": {"0": [3, 4]}}, "w": {"00": {"0": [3, 4]}}})
    write(tmp_path, {"v": {"00": "zebra"}, "w": {"00": "ant"}}, "train.categories.json")
    index = read_index(file)
    assert list(index.category_names) == ["ant", "zebra"]
    assert index.categories.tolist() == [1, -1, 0]


COCO: dict[str, Any] = {
    "images": [{"id": 7, "file_name": "b.jpg"}, {"id": 8, "file_name": "a.jpg"}, {"id": 9, "file_name": "none.jpg"}],
    "annotations": [
        {"id": 1, "image_id": 7, "bbox": [1, 2, 10, 20], "category_id": 5, "iscrowd": 0},
        {"id": 2, "image_id": 8, "bbox": [0, 0, 3, 4], "category_id": 6},
        {"id": 3, "image_id": 7, "bbox": [1, 1, 2, 2], "category_id": 5, "iscrowd": 1},
        {"id": 4, "image_id": 7, "bbox": [5, 5, 6, 7], "category_id": 5},
    ],
    "categories": [{"id": 5, "name": "dog"}, {"id": 6, "name": "cat"}],
}


def test_coco_images_are_videos_of_one_frame_and_crowds_are_left_out(tmp_path: Path):
    index = read_index(write(tmp_path, COCO))
    assert list(index.videos) == ["a.jpg", "b.jpg"]
    assert list(index.tracks) == ["2", "1", "4"]
    assert index.boxes_xyxy.tolist() == [[0, 0, 3, 4], [1, 2, 11, 22], [5, 5, 11, 12]]
    assert [index.category_names[number] for number in index.categories] == ["cat", "dog", "dog"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ([1], "expected videos by name, got a list"),
        ({}, "no box with an area in it"),
        ({"v": {"00": {"0": [1, 1, 1, 1]}}}, r"no box with an area in it \(1 without\)"),
        ({"v": [1]}, r"v: expected tracks by name, got \[1\]"),
        ({"v": {"00": 3}}, "v/00: expected boxes by frame, got 3"),
        ({"v": {"00": {"000001": None}}}, "v/00/000001: expected a list of finite pixels, got null"),
        ({"v": {"00": {"000001": [1, 2, 3]}}}, r"v/00/000001: expected x1, y1, x2, y2 or w, h, got \[1, 2, 3\]"),
        ({"v": {"00": {"000001": [1, 2, "3", 4]}}}, "v/00/000001: expected a list of finite pixels"),
        ('{"v": {"00": {"000001": [1, 2, NaN, 4]}}}', "v/00/000001: expected a list of finite pixels"),
        ('{"v": {"00": {"000001": [1, 2, 1e999, 4]}}}', "v/00/000001: expected a list of finite pixels"),
        ({"v": {"00": {"9999999999": [1, 2]}}}, "v/00/9999999999: expected a frame number"),
        (COCO | {"images": [{"id": 7}]}, "expected COCO's fields, 'file_name' is missing"),
        (COCO | {"images": []}, "expected COCO's fields, 7 is missing or names nothing"),
        (COCO | {"annotations": [{"id": 1, "image_id": 7}]}, "expected COCO's fields, 'bbox' is missing"),
        (COCO | {"annotations": [5]}, "expected COCO's layout"),
    ],
)
def test_what_is_no_annotation_is_named(tmp_path: Path, content: Any, message: str):
    file = write(tmp_path, content)
    with pytest.raises(InputError, match=message) as caught:
        read_index(file)
    assert str(caught.value).startswith(str(file))


def test_a_missing_file_and_broken_categories_are_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"absent\.json: cannot be read: No such file"):
        read_index(tmp_path / "absent.json")
    file = write(tmp_path, VIDEOS)
    write(tmp_path, {"a/clip": ["dog"]}, "train.categories.json")
    with pytest.raises(
        InputError, match=r'train\.categories\.json: a/clip: expected a category name per track, got \["'
    ):
        read_index(file)


def spoiled(rng: random.Random, value: Any) -> Any:
    """A copy with one part of it replaced by something else."""
    if isinstance(value, dict | list) and value and rng.random() < 0.85:
        copy = value.copy()
        key = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
        copy[key] = spoiled(rng, value[key])
        return copy
    return rng.choice([None, True, -1, 1e300, float("nan"), "x", [], {}, [[]], {"0": {}}, [1, 2, 3, 4, 5]])


@pytest.mark.parametrize("seed", range(200))
def test_a_spoiled_file_is_read_or_named(tmp_path: Path, seed: int):
    rng = random.Random(seed)
    text = json.dumps(spoiled(rng, rng.choice([VIDEOS, COCO])))
    if seed % 5 == 0:
        text = text[: rng.randrange(len(text))]
    file = write(tmp_path, text)
    index, message = read_or_message(file)
    if index is None:
        assert message.startswith(f"{file}: ")
    else:
        assert np.isfinite(index.boxes_xyxy).all()
        assert (index.boxes_xyxy[:, 2:] > index.boxes_xyxy[:, :2]).all()


def read_or_message(file: Path) -> tuple[TrackIndex | None, str]:
    try:
        return read_index(file), ""
    except InputError as error:
        return None, str(error)


def test_a_spawned_worker_shares_the_arrays(tmp_path: Path):
    videos = {f"v{number}": {"00": {"0": [number + 1, 2]}} for number in range(20000)}
    index = read_index(write(tmp_path, videos))
    pickled = bytes(ForkingPickler.dumps(index))
    assert len(pickled) < 10_000  # handles, not 20,000 boxes
    copy = ForkingPickler.loads(pickled)
    assert copy.videos[19999] == "v19999"
    np.testing.assert_array_equal(copy.boxes_xyxy, index.boxes_xyxy)
