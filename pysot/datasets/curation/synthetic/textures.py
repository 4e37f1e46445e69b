"""Surfaces: patterns of many kinds in random colours, or pieces of photographs."""

from __future__ import annotations

import math
import string
from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Field = NDArray[np.float32]

_TILE = 1024
_OCTAVES = 9
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)


class Surfaces:
    """Draws textures, from patterns and where there are any from photographs.

    Args:
        pick: Gives one of the photographs, (H, W, 3), to cut a texture from; None where there are none.
    """

    def __init__(self, pick: Callable[[Generator], Pixels] | None = None) -> None:
        self.pick = pick

    def draw(self, rng: Generator, side: int, colors: Pixels | None = None) -> Pixels:
        """Return a texture.

        Args:
            rng: Decides everything.
            side: Pixels.
            colors: (N, 3) BGR to take the colours from; None for random ones.

        Returns:
            (side, side, 3) uint8.
        """
        if self.pick is not None and rng.random() < 0.6:
            return _piece(rng, self.pick(rng), side)
        image = _paint(rng, side, palette(rng) if colors is None else colors)
        for _ in range(rng.choice(3, p=(0.45, 0.4, 0.15))):
            over = _paint(rng, side, palette(rng) if colors is None else colors)
            mask = np.where(_layout(rng, side) > rng.uniform(0.45, 0.75), np.uint8(255), np.uint8(0))
            cv2.copyTo(over, mask, image)
        return roughen(image, rng)


def palette(rng: Generator) -> Pixels:
    """Return (N, 3) colours BGR that go together: of one hue, of two, or of any."""
    count = int(rng.integers(2, 6))
    spread = rng.choice([6, 20, 90], p=(0.35, 0.35, 0.3))
    hue = (rng.uniform(0, 180) + rng.normal(0, spread, count)) % 180
    saturation = np.clip(rng.beta(1.3, 1.8) * 255 + rng.normal(0, 35, count), 0, 255)
    value = np.clip(rng.uniform(60, 225) + rng.normal(0, rng.uniform(10, 75), count), 5, 255)
    colors = np.stack([hue, saturation, value], axis=1).astype(np.uint8)
    return np.asarray(cv2.cvtColor(colors[None], cv2.COLOR_HSV2BGR)[0], dtype=np.uint8)


def jitter(rng: Generator, colors: Pixels, amount: float) -> Pixels:
    """Return colours near these, ``amount`` grey levels away."""
    return np.clip(colors + rng.normal(0, amount, colors.shape), 0, 255).astype(np.uint8)


