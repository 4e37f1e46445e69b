"""Each prepare.py on a miniature copy of its source, and on what is wrong with it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import source_trees as trees

from pysot.datasets.curation.images import CROP_SIZE, crop_zoom
from pysot.datasets.index import read_index

SCRIPTS = Path(__file__).resolve().parents[2] / "training_dataset"

# Per set: tree, arguments, annotation file, video, track, its frames by their number in the tree, category
SETS = {
    "got10k": (
        trees.got10k,
        ["--splits", "train", "--step", "1"],
        "train",
        "GOT-10k_Train_000001",
        "00",
        {0: 0, 1: 1, 3: 3},
        "lynx",
    ),
    "coco": (trees.coco, ["--splits", "train2017"], "train2017", "train2017/000000000007", "00", {0: 0}, "cup"),
    "vid": (
        trees.vid,
        ["--splits", "train"],
        "train",
        "ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000001",
        "00",
        {0: 0, 2: 2, 3: 3},
        "n02084071",
    ),
    "det": (trees.det, ["--splits", "train"], "train", "train/a/n01", "00", {0: 0}, "n01"),
    "lasot": (trees.lasot, ["--step", "1"], "train", "zebra-2", "00", {0: 0, 1: 1, 3: 3}, "zebra"),
    "youtube_vos": (trees.youtube_vos, [], "train", "0043f083b5", "02", {0: 0, 5: 1, 10: 2, 15: 3}, "sedan"),
    "davis": (trees.davis, ["--splits", "train"], "train", "bear", "02", {0: 0, 1: 1, 2: 2, 3: 3}, None),
    "trackingnet": (
        trees.trackingnet,
        ["--chunks", "0", "--step", "1"],
        "train",
        "TRAIN_0/abc_0",
        "00",
        {0: 0, 1: 1, 2: 2, 3: 3},
        None,
    ),
    "yt_bb": (trees.youtube_bb, ["--splits", "train"], "train", "AAB6lO-XiKE", "0001", {0: 0, 1: 1, 3: 3}, "person"),
}
WITH_MASKS = {"coco", "youtube_vos", "davis"}

# Of one's own data: the tree, the boxes in it, further arguments, the folder of images, video, track, frames
OWN = {
    "csv": (trees.csv, "boxes.csv", [], ".", "cat", range(4)),
    "mot": (trees.mot, ".", [], ".", "walk", range(4)),
    "voc": (trees.voc, "Annotations", [], "JPEGImages", "one", range(1)),
    "yolo": (trees.yolo, "labels", ["--stills"], "images", "one", range(1)),
    "coco": (trees.coco, "annotations/instances_train2017.json", ["--stills"], "train2017", "000000000007", range(1)),
}


def load(name: str):
    spec = importlib.util.spec_from_file_location(f"prepare_{name}", SCRIPTS / name / "prepare.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prepare(name: str, source: Path, output: Path, *args: str) -> int:
    return load(name).main([str(source), "--output", str(output), "--workers", "1", *args])


def check_crop(path: Path, box: tuple[float, ...]) -> None:
    """The white target fills, in the middle of the crop, what its box says: to half a frame pixel and JPEG's blur."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert image.shape == (CROP_SIZE, CROP_SIZE)
    x, y, w, h = cv2.boundingRect((image > 172).astype(np.uint8))
    zoom = crop_zoom((box[2] - box[0], box[3] - box[1]))
    middle = CROP_SIZE / 2
    half = zoom * np.array([box[2] - box[0], box[3] - box[1]]) / 2
    np.testing.assert_allclose([x, y], middle - half, atol=1.01)
    np.testing.assert_allclose([x + w, y + h], middle + half, atol=1.01)


