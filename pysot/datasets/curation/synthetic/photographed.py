"""Scenes made of photographs: cut-out objects that move over them, and cameras that move over labelled stills."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from pysot.datasets.curation.backgrounds import load_photo, spread_photo, surround
from pysot.datasets.curation.clips import Clip
from pysot.datasets.curation.images import Uint8Image, read_image
from pysot.datasets.curation.stills import coco_clips
from pysot.datasets.curation.synthetic.cutouts import Labelling, box_in_image, cut_out, in_painting, read_labellings
from pysot.datasets.curation.synthetic.figures import Figure, Maker, Part
from pysot.datasets.curation.synthetic.render import pose_of
from pysot.datasets.curation.synthetic.scenes import (
    GROUND,
    SIZES,
    Actor,
    Array,
    Scene,
    World,
    drift,
    film_scene,
    fold,
    follower,
    free_camera,
    ground_levels,
    screen,
    target_actor,
)
from pysot.datasets.curation.synthetic.textures import Surfaces
from pysot.geometry import context_side
from pysot.utils import InputError

CUTOUTS_VERSION = 2
"""Goes up with every change of what scenes of photographs show."""
CAMERA_MOVES = 0.4
"""Share of the scenes that are a camera's way over a labelled still."""
HELD_OUT = 0.05
"""Share of the images that are kept for validation."""
FILMED_WORLD = World(twins=0.3, camouflage=0.0, screened=0.4)
"""That of training videos; what is cut out has its own colours."""
_SHADED = 0.15  # how often further shadows lie on a photograph
_LIT = 0.75  # how often a cut-out is as bright as the photograph that it is put on
_SHOWN = 0.9, 1.7  # of a photograph's longer side on a painting, of which a frame shows a half
_MARGIN = 48, 400  # around a still, pixels
_TEXTURES = 4  # photographs that the drawn figures of a scene have their surfaces from


@dataclass(frozen=True)
class Album:
    """Photographs to make scenes of.

    Attributes:
        objects: COCO's JSON with labelled stills, some with polygons.
        images: The folder that its file names are below.
        photos: Photographs for backgrounds; the stills serve as well.
        held_out: Take the images kept for validation; if not, the others.
    """

    objects: Path
    images: Path
    photos: tuple[Path, ...] = ()
    held_out: bool = False


@dataclass(frozen=True)
class Content:
    """What an album has.

    Attributes:
        cutouts: Objects that can be cut out.
        stills: Objects that a camera can be moved over.
        photos: Backgrounds.
        alike: Numbers of the cut-outs by category.
    """

    cutouts: tuple[Labelling, ...]
    stills: tuple[Labelling, ...]
    photos: tuple[Path, ...]
    alike: dict[str | None, tuple[int, ...]]


