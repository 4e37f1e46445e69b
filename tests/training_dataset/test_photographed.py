"""Scenes of photographs: cut-outs whose masks fit, cameras whose boxes follow, splits that share no image."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pysot.datasets.curation.clips import Clip, Labelled, Thing
from pysot.datasets.curation.images import binary
from pysot.datasets.curation.synthetic.cutouts import Labelling, cut_out, in_painting, read_labellings
from pysot.datasets.curation.synthetic.figures import REACH, SIDE
from pysot.datasets.curation.synthetic.photographed import (
    FILMED_WORLD,
    Album,
    Content,
    _Stage,
    make_photographed,
    open_album,
    split_held_out,
)
from pysot.datasets.curation.synthetic.render import View, box_of, shoot
from pysot.datasets.curation.synthetic.write import CropWriter, Film
from pysot.utils import InputError

SCRIPT = Path(__file__).resolve().parents[2] / "training_dataset" / "synthetic" / "prepare.py"
SMALL = ("--videos", "3", "--frames", "3", "--val-videos", "1", "--test-videos", "1", "--test-frames", "2")
RED, GREEN = (20, 20, 230), (30, 160, 40)


def ring(center, radii, count=60):
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([center[0] + radii[0] * np.cos(turn), center[1] + radii[1] * np.sin(turn)], axis=1)


def paint(file: Path, polygon, size_wh=(160, 120)) -> None:
    image = np.full((size_wh[1], size_wh[0], 3), GREEN, np.uint8)
    cv2.fillPoly(image, [np.round((polygon - 0.5) * 16).astype(np.int32)], RED, cv2.LINE_AA, 4)
    cv2.imwrite(str(file), image)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Six stills in two folders: red ellipses on green, one of each folder without polygons; three photographs."""
    root = tmp_path_factory.mktemp("material")
    images, annotations = [], []
    for number in range(6):
        name = f"{'ab'[number % 2]}/{number}.png"
        (root / name).parent.mkdir(exist_ok=True)
        center, radii = (70 + 3 * number, 60), (30 + 3 * number, 24)
        polygon = ring(center, radii)
        paint(root / name, polygon)
        box = [center[0] - radii[0], center[1] - radii[1], 2 * radii[0], 2 * radii[1]]
        images.append({"id": number, "file_name": name})
        annotation = {"id": number, "image_id": number, "bbox": box, "category_id": 1}
        annotations.append(annotation | ({} if number < 2 else {"segmentation": [polygon.reshape(-1).tolist()]}))
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "egg"}]}
    (root / "objects.json").write_text(json.dumps(content))
    (root / "photos").mkdir()
    rng = np.random.default_rng(0)
    for number in range(3):
        noise = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
        cv2.imwrite(str(root / "photos" / f"{number}.png"), cv2.resize(noise, (200, 150)))
    return root


