"""Writes drawn videos as training crops with annotations, or as whole frames for evaluation."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pysot.datasets.curation.backgrounds import Backgrounds
from pysot.datasets.curation.images import CROP_SIZE, binary, crop_zoom, encode_jpeg, encode_mask
from pysot.datasets.curation.synthetic.figures import Points
from pysot.datasets.curation.synthetic.photographed import FILMED_WORLD, Album, make_photographed
from pysot.datasets.curation.synthetic.render import Shot, View, box_of, shoot
from pysot.datasets.curation.synthetic.scenes import DRAWN_WORLD, Scene, World, make_scene, slowed
from pysot.datasets.curation.synthetic.textures import Surfaces

VERSION = 1
"""Goes up with every change of the crops that are drawn."""
TEST_VERSION = 3
"""Goes up with every change of the whole frames."""

LEAST_VISIBLE = 0.35
"""A frame in which less of the target is seen is left out of the annotations."""
LEAST_SIDE = 6.0
"""Width and height of a target that can be followed, frame pixels."""
TEST_PACE = 4
"""So many times as slow is everything in tests: crops are frames some time apart, a tracker sees all of them."""
_LEAST_RESOLUTION = 128
_DECIMALS = 2


def calmed(world: World) -> World:
    """Return a training world made about as hard to follow as OTB-100, a little calmer.

    Crops are enlarged, and trackers learn most where much is alike; tests should look and move as before a camera. The
    figures are told in `training_dataset/synthetic/README.md`.
    """
    return replace(
        world,
        closeness=2.2 * world.closeness,
        unrest=0.4 * world.unrest,
        twins=0.3 * world.twins,
        camouflage=0.3 * world.camouflage,
        screened=0.6 * world.screened,
    )


@dataclass(frozen=True)
class Film:
    """A video to draw.

    Attributes:
        name: Its name, which with the seed decides what happens in it.
        seed: Of the whole set.
        number: Of the video in the set.
        frames: How many to draw.
    """

    name: str
    seed: int
    number: int
    frames: int

    def scene(
        self,
        photos: tuple[Path, ...],
        most_targets: int = 2,
        album: Album | None = None,
        test: bool = False,
    ) -> Scene:
        """Return what happens: in a drawn scene, or, if there is an album, in one of its photographs."""
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((self.seed, self.number))))
        world = DRAWN_WORLD if album is None else FILMED_WORLD
        if test:
            world = calmed(world)
        if album is not None:
            return make_photographed(rng, album, self.frames, most_targets, world)
        surfaces = Surfaces(Backgrounds(photos).pick if photos else None)
        return make_scene(rng, surfaces, self.frames, most_targets, world)


@dataclass(frozen=True)
class CropWriter:
    """Draws a film's crops and masks and returns its annotations.

    Attributes:
        folder: Where ``<video>/<frame>.<track>.x.jpg`` and ``.m.png`` go.
        photos: Images to take textures from.
        album: Photographs to make the scenes of; None for drawn ones.
    """

    folder: Path
    photos: tuple[Path, ...] = ()
    album: Album | None = None

    def __call__(self, film: Film) -> dict[str, Any]:
        """Return ``{"tracks": {track: {frame: box}}, "categories": {track: kind}}``."""
        scene = film.scene(self.photos, album=self.album)
        video = self.folder / film.name
        video.mkdir(parents=True, exist_ok=True)
        tracks: dict[str, dict[str, list[float]]] = {}
        categories: dict[str, str] = {}
        for track, number in enumerate(scene.targets):
            name = f"{track:02d}"
            boxes: dict[str, list[float]] = {}
            figure = scene.actors[number].figure
            for frame in range(scene.frames):
                box = box_of(scene, number, frame)
                cut = cut_box(box, scene.size_wh)
                if not is_seen(cut, box):
                    continue
                shot = shoot_crop(scene, number, frame, cut)
                if shot.visible < LEAST_VISIBLE:
                    continue
                stem = f"{frame:06d}.{name}"
                (video / f"{stem}.x.jpg").write_bytes(encode_jpeg(shot.image, scene.quality))
                if figure.exact:
                    (video / f"{stem}.m.png").write_bytes(encode_mask(shot.mask))
                boxes[f"{frame:06d}"] = np.round(cut, _DECIMALS).tolist()
            if boxes:
                tracks[name], categories[name] = boxes, figure.kind
        return {"tracks": tracks, "categories": categories}


def cut_box(box_xyxy: Points, size_wh: tuple[int, int]) -> Points:
    """Return a box's part in the frame; of a box outside, one without area."""
    return np.clip(box_xyxy, 0, (*size_wh, *size_wh))


