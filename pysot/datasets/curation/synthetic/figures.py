"""Things to follow: parts with an outline and a surface, rigid or moving against each other."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pysot.datasets.curation.synthetic.textures import Pixels, Surfaces

Points = NDArray[np.float64]

SIDE = 224
"""Width and height of a part's canvas, pixels; its origin is the middle."""
REACH = 0.45 * SIDE
"""Distance on the canvas that is 1 in a part's outline."""
LEVELS = 4
"""A part is kept at its own size and halved this often less one, so that drawing it small stays smooth."""
_SHIFT = 4  # fractional bits of OpenCV's drawing coordinates


@dataclass(frozen=True, eq=False)
class Part:
    """A rigid piece of a figure.

    Attributes:
        levels: (S, S, 4) uint8 BGRA, colours already multiplied by the opacity; each half as large as the one before.
        outline: (N, 2) on the largest canvas, pixels from its middle.
        place: (2, 3) from there to the figure's own units, at rest.
        pivot: (2,) what it swings around, figure's units.
        swing: Radians to each side.
        lag: Where in the figure's beat it is, radians.
        spin: Turns per beat, for wheels.
        parent: The part that carries it along; -1 if none does.
    """

    levels: tuple[Pixels, ...]
    outline: Points
    place: Points
    pivot: Points
    swing: float = 0.0
    lag: float = 0.0
    spin: float = 0.0
    parent: int = -1


@dataclass(frozen=True, eq=False)
class Figure:
    """Parts from back to front, in units in which the whole has a radius of about 1.

    Attributes:
        kind: What it is, for categories.
        parts: Its parts.
        upright: Turns and leans little, as what stands on the ground.
        in_ground: The background's painting shows it already; its parts only say where.
        exact: The parts' opacity is what it covers, not only about where it is.
    """

    kind: str
    parts: tuple[Part, ...]
    upright: bool = False
    in_ground: bool = False
    exact: bool = True

    def poses(self, beat: float) -> list[Points]:
        """Return for each part the (3, 3) map from its canvas to the figure's units."""
        carried: list[Points] = []
        poses = []
        for part in self.parts:
            turn = part.swing * math.sin(beat + part.lag) + part.spin * beat
            motion = _about(part.pivot, turn)
            if part.parent >= 0:
                motion = carried[part.parent] @ motion
            carried.append(motion)
            poses.append(motion @ np.vstack([part.place, (0, 0, 1)]))
        return poses


def _about(pivot: Points, angle: float) -> Points:
    cos, sin = math.cos(angle), math.sin(angle)
    x, y = pivot.tolist()
    return np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y], [0, 0, 1]])


# ----------------------------------------------------------------------------------------------- outlines


def ellipse(width: float, height: float) -> Points:
    """Return the outline of an ellipse with these half axes."""
    turn = np.linspace(0, 2 * math.pi, 64, endpoint=False)
    return np.stack([width * np.cos(turn), height * np.sin(turn)], axis=1)


def rounded(width: float, height: float, power: float) -> Points:
    """Return the outline of a rectangle with round corners (a superellipse)."""
    turn = np.linspace(0, 2 * math.pi, 96, endpoint=False)
    cos, sin = np.cos(turn), np.sin(turn)
    grow = (np.abs(cos) ** power + np.abs(sin) ** power) ** (-1 / power)
    return np.stack([width * grow * cos, height * grow * sin], axis=1)


def blob(rng: Generator) -> Points:
    """Return a smooth random outline."""
    turn = np.linspace(0, 2 * math.pi, 128, endpoint=False)
    radius = np.ones_like(turn)
    for wave in range(2, 7):
        radius += rng.normal(0, 0.42 / wave) * np.cos(wave * turn + rng.uniform(0, 2 * math.pi))
    radius = np.maximum(radius, 0.25)
    return _fitted(np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1), rng)


