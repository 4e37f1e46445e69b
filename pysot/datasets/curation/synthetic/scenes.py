"""What happens in a drawn video: who moves where and how, behind what, in which light."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pysot.datasets.curation.synthetic.figures import Figure, Maker, Points, blob, fill, polygon, rounded
from pysot.datasets.curation.synthetic.textures import Pixels, Surfaces, jitter, palette

Array = NDArray[np.float64]

SIZES = ((320, 240), (480, 270), (480, 360), (640, 360), (640, 480), (854, 480), (360, 480))
"""Widths and heights of frames, pixels."""
GROUND = 704
"""Side of a background's painting, pixels."""


@dataclass(frozen=True, eq=False)
class Actor:
    """A figure and its way through the frames, (F,) arrays in frame pixels and radians unless noted.

    Attributes:
        figure: What is drawn.
        x: Where its origin is.
        y: The same, downwards.
        scale: Pixels per unit of the figure.
        angle: Its turn in the picture.
        tilt: (F, 2) its turn out of the picture, about the vertical and the horizontal axis.
        beat: Where its moving parts are, radians.
        wave: (K, 6) bends: two wave numbers, two amplitudes in the figure's units, phase, phase per frame.
        mirrored: Looks the other way.
    """

    figure: Figure
    x: Array
    y: Array
    scale: Array
    angle: Array
    tilt: Array
    beat: Array
    wave: Array
    mirrored: bool


@dataclass(frozen=True, eq=False)
class Scene:
    """A video before it is drawn.

    Attributes:
        size_wh: Of a frame.
        frames: How many.
        ground: The background's painting, (H, W, 4) with an unused channel, largest first, each half of the one before.
        camera: (F, 3, 3) from the painting's pixels, edges, to the frame's.
        actors: From back to front.
        targets: Numbers of the actors to follow.
        gains: (F, 3) factors of blue, green, red.
        gamma: (F,) exponents.
        shadow: (S, S, 3) uint8 light that lies on the scene, 128 for unchanged; None for an even one.
        shutter: Share of a frame's time that is exposed.
        grain: Spread of the camera's noise, grey levels.
        softness: Spread of the lens's blur, pixels.
        quality: Of the JPEG.
        seed: For the noise.
    """

    size_wh: tuple[int, int]
    frames: int
    ground: tuple[Pixels, ...]
    camera: Array
    actors: tuple[Actor, ...]
    targets: tuple[int, ...]
    gains: Array
    gamma: Array
    shadow: Pixels | None
    shutter: float
    grain: float
    softness: float
    quality: int
    seed: int


@dataclass(frozen=True)
class World:
    """How hard scenes are to follow.

    Attributes:
        closeness: Factor on the size of target and neighbours.
        unrest: Factor on how fast figures turn, in the picture and out of it, and on how far they bend.
        twins: Share of the neighbours made like the target (drawn: about half of all) that look exactly like it.
        camouflage: How often a drawn target has the background's colours.
        screened: How often something in the foreground hides the target for a while.
    """

    closeness: float = 1.0
    unrest: float = 1.0
    twins: float = 0.5
    camouflage: float = 0.3
    screened: float = 0.45


DRAWN_WORLD = World()
"""That of drawn training videos: full of what trackers confuse, for they learn most from that."""


def make_scene(
    rng: Generator, surfaces: Surfaces, frames: int, most_targets: int = 2, world: World = DRAWN_WORLD
) -> Scene:
    """Return a random scene."""
    size_wh = SIZES[rng.integers(len(SIZES))]
    colors = palette(rng)
    ground, camera = _ground(rng, surfaces, colors), free_camera(rng, frames, size_wh)
    same_look = rng.random() < world.camouflage  # the target has the background's colours
    maker = Maker(surfaces, rng, jitter(rng, colors, 25) if same_look else None)
    base = world.closeness * math.exp(rng.uniform(math.log(0.033), math.log(0.11))) * math.sqrt(size_wh[0] * size_wh[1])
    target = target_actor(rng, maker.figure(), frames, size_wh, base, world.unrest)
    actors = [target]
    targets = [0]
    for _ in range(rng.choice(4, p=(0.4, 0.25, 0.2, 0.15))):
        figure = target.figure if rng.random() < world.twins else maker.figure()
        actors.append(follower(rng, figure, target, size_wh, world.unrest))
    for _ in range(rng.choice(4, p=(0.35, 0.3, 0.2, 0.15))):
        actors.append(follower(rng, Maker(surfaces, rng).figure(), target, size_wh, world.unrest))
    if most_targets > 1 and len(actors) > 1:
        targets.append(1)
    order = rng.permutation(len(actors)).tolist()
    targets = [order.index(number) for number in targets]
    actors = [actors[number] for number in order]
    if rng.random() < world.screened:
        screens = Maker(surfaces, rng, colors if rng.random() < 0.5 else None)
        for _ in range(rng.integers(1, 4)):
            actors.append(screen(rng, screens.screen(), target, camera))
    return film_scene(rng, frames, size_wh, ground, camera, actors, targets)