def is_seen(cut: Points, whole: Points) -> bool:
    """Return whether enough of a box is in the frame."""
    area = float(np.prod(cut[2:] - cut[:2]))
    return min(cut[2:] - cut[:2]) >= LEAST_SIDE and area >= LEAST_VISIBLE * float(np.prod(whole[2:] - whole[:2]))


def shoot_crop(scene: Scene, number: int, frame: int, box_xyxy: Points) -> Shot:
    """Draw the crop around a target, at the frame's resolution where the crop enlarges it."""
    zoom = crop_zoom(tuple((box_xyxy[2:] - box_xyxy[:2]).tolist()))
    side = int(np.clip(round(CROP_SIZE / zoom), _LEAST_RESOLUTION, CROP_SIZE))
    span = CROP_SIZE / zoom
    left, top = ((box_xyxy[:2] + box_xyxy[2:]) / 2 - span / 2).tolist()
    shot = shoot(scene, number, frame, View(side / span, left, top, (side, side)))
    if side == CROP_SIZE:
        return shot
    size = (CROP_SIZE, CROP_SIZE)
    image = np.asarray(cv2.resize(shot.image, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    mask = cv2.resize(shot.mask, size, interpolation=cv2.INTER_LINEAR)
    return Shot(image, binary(np.asarray(mask, dtype=np.uint8)), shot.visible)


@dataclass(frozen=True)
class FrameWriter:
    """Draws a film's whole frames and returns its entry in PySOT's test annotations.

    Beside ``<video>/img/0001.jpg`` lie OTB's ``<video>/groundtruth_rect.txt`` (counted from 1) and the masks of what
    is seen, ``<video>/mask/0001.png``.

    Attributes:
        folder: Where the videos go.
        photos: Images to take textures from.
        album: Photographs to make the scenes of; None for drawn ones.
    """

    folder: Path
    photos: tuple[Path, ...] = ()
    album: Album | None = None

    def __call__(self, film: Film) -> dict[str, Any]:
        """Return the video's entry."""
        scene = _watchable(film, self.photos, self.album)
        number = scene.targets[0]
        video = self.folder / film.name
        for part in ("img", "mask"):
            (video / part).mkdir(parents=True, exist_ok=True)
        boxes = []
        for frame in range(scene.frames):
            shot = shoot(scene, number, frame, View(1.0, 0.0, 0.0, scene.size_wh))
            (video / "img" / f"{frame + 1:04d}.jpg").write_bytes(encode_jpeg(shot.image, max(scene.quality, 85)))
            (video / "mask" / f"{frame + 1:04d}.png").write_bytes(encode_mask(shot.mask))
            x1, y1, x2, y2 = cut_box(box_of(scene, number, frame), scene.size_wh).tolist()
            boxes.append([round(value, _DECIMALS) for value in (x1, y1, x2 - x1, y2 - y1)])
        lines = [
            ",".join(f"{value + shift:.2f}" for value, shift in zip(box, (1, 1, 0, 0), strict=True)) for box in boxes
        ]
        (video / "groundtruth_rect.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return {
            "video_dir": film.name,
            "init_rect": boxes[0],
            "img_names": [f"{film.name}/img/{frame + 1:04d}.jpg" for frame in range(scene.frames)],
            "gt_rect": boxes,
            "attr": [],
            "width": scene.size_wh[0],
            "height": scene.size_wh[1],
        }


def _watchable(film: Film, photos: tuple[Path, ...], album: Album | None) -> Scene:
    """Return the first scene of a film's that a tracker can start on and that shows its target nearly always."""
    acts = math.ceil(film.frames / TEST_PACE) + 1
    for attempt in range(100):
        take = Film(film.name, film.seed, film.number + attempt * 1_000_000, acts)
        scene = slowed(take.scene(photos, 1, album, test=True), TEST_PACE, film.frames)
        number = scene.targets[0]
        seen = []
        for frame in range(0, scene.frames, max(scene.frames // 12, 1)):
            box = box_of(scene, number, frame)
            cut = cut_box(box, scene.size_wh)
            if not is_seen(cut, box):
                break
            seen.append(shoot_crop(scene, number, frame, cut).visible)
        else:
            if seen[0] > 0.9 and np.mean(np.array(seen) < LEAST_VISIBLE) < 0.1:
                return scene
    return scene
