"""The sequences of the built-in benchmark as a table: who moves where, under which camera and light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.datasets.builtin.paint import Color

WIDTH, HEIGHT = 320, 240

Keys = tuple[tuple[float, ...], ...]
"""Rows of a frame, counted from 0, and the values there; between them a smooth curve."""


def interpolate(keys: Keys, frame: float) -> NDArray[np.float64]:
    """Return the values at a frame, also a fraction of one: a smooth curve that stays between neighbouring keys.

    Before the first and after the last key the values stay.

    Source: Fritsch and Butland, "A Method for Constructing Local Monotone Piecewise Cubic Interpolants", 1984.

    Example:
        >>> interpolate(((0, 5), (10, 7)), 5).tolist()
        [6.0]
    """
    table = np.array(keys, dtype=np.float64)
    times, values = table[:, 0], table[:, 1:]
    frame = min(max(frame, times[0]), times[-1])
    if len(times) == 1:
        return values[0]
    right = min(int(np.searchsorted(times, frame, side="right")), len(times) - 1)
    slopes = _slopes(times, values)
    span = times[right] - times[right - 1]
    s = (frame - times[right - 1]) / span
    result: NDArray[np.float64] = (
        (2 * s**3 - 3 * s**2 + 1) * values[right - 1]
        + (s**3 - 2 * s**2 + s) * span * slopes[right - 1]
        + (3 * s**2 - 2 * s**3) * values[right]
        + (s**3 - s**2) * span * slopes[right]
    )
    return result


def _slopes(times: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the curve's slope at each key: none at a turning point, else a harmonic mean of those beside it."""
    spans = np.diff(times)[:, None]
    steps = np.diff(values, axis=0) / spans
    before, after = steps[:-1], steps[1:]
    weight = (spans[:-1] + 2 * spans[1:]) / (3 * (spans[:-1] + spans[1:]))
    mixed = weight * after + (1 - weight) * before
    same_way = before * after > 0
    inner = np.where(same_way, before * after / np.where(same_way, mixed, 1.0), 0.0)
    return np.concatenate([steps[:1], inner, steps[-1:]])


@dataclass(frozen=True)
class Actor:
    """A sprite and its way.

    Attributes:
        kind: a name in :data:`toolkit.datasets.builtin.paint.PAINTERS`.
        keys: frame, x, y, scale, angle in degrees (clockwise), and optionally how wide it is seen, 1 from the front.
        color: BGR; None for the painter's own.
        seed: of its grain and pattern.
        wag: amplitude of a fish's bending, pixels of the sprite.
    """

    kind: str
    keys: Keys
    color: Color | None = None
    seed: int = 1
    wag: float = 0.0


@dataclass(frozen=True)
class Scene:
    """One sequence.

    Attributes:
        name: of the sequence.
        frames: how many.
        background: a name in :data:`toolkit.datasets.builtin.paint.BACKGROUNDS`.
        target: what is tracked.
        attributes: challenges, in the words of OTB.
        below: drawn before the target.
        above: drawn after it.
        camera: frame, x and y of what the picture's middle shows, zoom.
        light: frame, and the factors of blue, green and red.
        shutter: exposure as a share of the frame interval.
    """

    name: str
    frames: int
    background: str
    target: Actor
    attributes: tuple[str, ...]
    below: tuple[Actor, ...] = ()
    above: tuple[Actor, ...] = ()
    camera: Keys = ((0, WIDTH / 2, HEIGHT / 2, 1),)
    light: Keys = ((0, 1, 1, 1),)
    shutter: float = 0.4


def _still(kind: str, x: float, y: float, scale: float, angle: float = 0.0, seed: int = 1) -> Actor:
    return Actor(kind, ((0, x, y, scale, angle),), seed=seed)