@pytest.mark.parametrize("name", SETS)
def test_a_download_becomes_crops_in_pysots_layout(name, tmp_path, capsys):
    make, args, split, video, track, frames, category = SETS[name]
    source, output = make(tmp_path / "source"), tmp_path / "out"
    assert prepare(name, source, output, *args) == 0, capsys.readouterr().err
    table = json.loads((output / f"{split}.json").read_text())
    assert list(table) == [video]
    assert list(table[video]) == [track]
    assert list(table[video][track]) == [f"{number:06d}" for number in frames]
    for number, moved in frames.items():
        assert table[video][track][f"{number:06d}"] == pytest.approx(trees.box_at(moved), abs=0.01)
        check_crop(output / "crop511" / video / f"{number:06d}.{track}.x.jpg", trees.box_at(moved))
        mask = output / "crop511" / video / f"{number:06d}.{track}.m.png"
        assert mask.is_file() == (name in WITH_MASKS)
        if mask.is_file():
            check_crop(mask, trees.box_at(moved))
    index = read_index(output / f"{split}.json")
    assert index.has_positions
    assert list(index.category_names) == ([category] if category else [])


@pytest.mark.parametrize("name", OWN)
def test_own_boxes_become_crops(name, tmp_path, capsys):
    make, boxes, args, images, video, frames = OWN[name]
    source, output = make(tmp_path / "source"), tmp_path / "out"
    assert prepare("own", source / boxes, output, "--images", str(source / images), *args) == 0, capsys.readouterr().err
    table = json.loads((output / "train.json").read_text())
    assert list(table) == [video]
    for number in frames:
        assert table[video]["00"][f"{number:06d}"] == pytest.approx(trees.box_at(number), abs=0.01)
        check_crop(output / "crop511" / video / f"{number:06d}.00.x.jpg", trees.box_at(number))


def test_every_nth_frame_keeps_its_number(tmp_path):
    assert (
        prepare("trackingnet", trees.trackingnet(tmp_path / "s"), tmp_path / "o", "--chunks", "0", "--step", "2") == 0
    )
    assert list(json.loads((tmp_path / "o" / "train.json").read_text())["TRAIN_0/abc_0"]["00"]) == ["000000", "000002"]


def test_a_run_with_other_settings_is_refused(tmp_path, capsys):
    source = trees.davis(tmp_path / "s")
    assert prepare("davis", source, tmp_path / "o", "--splits", "train") == 0
    assert prepare("davis", source, tmp_path / "o", "--splits", "train", "--step", "2") == 2
    assert "was begun with" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["coco", "yt_bb"])
def test_a_folder_begun_with_other_annotations_is_refused(name, tmp_path, capsys):
    make, args, split, *_ = SETS[name]
    source, output = make(tmp_path / "s"), tmp_path / "o"
    (file,) = (path for path in source.rglob("*") if path.suffix in (".json", ".csv"))
    assert prepare(name, source, output, *args) == 0
    made = (output / f"{split}.json").read_bytes()
    assert prepare(name, source, output, *args) == 0
    file.write_bytes(file.read_bytes().replace(b"cup", b"mug").replace(b"person", b"animal"))
    assert prepare(name, source, output, *args) == 2
    assert f"{file.resolve()}" in (shown := capsys.readouterr().err)
    assert "source_sha256" in shown
    assert (output / f"{split}.json").read_bytes() == made


@pytest.mark.parametrize("name", ["csv", "coco"])
def test_own_annotations_and_images_are_those_the_folder_was_begun_with(name, tmp_path, capsys, monkeypatch):
    make, boxes, args, images, _, _ = OWN[name]
    source, output = make(tmp_path / "s"), tmp_path / "o"
    given = ["--images", str(source / images), *args]
    assert prepare("own", source / boxes, output, *given) == 0
    monkeypatch.chdir(source)
    assert prepare("own", Path(boxes), output, "--images", images, *args) == 0, capsys.readouterr().err
    make(tmp_path / "others")
    assert prepare("own", source / boxes, output, "--images", str(tmp_path / "others" / images), *args) == 2
    assert str(tmp_path / "others") in capsys.readouterr().err
    (source / boxes).write_bytes((source / boxes).read_bytes().replace(b"50", b"51"))
    assert prepare("own", source / boxes, output, *given) == 2
    assert "source_sha256" in capsys.readouterr().err


