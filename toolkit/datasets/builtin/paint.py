"""What the built-in benchmark's pictures are made of: painted backgrounds, and sprites with their outlines.

Everything comes from numbered random streams of PCG64, whose bits NumPy keeps the same over versions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Color = tuple[float, float, float]

SIDE = 128
"""Width and height of a sprite's canvas; its origin is the middle."""
LEVELS = 3
"""A sprite is kept at its own size and halved this often less one, so that drawing it small stays smooth."""

SHADOW = 0.45
"""How dark the shadow is at the outline."""

_SHIFT = 4  # fractional bits of OpenCV's drawing coordinates


def uniform(seed: int, *shape: int) -> Image:
    """Return numbers in [0, 1) of a random stream."""
    bits = np.random.PCG64(seed).random_raw(math.prod(shape))
    return ((bits >> np.uint64(40)).astype(np.float32) / np.float32(2**24)).reshape(shape)


def noise(seed: int, width: int, height: int, cell: float, octaves: int = 4, stretch: float = 1.0) -> Image:
    """Return smooth noise (height, width) in 0..1, its largest blotches ``cell`` pixels high, ``stretch`` x as wide."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        size = cell / 2**octave
        columns, rows = math.ceil(width / (size * stretch)) + 2, math.ceil(height / size) + 2
        grid = uniform(1000 * seed + octave, rows, columns)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    low, high = total.min(), total.max()
    return np.asarray((total - low) / (high - low), dtype=np.float32)


def blend(dark: Color, light: Color, share: Image) -> Image:
    """Return the mixture (H, W, 3) of two colours BGR, 0..255."""
    low, high = _color(dark), _color(light)
    return low + share[..., None] * (high - low)


def _color(color: Color) -> Image:
    return np.array(color, dtype=np.float32)


def _pixels(image: Image) -> Pixels:
    """Return the image in bytes: only on them does OpenCV draw smooth edges."""
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def _points(points: Any) -> NDArray[np.int32]:
    return np.round(np.asarray(points, dtype=np.float64) * 2**_SHIFT).astype(np.int32)


def _fill(image: Pixels, points: Any, color: Any) -> None:
    cv2.fillPoly(image, [_points(points)], color, cv2.LINE_AA, _SHIFT)


def _line(image: Pixels, points: Any, color: Any, thickness: int) -> None:
    cv2.polylines(image, [_points(points)], False, color, thickness, cv2.LINE_AA, _SHIFT)


def _ellipse(
    x: float, y: float, a: float, b: float, angle: float = 0.0, arc: tuple[float, float] = (0.0, 360.0)
) -> NDArray[np.float64]:
    """Return points on an ellipse, or on an arc of it; angles in degrees."""
    turn = np.radians(np.linspace(*arc, 60))
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    u, v = a * np.cos(turn), b * np.sin(turn)
    return np.stack([x + u * cos - v * sin, y + u * sin + v * cos], axis=1)


def _rounded(x: float, y: float, half_w: float, half_h: float, power: float = 6.0) -> NDArray[np.float64]:
    """Return points on a rectangle with round corners (a superellipse)."""
    turn = np.linspace(0, 2 * np.pi, 90)
    cos, sin = np.cos(turn), np.sin(turn)
    grow = (np.abs(cos) ** power + np.abs(sin) ** power) ** (-1 / power)
    return np.stack([x + half_w * grow * cos, y + half_h * grow * sin], axis=1)


# ---------------------------------------------------------------------------------------------- backgrounds


def meadow(seed: int, width: int, height: int) -> Image:
    """Paint grass with blades and a few daisies."""
    image = _pixels(blend((28, 70, 52), (62, 138, 112), noise(seed, width, height, 90)))
    draws = uniform(seed + 1, width * height // 60, 5)
    for x, y, lean, length, shade in draws.tolist():
        tip = (x * width + 10 * (lean - 0.5), y * height - 4 - 9 * length)
        tone = (30 + 40 * shade, 80 + 90 * shade, 58 + 70 * shade)
        _line(image, [(x * width, y * height), tip], tone, 1)
    for x, y, size in uniform(seed + 2, width * height // 6000, 3).tolist():
        _fill(image, _ellipse(x * width, y * height, 2 + 1.5 * size, 2 + 1.5 * size), (225, 232, 235))
        _fill(image, _ellipse(x * width, y * height, 1, 1), (40, 180, 220))
    return image.astype(np.float32)


def road(seed: int, width: int, height: int) -> Image:
    """Paint asphalt from above, with lane marks, patches and cracks."""
    ground = blend((82, 80, 78), (122, 120, 118), noise(seed, width, height, 120))
    image = _pixels(ground + 26 * (noise(seed + 1, width, height, 3, 2)[..., None] - 0.5))
    for x, y, w, h, shade in uniform(seed + 2, 9, 5).tolist():
        patch = _rounded(x * width, y * height, 18 + 30 * w, 12 + 22 * h, 8)
        _fill(image, patch, tuple(70 + 22 * shade for _ in range(3)))
    for start in range(8):
        steps = 9 * (uniform(seed + 10 + start, 14, 2) - 0.5) + 12 * (uniform(seed + 20 + start, 2) - 0.5)
        crack = np.cumsum(np.vstack([uniform(seed + 30 + start, 2) * [width, height], steps]), axis=0)
        _line(image, crack, (58, 57, 56), 1)
    for y in (height * 0.22, height * 0.78):
        _fill(image, [(0, y - 2.5), (width, y - 2.5), (width, y + 2.5), (0, y + 2.5)], (196, 204, 206))
    for x in range(0, width, 64):
        mid = height / 2
        _fill(image, [(x, mid - 2.5), (x + 34, mid - 2.5), (x + 34, mid + 2.5), (x, mid + 2.5)], (190, 198, 200))
    return image + 14 * (noise(seed + 3, width, height, 2, 1)[..., None] - 0.5)


def bricks(seed: int, width: int, height: int) -> Image:
    """Paint a brick wall."""
    image = _pixels(blend((140, 150, 156), (172, 182, 188), noise(seed, width, height, 4, 2)))
    tones = uniform(seed + 1, height // 16 + 2, width // 36 + 3, 2)
    for row in range(tones.shape[0]):
        for column in range(tones.shape[1]):
            x, y = 36 * column - 18 * (row % 2), 16 * row
            tone, tint = tones[row, column].tolist()
            color = (44 + 34 * tone, 66 + 40 * tone + 12 * tint, 130 + 54 * tone)
            _fill(image, _rounded(x, y + 8, 16.6, 6.8, 14), color)
    return image * (0.78 + 0.4 * noise(seed + 2, width, height, 60, 5))[..., None]


def foliage(seed: int, width: int, height: int) -> Image:
    """Paint a floor of fallen leaves."""
    image = _pixels(blend((20, 34, 44), (44, 62, 74), noise(seed, width, height, 40)))
    for x, y, size, angle, hue, shade in uniform(seed + 1, width * height // 130, 6).tolist():
        x, y, a = x * width, y * height, 7 + 9 * size
        color = np.array([30 + 26 * hue, 70 + 80 * hue, 150 - 80 * hue]) * (0.55 + 0.75 * shade)
        turn = 360 * angle
        _fill(image, _ellipse(x, y + 1.5, a, 0.45 * a, turn), (24, 32, 38))
        _fill(image, _ellipse(x, y, a, 0.45 * a, turn), color.tolist())
        vein = _ellipse(x, y, 0.9 * a, 0.0, turn, (0, 180))
        _line(image, vein, (color * 0.72).tolist(), 1)
    return image + 10 * (noise(seed + 2, width, height, 3, 2)[..., None] - 0.5)


def water(seed: int, width: int, height: int) -> Image:
    """Paint water with the bright net of light on its ground."""
    image = blend((118, 84, 26), (168, 138, 62), noise(seed, width, height, 140))
    net = 1 - np.abs(2 * noise(seed + 1, width, height, 46, 2) - 1)
    finer = 1 - np.abs(2 * noise(seed + 2, width, height, 30, 2) - 1)
    return image + _color((58, 66, 60)) * (net**9 + np.float32(0.7) * finer**9)[..., None]


def desk(seed: int, width: int, height: int) -> Image:
    """Paint a wooden desk with papers, cards and pens on it."""
    grain = noise(seed, width, height, 9, 4, stretch=14)
    image = _pixels(blend((48, 82, 124), (92, 138, 182), grain))
    for y in range(0, height, 70):
        _line(image, [(0, y), (width, y)], (36, 58, 86), 2)
    palette = ((206, 214, 216), (176, 200, 214), (120, 150, 96), (96, 96, 190), (170, 120, 70), (60, 170, 210))
    for x, y, w, h, angle, tone in uniform(seed + 1, width * height // 9000, 6).tolist():
        card = cv2.boxPoints(((x * width, y * height), (22 + 44 * w, 16 + 40 * h), 360 * angle))
        _fill(image, card + 2.5, (34, 52, 74))
        _fill(image, card, palette[int(tone * len(palette))])
        for row in np.linspace(0.2, 0.8, 4):
            ends = [card[0] + row * (card[1] - card[0]), card[3] + row * (card[2] - card[3])]
            inner = [0.85 * ends[0] + 0.15 * ends[1], 0.3 * ends[0] + 0.7 * ends[1]]
            _line(image, inner, (92, 96, 104), 1)
    return image.astype(np.float32)


def skyline(seed: int, width: int, height: int) -> Image:
    """Paint a sky with clouds over a row of houses."""
    rise = np.linspace(0, 1, height, dtype=np.float32)[:, None] * np.ones((1, width), np.float32)
    sky = blend((214, 158, 96), (232, 214, 188), rise)
    clouds = np.clip(noise(seed, width, height, 110, 5, stretch=2) * 2.2 - 0.95, 0, 1)
    image = _pixels(sky + clouds[..., None] * (_color((244, 244, 244)) - sky))
    left = 0.0
    for w, h, tone in uniform(seed + 1, 40, 3).tolist():
        right, top = left + 22 + 44 * w, height * (0.86 - 0.34 * h)
        body = (104 + 60 * tone, 112 + 52 * tone, 124 + 50 * tone)
        _fill(image, [(left, top), (right, top), (right, height), (left, height)], body)
        for y in np.arange(top + 6, height, 10):
            for x in np.arange(left + 4, right - 6, 9):
                _fill(image, [(x, y), (x + 4, y), (x + 4, y + 5), (x, y + 5)], tuple(0.62 * c for c in body))
        left = right
    return image + 8 * (noise(seed + 2, width, height, 3, 2)[..., None] - 0.5)


BACKGROUNDS: dict[str, Callable[[int, int, int], Image]] = {
    "meadow": meadow,
    "road": road,
    "bricks": bricks,
    "foliage": foliage,
    "water": water,
    "desk": desk,
    "skyline": skyline,
}

# -------------------------------------------------------------------------------------------------- sprites


@dataclass(frozen=True, eq=False)
class Sprite:
    """A picture with transparency, and the outline of what is solid in it.

    Attributes:
        levels: (S, S, 4) BGR times alpha, and alpha 0..1, each level half as large as the one before.
        outline: (K, 2) convex outline, pixels of the largest level from its middle, pixel edges.
    """

    levels: tuple[Image, ...]
    outline: NDArray[np.float64]

    @property
    def corners(self) -> NDArray[np.float64]:
        """(4, 2) the upright rectangle around the outline, clockwise from the top left."""
        (x0, y0), (x1, y1) = self.outline.min(axis=0), self.outline.max(axis=0)
        return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def make_sprite(kind: str, seed: int, color: Color | None = None, **options: float) -> Sprite:
    """Return a painted sprite with a soft shadow around it.

    Args:
        kind: a name in :data:`PAINTERS`.
        seed: of its grain and pattern.
        color: BGR, 0..255; None for the painter's own.
        options: what else its painter takes.
    """
    painted, drawn = PAINTERS[kind](seed, *(() if color is None else (color,)), **options)
    mask = drawn.astype(np.float32) / 255
    rows, columns = np.nonzero(mask > 0.5)
    corners = np.concatenate([np.stack([columns + i, rows + j], axis=1) for i in (0, 1) for j in (0, 1)])
    outline = cv2.convexHull(corners.astype(np.int32))[:, 0].astype(np.float64) - SIDE / 2
    solid = np.concatenate([np.clip(painted, 0, 255) * mask[..., None], mask[..., None]], axis=2)
    solid[..., 3] += (1 - mask) * SHADOW * cv2.GaussianBlur(mask, (0, 0), 5)
    levels = [solid]
    for _ in range(LEVELS - 1):
        half = levels[-1].shape[0] // 2
        levels.append(cv2.resize(levels[-1], (half, half), interpolation=cv2.INTER_AREA))
    return Sprite(tuple(levels), outline)


Canvas = tuple[Pixels, Pixels]
"""Colours, and a mask 0..255 of what is solid."""
Painted = tuple[Image, Pixels]


def _canvas(color: Color, outline: Any) -> Canvas:
    """Return a canvas of one colour and the mask of an outline given from the middle."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    _fill(mask, _at(outline), 255)
    return _pixels(np.zeros((SIDE, SIDE, 3), np.float32) + _color(color)), mask