def polygon(rng: Generator) -> Points:
    """Return an outline with corners, sharp or cut off."""
    count = int(rng.integers(3, 9))
    turn = np.sort(np.linspace(0, 2 * math.pi, count, endpoint=False) + rng.normal(0, 0.7 / count, count))
    radius = rng.uniform(rng.uniform(0.3, 0.95), 1, count)
    points = np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)
    for _ in range(rng.integers(0, 3)):
        after = np.roll(points, -1, axis=0)
        points = np.stack([0.8 * points + 0.2 * after, 0.2 * points + 0.8 * after], axis=1).reshape(-1, 2)
    return _fitted(points, rng)


def star(rng: Generator) -> Points:
    """Return a star or a gear."""
    count = int(rng.integers(4, 12))
    turn = np.linspace(0, 2 * math.pi, 16 * count, endpoint=False)
    wave = np.tanh(rng.uniform(0.5, 4) * np.cos(count * turn))
    radius = 1 + rng.uniform(0.08, 0.4) * wave
    return _fitted(np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1), rng)


def _fitted(points: Points, rng: Generator) -> Points:
    """Return an outline, stretched a little and turned, that just fits into the unit circle."""
    points = points * (1, rng.uniform(0.4, 1.0))
    angle = rng.uniform(0, 2 * math.pi)
    points = points @ np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    points = points - (points.min(axis=0) + points.max(axis=0)) / 2
    fitted: Points = points / np.hypot(*points.T).max()
    return fitted


# -------------------------------------------------------------------------------------------------- parts


class Maker:
    """Makes figures whose parts have surfaces of one family of colours.

    Args:
        surfaces: Where surfaces come from.
        rng: Decides everything.
        colors: (N, 3) BGR to take colours from; None for random ones.
    """

    def __init__(self, surfaces: Surfaces, rng: Generator, colors: Pixels | None = None) -> None:
        self._surfaces, self._rng, self._colors = surfaces, rng, colors
        self._light = rng.uniform(0, 2 * math.pi)

    def figure(self) -> Figure:
        """Return a figure of a random kind."""
        kinds = tuple(_KINDS)
        kind = kinds[self._rng.integers(len(kinds))]
        return Figure(kind, tuple(_KINDS[kind](self)), kind in _UPRIGHT)

    def screen(self) -> Figure:
        """Return something to hide behind: a post, a bar or a bush."""
        rng = self._rng
        outline = blob(rng) if rng.random() < 0.4 else rounded(rng.uniform(0.12, 0.4), 1.0, 8)
        return Figure("screen", (self.part(outline),))

    def part(
        self,
        outline: Points,
        center: tuple[float, float] = (0, 0),
        angle: float = 0.0,
        scale: float = 1.0,
        pivot: tuple[float, float] = (0, 0),
        swing: float = 0.0,
        lag: float = 0.0,
        spin: float = 0.0,
        parent: int = -1,
    ) -> Part:
        """Return a part; its outline fits the unit circle and lies scaled, turned and moved in the figure."""
        cos, sin = math.cos(angle) * scale / REACH, math.sin(angle) * scale / REACH
        place = np.array([[cos, -sin, center[0]], [sin, cos, center[1]]])
        levels = self._canvas(outline * REACH)
        return Part(levels, outline * REACH, place, np.array(pivot, float), swing, lag, spin, parent)

    def _canvas(self, outline: Points) -> tuple[Pixels, ...]:
        rng = self._rng
        color = self._surfaces.draw(rng, SIDE, self._colors)
        for _ in range(rng.choice([0, 1, 2, 4], p=(0.4, 0.25, 0.2, 0.15))):
            self._mark(color)
        alpha = np.zeros((SIDE, SIDE), np.uint8)
        fill(alpha, outline, 255)
        return canvas_levels(self._shade(color, alpha), alpha)

    def _mark(self, color: Pixels) -> None:
        """Draw a window, an eye, a badge or the like onto a surface."""
        rng = self._rng
        size = rng.uniform(0.08, 0.4)
        shape = (ellipse(1, 1), rounded(1, rng.uniform(0.3, 1), 6), polygon(rng), blob(rng))[rng.integers(4)]
        mask = np.zeros((SIDE, SIDE), np.uint8)
        fill(mask, shape * size * REACH + rng.normal(0, 0.4, 2) * REACH, 255)
        if rng.random() < 0.6:
            color[mask > 0] = rng.integers(0, 256, 3)
        else:
            cv2.copyTo(self._surfaces.draw(rng, SIDE), mask, color)

    def _shade(self, color: Pixels, alpha: Pixels) -> Pixels:
        """Return a surface as if it were rounded and lit from one side; some are flat or have a dark rim."""
        rng = self._rng
        depth = np.minimum(cv2.distanceTransform(alpha, cv2.DIST_L2, 3), REACH * rng.uniform(0.15, 0.9))
        depth = cv2.GaussianBlur(depth, (0, 0), SIDE / 40)
        slope = cv2.Sobel(depth, cv2.CV_32F, 1, 0) * math.cos(self._light)
        slope = slope + cv2.Sobel(depth, cv2.CV_32F, 0, 1) * math.sin(self._light)
        light = slope * np.float32(rng.choice([0, rng.uniform(2, 14)], p=(0.25, 0.75)))
        if rng.random() < 0.3:
            light -= (depth < REACH * 0.08) * np.float32(rng.uniform(20, 90))
        return np.asarray(cv2.add(color, cv2.cvtColor(light, cv2.COLOR_GRAY2BGR), dtype=cv2.CV_8U), dtype=np.uint8)


