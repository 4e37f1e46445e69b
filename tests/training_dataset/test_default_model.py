"""The recipe of the default model's training material, on a miniature of it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pysot.datasets.curation.images import CROP_SIZE, encode_jpeg
from pysot.datasets.index import read_index

SCRIPT = Path(__file__).resolve().parents[2] / "training_dataset" / "default_model" / "prepare.py"
SMALL = ("--films", "2", "--drawn", "1", "--frames", "2", "--val-videos", "1", "--workers", "1")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("prepare_default_model", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(root: Path, video_names: list[str]) -> Path:
    rng = np.random.default_rng(0)
    images, annotations = [], []
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    for number in range(6):
        name = f"set/{number}.jpg"
        (root / "stills" / "set").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / "stills" / name), rng.integers(0, 256, (120, 160, 3), dtype=np.uint8))
        images.append({"id": number, "file_name": name, "width": 160, "height": 120})
        outline = np.stack([80 + 40 * np.cos(turn), 60 + 30 * np.sin(turn)], axis=1)
        whole = {"bbox": [40, 30, 80, 60], "segmentation": [outline.reshape(-1).tolist()]}
        for entry in (whole, {"bbox": [5, 5, 11, 30]}, {"bbox": [5, 5, 100, 15]}, {"bbox": [2, 2, 150, 115]}):
            annotations.append({"id": len(annotations), "image_id": number, "category_id": 1, **entry})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "thing"}]}
    (root / "stills.json").write_text(json.dumps(content))
    (root / "unlabelled").mkdir()
    for number in range(3):
        cv2.imwrite(str(root / "unlabelled" / f"{number}.jpg"), rng.integers(0, 256, (60, 90, 3), dtype=np.uint8))
    videos = {}
    for name in video_names:
        folder = root / "crop511" / name
        folder.mkdir(parents=True)
        for frame in ("000000", "000005"):
            picture = np.full((CROP_SIZE, CROP_SIZE, 3), 80, np.uint8)
            (folder / f"{frame}.00.x.jpg").write_bytes(encode_jpeg(picture))
        videos[name] = {"00": {"000000": [1, 2, 30, 40], "000005": [2, 3, 31, 41]}}
    (root / "videos.json").write_text(json.dumps(videos))
    return root


@pytest.fixture(scope="module")
def made(script, tmp_path_factory):
    root = tmp_path_factory.mktemp("default")
    material = build(root / "material", [f"src/clip{number}" for number in range(12)])
    assert script.main(["--material", str(material), "--output", str(root / "out"), *SMALL]) == 0
    return root / "out"


@pytest.mark.parametrize("source", ["stills", "videos", "films", "drawn"])
@pytest.mark.parametrize("split", ["train", "val"])
def test_every_source_is_one_that_training_reads(made, source, split):
    index = read_index(made / source / f"{split}.json")
    assert index.has_positions
    for row in range(len(index.frames)):
        track = index.track_of(row)
        video = index.videos[index.video_of(track)]
        crop = made / source / "crop511" / video / f"{index.frames[row]:06d}.{index.tracks[track]}.x.jpg"
        assert cv2.imread(str(crop)).shape == (CROP_SIZE, CROP_SIZE, 3)


def test_splits_share_no_image_and_no_sequence(made):
    for source in ("stills", "videos"):
        train, val = (set(json.loads((made / source / f"{split}.json").read_text())) for split in ("train", "val"))
        assert train
        assert val
        assert not train & val
    assert json.loads((made / "stills" / "val.json").read_text()).keys() == {"set/5"}


def test_boxes_that_teach_nothing_are_left_out(script, made):
    rows = json.loads((made / "objects.json").read_text())["annotations"]
    assert [row["bbox"] for row in rows] == [[40, 30, 80, 60]] * 6
    assert script.fault((0, 0, 12, 60), (300, 200), "a") is None
    assert script.fault((0, 0, 11.9, 40), (300, 200), "a") == "small"
    assert script.fault((0, 0, 12, 61), (300, 200), "a") == "long and thin"
    assert script.fault((0, 0, 280, 190), (300, 200), "a") == "as large as their image"
    assert script.fault((0, 0, 280, 150), (300, 200), "a") is None
    assert script.fault((0, 0, 50, 50), (300, 200), next(iter(script.LEFT_OUT))).startswith("of ")


def test_a_sequence_of_otb_is_refused(script, tmp_path, capsys):
    material = build(tmp_path / "m", ["src/MountainBike6", "src/basketball"])
    args = ["--material", str(material), "--output", str(tmp_path / "o"), "--only", "videos"]
    assert script.main(args) == 2
    assert "src/basketball: basketball is a sequence of OTB-100" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    [
        *("Jogging", "src/jogging-1", "src/Jogging.2", "src/skating2-1", "src/Skating2_2", "src/human4-2", "Human4"),
        *("otb/Car4", "car4", "car4/img", "OTB100/Basketball/img", "vot2016/basketball", "video.uav123/Car4"),
    ],
)
def test_names_of_otb_are_known_in_all_spellings(script, name):
    assert script.otb_sequence(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "uav123_10fps/car4",
            "UAV123/car2",
            "material/uav123/bird1",
            "davis/dog",
            "lasot/basketball-1",
            "dtb70/Girl2",
        ),
        *("src/jogging-man", "src/car4-2", "src/jog", "src/MountainBike6", "vot_ball1/ball1", "human4-2b", "tlp/Biker"),
    ],
)
def test_other_benchmarks_may_have_the_same_names(script, name):
    assert script.otb_sequence(name) is None


@pytest.mark.parametrize(
    "name",
    ["otb/Basketball/img/0001.jpg", "a/jogging-1_0004.jpg", "a/skating2.1.png", "Human4-2/7.jpg", "a/CarScale_12.jpg"],
)
@pytest.mark.parametrize("source", ["stills", "films"])
def test_frames_of_otb_are_refused_among_stills(script, tmp_path, capsys, name, source):
    material = build(tmp_path / "m", [])
    args = ["--material", str(material), "--output", str(tmp_path / "o"), "--only", source, *SMALL]
    content = json.loads((material / "stills.json").read_text())
    content["images"][3]["file_name"] = name
    (material / "stills.json").write_text(json.dumps(content))
    assert script.main(args) == 2
    shown = capsys.readouterr().err
    assert f"stills.json: {name}: " in shown
    assert "is a sequence of OTB-100" in shown
    assert not (tmp_path / "o").exists()


def test_frames_of_otb_are_refused_among_photographs(script, tmp_path, capsys):
    material = build(tmp_path / "m", [])
    (material / "unlabelled" / "0.jpg").rename(material / "unlabelled" / "Bolt2_0100.jpg")
    args = ["--material", str(material), "--output", str(tmp_path / "o"), "--only", "stills", *SMALL]
    assert script.main(args) == 2
    assert "Bolt2_0100.jpg: bolt2 is a sequence of OTB-100" in capsys.readouterr().err


def test_stills_of_other_things_are_not_refused(script, tmp_path):
    names = ("ecssd/00001.jpg", "uav123/car4/0001.jpg", "a/car_4.jpg", "a/2008_000123.jpg", "a/basketballs_1.jpg")
    script.refuse_otb(tmp_path, names, stills=True)


def test_otb_has_its_98_videos(script):
    """100 targets: Jogging and Skating2 have two each."""
    assert len(script.OTB) == 98


def test_no_material_is_one_line(script, tmp_path, capsys):
    assert script.main(["--material", str(tmp_path / "no"), "--output", str(tmp_path)]) == 2
    assert "no such folder" in capsys.readouterr().err
    (tmp_path / "stills.json").write_text('{"images": [{"id": 1}], "annotations": []}')
    assert script.main(["--material", str(tmp_path), "--output", str(tmp_path), "--only", "stills"]) == 2
    assert "expected COCO's JSON with the images' sizes" in capsys.readouterr().err