def _at(points: Any) -> NDArray[np.float64]:
    return np.asarray(points, dtype=np.float64) + SIDE / 2 - 0.5


def _lit(canvas: Canvas, seed: int, depth: float = 0.3) -> Image:
    """Return the canvas lit from the upper left, with the grain of a surface."""
    color, mask = canvas
    slope = np.linspace(1, -1, SIDE, dtype=np.float32)
    rim = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), 6)
    light = 1 + depth * (0.5 * (slope[None] + slope[:, None]) + (rim - 0.8))
    lit = color * (light * (0.92 + 0.16 * noise(seed, SIDE, SIDE, 6, 3)))[..., None]
    return np.asarray(lit, dtype=np.float32)


def car(seed: int, body: Color = (48, 52, 200)) -> Painted:
    """Paint a car from above, its front to the right."""
    canvas = _canvas(body, _rounded(0, 0, 56, 27, 5))
    color, _ = canvas
    for x, half in ((14, 7), (-30, 5)):
        _fill(color, _at(_rounded(x, 0, half, 21, 4)), (70, 52, 40))
    _fill(color, _at(_rounded(-8, 0, 15, 20, 5)), tuple(min(255, 1.15 * c + 12) for c in body))
    for y in (-6, 6):
        _fill(color, _at(_rounded(0, y, 58, 2.6, 8)), (226, 230, 232))
    for y in (-20, 20):
        _fill(color, _at(_rounded(51, y, 4, 4, 3)), (190, 244, 250))
        _fill(color, _at(_rounded(-52, y, 3, 5, 3)), (40, 30, 120))
    return _lit(canvas, seed), canvas[1]


