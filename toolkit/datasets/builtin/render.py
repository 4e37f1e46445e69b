"""Renders the sequences of the built-in benchmark, with the ground truth that follows from the same poses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.datasets.builtin.paint import BACKGROUNDS, LEVELS, SIDE, Image, Pixels, Sprite, make_sprite, noise
from toolkit.datasets.builtin.scenes import HEIGHT, WIDTH, Actor, Scene, interpolate

MARGIN = 60
"""How far backgrounds reach beyond what a camera at rest sees, pixels."""
MAX_STEP = 1.5
"""Movement within the exposure, in pixels, from which on it is the mean of several pictures."""
MAX_PICTURES = 12
SOLID = 0.5
"""Opacity from which on a pixel belongs to a sprite and not to its shadow."""
MIN_VISIBLE_PIXELS = 12
"""Area that has to be seen of a target that is there."""
GRAIN = 3.0
"""Spread of the camera's noise, grey levels."""

WAG_PERIOD = 16
"""Frames of one beat of a fish's tail, in which it has :data:`WAG_STEPS` shapes."""
WAG_STEPS = 16

Matrix = NDArray[np.float64]
"""(2, 3) map of points, pixel edges: the first pixel goes from 0 to 1."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known about one frame.

    Attributes:
        polygon: (4, 2) the rotated rectangle around the target, pixels, also where it is hidden or outside.
        box: (4,) x, y, w, h around the target's outline, cut to the image; empty if it is outside.
        hidden: share of the target's part inside the image that something is in front of.
        present: enough of the target can be seen to know where it is.
    """

    polygon: NDArray[np.float64]
    box: NDArray[np.float64]
    hidden: float
    present: bool


class Stage:
    """A scene with its painted parts; draws any frame of it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        seed = sum(map(ord, scene.name))
        cameras = np.array([self._camera(frame)[0] for frame in range(scene.frames)])
        reach = cameras.max(axis=0)
        self._size = (int(reach[0]) + WIDTH // 2 + MARGIN, int(reach[1]) + HEIGHT // 2 + MARGIN)
        self._background = BACKGROUNDS[scene.background](seed, *self._size)
        self._grain = GRAIN * 3.4 * (noise(seed + 9, 2 * WIDTH, 2 * HEIGHT, 1.5, 1) - 0.5)

    def shoot(self, frame: int) -> tuple[Pixels, Truth]:
        """Draw a frame, counted from 0: the image (H, W, 3) BGR, and its ground truth."""
        middle, alpha, inside = self._picture(frame)
        pictures = self._pictures(frame)
        if pictures > 1:
            offsets = ((np.arange(pictures) + 0.5) / pictures - 0.5) * self.scene.shutter
            image = np.mean([self._picture(frame + offset)[0] for offset in offsets], axis=0)
        else:
            image = middle
        image = image * self.light(frame).astype(np.float32)
        left, top = 37 * frame % WIDTH, 53 * frame % HEIGHT
        image += self._grain[top : top + HEIGHT, left : left + WIDTH, None]
        target = self.scene.target
        matrix = self._matrix(target, frame)
        sprite = _actor_sprite(target, frame)
        outline, polygon = _moved(sprite.outline, matrix), _moved(sprite.corners, matrix)
        low, high = np.clip([outline.min(axis=0), outline.max(axis=0)], 0, (WIDTH, HEIGHT))
        pixels = np.asarray(np.clip(np.round(image), 0, 255), dtype=np.uint8)
        return pixels, Truth(
            polygon,
            np.concatenate([low, high - low]),
            1 - alpha / inside if inside else 0.0,
            alpha >= MIN_VISIBLE_PIXELS,
        )

    def target_pose(self, frame: int) -> NDArray[np.float64]:
        """Return x, y, and size of the target as the camera sees it: image pixels."""
        matrix = self._matrix(self.scene.target, frame)
        return np.array([matrix[0, 2], matrix[1, 2], math.sqrt(abs(np.linalg.det(matrix[:, :2])))])

    def light(self, frame: int) -> NDArray[np.float64]:
        """Return the factors of blue, green and red."""
        return interpolate(self.scene.light, frame)

    def _camera(self, frame: float) -> tuple[NDArray[np.float64], float]:
        x, y, zoom = interpolate(self.scene.camera, frame)
        return np.array([x, y]), float(zoom)

    def camera_matrix(self, frame: float) -> Matrix:
        """Return the map from the world to the image."""
        centre, zoom = self._camera(frame)
        return np.column_stack([zoom * np.eye(2), np.array([WIDTH, HEIGHT]) / 2 - zoom * centre])

    def _matrix(self, actor: Actor, frame: float) -> Matrix:
        """Return the map from an actor's sprite, seen from its middle, to the image."""
        x, y, scale, angle, *width = interpolate(actor.keys, frame)
        turn = math.radians(angle)
        rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        camera = self.camera_matrix(frame)
        linear = camera[:, :2] @ rotation @ np.diag([scale * (width[0] if width else 1.0), scale])
        return np.column_stack([linear, camera[:, :2] @ (x, y) + camera[:, 2]])

    def _pictures(self, frame: int) -> int:
        """Return how many pictures make up the exposure, from how far anything moves in it."""
        ends = (frame - self.scene.shutter / 2, frame + self.scene.shutter / 2)
        actors = (self.scene.target, *self.scene.below, *self.scene.above)
        rim = np.array([(-50.0, 0.0), (50.0, 0.0), (0.0, 50.0)])
        moved = [np.ptp([_moved(rim, self._matrix(actor, end)) for end in ends], axis=0) for actor in actors]
        camera = np.ptp([_moved(np.zeros((1, 2)), self.camera_matrix(end)) for end in ends], axis=0)
        step = max(float(np.hypot(*move.T).max()) for move in [*moved, camera])
        return min(MAX_PICTURES, math.ceil(step / MAX_STEP))

    def _picture(self, frame: float) -> tuple[Image, float, float]:
        """Return the picture of an instant, and the target's visible and unhidden area inside it, pixels."""
        image = _warp(self._background, _centred(self.camera_matrix(frame)), (WIDTH, HEIGHT), cv2.BORDER_REFLECT)
        for actor in self.scene.below:
            _draw(image, _actor_sprite(actor, frame), self._matrix(actor, frame))
        target = _actor_sprite(self.scene.target, frame)
        before = _draw(image, target, self._matrix(self.scene.target, frame))
        cover = before.copy()
        for actor in self.scene.above:
            cover *= 1 - _draw(image, _actor_sprite(actor, frame), self._matrix(actor, frame))
        return image, float(cover.sum()), float(before.sum())