def film_scene(
    rng: Generator,
    frames: int,
    size_wh: tuple[int, int],
    ground: tuple[Pixels, ...],
    camera: Array,
    actors: list[Actor],
    targets: list[int],
    shaded: float = 0.35,
) -> Scene:
    """Return a scene with random light, lens and camera; ``shaded`` is how often shadows lie on it."""
    gains, gamma = _light(rng, frames)
    return Scene(
        size_wh=size_wh,
        frames=frames,
        ground=ground,
        camera=camera,
        actors=tuple(actors),
        targets=tuple(targets),
        gains=gains,
        gamma=gamma,
        shadow=_shadow(rng) if rng.random() < shaded else None,
        shutter=float(rng.choice([0, 0.25, 0.5, 0.9])),
        grain=float(rng.choice([0, rng.uniform(1, 4), rng.uniform(4, 10)], p=(0.3, 0.5, 0.2))),
        softness=float(rng.choice([0, rng.uniform(0.5, 1.5)], p=(0.7, 0.3))),
        quality=int(rng.integers(70, 95)),
        seed=int(rng.integers(2**31)),
    )


def slowed(scene: Scene, factor: int, frames: int) -> Scene:
    """Return a scene in which everything takes ``factor`` times as long, of ``frames`` frames.

    Training crops are frames some time apart, as in the sets of real videos; frames that a tracker follows come as
    often as a camera's.
    """
    times = np.arange(frames) / factor
    known = np.arange(scene.frames)

    def stretched(values: Array) -> Array:
        flat = values.reshape(len(values), -1)
        columns = [np.interp(times, known, flat[:, column]) for column in range(flat.shape[1])]
        return np.stack(columns, axis=1).reshape(frames, *values.shape[1:])

    actors = []
    for actor in scene.actors:
        moved: dict[str, Any] = {
            name: stretched(getattr(actor, name)) for name in ("x", "y", "scale", "angle", "tilt", "beat")
        }
        wave = actor.wave * np.array([1, 1, 1, 1, 1, 1 / factor])
        actors.append(replace(actor, **moved, wave=wave))
    return replace(
        scene,
        frames=frames,
        camera=stretched(scene.camera),
        actors=tuple(actors),
        gains=stretched(scene.gains),
        gamma=stretched(scene.gamma),
    )


# ----------------------------------------------------------------------------------------------- motion


def drift(rng: Generator, frames: int, step: float, calm: float, columns: int = 1) -> Array:
    """Return smooth random steps, (F, columns), with a spread of ``step``; changes take about ``calm`` frames."""
    pad = math.ceil(3 * calm)
    raw = rng.standard_normal((frames + 2 * pad, columns))
    kernel = np.exp(-0.5 * (np.arange(-pad, pad + 1) / calm) ** 2)
    kernel /= math.sqrt(float((kernel**2).sum()))
    steps = np.stack([np.convolve(raw[:, c], kernel, mode="valid") for c in range(columns)], axis=1)
    return step * steps[:frames]


def fold(values: Array, low: float, high: float) -> Array:
    """Return values reflected at both ends, so that they stay between them."""
    span = max(high - low, 1e-6)
    folded: Array = low + span - np.abs((values - low) % (2 * span) - span)
    return folded


def target_actor(
    rng: Generator, figure: Figure, frames: int, size_wh: tuple[int, int], base: float, unrest: float = 1.0
) -> Actor:
    """Return a target that stays mostly in the picture."""
    width, height = size_wh
    speed = base * rng.choice([0.03, 0.12, 0.3, 0.7], p=(0.2, 0.4, 0.27, 0.13))
    path = np.cumsum(drift(rng, frames, speed, rng.uniform(2, 12), 2), axis=0)
    path += rng.uniform(0, 1, 2) * size_wh
    # Cameras keep what they film away from the rim; some lose it for a while.
    rim = rng.choice([0.02, 0.16, 0.28], p=(0.2, 0.4, 0.4))
    x, y = fold(path[:, 0], rim * width, (1 - rim) * width), fold(path[:, 1], rim * height, (1 - rim) * height)
    growth = np.cumsum(drift(rng, frames, rng.choice([0.004, 0.015, 0.04]), 8)[:, 0])
    scale = base * np.exp(fold(growth, -0.6, 0.6))
    return _actor(rng, figure, x, y, scale, unrest)