def ball(seed: int, first: Color = (40, 120, 236), second: Color = (236, 236, 232)) -> Painted:
    """Paint a beach ball in six sectors."""
    canvas = _canvas(first, _ellipse(0, 0, 52, 52))
    for k in range(3):
        sector = np.vstack([_ellipse(0, 0, 54, 54, 0, (120 * k, 120 * k + 60)), [(0, 0)]])
        _fill(canvas[0], _at(sector), second)
    _fill(canvas[0], _at(_ellipse(0, 0, 9, 9)), (60, 60, 64))
    return _lit(canvas, seed, 0.6), canvas[1]


def beetle(seed: int, shell: Color = (34, 40, 206)) -> Painted:
    """Paint a ladybird, its head to the right."""
    canvas = _canvas(shell, _ellipse(-4, 0, 48, 38))
    color, mask = canvas
    head = _ellipse(40, 0, 15, 19)
    _fill(mask, _at(head), 255)
    _fill(color, _at(head), (30, 28, 28))
    _line(color, _at([(-52, 0), (30, 0)]), (26, 24, 30), 3)
    for x, y, r in ((14, 18, 8), (14, -18, 8), (-16, 22, 9), (-16, -22, 9), (-38, 9, 6), (-38, -9, 6)):
        _fill(color, _at(_ellipse(x, y, r, r)), (28, 26, 30))
    for y in (-10, 10):
        _fill(color, _at(_ellipse(44, y, 4, 5)), (224, 228, 230))
    return _lit(canvas, seed, 0.7), mask