def canvas_levels(color: Pixels, alpha: Pixels) -> tuple[Pixels, ...]:
    """Return a part's canvas and what it is halved to, from colours (SIDE, SIDE, 3) and opacity (SIDE, SIDE)."""
    color = np.asarray(cv2.multiply(color, cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR), scale=1 / 255), dtype=np.uint8)
    levels = [np.dstack([color, alpha])]
    for _ in range(LEVELS - 1):
        half = levels[-1].shape[0] // 2
        levels.append(np.asarray(cv2.resize(levels[-1], (half, half), interpolation=cv2.INTER_AREA), np.uint8))
    return tuple(levels)


def fill(image: Pixels, outline: Points, value: int) -> None:
    """Fill an outline, in pixels from the image's middle, with smooth edges."""
    points = np.round((outline + image.shape[0] / 2 - 0.5) * 2**_SHIFT).astype(np.int32)
    cv2.fillPoly(image, [points], value, cv2.LINE_AA, _SHIFT)


def _simple(maker: Maker, rng: Generator) -> Points:
    """Return the outline of one thing."""
    kind = rng.integers(4)
    if kind == 0:
        return blob(rng)
    if kind == 1:
        return polygon(rng)
    width = rng.uniform(0.4, 0.9)
    outline = rounded(width, math.sqrt(1 - width**2), rng.choice([3, 8, 20]))
    return outline if kind == 2 else ellipse(1, rng.uniform(0.5, 1))


def _blob(maker: Maker) -> list[Part]:
    return [maker.part(blob(maker._rng))]


def _plate(maker: Maker) -> list[Part]:
    return [maker.part(polygon(maker._rng))]


def _card(maker: Maker) -> list[Part]:
    rng = maker._rng
    width = rng.uniform(0.3, 0.95)
    return [maker.part(rounded(width, math.sqrt(1 - width**2), rng.choice([3, 8, 20])))]


def _ball(maker: Maker) -> list[Part]:
    return [maker.part(ellipse(1, maker._rng.choice([1, 0.7])))]


def _star(maker: Maker) -> list[Part]:
    return [maker.part(star(maker._rng))]


def _heap(maker: Maker) -> list[Part]:
    """Return several things that stay together."""
    rng = maker._rng
    parts = []
    for _ in range(rng.integers(2, 5)):
        x, y = rng.normal(0, 0.38, 2).tolist()
        parts.append(maker.part(_simple(maker, rng), (x, y), rng.uniform(0, 6.28), rng.uniform(0.3, 0.7)))
    return parts


