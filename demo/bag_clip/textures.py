"""Procedural textures: sRGB in 0..1, row 0 at v = 0 (the bottom)."""

from __future__ import annotations

import itertools
import math

import cv2
import numpy as np

TEXTURE_SIZE = 512
LAYERS = (
    "canvas",
    "leather",
    "bag_body",
    "bag_pocket",
    "other_body",
    "other_pocket",
    "steel",
    "belt",
    "terrazzo",
    "wall",
    "poster_hills",
    "poster_sea",
    "poster_city",
    "board",
    "ribs",
    "plain",
    "leaf",
    "concrete",
    "sign",
)


def _noise(rng: np.random.Generator, octaves: tuple[int, ...], size: int = TEXTURE_SIZE) -> np.ndarray:
    """Smooth noise of zero mean and unit deviation; ``octaves`` are grid sizes, coarse ones weigh more."""
    total = np.zeros((size, size), np.float32)
    for cells in octaves:
        grid = rng.standard_normal((cells, cells)).astype(np.float32)
        total += cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC) / cells**0.5
    return (total - total.mean()) / total.std()


def _paint(value: np.ndarray, color: tuple[float, float, float]) -> np.ndarray:
    """Colour times a grey pattern."""
    return np.clip(value[..., None] * np.array(color, np.float32), 0, 1)


def _weave(rng: np.random.Generator, threads: int = 64) -> np.ndarray:
    """Canvas: crossing threads, slubs and wear; about 1."""
    y, x = np.mgrid[:TEXTURE_SIZE, :TEXTURE_SIZE] * (2 * np.pi * threads / TEXTURE_SIZE)
    threads_pattern = 0.04 * np.sin(x) * np.sign(np.sin(y / 2)) + 0.04 * np.sin(y)
    return (1 + threads_pattern + 0.035 * _noise(rng, (5, 9, 17)) + 0.035 * _noise(rng, (128, 256))).astype(np.float32)


def _hide(rng: np.random.Generator) -> np.ndarray:
    """Leather: pores and creases; about 1."""
    return 1 + 0.09 * _noise(rng, (7, 13, 60)) - 0.14 * (np.abs(_noise(rng, (40, 90))) < 0.12)


def _stitches(image: np.ndarray, points: list[tuple[float, float]], color: tuple, gap: float = 0.022) -> None:
    """Sew a dashed seam with a pressed groove along a polyline of (u, v)."""
    size = image.shape[0]
    for (u0, v0), (u1, v1) in itertools.pairwise(points):
        start, end = np.array([u0, v0]) * size, np.array([u1, v1]) * size
        _stroke(image, start, end, 5, tuple(0.62 * np.array(image.mean(axis=(0, 1)))))
        count = max(int(np.hypot(u1 - u0, v1 - v0) / gap), 1)
        for k in range(count):
            a, b = start + (end - start) * (k + 0.2) / count, start + (end - start) * (k + 0.78) / count
            _stroke(image, a, b, 3, color)


def _stroke(image: np.ndarray, start: np.ndarray, end: np.ndarray, width: int, color: tuple) -> None:
    """One smooth line, ends in pixels."""
    a, b = (tuple(round(float(c) * 16) for c in p) for p in (start, end))
    cv2.line(image, a, b, [float(c) for c in color], width, cv2.LINE_AA, 4)


def _body_texture(rng: np.random.Generator, canvas: tuple, leather: tuple, thread: tuple) -> np.ndarray:
    """The wrap-around texture of a backpack: canvas, leather base, lid edge and seams."""
    image = _paint(_weave(rng, 128), canvas)
    hide = _paint(_hide(rng), leather)
    size = image.shape[0]
    rows = np.arange(size) / size
    dirt = 0.22 * np.exp(-(((rows - 0.34) / 0.05) ** 2))  # above the base
    image *= (1 - dirt)[:, None, None].astype(np.float32)
    image[rows < 0.31] = hide[rows < 0.31]
    _stitches(image, [(0, 0.285), (1, 0.285)], thread)
    image[int(0.665 * size) : int(0.70 * size)] = hide[int(0.665 * size) : int(0.70 * size)]  # the lid's piping
    image[int(0.648 * size) : int(0.665 * size)] *= 0.45
    _stitches(image, [(0, 0.712), (1, 0.712)], thread)
    for u in (0.12, 0.38, 0.62, 0.88):
        _stitches(image, [(u, 0.31), (u, 0.65)], thread)
    return image