def fish(seed: int, body: Color = (30, 140, 240), bend: float = 0.0) -> Painted:
    """Paint a fish, its head to the right, its tail bent sideways by ``bend`` pixels."""
    canvas = _canvas(body, _ellipse(8, 0, 42, 24))
    color, mask = canvas
    tail = [(-26, 0), (-56, -24), (-48, 0), (-56, 24)]
    for part in (tail, [(2, -22), (-14, -36), (-20, -17)], [(2, 22), (-12, 34), (-18, 17)]):
        _fill(mask, _at(part), 255)
        _fill(color, _at(part), tuple(0.75 * c for c in body))
    for x in (24, 2, -18):
        _fill(color, _at(_ellipse(x, 0, 4.5, 28)), (236, 240, 240))
        _line(color, _at([(x - 6, -26), (x - 6, 26)]), (36, 40, 52), 1)
    _fill(color, _at(_ellipse(38, -7, 4.5, 4.5)), (240, 242, 242))
    _fill(color, _at(_ellipse(39, -7, 2.5, 2.5)), (20, 20, 20))
    lit = _lit(canvas, seed, 0.5)
    behind = np.clip((30 + SIDE / 2 - np.arange(SIDE)) / 80, 0, None)
    columns = np.tile(np.arange(SIDE, dtype=np.float32), (SIDE, 1))
    rows = columns.T + (bend * behind**2).astype(np.float32)
    bent, outline = (cv2.remap(image, columns, rows, cv2.INTER_LINEAR) for image in (lit, mask))
    return np.asarray(bent, dtype=np.float32), np.asarray(outline, dtype=np.uint8)