def split_held_out(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return names to train on and those held out: of each folder the last ones, at least one of several.

    Neighbours by name are often frames of one video, so that any others would have their likes in training.

    Example:
        >>> split_held_out(["a/1", "a/2", "b/1"])
        (['a/1', 'b/1'], ['a/2'])
    """
    folders: dict[str, list[str]] = {}
    for name in sorted(names):
        folders.setdefault(name.rpartition("/")[0], []).append(name)
    kept: list[str] = []
    held: list[str] = []
    for members in folders.values():
        count = max(round(HELD_OUT * len(members)), 1) if len(members) > 1 else 0
        kept += members[: len(members) - count]
        held += members[len(members) - count :]
    return kept, held


def split_clips(clips: Sequence[Clip], held_out: bool) -> list[Clip]:
    """Return the clips to train on, or those held out."""
    chosen = set(split_held_out([clip.name for clip in clips])[held_out])
    return [clip for clip in clips if clip.name in chosen]


@lru_cache(maxsize=2)
def open_album(album: Album) -> Content:
    """Return what an album has.

    Raises:
        InputError: Annotations are malformed, or there is nothing to cut out; names the file.
    """
    cutouts, stills = read_labellings(split_clips(coco_clips(album.objects, album.images), album.held_out))
    if not cutouts:
        part = "held out for validation" if album.held_out else "to train on"
        raise InputError(f"{album.objects}: expected polygons of whole objects, there are none among those {part}")
    chosen = split_held_out([photo.as_posix() for photo in album.photos])[album.held_out]
    photos = tuple(map(Path, chosen)) or tuple(dict.fromkeys(entry.image for entry in stills))
    alike: dict[str | None, list[int]] = {}
    for number, entry in enumerate(cutouts):
        alike.setdefault(entry.category, []).append(number)
    return Content(cutouts, stills, photos, {kind: tuple(numbers) for kind, numbers in alike.items()})


def make_photographed(
    rng: Generator, album: Album, frames: int, most_targets: int = 2, world: World = FILMED_WORLD
) -> Scene:
    """Return a random scene of an album's photographs.

    Raises:
        InputError: An image or an annotation cannot be used; names the file.
    """
    stage = _Stage(rng, open_album(album), frames, world)
    moves_over_still = stage.content.stills and rng.random() < CAMERA_MOVES
    return stage.camera_move(most_targets) if moves_over_still else stage.cutout_scene(most_targets)


class _Stage:
    """Makes one scene."""

    def __init__(self, rng: Generator, content: Content, frames: int, world: World) -> None:
        self.rng, self.content, self.frames, self.world = rng, content, frames, world
        self.size_wh = SIZES[rng.integers(len(SIZES))]
        share = world.closeness * math.exp(rng.uniform(math.log(0.035), math.log(0.1)))
        self.base = share * math.sqrt(math.prod(self.size_wh))

    def cutout_scene(self, most_targets: int) -> Scene:
        """Return a scene of cut-outs that move over a photograph."""
        rng = self.rng
        painting = spread_photo(rng, self._background(), (GROUND, GROUND), _SHOWN)
        camera = free_camera(rng, self.frames, self.size_wh)
        number = int(rng.integers(len(self.content.cutouts)))
        figure = self._lit(cut_out(self.content.cutouts[number]), painting)
        target = target_actor(rng, figure, self.frames, self.size_wh, self.base, self.world.unrest)
        actors = [target, *self._neighbours(target, number, painting)]
        order = rng.permutation(len(actors)).tolist()
        targets = [order.index(chosen) for chosen in self._targets(actors, most_targets)]
        actors = [actors[chosen] for chosen in order] + self._screens(target, camera, painting)
        levels = ground_levels(painting)
        return film_scene(rng, self.frames, self.size_wh, levels, camera, actors, targets, _SHADED)

    def camera_move(self, most_targets: int) -> Scene:
        """Return a scene in which a camera follows something in a still image, and others pass by."""
        rng = self.rng
        entry = self.content.stills[rng.integers(len(self.content.stills))]
        image = read_image(entry.image)  # not made smaller: its box is in its pixels
        entry = box_in_image(entry, image)
        painting, corner = self._framed(image, entry)
        figure, to_units = in_painting(entry, corner)
        target = self._filmed(figure)
        camera = np.stack([pose_of(target, frame) @ to_units for frame in range(self.frames)])
        actors = [target]
        if rng.random() < 0.35:
            actors += self._neighbours(target, None, painting)
        targets = self._targets(actors, most_targets)
        actors += self._screens(target, camera, painting)
        levels = ground_levels(painting)
        return film_scene(rng, self.frames, self.size_wh, levels, camera, actors, targets, _SHADED)

    def _targets(self, actors: list[Actor], most: int) -> list[int]:
        """Return the first actor and another that does not look the same."""
        others = [number for number, actor in enumerate(actors) if actor.figure is not actors[0].figure]
        return [0, *others[:1]][:most]

    def _background(self) -> Uint8Image:
        """Return a photograph, or a still with whatever is in it."""
        content, rng = self.content, self.rng
        if content.stills and rng.random() < 0.4:
            return load_photo(content.stills[rng.integers(len(content.stills))].image)
        return load_photo(content.photos[rng.integers(len(content.photos))])

    def _framed(self, image: Uint8Image, entry: Labelling) -> tuple[Uint8Image, tuple[float, float]]:
        """Return a still with a photograph around it, and where that begins in the still."""
        x1, y1, x2, y2 = entry.box_xyxy
        margin = 4 * round(np.clip(1.7 * context_side((x2 - x1, y2 - y1), 0.5), *_MARGIN) / 4)
        right, bottom = margin - image.shape[1] % 4, margin - image.shape[0] % 4
        picture = cv2.copyMakeBorder(image, margin, bottom, margin, right, cv2.BORDER_REFLECT_101)
        whole = np.full(image.shape[:2], 255, np.uint8)
        inside = cv2.copyMakeBorder(whole, margin, bottom, margin, right, cv2.BORDER_CONSTANT, value=[0])
        painting = surround(self.rng, np.asarray(picture, np.uint8), np.asarray(inside, np.uint8), self._background())
        return painting, (-float(margin), -float(margin))

    def _filmed(self, figure: Figure) -> Actor:
        """Return a still's object as a moving camera shows it: turned, tilted and stretched a little."""
        rng, frames = self.rng, self.frames
        actor = target_actor(rng, figure, frames, self.size_wh, self.base, self.world.unrest)
        unrest = self.world.unrest
        roll = fold(np.cumsum(drift(rng, frames, unrest * rng.choice([0, 0.004, 0.02]), 6)[:, 0]), -0.15, 0.15)
        lean = np.cumsum(drift(rng, frames, unrest * rng.choice([0, 0.01, 0.03]), 8, 2), axis=0)
        stretch = fold(lean, -0.12, 0.12)
        still = np.zeros((0, 6))
        return replace(actor, angle=roll + rng.normal(0, 0.05), tilt=stretch, beat=np.zeros(frames), wave=still)

    def _neighbours(self, target: Actor, number: int | None, painting: Uint8Image) -> list[Actor]:
        """Return actors near the target: others of its kind, itself once more, anything, something drawn."""
        rng, content = self.rng, self.content
        actors = []
        for _ in range(rng.choice(5, p=(0.2, 0.3, 0.25, 0.15, 0.1))):
            kind = rng.random()
            if number is not None and kind < self.world.twins:
                figure = target.figure
            elif kind < 0.85:
                alike = content.alike.get(target.figure.kind, ()) if kind < self.world.twins + 0.3 else ()
                chosen = alike[rng.integers(len(alike))] if alike else rng.integers(len(content.cutouts))
                figure = self._lit(cut_out(content.cutouts[chosen]), painting)
            else:
                figure = Maker(self._surfaces(), rng).figure()
            actors.append(follower(rng, figure, target, self.size_wh, self.world.unrest))
        return actors

    def _screens(self, target: Actor, camera: Array, painting: Uint8Image) -> list[Actor]:
        """Return things in the foreground that hide the target for a while."""
        rng, content = self.rng, self.content
        if rng.random() > self.world.screened:
            return []
        actors = []
        for _ in range(rng.integers(1, 3)):
            if rng.random() < 0.5:
                figure = self._lit(cut_out(content.cutouts[rng.integers(len(content.cutouts))]), painting)
            else:
                figure = Maker(self._surfaces(), rng).screen()
            actor = screen(rng, figure, target, camera)
            actors.append(replace(actor, angle=0 * actor.angle) if figure.upright else actor)
        return actors

    def _surfaces(self) -> Surfaces:
        photos = tuple(self._background() for _ in range(_TEXTURES))
        return Surfaces(lambda rng: photos[rng.integers(_TEXTURES)])

    def _lit(self, figure: Figure, painting: Uint8Image) -> Figure:
        """Return a cut-out, mostly as bright as what it is put on."""
        rng = self.rng
        if rng.random() > _LIT:
            return figure
        (part,) = figure.parts
        coarse = part.levels[-1]
        among = np.ascontiguousarray(coarse[..., 3])
        own = np.asarray(cv2.mean(coarse, among)[:3]).mean()
        wanted = np.asarray(cv2.mean(painting)[:3]).mean()
        gain = float(np.clip((wanted / max(own, 4.0)) ** rng.uniform(0.2, 0.8), 0.5, 1.8))
        return replace(figure, parts=(_brighter(part, gain),))


def _brighter(part: Part, gain: float) -> Part:
    """Return a part with brighter colours, which opacity limits."""
    levels = []
    for level in part.levels:
        alpha = np.ascontiguousarray(level[..., 3])
        color = cv2.min(cv2.convertScaleAbs(level[..., :3], alpha=gain), cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR))
        levels.append(np.dstack([color, alpha]))
    return replace(part, levels=tuple(levels))