@pytest.fixture(scope="module")
def album(material):
    return Album(material / "objects.json", material, tuple(sorted((material / "photos").iterdir())))


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("prepare_photographed", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# ---------------------------------------------------------------------------------------------- cut-outs


def test_a_cut_out_has_the_objects_colour_and_outline(tmp_path):
    polygon = ring((80.0, 60.0), (60, 40))
    paint(tmp_path / "a.png", polygon)
    figure = cut_out(Labelling(tmp_path / "a.png", "egg", (20, 20, 140, 100), (polygon,)))
    (part,) = figure.parts
    alpha = part.levels[0][..., 3]
    np.testing.assert_allclose(part.levels[0][alpha == 255][:, :3].mean(axis=0), RED, atol=3)
    x, y, w, h = cv2.boundingRect(binary(np.ascontiguousarray(alpha)))
    low, high = part.outline.min(axis=0) + SIDE / 2, part.outline.max(axis=0) + SIDE / 2
    np.testing.assert_allclose([*low, *high], [x, y, x + w, y + h], atol=0.6)
    # In units of the farthest point (60), a little inward.
    assert 0.96 < (high - low)[0] / (2 * REACH) < 1
    assert (high - low)[1] / (high - low)[0] == pytest.approx(40 / 60, abs=0.02)
    # No fringe of the background: what is seen half is not green.
    rim = part.levels[0][(alpha > 60) & (alpha < 200)].astype(float)
    assert (rim[:, 2] > rim[:, 1]).mean() > 0.95


@pytest.mark.parametrize(
    ("polygons", "whole"),
    [
        ([ring((80, 60), (40, 30))], True),
        ([ring((30, 60), (30, 30))], False),  # touches the image's edge
        ([ring((80, 60), (15, 15))], False),  # small
        ([np.array([(40, 30), (120, 30), (120, 90), (40, 90)], float)], False),  # a box
        ([ring((50, 60), (20, 30)), ring((110, 60), (20, 30))], False),  # in two pieces
        ([], False),
    ],
)
def test_what_can_be_cut_out(tmp_path, polygons, whole):
    paint(tmp_path / "a.png", ring((80, 60), (40, 30)))
    points = np.concatenate(polygons) if polygons else np.array([(40.0, 30), (120, 90)])
    box = (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())
    thing = Thing("00", box, "egg", polygons=tuple(polygons))
    cutouts, stills = read_labellings([Clip("a", lambda: [Labelled(0, tmp_path / "a.png", (thing,))])])
    assert bool(cutouts) == whole
    assert len(stills) == 1


def test_a_mask_with_nothing_left_is_an_error(tmp_path):
    paint(tmp_path / "a.png", ring((80, 60), (40, 30)))
    line = np.array([(40, 60), (120, 60), (120, 60.2)], float)
    with pytest.raises(InputError, match=r"a\.png: nothing is left"):
        cut_out(Labelling(tmp_path / "a.png", "egg", (40, 60, 120, 60.2), (line,)))


# ---------------------------------------------------------------------------------------------- cameras


def red_around(image, place):
    """Return the box around the red thing at a place; there may be mirror images of it elsewhere."""
    blue, green, red = (image[..., channel].astype(int) for channel in range(3))
    is_red = np.asarray((red > green + 40) & (red > blue + 40), np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(is_red)
    x, y, w, h = stats[labels[int(place[1]), int(place[0])]][:4]
    return [x, y, x + w, y + h]


def test_boxes_and_masks_follow_a_camera_over_a_still(album, monkeypatch):
    monkeypatch.setattr("pysot.datasets.curation.synthetic.scenes._light", lambda rng, frames: LIGHT(frames))
    monkeypatch.setattr(_Stage, "_screens", lambda self, target, camera, painting: [])
    monkeypatch.setattr(_Stage, "_neighbours", lambda self, target, number, painting: [])
    monkeypatch.setattr(_Stage, "_background", lambda self: np.full((50, 50, 3), 90, np.uint8))
    checked = tilted = 0
    for seed in range(16):
        rng = np.random.default_rng(seed)
        scene = _Stage(rng, open_album(album), 3, FILMED_WORLD).camera_move(1)
        box = box_of(scene, 0, 0)
        if (box < 0).any() or (box[2:] > scene.size_wh).any() or scene.shadow is not None:
            continue
        shot = shoot(scene, 0, 0, View(1.0, 0.0, 0.0, scene.size_wh))
        seen = red_around(cv2.medianBlur(shot.image, 5), (box[:2] + box[2:]) / 2)
        np.testing.assert_allclose(seen, box, atol=max(2.5, 0.07 * max(box[2:] - box[:2])))
        x, y, w, h = cv2.boundingRect(shot.mask)
        if scene.actors[0].figure.exact:
            np.testing.assert_allclose([x, y, x + w, y + h], box, atol=1.5)
        tilted += bool(scene.camera[0, 2, :2].any())
        checked += 1
    assert checked >= 4
    assert tilted >= 2


def LIGHT(frames):  # even light, so that colours can be told
    return np.ones((frames, 3)), np.ones(frames)


def test_a_camera_moves_over_a_large_still_as_it_is(tmp_path, monkeypatch):
    """Photographs are made smaller, but a still's box is in its pixels."""
    paint(tmp_path / "a.png", ring((1500.0, 60.0), (60, 40)), (1700, 120))
    box = (1440.0, 20.0, 1560.0, 100.0)
    entry = Labelling(tmp_path / "a.png", "egg", box, (ring((1500.0, 60.0), (60, 40)),))
    framed = []
    monkeypatch.setattr(
        _Stage,
        "_framed",
        lambda self, image, entry: framed.append((image.shape, entry.box_xyxy)) or FRAMED(self, image, entry),
    )
    content = Content((entry,), (entry,), (tmp_path / "a.png",), {"egg": (0,)})
    stage = _Stage(np.random.default_rng(0), content, 2, FILMED_WORLD)
    stage.camera_move(1)
    assert framed == [((120, 1700, 3), box)]
    assert stage._background().shape == (72, 1024, 3)


FRAMED = _Stage._framed


def test_the_place_in_a_painting_is_exact():
    entry = Labelling(Path("a"), None, (10.0, 20.0, 50.0, 50.0), ())
    figure, to_units = in_painting(entry, (-100.0, -60.0))
    (part,) = figure.parts
    there = np.column_stack([part.outline / REACH, np.ones(len(part.outline))]) @ np.linalg.inv(to_units).T
    np.testing.assert_allclose(there[:, :2].min(axis=0), [110, 80], atol=0.1)
    np.testing.assert_allclose(there[:, :2].max(axis=0), [150, 110], atol=0.1)
    assert not figure.exact


# ----------------------------------------------------------------------------------------------- scenes


def test_masks_and_boxes_of_cut_outs_fit(album):
    checked = 0
    for number in range(16):
        scene = make_photographed(np.random.default_rng(number), album, 2, 1)
        target = scene.targets[0]
        if not scene.actors[target].figure.exact:
            continue
        shot = shoot(scene, target, 0, View(1.0, 0.0, 0.0, scene.size_wh))
        box = box_of(scene, target, 0)
        if shot.visible < 1 or (box < 0).any() or (box[2:] > scene.size_wh).any():
            continue
        x, y, w, h = cv2.boundingRect(shot.mask)
        np.testing.assert_allclose([x, y, x + w, y + h], box, atol=2.0)
        checked += 1
    assert checked >= 4


def test_masks_are_only_written_where_they_are_known(album, tmp_path):
    writer = CropWriter(tmp_path, album=album)
    without = 0
    for number in range(20):
        film = Film(f"v{number}", 3, number, 1)
        scene = film.scene((), 2, album)
        for track, frames in writer(film)["tracks"].items():
            exact = scene.actors[scene.targets[int(track)]].figure.exact
            without += not exact
            for frame in frames:
                assert (tmp_path / film.name / f"{frame}.{track}.x.jpg").is_file()
                assert (tmp_path / film.name / f"{frame}.{track}.m.png").is_file() == exact
    assert without


def test_training_and_validation_share_no_image(album):
    train, held = open_album(album), open_album(Album(**(vars(album) | {"held_out": True})))
    for kind in ("cutouts", "stills"):
        first, second = ({entry.image for entry in getattr(content, kind)} for content in (train, held))
        assert first
        assert second
        assert not first & second
    assert not set(train.photos) & set(held.photos)
    assert {entry.image.name for entry in held.stills} == {"4.png", "5.png"}  # the last of each folder


def test_the_last_of_a_large_folder_are_held_out():
    names = [f"a/{number:03d}" for number in range(60)] + ["single"]
    kept, held = split_held_out(names[::-1])
    assert held == ["a/057", "a/058", "a/059"]
    assert sorted(kept + held) == sorted(names)


def test_without_polygons_there_is_nothing_to_cut_out(material, tmp_path):
    content = json.loads((material / "objects.json").read_text())
    for row in content["annotations"]:
        row.pop("segmentation", None)
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"boxes\.json: expected polygons"):
        make_photographed(np.random.default_rng(0), Album(tmp_path / "boxes.json", material), 2)


def test_two_processes_film_the_same_as_one(script, material, tmp_path):
    args = ["--cutouts", str(material / "objects.json"), "--photos", str(material / "photos"), *SMALL]
    for workers in ("1", "2"):
        assert script.main([*args, "--workers", workers, "--output", str(tmp_path / workers)]) == 0
    first, second = contents(tmp_path / "1"), contents(tmp_path / "2")
    assert first.keys() == second.keys()
    assert [name for name in first if not name.endswith(".journal") and first[name] != second[name]] == []
    assert script.main([*SMALL, "--workers", "1", "--output", str(tmp_path / "1")]) == 2


def test_a_folder_begun_with_other_stills_is_refused(script, material, tmp_path, capsys):
    objects, output = tmp_path / "objects.json", tmp_path / "out"
    objects.write_bytes((material / "objects.json").read_bytes())
    small = ("--videos", "1", "--frames", "1", "--val-videos", "1", "--test-videos", "0", "--workers", "1")
    args = ["--cutouts", str(objects), "--output", str(output), *small]
    assert script.main([*args, "--images", str(material)]) == 0
    assert script.main([*args, "--images", str(material / "a" / "..")]) == 0
    (tmp_path / "images").symlink_to(material)
    assert script.main([*args, "--images", str(tmp_path / "images")]) == 0
    assert script.main([*args, "--images", str(material / "a")]) == 2
    assert str(material / "a") in capsys.readouterr().err
    objects.write_bytes(objects.read_bytes() + b" ")
    assert script.main([*args, "--images", str(material)]) == 2
    assert "cutouts_sha256" in capsys.readouterr().err


def test_stills_that_are_not_there_are_one_line(script, tmp_path, capsys):
    assert script.main(["--cutouts", str(tmp_path / "no.json"), "--output", str(tmp_path / "out")]) == 2
    assert "no.json: no such file" in capsys.readouterr().err
