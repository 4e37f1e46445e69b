"""Damaged boxes and images of one's own, in named ways: crops are made of the rest, or the message names the file."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import source_trees as trees

from tests.damage import IMAGE, TEXT

_SCRIPT = Path(__file__).resolve().parents[2] / "training_dataset" / "own" / "prepare.py"
# Of each format: the tree, what is given, further arguments, the folder of images, the file that is damaged.
FORMATS = {
    "csv": (trees.csv, "boxes.csv", [], ".", "boxes.csv"),
    "mot": (trees.mot, ".", [], ".", "walk/gt/gt.txt"),
    "voc": (trees.voc, "Annotations", [], "JPEGImages", "Annotations/one.xml"),
    "yolo": (trees.yolo, "labels", ["--stills"], "images", "labels/one.txt"),
    "coco": (
        *(trees.coco, "annotations/instances_train2017.json", ["--stills"]),
        *("train2017", "annotations/instances_train2017.json"),
    ),
}


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("prepare_own", _SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(script, tmp_path: Path, capsys, kind: str, victim: str, damage) -> tuple[int, str, Path]:
    """Return the exit status, what was said, and the damaged file."""
    make, boxes, args, images, _ = FORMATS[kind]
    source, output = make(tmp_path / "source"), tmp_path / "out"
    file = source / victim
    file.write_bytes(damage(file.read_bytes()))
    argv = [str(source / boxes), "--format", kind, "--images", str(source / images), "--output", str(output)]
    status = script.main([*argv, "--workers", "1", *args])
    return status, capsys.readouterr().err, file


def boxes_of(output: Path) -> list[list[float]]:
    table = json.loads((output / "train.json").read_text())
    return [box for tracks in table.values() for frames in tracks.values() for box in frames.values()]


# 46 ways x 5 formats


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("damage", TEXT)
def test_boxes(damage: str, kind: str, script, tmp_path: Path, capsys):
    status, shown, file = run(script, tmp_path, capsys, kind, FORMATS[kind][4], TEXT[damage])
    assert status in (0, 1, 2)
    if status:
        # A box that reads well and lies outside its image is told by the image; where there is no box at all, by the
        # video or by what was given.
        given = tmp_path / "source" / FORMATS[kind][1]
        names = (file.name, ".jpg", f"which is {file.stem}\n", f"{given}: no boxes found")
        assert any(name in shown for name in names), shown
    if status < 2:
        assert all(0 <= box[0] < box[2] <= 160 and 0 <= box[1] < box[3] <= 120 for box in boxes_of(tmp_path / "out"))


# 28 ways x 2 layouts, a video and a still image


@pytest.mark.parametrize(("kind", "image"), [("csv", "cat/0002.jpg"), ("yolo", "images/one.jpg")])
@pytest.mark.parametrize("damage", IMAGE)
def test_images(damage: str, kind: str, image: str, script, tmp_path: Path, capsys):
    status, shown, file = run(script, tmp_path, capsys, kind, image, IMAGE[damage])
    assert status in (0, 1, 2)
    if status:
        assert file.name in shown, shown