def _walker(maker: Maker) -> list[Part]:
    """Return something like a person: legs, arms, torso, head."""
    rng = maker._rng
    limb = rounded(rng.uniform(0.2, 0.36), 0.9, 3)
    stride, reach = rng.uniform(0.2, 0.6), rng.uniform(0.2, 0.9)
    width = rng.uniform(0.3, 0.5)
    hip, shoulder = (0.0, 0.15), (0.0, -0.42)
    legs = [
        maker.part(limb, (side * 0.12, 0.56), scale=0.45, pivot=(side * 0.1, hip[1]), swing=stride, lag=lag)
        for side, lag in ((-1, 0.0), (1, math.pi))
    ]
    arms = [
        maker.part(limb, (side * width * 0.65, -0.12), -side * 0.2, 0.36, (side * width * 0.5, shoulder[1]), reach, lag)
        for side, lag in ((-1, math.pi), (1, 0.0))
    ]
    torso = maker.part(rounded(width * 1.4, 0.9, rng.choice([3, 5])), (0, -0.14), scale=0.44)
    head = maker.part(ellipse(0.8, 1), (0, -0.76), scale=rng.uniform(0.18, 0.26), pivot=(0, -0.5), swing=0.1)
    return [arms[0], *legs, torso, head, arms[1]]


def _beast(maker: Maker) -> list[Part]:
    """Return something like a four-legged animal from the side."""
    rng = maker._rng
    limb = rounded(rng.uniform(0.15, 0.3), 0.9, 3)
    stride = rng.uniform(0.2, 0.6)
    legs = [
        maker.part(limb, (x, 0.42), scale=0.36, pivot=(x, 0.12), swing=stride, lag=lag)
        for x, lag in ((-0.5, 0.0), (0.42, math.pi), (-0.42, math.pi), (0.5, 0.5))
    ]
    trunk = maker.part(rounded(0.95, rng.uniform(0.35, 0.55), 3), (0, 0), scale=0.68)
    head = maker.part(blob(rng), (0.78, -0.28), scale=rng.uniform(0.2, 0.34), pivot=(0.55, -0.1), swing=0.25)
    tail = maker.part(rounded(0.9, 0.2, 3), (-0.8, -0.1), scale=0.3, pivot=(-0.6, -0.05), swing=0.6, lag=1.0)
    return [*legs[:2], tail, trunk, head, *legs[2:]]


def _chain(maker: Maker) -> list[Part]:
    """Return links one behind the other, as a snake or a train."""
    rng = maker._rng
    count = int(rng.integers(3, 6))
    length = 2.0 / count
    swing, lag = rng.uniform(0.1, 0.45), rng.uniform(0.4, 1.4)
    link = rounded(1, rng.uniform(0.3, 0.7), rng.choice([2, 4, 8])) * 0.9
    parts = []
    for index in range(count):
        x = -1 + (index + 0.5) * length
        joint = (x - length / 2, 0.0)
        parts.append(maker.part(link, (x, 0), 0, 0.62 * length, joint, swing, index * lag, parent=index - 1))
    return parts


def _wagon(maker: Maker) -> list[Part]:
    """Return a body with a cabin and wheels."""
    rng = maker._rng
    body = maker.part(rounded(0.95, rng.uniform(0.25, 0.4), 6), (0, 0.1))
    cabin = maker.part(
        rounded(0.8, rng.uniform(0.4, 0.6), 5), (rng.uniform(-0.3, 0.3), -0.25), scale=rng.uniform(0.4, 0.6)
    )
    size = rng.uniform(0.16, 0.28)
    wheels = []
    for x in np.linspace(-0.62, 0.62, int(rng.integers(2, 4))).tolist():
        wheels.append(maker.part(ellipse(1, 1), (x, 0.4), scale=size, pivot=(x, 0.4), spin=1.0))
    return [cabin, body, *wheels]


_UPRIGHT = ("walker", "beast", "wagon")
_KINDS: dict[str, Callable[[Maker], list[Part]]] = {
    "blob": _blob,
    "plate": _plate,
    "card": _card,
    "ball": _ball,
    "star": _star,
    "heap": _heap,
    "walker": _walker,
    "beast": _beast,
    "chain": _chain,
    "wagon": _wagon,
}