def book(seed: int, cover: Color = (150, 84, 40)) -> Painted:
    """Paint the cover of a book with a picture and lines of title."""
    canvas = _canvas(cover, _rounded(0, 0, 40, 54, 24))
    color, _ = canvas
    _fill(color, _at([(-40, -54), (-33, -54), (-33, 54), (-40, 54)]), tuple(0.6 * c for c in cover))
    _fill(color, _at([(-24, -8), (32, -8), (32, 40), (-24, 40)]), (206, 214, 196))
    tops = 34 - 30 * uniform(seed + 1, 6)
    peaks = [(-24, 40), *zip(np.linspace(-24, 32, 6), tops, strict=True), (32, 40)]
    _fill(color, _at(peaks), (86, 120, 60))
    _fill(color, _at(_ellipse(18, 4, 7, 7)), (60, 190, 240))
    for y, end in ((-42, 28), (-32, 30), (-20, 10)):
        _fill(color, _at([(-24, y - 3), (end, y - 3), (end, y + 3), (-24, y + 3)]), (222, 228, 230))
    return _lit(canvas, seed), canvas[1]


def boat(seed: int, deck: Color = (120, 172, 206)) -> Painted:
    """Paint a boat from above, its bow to the right."""
    side = np.linspace(-46, 58, 30)
    half = 22 * np.sqrt(np.clip(1 - ((side + 46) / 104) ** 3, 0, 1))
    hull = np.concatenate([np.stack([side, -half], axis=1), np.stack([side, half], axis=1)[::-1]])
    canvas = _canvas((228, 234, 236), hull)
    color, _ = canvas
    _fill(color, _at(hull * [0.84, 0.72]), deck)
    for x in np.arange(-34, 40, 9):
        _line(color, _at([(x, -14), (x, 14)]), tuple(0.8 * c for c in deck), 1)
    _fill(color, _at(_rounded(-6, 0, 17, 11, 5)), (206, 120, 60))
    _fill(color, _at(_rounded(6, 0, 4, 9, 4)), (92, 66, 50))
    _fill(color, _at(_ellipse(-32, 0, 5, 5)), (40, 60, 210))
    return _lit(canvas, seed), canvas[1]