def _actor(rng: Generator, figure: Figure, x: Array, y: Array, scale: Array, unrest: float) -> Actor:
    frames = len(x)
    upright = figure.upright
    turn = unrest * rng.choice([0.005, 0.02, 0.08] if upright else [0.01, 0.06, 0.2], p=(0.5, 0.35, 0.15))
    angle = np.cumsum(drift(rng, frames, turn, 6)[:, 0]) + (rng.normal(0, 0.15) if upright else rng.uniform(0, 6.28))
    lean = unrest * rng.choice([0, 0.02, 0.06])
    tilt = fold(np.cumsum(drift(rng, frames, lean, 8, 2), axis=0) + rng.normal(0, 0.25, (1, 2)), -0.95, 0.95)
    beat = np.arange(frames, dtype=np.float64) * rng.uniform(0.05, 0.7) + rng.uniform(0, 6.28)
    count = int(rng.choice([0, 1, 3], p=(0.45, 0.25, 0.3)))
    waves = np.column_stack(
        [
            rng.normal(0, 1.6, (count, 2)),
            unrest * rng.normal(0, 0.07 * (rng.random() + 0.3), (count, 2)),
            rng.uniform(0, 6.28, count),
            rng.normal(0, 0.3, count),
        ]
    )
    return Actor(figure, x, y, scale, angle, tilt, beat, waves, bool(rng.random() < 0.5))


def follower(rng: Generator, figure: Figure, target: Actor, size_wh: tuple[int, int], unrest: float = 1.0) -> Actor:
    """Return an actor that is near the target at some time."""
    frames = len(target.x)
    meet = int(rng.integers(frames))
    speed = float(np.mean(target.scale)) * rng.choice([0.03, 0.12, 0.3])
    path = np.cumsum(drift(rng, frames, speed, rng.uniform(3, 12), 2), axis=0)
    distance = rng.uniform(0.8, 4) * target.scale[meet]
    way = rng.uniform(0, 2 * math.pi)
    path += (target.x[meet], target.y[meet]) - path[meet] + distance * np.array([math.cos(way), math.sin(way)])
    scale = target.scale * math.exp(rng.normal(0, 0.2))
    return _actor(rng, figure, fold(path[:, 0], 0, size_wh[0]), fold(path[:, 1], 0, size_wh[1]), scale, unrest)


def screen(rng: Generator, figure: Figure, target: Actor, camera: Array) -> Actor:
    """Return something in the foreground that the target passes behind; it moves as the camera makes it."""
    frames = len(target.x)
    meet = int(rng.integers(frames))
    ground = np.array([*(np.linalg.inv(camera[meet]) @ (target.x[meet], target.y[meet], 1))])
    places = camera @ ground
    depth = rng.uniform(1.0, 1.6)
    zoom = np.sqrt(np.abs(np.linalg.det(camera[:, :2, :2])))
    drifted = np.cumsum(drift(rng, frames, 0.08 * target.scale[meet], 10, 2), axis=0)
    offset = rng.normal(0, 0.5, 2) * target.scale[meet] - drifted[meet]
    x = target.x[meet] + depth * (places[:, 0] - target.x[meet]) + drifted[:, 0] + offset[0]
    y = target.y[meet] + depth * (places[:, 1] - target.y[meet]) + drifted[:, 1] + offset[1]
    scale = target.scale[meet] * rng.uniform(0.8, 2.5) * zoom / zoom[meet]
    still = np.zeros(frames)
    angle: Array = still + rng.choice([0, math.pi / 2, rng.uniform(0, 6.28)])
    return Actor(figure, x, y, scale, angle, np.zeros((frames, 2)), np.zeros(frames), np.zeros((0, 6)), False)


def free_camera(rng: Generator, frames: int, size_wh: tuple[int, int]) -> Array:
    """Return the maps from a background's painting to the frames."""
    reach = math.sqrt(size_wh[0] * size_wh[1])
    speed = reach * rng.choice([0, 0.004, 0.015, 0.04], p=(0.25, 0.35, 0.28, 0.12))
    path = np.cumsum(drift(rng, frames, speed, rng.uniform(2, 15), 2), axis=0)
    path += drift(rng, frames, reach * rng.choice([0, 0.003, 0.01]), 0.7, 2)
    zoom = np.exp(fold(np.cumsum(drift(rng, frames, rng.choice([0, 0.004, 0.015]), 10)[:, 0]), -0.35, 0.35))
    zoom *= math.exp(rng.uniform(math.log(0.95), math.log(2.4))) * reach / GROUND
    angle = np.cumsum(drift(rng, frames, rng.choice([0, 0.003, 0.01]), 8)[:, 0])
    center = rng.uniform(0.3, 0.7, 2) * GROUND
    maps = np.zeros((frames, 3, 3))
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    maps[:, 0, 0], maps[:, 0, 1], maps[:, 1, 0], maps[:, 1, 1], maps[:, 2, 2] = cos, -sin, sin, cos, 1
    maps[:, :2, 2] = path + np.array(size_wh) / 2 - maps[:, :2, :2] @ center
    return maps