def noise(rng: Generator, side: int, cell: float, octaves: int = 4, stretch: float = 1.0) -> Field:
    """Return smooth noise, (side, side), of mean 0 and about unit spread.

    Args:
        rng: Chooses where the noise is taken from.
        side: Pixels.
        cell: Size of the largest blotches, pixels.
        octaves: Of finer ones; each has half the size and 0.6 of the weight.
        stretch: Width of a blotch over its height.
    """
    width = max(int(side / stretch), 4)
    total = np.zeros((side, width), np.float32)
    weight, squares = 1.0, 0.0
    top = min(max(round(math.log2(max(cell, 1))), 0), _OCTAVES - 1)
    for octave in range(top, max(top - octaves, -1), -1):
        y, x = rng.integers(0, _TILE - side + 1), rng.integers(0, _TILE - width + 1)
        part = np.ascontiguousarray(_tiles()[octave][y : y + side, x : x + width][:: 1 if x % 2 else -1])
        cv2.scaleAdd(part, weight, total, total)
        squares += weight**2
        weight *= 0.6
    total /= np.float32(math.sqrt(squares))
    if width != side:
        total = np.asarray(cv2.resize(total, (side, side), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    return total.T.copy() if rng.random() < 0.5 else total


@lru_cache(maxsize=1)
def _tiles() -> tuple[Field, ...]:
    """Return the noise all noise is cut from: one tile per octave, blotches of 1, 2, 4, ... pixels."""
    rng = np.random.Generator(np.random.PCG64(20))
    tiles = []
    for octave in range(_OCTAVES):
        cells = max(_TILE // 2**octave, 2) + 2
        grid = rng.standard_normal((cells, cells), dtype=np.float32)
        tile = cv2.resize(grid, (_TILE, _TILE), interpolation=cv2.INTER_CUBIC)
        tiles.append(np.asarray((tile - tile.mean()) / tile.std(), dtype=np.float32))
    return tuple(tiles)


def roughen(image: Pixels, rng: Generator) -> Pixels:
    """Return the image with large blotches of light and fine grain, as no surface is even."""
    side = image.shape[0]
    grain = noise(rng, side, side / 3, 2) * np.float32(rng.uniform(4, 26))
    fine = noise(rng, side, 2, 2) * np.float32(rng.uniform(1, 12))
    light = cv2.cvtColor(grain + fine, cv2.COLOR_GRAY2BGR)
    return np.asarray(cv2.add(image, light, dtype=cv2.CV_8U), dtype=np.uint8)


def _piece(rng: Generator, photo: Pixels, side: int) -> Pixels:
    """Return a part of a photograph, turned to any of its sides."""
    height, width = photo.shape[:2]
    span = int(min(height, width) * rng.uniform(0.35, 1.0))
    y, x = rng.integers(0, height - span + 1), rng.integers(0, width - span + 1)
    part = cv2.resize(photo[y : y + span, x : x + span], (side, side), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(np.rot90(part[:, :: int(rng.choice([-1, 1]))], int(rng.integers(4))))


# ----------------------------------------------------------------------------------------------- patterns


def _paint(rng: Generator, side: int, colors: Pixels) -> Pixels:
    """Return a pattern in colours."""
    pattern = _PATTERNS[rng.integers(len(_PATTERNS))]
    levels = (np.clip(pattern(rng, side), 0, 1) * 255).astype(np.uint8)
    colors = colors[rng.permutation(len(colors))]
    places = np.linspace(0, len(colors) - 1, 256)
    if rng.random() < 0.4:
        places = np.round(places)
    table = np.stack([np.interp(places, range(len(colors)), colors[:, c]) for c in range(3)], axis=1)
    return np.asarray(cv2.applyColorMap(levels, table.astype(np.uint8)[:, None]), dtype=np.uint8)


def _layout(rng: Generator, side: int) -> Field:
    """Return where a second pattern lies over a first one, 0..1."""
    pattern = (_clouds, _stripes, _cells, _spots, _slope)[rng.integers(5)]
    return pattern(rng, side)


def _axes(rng: Generator, side: int, period: float) -> tuple[Field, Field]:
    """Return two crossing coordinates in periods, turned at random and bent a little."""
    angle = rng.choice([0, math.pi / 2, rng.uniform(0, math.pi)])
    y, x = np.mgrid[:side, :side].astype(np.float32)
    cos, sin = math.cos(angle) / period, math.sin(angle) / period
    u, v = x * np.float32(cos) + y * np.float32(sin), y * np.float32(cos) - x * np.float32(sin)
    if rng.random() < 0.6:
        bend = noise(rng, side, side / 3, 2) * np.float32(rng.uniform(0.05, 0.6))
        u, v = u + bend, v - bend
    return u, v


def _period(rng: Generator, side: int) -> float:
    return float(side / math.exp(rng.uniform(math.log(2.5), math.log(24))))


def _clouds(rng: Generator, side: int) -> Field:
    cell = math.exp(rng.uniform(math.log(4), math.log(side / 2)))
    stretch = float(rng.choice([1, 1, 3, 8]))
    return noise(rng, side, cell, int(rng.integers(1, 6)), stretch) * np.float32(0.25) + np.float32(0.5)


def _ridges(rng: Generator, side: int) -> Field:
    return np.abs(noise(rng, side, _period(rng, side), int(rng.integers(1, 4)))) * np.float32(0.6)


def _stripes(rng: Generator, side: int) -> Field:
    u, _ = _axes(rng, side, _period(rng, side))
    hardness = np.float32(rng.choice([0.5, 1.5, 6]))
    return np.sin(u * np.float32(2 * math.pi)) * hardness + np.float32(0.5)


def _checks(rng: Generator, side: int) -> Field:
    u, v = _axes(rng, side, _period(rng, side))
    return (np.floor(u) + np.floor(v * np.float32(rng.choice([1, 1, 0.5])))) % 2


def _plaid(rng: Generator, side: int) -> Field:
    u, v = _axes(rng, side, _period(rng, side))
    return ((u % 1 < rng.uniform(0.2, 0.6)) + np.float32(0.6) * (v % 1 < rng.uniform(0.2, 0.6))) / np.float32(1.6)


def _bricks(rng: Generator, side: int) -> Field:
    u, v = _axes(rng, side, _period(rng, side) * 1.4)
    row = np.floor(v * 2)
    column = u + np.float32(0.5) * (row % 2)
    tone = np.sin(np.floor(column) * np.float32(12.99) + row * np.float32(78.2)) * np.float32(0.25) + np.float32(0.6)
    return np.where(((v * 2) % 1 < 0.12) | (column % 1 < 0.06), np.float32(0), tone)


def _rings(rng: Generator, side: int) -> Field:
    y, x = np.mgrid[:side, :side].astype(np.float32)
    cx, cy = rng.uniform(-0.3, 1.3, 2) * side
    radius = np.hypot(x - np.float32(cx), (y - np.float32(cy)) * np.float32(rng.uniform(0.4, 1)))
    radius += noise(rng, side, side / 4, 3) * np.float32(side * rng.uniform(0, 0.06))
    return np.sin(radius * np.float32(2 * math.pi / _period(rng, side))) * np.float32(rng.choice([0.5, 3])) + 0.5


def _slope(rng: Generator, side: int) -> Field:
    u, v = _axes(rng, side, side * rng.uniform(0.8, 2))
    return np.hypot(u, v) if rng.random() < 0.4 else np.abs(u % 2 - 1)


def _cells(rng: Generator, side: int) -> Field:
    """Return Voronoi's cells, each of its own tone or darker towards its rim."""
    count = int(math.exp(rng.uniform(math.log(6), math.log(300))))
    seeds = np.full((side, side), 255, np.uint8)
    seeds[tuple(rng.integers(0, side, (2, count)))] = 0
    distance, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    tones = rng.random(count + 1, dtype=np.float32)[np.minimum(labels, count)]
    rim = distance * np.float32(math.sqrt(count) / side)
    return np.asarray((tones, 1 - rim, tones * (1 - np.float32(0.8) * rim))[rng.integers(3)], dtype=np.float32)


def _spots(rng: Generator, side: int) -> Field:
    image = np.zeros((side, side), np.uint8)
    period = _period(rng, side) * 1.2
    radius, shake = period * rng.uniform(0.15, 0.48), period * rng.choice([0, 0.3])
    places = np.stack(np.meshgrid(*[np.arange(0, side + period, period)] * 2), axis=-1).reshape(-1, 2)
    places[::2] += shake
    places += rng.normal(0, 1, places.shape) * shake
    for x, y in places.tolist():
        size = radius * (1 + 0.2 * shake * (x % 3 - 1) / period)
        cv2.circle(image, (int(16 * x), int(16 * y)), int(16 * size), 255, -1, cv2.LINE_AA, 4)
    return image.astype(np.float32) / np.float32(255)


def _writing(rng: Generator, side: int) -> Field:
    """Return rows of letters and digits."""
    image = np.zeros((side, side), np.uint8)
    letters = np.array(list(string.ascii_letters + string.digits + "#&@%+="))
    height = side * math.exp(rng.uniform(math.log(0.06), math.log(0.5)))
    font = int(rng.choice(_FONTS))
    for y in np.arange(height, side + height, height * rng.uniform(1.1, 1.7)):
        text = "".join(rng.choice(letters, max(int(2.5 * side / height), 2)))
        place = (int(rng.uniform(-0.3, 0.1) * side), int(y))
        cv2.putText(image, text, place, font, height / 30, 255, max(int(height / 10), 1), cv2.LINE_AA)
    return np.ascontiguousarray(np.rot90(image, int(rng.choice([0, 0, 1, 3])))).astype(np.float32) / np.float32(255)


def _strokes(rng: Generator, side: int) -> Field:
    image = np.full((side, side), 128, np.uint8)
    count = int(rng.integers(15, 120))
    angle, spread = rng.uniform(0, math.pi), rng.choice([0.15, 3])
    start = rng.uniform(0, side, (count, 2))
    turn = angle + rng.normal(0, spread, count)
    length = side * rng.uniform(0.05, 0.5) * rng.random((count, 1))
    end = start + length * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    for (x1, y1), (x2, y2), tone, width in zip(
        start.tolist(), end.tolist(), rng.integers(0, 256, count).tolist(), rng.integers(1, 6, count), strict=True
    ):
        cv2.line(image, (int(x1), int(y1)), (int(x2), int(y2)), tone, int(width), cv2.LINE_AA)
    return image.astype(np.float32) / np.float32(255)


_PATTERNS: tuple[Callable[[Generator, int], Field], ...] = (
    _clouds,
    _clouds,
    _ridges,
    _stripes,
    _checks,
    _plaid,
    _bricks,
    _rings,
    _slope,
    _cells,
    _spots,
    _writing,
    _strokes,
)