def test_a_corrupt_image_is_reported_and_the_rest_is_used(tmp_path, capsys):
    source = trees.davis(tmp_path / "s")
    bad = source / "JPEGImages" / "480p" / "bear" / "00002.jpg"
    good = bad.read_bytes()
    bad.write_bytes(good[:300])
    assert prepare("davis", source, tmp_path / "o", "--splits", "train") == 1
    assert str(bad) in capsys.readouterr().err
    assert str(bad) in json.loads((tmp_path / "o" / "train.problems.json").read_text())[0]
    assert len(json.loads((tmp_path / "o" / "train.json").read_text())["bear"]["02"]) == 3
    bad.write_bytes(good)  # fetched anew
    assert prepare("davis", source, tmp_path / "o", "--splits", "train") == 0
    assert len(json.loads((tmp_path / "o" / "train.json").read_text())["bear"]["02"]) == 4
    assert not (tmp_path / "o" / "train.problems.json").exists()


@pytest.mark.parametrize("name", ["vid", "davis", "yt_bb"])
def test_one_missing_image_costs_one_crop(name, tmp_path, capsys):
    make, args, split, video, track, frames, _ = SETS[name]
    source = make(tmp_path / "s")
    found = [path for path in source.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg")]
    images = sorted(found, key=lambda path: int(path.stem))
    images[0].unlink()
    assert prepare(name, source, tmp_path / "o", *args) == 1
    assert str(images[0].with_suffix("")) in capsys.readouterr().err
    table = json.loads((tmp_path / "o" / f"{split}.json").read_text())
    assert list(table[video][track]) == [f"{number:06d}" for number in frames][1:]


def test_nothing_there_is_one_line(tmp_path, capsys):
    for name in SETS:
        assert prepare(name, tmp_path / "nowhere", tmp_path / "o") == 2
        assert str(tmp_path / "nowhere") in capsys.readouterr().err


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Return a file as disks, editors and scripts leave them."""
    kind = rng.integers(8)
    at = int(rng.integers(max(len(data), 1)))
    if kind == 0:
        return data[:at]
    if kind == 1:
        return b""
    if kind == 2:
        return data[:at] + bytes(rng.integers(0, 256, 8, dtype=np.uint8)) + data[at + 8 :]
    if kind == 3:
        return data.replace(b"4", b"nan")
    if kind == 4:
        return data.replace(b"5", b"-1e999")
    if kind == 5:
        return data.replace(b"0", b"x", 3)
    if kind == 6:
        return b"[" * 3000 + b"null"
    return data[:at] + data[:at]


@pytest.mark.parametrize("seed", range(14))
def test_malformed_sources_end_with_a_message_that_names_a_file(seed, tmp_path, capsys):
    """14 seeds x 14 sources and 4 more: 200 damaged files, annotations and images."""
    rng = np.random.default_rng(seed)
    cases = [(name, SETS[name][0], None, SETS[name][1]) for name in SETS]
    cases += [("own", OWN[name][0], OWN[name], OWN[name][2]) for name in OWN]
    cases += [cases[int(rng.integers(len(cases)))]]
    for number, (name, make, own, args) in enumerate(cases):
        source = make(tmp_path / f"s{number}")
        files = sorted(path for path in source.rglob("*") if path.is_file())
        notes = [path for path in files if path.suffix.lower() not in (".jpg", ".jpeg")]
        victim = files[rng.integers(len(files))] if rng.random() < 0.3 else notes[rng.integers(len(notes))]
        victim.write_bytes(damage(victim.read_bytes(), rng))
        boxes = source / own[1] if own else source
        extra = ["--images", str(source / own[3]), *args] if own else args
        status = prepare(name, boxes, tmp_path / f"o{number}", *extra)
        shown = capsys.readouterr().err
        assert status in (0, 1, 2)
        if status:
            assert str(tmp_path) in shown, f"{name}: {victim}: {shown}"


def test_a_finished_set_passes_verification(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("verify_set", SCRIPTS / "verify.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert prepare("davis", trees.davis(tmp_path / "s"), tmp_path / "o", "--splits", "train") == 0
    assert script.main([str(tmp_path / "o")]) == 0
    assert "4 crops checked: nothing is wrong" in capsys.readouterr().out
    crop = tmp_path / "o" / "crop511" / "bear" / "000001.02.x.jpg"
    crop.write_bytes(crop.read_bytes()[:-9])
    assert script.main([str(tmp_path / "o")]) == 1
    assert f"corrupt: {crop}" in capsys.readouterr().out
    assert json.loads((tmp_path / "o" / "verify.report.json").read_text())["counts"] == {"corrupt": 1}
    assert script.main([str(tmp_path / "nowhere")]) == 2