ONE_PASS = (
    Scene(
        "approach",
        60,
        "road",
        Actor(
            "car", ((0, 52, 62, 0.30, 8), (20, 118, 92, 0.46, 14), (40, 190, 140, 0.70, 18), (59, 214, 166, 1.0, 10))
        ),
        ("Scale Variation", "In-Plane Rotation"),
        below=(Actor("car", ((0, 290, 186, 0.5, 180), (59, 10, 180, 0.5, 180)), (150, 120, 60), seed=4),),
    ),
    Scene(
        "bounce",
        48,
        "bricks",
        Actor(
            "ball",
            (
                *((0, 30, 60, 0.42, 0), (5, 70, 196, 0.42, 70), (11, 128, 74, 0.42, 150), (16, 184, 198, 0.42, 230)),
                *((22, 246, 92, 0.42, 320), (27, 288, 198, 0.42, 400), (33, 226, 108, 0.42, 330)),
                *((39, 150, 200, 0.42, 230), (47, 70, 120, 0.42, 120)),
            ),
        ),
        ("Fast Motion", "Motion Blur", "In-Plane Rotation"),
        shutter=0.7,
    ),
    Scene(
        "trunks",
        70,
        "meadow",
        Actor(
            "beetle",
            ((0, 34, 128, 0.48, -8), (22, 112, 104, 0.48, 10), (46, 206, 132, 0.48, -12), (69, 288, 104, 0.48, 4)),
        ),
        ("Occlusion",),
        above=(
            Actor("trunk", ((0, 96, 120, 2.1, 5, 0.46),), seed=2),
            Actor("trunk", ((0, 206, 120, 2.1, -7, 0.34),), seed=5),
        ),
    ),
    Scene(
        "shoal",
        64,
        "water",
        Actor(
            "fish",
            ((0, 60, 150, 0.5, -20), (20, 128, 104, 0.5, -12), (42, 206, 122, 0.5, 24), (63, 262, 168, 0.5, 30)),
            wag=20,
        ),
        ("Deformation", "Background Clutters", "In-Plane Rotation"),
        below=(
            Actor("fish", ((0, 40, 70, 0.46, 6), (63, 300, 96, 0.46, 2)), (60, 150, 236), 2, 18),
            Actor("fish", ((0, 280, 60, 0.46, 186), (63, 60, 196, 0.46, 160)), (120, 110, 220), 3, 18),
            Actor("fish", ((0, 110, 206, 0.5, -4), (63, 330, 224, 0.5, 0)), (36, 130, 226), 4, 20),
        ),
    ),
    Scene(
        "lamp",
        60,
        "desk",
        Actor("book", ((0, 150, 126, 0.56, 12), (30, 168, 120, 0.58, 16), (59, 150, 132, 0.56, 8))),
        ("Illumination Variation", "Background Clutters"),
        camera=(
            *((0, 160, 120, 1), (8, 168, 114, 1), (16, 158, 126, 1.02), (24, 150, 120, 1), (32, 164, 114, 1)),
            *((40, 172, 124, 1.02), (48, 158, 128, 1), (59, 152, 116, 1)),
        ),
        light=(
            *((0, 1, 1, 1), (10, 1, 1, 1), (15, 0.24, 0.26, 0.34), (26, 0.26, 0.28, 0.36), (30, 0.9, 1.0, 1.15)),
            *((40, 1.1, 1.15, 1.25), (50, 0.7, 0.62, 0.5), (59, 0.9, 0.84, 0.72)),
        ),
    ),
    Scene(
        "harbour",
        64,
        "water",
        Actor(
            "boat",
            (
                *((0, 180, 150, 0.7, -160), (16, 84, 112, 0.7, -166), (28, 20, 98, 0.7, -180), (36, 6, 108, 0.7, -250)),
                *((46, 40, 138, 0.7, -330), (63, 150, 160, 0.7, -350)),
            ),
        ),
        ("Out-of-View", "In-Plane Rotation"),
        below=(Actor("boat", ((0, 240, 60, 0.6, 20), (63, 300, 90, 0.6, 30)), (90, 120, 110), 6),),
    ),
    Scene(
        "cards",
        64,
        "desk",
        Actor(
            "card",
            ((0, 60, 120, 0.5, 0), (24, 134, 124, 0.5, 14), (44, 190, 116, 0.5, -6), (63, 262, 122, 0.5, 6)),
            seed=11,
        ),
        ("Background Clutters", "Occlusion"),
        below=(Actor("card", ((0, 120, 54, 0.5, 4), (63, 96, 188, 0.5, -14)), seed=12),),
        above=(
            Actor("card", ((0, 270, 160, 0.5, -8), (30, 182, 146, 0.5, 6), (63, 60, 84, 0.5, 10)), seed=13),
            Actor("card", ((0, 230, 40, 0.5, 20), (63, 250, 206, 0.5, -20)), seed=14),
        ),
    ),
    Scene(
        "spin",
        60,
        "foliage",
        Actor(
            "book",
            (
                *((0, 100, 110, 0.56, 0, 1), (12, 128, 98, 0.56, 60, 0.8), (24, 164, 104, 0.56, 140, 0.42)),
                *((36, 196, 122, 0.56, 220, 0.7), (48, 210, 136, 0.56, 290, 1), (59, 196, 140, 0.56, 360, 0.6)),
            ),
            (60, 60, 180),
        ),
        ("In-Plane Rotation", "Out-of-Plane Rotation"),
    ),
    Scene(
        "flyby",
        56,
        "skyline",
        Actor("plane", ((0, 90, 150, 0.26, -6), (28, 290, 112, 0.26, -12), (55, 460, 60, 0.24, -16))),
        ("Fast Motion", "Motion Blur", "Low Resolution"),
        camera=(
            *((0, 120, 160, 1), (6, 150, 150, 1), (9, 214, 130, 1), (14, 196, 150, 1), (20, 240, 130, 1)),
            *(
                (24, 316, 110, 1),
                (30, 280, 124, 1),
                (38, 330, 110, 1),
                (42, 404, 84, 1),
                (48, 400, 96, 1),
                (55, 450, 80, 1),
            ),
        ),
        shutter=0.8,
    ),
    Scene(
        "rally",
        80,
        "road",
        Actor(
            "car",
            (
                *((0, 90, 170, 0.62, -10), (20, 196, 132, 0.5, -34), (40, 330, 108, 0.42, 4), (60, 430, 168, 0.56, 48)),
                (79, 520, 206, 0.72, 20),
            ),
            (60, 170, 210),
            seed=8,
        ),
        ("Scale Variation", "Occlusion", "Illumination Variation", "In-Plane Rotation", "Background Clutters"),
        below=(
            Actor("car", ((0, 40, 110, 0.5, 0), (79, 560, 120, 0.5, 6)), (60, 150, 190), seed=9),
            Actor("car", ((0, 480, 60, 0.5, 180), (79, 180, 66, 0.5, 180)), (140, 60, 60), seed=10),
        ),
        above=(
            _still("leaf", 262, 70, 1.0, 60, 3),
            _still("leaf", 286, 170, 1.0, -70, 4),
            _still("leaf", 462, 150, 0.8, 20, 5),
        ),
        camera=((0, 140, 150, 1), (20, 190, 140, 1.05), (40, 320, 130, 1), (60, 420, 150, 1), (79, 500, 180, 1)),
        light=((0, 1, 1, 1), (30, 1, 1, 1), (40, 0.46, 0.44, 0.42), (56, 0.5, 0.48, 0.46), (64, 1.1, 1.1, 1.1)),
    ),
)
"""The target is never gone."""

LONG_TERM = (
    Scene(
        "hideout",
        90,
        "foliage",
        Actor(
            "beetle",
            ((0, 40, 150, 0.46, -10), (26, 108, 128, 0.46, -16), (50, 168, 118, 0.46, 0), (89, 286, 96, 0.46, -14)),
        ),
        ("Occlusion",),
        above=(_still("leaf", 142, 122, 1.5, 80, 2), _still("leaf", 176, 122, 1.5, 96, 7)),
    ),
    Scene(
        "return",
        90,
        "meadow",
        Actor(
            "ball",
            (
                *(
                    (0, 200, 120, 0.44, 0),
                    (22, 292, 96, 0.44, 200),
                    (32, 380, 80, 0.44, 320),
                    (52, 420, 180, 0.44, 330),
                ),
                *((64, 340, 196, 0.44, 200), (89, 150, 170, 0.44, -100)),
            ),
        ),
        ("Out-of-View", "In-Plane Rotation"),
        below=(Actor("ball", ((0, 60, 60, 0.4, 0), (89, 110, 80, 0.4, 90)), (200, 130, 40), 5),),
    ),
)
"""The target disappears and comes back."""