def _moved(points: NDArray[np.float64], matrix: Matrix) -> NDArray[np.float64]:
    moved: NDArray[np.float64] = points @ matrix[:, :2].T + matrix[:, 2]
    return moved


def _centred(matrix: Matrix) -> Matrix:
    """Return the same map for coordinates that count from the middle of the first pixel, as OpenCV's do."""
    return np.column_stack([matrix[:, :2], matrix[:, :2] @ (0.5, 0.5) + matrix[:, 2] - 0.5])


def _warp(image: Image, matrix: Matrix, size: tuple[int, int], border: int) -> Image:
    warped = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(warped, dtype=np.float32)


def _draw(image: Image, sprite: Sprite, matrix: Matrix) -> Image:
    """Draw a sprite into the image and return its (H, W) opacity there, without its shadow."""
    opacity = np.zeros(image.shape[:2], np.float32)
    half = SIDE / 2
    corners = _moved(np.array([(-half, -half), (half, -half), (half, half), (-half, half)]), matrix)
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int), (WIDTH, HEIGHT))
    if left >= right or top >= bottom:
        return opacity
    scale = math.sqrt(abs(np.linalg.det(matrix[:, :2])))
    level = int(np.clip(math.floor(-math.log2(max(scale, 1e-6))), 0, LEVELS - 1))
    linear = matrix[:, :2] * 2**level
    whole = np.column_stack([linear, matrix[:, 2] - matrix[:, :2] @ (half, half) - (left, top)])
    drawn = _warp(sprite.levels[level], _centred(whole), (right - left, bottom - top), cv2.BORDER_CONSTANT)
    part = image[top:bottom, left:right]
    part *= 1 - drawn[..., 3:4]
    part += drawn[..., :3]
    opacity[top:bottom, left:right] = drawn[..., 3] > SOLID
    return opacity


def _actor_sprite(actor: Actor, frame: float) -> Sprite:
    """Return the actor's sprite in its shape at that frame."""
    if not actor.wag:
        return _cached_sprite(actor.kind, actor.seed, actor.color)
    step = round(frame / WAG_PERIOD * WAG_STEPS) % WAG_STEPS
    bend = actor.wag * math.sin(2 * math.pi * step / WAG_STEPS)
    return _cached_sprite(actor.kind, actor.seed, actor.color, bend)


@lru_cache(maxsize=256)
def _cached_sprite(kind: str, seed: int, color: tuple[float, float, float] | None, bend: float = 0.0) -> Sprite:
    return make_sprite(kind, seed, color, **({"bend": bend} if bend else {}))
