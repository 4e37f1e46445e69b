"""What a seed draws stays what it was: sets that were made, and numbers measured on them, remain valid.

The numbers are those of the first release. Boxes are the same with OpenCV 4.10 and 5.0; pixels are coarse means, which
differ by at most 2 grey levels between the two. A change of what is drawn needs a new VERSION, and then new numbers.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pysot.datasets.curation.synthetic.photographed import Album
from pysot.datasets.curation.synthetic.render import box_of
from pysot.datasets.curation.synthetic.scenes import DRAWN_WORLD, Scene, make_scene, slowed
from pysot.datasets.curation.synthetic.textures import Surfaces
from pysot.datasets.curation.synthetic.write import Film, calmed, cut_box, shoot_crop

FRAMES = 3

# Number of the film, the first target's kind, its box in the last frame, and the crop's mean brightness by ninths
DRAWN = [
    (0, "beast", [548.77, 175.58, 606.03, 204.66], [56.7, 50.6, 46.6, 134.9, 83.5, 91.0, 80.9, 91.6, 93.7]),
    (1, "blob", [129.79, 202.59, 177.72, 261.58], [44.2, 54.1, 43.0, 56.3, 62.9, 60.5, 47.9, 47.9, 47.7]),
    (2, "wagon", [274.77, 321.81, 306.12, 341.68], [78.5, 130.1, 114.9, 149.5, 114.8, 128.2, 166.1, 112.9, 136.3]),
    (3, "star", [122.31, 255.79, 150.17, 289.98], [86.9, 52.7, 61.4, 57.5, 53.2, 53.1, 56.2, 60.4, 60.8]),
    (4, "chain", [401.36, 109.06, 433.6, 160.78], [40.4, 54.7, 63.4, 49.7, 75.0, 66.5, 40.5, 44.1, 51.0]),
]
TEXTURED = [
    (0, "star", [128.17, 58.73, 179.64, 85.62], [100.5, 99.2, 97.8, 100.3, 81.7, 99.9, 110.0, 108.8, 121.4]),
    (1, "plate", [472.99, 53.31, 531.69, 100.8], [122.7, 121.5, 120.6, 162.4, 106.7, 101.9, 127.2, 111.5, 116.6]),
    (3, "wagon", [235.2, 223.62, 287.45, 258.95], [112.5, 191.5, 191.0, 115.6, 181.2, 145.3, 136.7, 166.3, 151.9]),
    (4, "beast", [133.61, 280.45, 170.41, 302.19], [148.5, 161.9, 114.6, 167.6, 184.2, 164.1, 161.3, 162.5, 159.6]),
]
# Whether a camera moves over a still instead
FILMED = [
    (0, True, [148.27, 281.86, 191.8, 325.41], [41.3, 66.2, 49.8, 101.8, 89.0, 65.3, 63.0, 61.3, 41.6]),
    (1, False, [380.46, 6.3, 439.18, 66.56], [150.7, 150.7, 150.7, 124.6, 170.1, 166.6, 143.4, 142.2, 158.0]),
    (2, False, [272.08, 169.34, 309.72, 217.28], [76.2, 137.1, 143.2, 141.9, 185.3, 147.7, 126.5, 185.9, 147.7]),
    (3, True, [364.78, 99.13, 424.28, 158.68], [126.8, 144.6, 123.3, 134.9, 132.6, 116.9, 104.8, 106.3, 117.7]),
]


@pytest.fixture
def photos(tmp_path):
    """Two photographs, coarse enough to look the same however they are sampled."""
    rng = np.random.default_rng(0)
    files = tmp_path / "0.png", tmp_path / "1.png"
    for file in files:
        coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(file), np.kron(coarse, np.ones((20, 20, 1), np.uint8)))
    return files


@pytest.fixture
def album(photos, tmp_path):
    """Four stills with a bright disc each, and the two photographs."""
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    images, annotations = [], []
    for number in range(4):
        x, radius = 70 + 5 * number, 30 + 2 * number
        image = np.full((120, 160, 3), (60, 90, 40 + 20 * number), np.uint8)
        cv2.circle(image, (x, 60), radius, (230, 200, 180), cv2.FILLED)
        cv2.imwrite(str(tmp_path / f"still{number}.png"), image)
        outline = np.round(np.stack([x + radius * np.cos(turn), 60 + radius * np.sin(turn)], axis=1), 3)
        images.append({"id": number, "file_name": f"still{number}.png"})
        box = [x - radius, 60 - radius, 2 * radius, 2 * radius]
        shape = [outline.reshape(-1).tolist()]
        annotations.append({"id": number, "image_id": number, "bbox": box, "segmentation": shape})
    (tmp_path / "objects.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    return Album(tmp_path / "objects.json", tmp_path, photos)


def check(scene: Scene, kind: str, box: list[float], light: list[float]) -> None:
    number, frame = scene.targets[0], FRAMES - 1
    found = cut_box(box_of(scene, number, frame), scene.size_wh)
    shot = shoot_crop(scene, number, frame, found)
    ninths = cv2.resize(shot.image.mean(axis=2), (3, 3), interpolation=cv2.INTER_AREA).reshape(-1)
    assert scene.actors[number].figure.kind == kind
    np.testing.assert_allclose(found, box, atol=0.006)
    np.testing.assert_allclose(ninths, light, atol=3)


@pytest.mark.parametrize(("number", "kind", "box", "light"), DRAWN)
def test_drawn(number: int, kind: str, box: list[float], light: list[float]):
    check(Film("x", 0, number, FRAMES).scene(()), kind, box, light)


@pytest.mark.parametrize(("number", "kind", "box", "light"), TEXTURED)
def test_with_textures_of_photographs(
    number: int, kind: str, box: list[float], light: list[float], photos: tuple[Path, ...]
):
    check(Film("x", 0, number, FRAMES).scene(photos), kind, box, light)


@pytest.mark.parametrize(("number", "camera", "box", "light"), FILMED)
def test_films_of_stills(number: int, camera: bool, box: list[float], light: list[float], album: Album):
    scene = Film("x", 0, number, FRAMES).scene((), album=album)
    assert scene.actors[scene.targets[0]].figure.in_ground == camera
    check(scene, "object", box, light)


def test_a_slowed_scene_passes_through_the_same_places():
    scene = Film("test_000000", 2, 0, 4).scene(())
    slow = slowed(scene, 4, 13)
    assert slow.frames == 13
    for fast, actor in zip(scene.actors, slow.actors, strict=True):
        for name in ("x", "y", "scale", "angle", "tilt", "beat"):
            np.testing.assert_allclose(getattr(actor, name)[::4], getattr(fast, name), atol=1e-9)
        np.testing.assert_allclose(actor.x[2], (fast.x[0] + fast.x[1]) / 2)
    np.testing.assert_allclose(slow.camera[::4], scene.camera, atol=1e-9)
    for number in scene.targets:
        for frame in range(4):
            np.testing.assert_allclose(box_of(slow, number, 4 * frame), box_of(scene, number, frame), atol=1e-6)


def scenes(**changes: float) -> list[Scene]:
    """Return drawn scenes of a changed world."""
    world = replace(DRAWN_WORLD, **changes)
    return [make_scene(np.random.default_rng(seed), Surfaces(None), FRAMES, world=world) for seed in range(16)]


def twins_of(scene: Scene) -> int:
    return sum(actor.figure is scene.actors[scene.targets[0]].figure for actor in scene.actors) - 1


def test_a_closer_world_has_larger_targets():
    near, far = (scene.actors[scene.targets[0]] for scene in (scenes(closeness=3.0)[0], scenes()[0]))
    np.testing.assert_allclose(near.scale, 3 * far.scale)


def test_a_world_has_twins_or_none():
    assert sum(map(twins_of, scenes(twins=0.0))) == 0
    assert sum(map(twins_of, scenes(twins=1.0))) > sum(map(twins_of, scenes())) > 0


def test_nothing_turns_or_bends_in_a_quiet_world():
    for scene in scenes(unrest=0.0):
        for actor in scene.actors:
            assert np.ptp(actor.angle) == 0
            assert np.ptp(actor.tilt, axis=0).max() == 0
            assert not actor.wave[:, 2:4].any()


def test_something_is_in_front_of_the_target_or_never():
    never, always = (np.mean([len(scene.actors) for scene in scenes(screened=share)]) for share in (0.0, 1.0))
    assert always >= never + 1


def test_test_worlds_are_calmer():
    calm = calmed(DRAWN_WORLD)
    for name in ("unrest", "twins", "camouflage", "screened"):
        assert 0 < getattr(calm, name) < getattr(DRAWN_WORLD, name)
    assert calm.closeness > DRAWN_WORLD.closeness