# ------------------------------------------------------------------------------------- background, light


def _ground(rng: Generator, surfaces: Surfaces, colors: Pixels) -> tuple[Pixels, ...]:
    """Return a painted background: a surface or two, with things on it."""
    related = colors if rng.random() < 0.6 else None
    image = surfaces.draw(rng, GROUND, related)
    if rng.random() < 0.35:
        _horizon(rng, image, surfaces)
    if rng.random() < 0.8:
        _clutter(rng, image, surfaces, related)
    return ground_levels(image)


def ground_levels(image: Pixels) -> tuple[Pixels, ...]:
    """Return a background's painting and what it is halved to, as a scene has them; its sides are divisible by 4."""
    levels = [np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2BGRA), dtype=np.uint8)]
    for _ in range(2):
        half = levels[-1].shape[1] // 2, levels[-1].shape[0] // 2
        levels.append(np.asarray(cv2.resize(levels[-1], half, interpolation=cv2.INTER_AREA), dtype=np.uint8))
    return tuple(levels)


def _horizon(rng: Generator, image: Pixels, surfaces: Surfaces) -> None:
    """Lay a floor that runs into the distance over the lower part of a background."""
    floor, line, near = surfaces.draw(rng, 384), GROUND * rng.uniform(0.25, 0.6), rng.uniform(1.5, 5)
    corners = np.array([(0, 0), (384, 0), (384, 384), (0, 384)], np.float32)
    wide = GROUND * near / 2
    middle = GROUND / 2
    ends = np.array([(0, line), (GROUND, line), (middle + wide, GROUND), (middle - wide, GROUND)], np.float32)
    drawn = cv2.warpPerspective(floor, cv2.getPerspectiveTransform(corners, ends), (GROUND, GROUND))
    image[int(line) :] = drawn[int(line) :]


def _clutter(rng: Generator, image: Pixels, surfaces: Surfaces, colors: Pixels | None) -> None:
    """Put flat things of many sizes onto a background."""
    sheets = [surfaces.draw(rng, 256, colors if rng.random() < 0.6 else None) for _ in range(4)]
    count = int(math.exp(rng.uniform(math.log(5), math.log(90))))
    typical = rng.uniform(0.02, 0.12)
    for _ in range(count):
        size = int(np.clip(GROUND * typical * math.exp(rng.normal(0, 0.6)), 8, 256))
        outline: Points = (blob(rng), polygon(rng), rounded(rng.uniform(0.2, 1), 0.9, 8))[rng.integers(3)]
        mask = np.zeros((size, size), np.uint8)
        fill(mask, outline * (size / 2 - 1), 255)
        sheet = sheets[rng.integers(4)]
        u, v = rng.integers(0, 257 - size, 2)
        x, y = rng.integers(0, GROUND - size, 2)
        piece = cv2.convertScaleAbs(sheet[v : v + size, u : u + size], alpha=rng.uniform(0.5, 1.4))
        cv2.copyTo(piece, mask, image[y : y + size, x : x + size])


def _light(rng: Generator, frames: int) -> tuple[Array, Array]:
    """Return gains and exponents of the frames' light."""
    level = np.cumsum(drift(rng, frames, rng.choice([0, 0.01, 0.05], p=(0.4, 0.4, 0.2)), 4)[:, 0])
    level = fold(level + rng.normal(0, 0.15), -0.7, 0.4)
    tint = rng.normal(0, 0.07, 3) + np.cumsum(drift(rng, frames, rng.choice([0, 0.004]), 6, 3), axis=0)
    gamma = np.exp(rng.normal(-0.1, 0.2)) * np.ones(frames)
    return np.exp(level[:, None] + fold(tint, -0.2, 0.2)), gamma


def _shadow(rng: Generator) -> Pixels:
    """Return a patchwork of light and shade."""
    grid = rng.uniform(0.35, 1.35, (7, 7)).astype(np.float32)
    light = cv2.GaussianBlur(cv2.resize(grid, (128, 128), interpolation=rng.choice([0, 1])), (0, 0), rng.uniform(1, 8))
    return np.asarray(np.repeat(np.clip(light * 128, 0, 255).astype(np.uint8)[..., None], 3, axis=2))