def card(seed: int, color: Color = (70, 170, 96)) -> Painted:
    """Paint a playing card with a pattern of its own, chosen by the seed."""
    canvas = _canvas((226, 232, 234), _rounded(0, 0, 38, 52, 14))
    _fill(canvas[0], _at(_rounded(0, 0, 31, 45, 14)), color)
    for i, j in np.argwhere(uniform(seed + 1, 5, 3) > 0.45).tolist():
        for x in (-20 + 10 * j, 20 - 10 * j):  # symmetric, like the back of a card
            _fill(canvas[0], _at(_ellipse(x, -32 + 16 * i, 4.5, 6.5)), (236, 238, 238))
    return _lit(canvas, seed), canvas[1]


def plane(seed: int, body: Color = (74, 78, 92)) -> Painted:
    """Paint an aeroplane from the side, its nose to the right."""
    canvas = _canvas(body, _ellipse(0, 0, 56, 13))
    color, mask = canvas
    for part in ([(-34, 0), (-56, -30), (-42, -30), (-14, -6)], [(10, 2), (-22, 28), (-8, 28), (30, 4)]):
        _fill(mask, _at(part), 255)
        _fill(color, _at(part), (50, 52, 190))
    for x in range(-24, 36, 9):
        _fill(color, _at(_ellipse(x, -3, 2.6, 2.6)), (220, 214, 190))
    return _lit(canvas, seed), mask


def trunk(seed: int, bark: Color = (52, 74, 96)) -> Painted:
    """Paint an upright pole with bark, as high as the canvas."""
    canvas = _canvas(bark, [(-20, -70), (20, -70), (20, 70), (-20, 70)])
    grain = noise(seed + 1, SIDE, SIDE, 40, 4, stretch=0.2)
    round_ = np.clip(1 - (np.abs(np.arange(SIDE) - SIDE / 2) / 26) ** 2, 0.25, 1).astype(np.float32)
    return canvas[0] * ((0.55 + 0.9 * grain) * (0.5 + 0.6 * round_[None]))[..., None], canvas[1]


def leaf(seed: int, green: Color = (48, 148, 84)) -> Painted:
    """Paint a large leaf, its tip to the right."""
    along = np.linspace(-58, 58, 30)
    half = 30 * np.sin(np.pi * np.linspace(0, 1, 30)) ** 0.7
    blade = np.concatenate([np.stack([along, -half], axis=1), np.stack([along, half], axis=1)[::-1]])
    canvas = _canvas(green, blade)
    for x in range(-48, 44, 11):
        for side in (-1, 1):
            _line(canvas[0], _at([(x, 0), (x + 20, side * 26)]), tuple(0.74 * c for c in green), 1)
    _line(canvas[0], _at([(-60, 0), (56, 0)]), tuple(0.62 * c for c in green), 3)
    return _lit(canvas, seed, 0.5), canvas[1]


PAINTERS: dict[str, Callable[..., Painted]] = {
    "car": car,
    "ball": ball,
    "beetle": beetle,
    "fish": fish,
    "book": book,
    "boat": boat,
    "card": card,
    "plane": plane,
    "trunk": trunk,
    "leaf": leaf,
}