def _pocket_texture(rng: np.random.Generator, canvas: tuple, leather: tuple, thread: tuple) -> np.ndarray:
    """The front pocket: zip, seams, and a patch with two overlapping rings."""
    image = _paint(_weave(rng, 64), canvas)
    hide = _paint(_hide(rng), leather)
    size = image.shape[0]
    ring = [(0.07, 0.07), (0.93, 0.07), (0.93, 0.93), (0.07, 0.93), (0.07, 0.07)]
    _stitches(image, ring, thread, 0.035)
    band = slice(int(0.74 * size), int(0.82 * size))
    image[band, int(0.1 * size) : int(0.9 * size)] = 0.09
    for k in range(60):
        x = (0.1 + 0.8 * (k + 0.5) / 60) * size
        _stroke(image, np.array([x, 0.765 * size]), np.array([x, 0.795 * size]), 4, (0.72, 0.62, 0.38))
    box = np.array([[0.27, 0.22], [0.73, 0.22], [0.73, 0.62], [0.27, 0.62]]) * size
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [box.astype(np.int32)], 1)
    image[mask > 0] = hide[mask > 0]
    _stitches(image, [tuple(p) for p in np.concatenate([box, box[:1]]) / size * 0.94 + 0.03 * 0.9], thread, 0.03)
    cream = (0.95, 0.9, 0.78)
    for x in (0.435, 0.565):
        cv2.circle(image, (int(x * size), int(0.42 * size)), int(0.095 * size), cream, 11, cv2.LINE_AA)
    cv2.circle(image, (size // 2, int(0.42 * size)), int(0.022 * size), cream, -1, cv2.LINE_AA)
    return image


def _belt_texture(rng: np.random.Generator) -> np.ndarray:
    """Overlapping rubber plates of a carousel; one tile is two plates long."""
    y, x = np.mgrid[:TEXTURE_SIZE, :TEXTURE_SIZE] / TEXTURE_SIZE
    phase = (2 * x + 0.8 * (y - 0.5) ** 2) % 1.0
    edge = np.exp(-(((phase - 0.02) / 0.025) ** 2))
    value = 0.17 + 0.05 * phase - 0.10 * edge + 0.09 * np.exp(-(((phase - 0.07) / 0.02) ** 2))
    scuffs = np.clip(_noise(rng, (9, 33)) - 1.2, 0, 1) * 0.05
    return _paint(value + 0.010 * _noise(rng, (60, 200)) + scuffs, (1.0, 1.0, 1.04))


def _terrazzo(rng: np.random.Generator) -> np.ndarray:
    """Polished stone floor: chips in a warm ground, joints at the tile's edge."""
    image = _paint(0.72 + 0.012 * _noise(rng, (4, 8)), (1.0, 0.97, 0.92))
    for _ in range(1500):
        centre, radius = rng.integers(0, TEXTURE_SIZE, 2), rng.uniform(1.0, 4.5)
        shade = float(rng.choice([0.50, 0.60, 0.66, 0.80, 0.86]))
        color = np.clip(shade + rng.uniform(-0.06, 0.06, 3) * (1.2, 0.5, 1.0), 0, 1)
        axes = (int(radius) + 1, int(radius * rng.uniform(0.4, 0.9)) + 1)
        angle = float(rng.uniform(0, 180))
        cv2.ellipse(image, tuple(map(int, centre)), axes, angle, 0, 360, color.tolist(), -1, cv2.LINE_AA)
    image[:3] *= 0.6
    image[:, :3] *= 0.6
    return image


def _wall_texture(rng: np.random.Generator) -> np.ndarray:
    """Wooden slats with dark gaps."""
    x = np.tile(np.arange(TEXTURE_SIZE) / TEXTURE_SIZE, (TEXTURE_SIZE, 1))
    slat = np.floor(x * 16).astype(int)
    grain = cv2.resize(_noise(rng, (40, 128)), (TEXTURE_SIZE * 4, TEXTURE_SIZE))[:, :TEXTURE_SIZE]
    tone = rng.uniform(0.86, 1.08, 16)[slat] * (1 + 0.05 * np.roll(grain, 3, axis=0))
    gap = np.exp(-((((x * 16) % 1 - 0.5) / 0.46) ** 24))
    return _paint(tone * (0.25 + 0.75 * gap), (0.70, 0.53, 0.36))


def _poster(rng: np.random.Generator, kind: str) -> np.ndarray:
    """A travel poster: hills at dusk, the sea, or a city at night."""
    size = TEXTURE_SIZE
    y, x = np.mgrid[:size, :size] / size
    low, high = {
        "hills": ((0.98, 0.66, 0.36), (0.22, 0.34, 0.62)),
        "sea": ((0.98, 0.90, 0.72), (0.16, 0.62, 0.78)),
        "city": ((0.85, 0.35, 0.45), (0.10, 0.10, 0.30)),
    }[kind]
    image = (np.array(low) * (1 - y[..., None]) + np.array(high) * y[..., None]).astype(np.float32)
    cv2.circle(image, (int(size * 0.66), int(size * 0.62)), 58, (1.0, 0.94, 0.74), -1, cv2.LINE_AA)
    for layer in range(4):
        if kind == "sea" and layer < 3:
            wave = 0.34 - 0.10 * layer + 0.006 * np.sin(60 * x[0] / (layer + 1) + layer)
            color = np.array((0.10, 0.46 - 0.07 * layer, 0.62 - 0.08 * layer))
        elif kind == "city":
            steps = rng.uniform(0.12, 0.50 - 0.08 * layer, 18 + 4 * layer)
            wave = np.repeat(steps, math.ceil(size / len(steps)))[:size]
            color = np.array((0.20, 0.14, 0.34)) * (1 - 0.2 * layer)
        else:
            ridge = cv2.resize(rng.standard_normal((1, 9 + 3 * layer)).astype(np.float32), (size, 1), interpolation=2)
            wave = 0.48 - 0.11 * layer + 0.07 * ridge[0]
            color = np.array((0.34, 0.38, 0.55)) * (1 - 0.2 * layer) + np.array((0.02, 0.05, 0.0)) * layer
        image[y < wave[None]] = color
        if kind == "city":
            windows = (np.sin(x * 330) > 0.2) & (np.sin(y * 260) > 0.35) & (y < wave[None] - 0.02)
            image[windows & (_noise(rng, (64,)) > 0.9)] = (1.0, 0.85, 0.5)
    image[: int(0.17 * size)] = (0.96, 0.95, 0.92)
    text = {"hills": "ALTA VIA", "sea": "LA COSTA", "city": "NIGHT LINE"}[kind]
    _write(image, text, 0.06, 0.055, 1.9, (0.14, 0.16, 0.22), 5)
    return image


def _write(image: np.ndarray, text: str, u: float, v: float, scale: float, color: tuple, width: int) -> None:
    """Text with its lower left corner at (u, v); rows run upwards in these textures."""
    flipped = np.ascontiguousarray(np.round(255 * np.clip(image[::-1], 0, 1)).astype(np.uint8))
    at = (int(u * image.shape[1]), int((1 - v) * image.shape[0]))
    ink = [round(255 * c) for c in color]
    cv2.putText(flipped, text, at, cv2.FONT_HERSHEY_DUPLEX, scale, ink, width, cv2.LINE_AA)
    image[:] = flipped[::-1] / np.float32(255)


def _board(rng: np.random.Generator) -> np.ndarray:
    """An arrivals board."""
    image = np.full((TEXTURE_SIZE, TEXTURE_SIZE, 3), (0.03, 0.045, 0.08), np.float32)
    _write(image, "ARRIVALS", 0.04, 0.86, 1.8, (1.0, 0.82, 0.2), 4)
    towns = ["LISBOA", "OSLO", "SAPPORO", "TUNIS", "QUITO", "GALWAY", "PERTH"]
    for row, town in enumerate(towns):
        v = 0.74 - 0.105 * row
        time = f"{rng.integers(8, 20):02d}:{rng.integers(0, 12) * 5:02d}"
        _write(image, time, 0.04, v, 1.15, (0.9, 0.92, 0.95), 2)
        _write(image, town, 0.30, v, 1.15, (0.9, 0.92, 0.95), 2)
        _write(image, str(rng.integers(1, 9)), 0.86, v, 1.15, (0.45, 0.95, 0.55), 2)
    return image


def _sign() -> np.ndarray:
    """The yellow sign of carousel 4 with a suitcase."""
    image = np.full((TEXTURE_SIZE, TEXTURE_SIZE, 3), (0.98, 0.78, 0.10), np.float32)
    _write(image, "4", 0.10, 0.22, 11.0, (0.05, 0.05, 0.06), 44)
    ink = (0.05, 0.05, 0.06)
    cv2.rectangle(image, (275, 150), (455, 290), ink, -1)
    cv2.rectangle(image, (330, 285), (400, 335), ink, 14)
    for x in (305, 425):
        cv2.rectangle(image, (x - 6, 150), (x + 6, 290), (0.98, 0.78, 0.10), -1)
    return image


def make_textures(seed: int) -> np.ndarray:
    """All texture layers in the order of ``LAYERS``.

    Returns:
        (layers, S, S, 3) uint8 sRGB, row 0 at v = 0.
    """
    rng = np.random.default_rng([seed, 1])
    x = np.tile(np.arange(TEXTURE_SIZE) / TEXTURE_SIZE, (TEXTURE_SIZE, 1))
    one = (1.0, 1.0, 1.0)
    cream, brown = (0.93, 0.87, 0.72), (0.36, 0.20, 0.11)
    mustard, teal = (0.86, 0.56, 0.13), (0.12, 0.33, 0.36)
    olive, black, grey = (0.36, 0.42, 0.30), (0.13, 0.12, 0.12), (0.62, 0.62, 0.58)
    brushed = cv2.resize(_noise(rng, (256, 512)), (TEXTURE_SIZE * 8, TEXTURE_SIZE))[:, :TEXTURE_SIZE]
    images = {
        "canvas": _paint(0.85 * _weave(rng), one),
        "leather": _paint(0.85 * _hide(rng), one),
        "bag_body": _body_texture(rng, mustard, brown, cream),
        "bag_pocket": _pocket_texture(rng, teal, brown, cream),
        "other_body": _body_texture(rng, olive, black, grey),
        "other_pocket": _pocket_texture(rng, tuple(0.8 * c for c in olive), black, grey),
        "steel": _paint(0.80 + 0.018 * brushed, (0.98, 0.99, 1.0)),
        "belt": _belt_texture(rng),
        "terrazzo": _terrazzo(rng),
        "wall": _wall_texture(rng),
        "poster_hills": _poster(rng, "hills"),
        "poster_sea": _poster(rng, "sea"),
        "poster_city": _poster(rng, "city"),
        "board": _board(rng),
        "ribs": _paint(0.78 + 0.17 * np.tanh(4 * np.sin(x * 2 * np.pi * 22)) + 0.01 * _noise(rng, (128,)), one),
        "plain": _paint(0.97 + 0.008 * _noise(rng, (8, 32)), one),
        "leaf": _paint(
            0.85 + 0.12 * np.cos((x - 0.5) * 40) * np.exp(-(((x - 0.5) / 0.3) ** 2)) + 0.05 * _noise(rng, (9, 40)),
            (0.34, 0.49, 0.26),
        ),
        "concrete": _paint(0.80 + 0.03 * _noise(rng, (5, 11, 23)) + 0.025 * _noise(rng, (128, 256)), (1.0, 0.99, 0.97)),
        "sign": _sign(),
    }
    return np.stack([np.round(255 * np.clip(images[name], 0, 1)) for name in LAYERS]).astype(np.uint8)
