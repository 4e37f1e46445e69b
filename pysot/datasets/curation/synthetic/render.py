"""Draws a scene: whole frames, or directly the crops around a target at the resolution they are kept in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from pysot.datasets.curation.images import binary
from pysot.datasets.curation.synthetic.figures import LEVELS, SIDE, Part, Points
from pysot.datasets.curation.synthetic.scenes import Actor, Scene
from pysot.datasets.curation.synthetic.textures import Pixels

_STREAK = 9  # the longest blur of the background that is drawn at full resolution, pixels
_LONGEST_STREAK = 25
_CELL = 16  # pixels between the points at which a bent figure's map is worked out
_TILE = 1024
_FROM_MIDDLE = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
_TO_MIDDLE = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
_REACH = 2.0  # farthest from its origin that anything of a figure is, in its units


class View(NamedTuple):
    """What part of a frame is drawn: ``scale`` pixels per frame pixel, from ``left, top`` on, in (width, height)."""

    scale: float
    left: float
    top: float
    size_wh: tuple[int, int]

    def matrix(self) -> Points:
        """Return the (3, 3) map from the frame to the picture, pixel edges."""
        return np.array(
            [[self.scale, 0, -self.scale * self.left], [0, self.scale, -self.scale * self.top], [0, 0, 1]], float
        )


@dataclass(frozen=True, eq=False)
class Shot:
    """A picture.

    Attributes:
        image: (H, W, 3) uint8 BGR.
        mask: (H, W) uint8, 255 where the target is seen.
        visible: Share of the target, of what lies in the frame and beyond, that is seen.
    """

    image: Pixels
    mask: Pixels
    visible: float


def box_of(scene: Scene, number: int, frame: int) -> Points:
    """Return the box x1, y1, x2, y2 around an actor in a frame, pixel edges, also where it is hidden or outside."""
    actor = scene.actors[number]
    pose = pose_of(actor, frame)
    outlines = []
    for part, place in zip(actor.figure.parts, actor.figure.poses(float(actor.beat[frame])), strict=True):
        points = _moved(part.outline, place)
        outlines.append(_moved(points + _bend(actor, points, frame), pose))
    points = np.concatenate(outlines)
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def shoot(scene: Scene, number: int, frame: int, view: View) -> Shot:
    """Draw a view of a frame and follow one actor in it."""
    image = _background(scene, frame, view)
    mask = np.zeros(image.shape[:2], np.uint8)
    area = 0.0
    for index, actor in enumerate(scene.actors):
        drawn = index >= number
        cover = _draw(image, actor, frame, view, scene.shutter, mask if drawn else None, index == number)
        if index == number:
            area = cover
    image = _develop(image, scene, frame, view)
    _cut(image, mask, scene, view)
    mask = binary(mask)
    return Shot(image, mask, cv2.countNonZero(mask) / area if area else 0.0)


# ------------------------------------------------------------------------------------------- background


def _background(scene: Scene, frame: int, view: View) -> Pixels:
    """Return the background, blurred by the camera's motion."""
    before = scene.camera[max(frame - 1, 0)]
    middle = np.array([*view.size_wh, 0]) / 2 / view.scale + (view.left, view.top, 1)
    moved = scene.camera[frame] @ np.linalg.inv(before) @ middle
    moved = moved / moved[2] - middle
    way = scene.shutter * view.scale * moved[:2]
    # Long streaks are drawn at less resolution: across them nothing is sharp that was not before.
    fewer = 2 ** int(np.clip(math.ceil(math.log2(max(float(np.hypot(*way)), 1) / _STREAK)), 0, 2))
    size = (-(-view.size_wh[0] // fewer), -(-view.size_wh[1] // fewer))
    matrix = np.diag([1 / fewer, 1 / fewer, 1]) @ view.matrix() @ scene.camera[frame]
    scale = _magnification(matrix, np.array(size) / 2)
    level = int(np.clip(math.floor(-math.log2(max(scale, 1e-6)) + 0.3), 0, len(scene.ground) - 1))
    matrix = _centred(matrix @ np.diag([2**level, 2**level, 1]))
    # With four channels OpenCV takes half of the time that it takes with three.
    if matrix[2, :2].any():
        drawn = cv2.warpPerspective(scene.ground[level], matrix, size, borderMode=cv2.BORDER_REFLECT_101)
    else:
        drawn = cv2.warpAffine(scene.ground[level], matrix[:2], size, borderMode=cv2.BORDER_REFLECT_101)
    kernel = _streak(way / fewer, _STREAK)
    if kernel is not None:
        drawn = cv2.filter2D(drawn, -1, kernel)
    if fewer > 1:
        drawn = cv2.resize(drawn, view.size_wh, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.cvtColor(drawn, cv2.COLOR_BGRA2BGR), dtype=np.uint8)


def _magnification(matrix: Points, place: Points) -> float:
    """Return how many pixels a map gives to one of the painting's, near a place in the picture."""
    linear = matrix[:2, :2]
    if matrix[2, :2].any():
        linear = (linear - np.outer(place, matrix[2, :2])) * (np.linalg.inv(matrix) @ (*place, 1.0))[2]
    return math.sqrt(abs(np.linalg.det(linear)))


def _centred(matrix: Points) -> Points:
    """Return the same map for coordinates that count from the middle of the first pixel, as OpenCV's do."""
    centred: Points = _TO_MIDDLE @ matrix @ _FROM_MIDDLE
    return centred


# ------------------------------------------------------------------------------------------------ actors


def pose_of(actor: Actor, frame: int) -> Points:
    """Return the (3, 3) map from a figure's units to the frame."""
    scale, angle = float(actor.scale[frame]), float(actor.angle[frame])
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    turn = np.array([[cos, -sin, actor.x[frame]], [sin, cos, actor.y[frame]], [0, 0, 1]])
    pan, nod = actor.tilt[frame].tolist()
    mirror = -1 if actor.mirrored else 1
    lean = np.array(
        [[mirror * math.cos(pan), 0, 0], [0, math.cos(nod), 0], [0.25 * math.sin(pan), 0.25 * math.sin(nod), 1]]
    )
    return np.asarray(turn @ lean)


def _bend(actor: Actor, points: Points, frame: int) -> Points:
    """Return how far points of a figure, (..., 2) in its units, are moved by its bends."""
    if not len(actor.wave):
        return np.zeros(2)
    numbers, amplitudes = actor.wave[:, :2], actor.wave[:, 2:4]
    moved: Points = np.sin(points @ numbers.T + (actor.wave[:, 4] + frame * actor.wave[:, 5])) @ amplitudes
    return moved


def _moved(points: Points, matrix: Points) -> Points:
    moved = points @ matrix[:2, :2].T + matrix[:2, 2]
    if matrix[2, 0] or matrix[2, 1]:
        moved /= (points @ matrix[2, :2] + matrix[2, 2])[..., None]
    return np.asarray(moved)


def _draw(
    image: Pixels, actor: Actor, frame: int, view: View, shutter: float, mask: Pixels | None, followed: bool
) -> float:
    """Draw an actor; lay it over ``mask``, or into it if it is the one followed. Return its area in the picture."""
    pose = view.matrix() @ pose_of(actor, frame)
    if not followed and _is_far(pose, view.size_wh):
        return 0.0
    velocity = np.array([actor.x[frame] - actor.x[max(frame - 1, 0)], actor.y[frame] - actor.y[max(frame - 1, 0)]])
    kernel = _streak(velocity * shutter * view.scale)
    area = 0.0
    for part, place in zip(actor.figure.parts, actor.figure.poses(float(actor.beat[frame])), strict=True):
        region, drawn = _draw_part(part, place, actor, pose, frame, view.size_wh, 0 if kernel is None else len(kernel))
        if drawn is None:
            continue
        if kernel is not None:
            drawn = np.asarray(cv2.filter2D(drawn, -1, kernel, borderType=cv2.BORDER_CONSTANT), dtype=np.uint8)
        alpha = cv2.extractChannel(drawn, 3)
        rest = cv2.bitwise_not(alpha)
        if not actor.figure.in_ground:
            under = image[region]
            rest3 = cv2.cvtColor(rest, cv2.COLOR_GRAY2BGR)
            cv2.add(cv2.multiply(under, rest3, scale=1 / 255), cv2.cvtColor(drawn, cv2.COLOR_BGRA2BGR), under)
        if mask is not None:
            if followed:
                cv2.max(mask[region], alpha, mask[region])
            else:
                cv2.multiply(mask[region], rest, mask[region], scale=1 / 255)
    if followed and mask is not None:
        area = float(cv2.countNonZero(binary(mask)))
    return area


def _is_far(pose: Points, size_wh: tuple[int, int]) -> bool:
    """Return whether nothing of a figure with this pose can be in the picture."""
    reach = _REACH * math.hypot(pose[0, 0], pose[1, 0]) + _REACH * math.hypot(pose[0, 1], pose[1, 1])
    x, y = pose[:2, 2].tolist()
    return not (-reach < x < size_wh[0] + reach and -reach < y < size_wh[1] + reach)


def _draw_part(
    part: Part, place: Points, actor: Actor, pose: Points, frame: int, size_wh: tuple[int, int], margin: int
) -> tuple[tuple[slice, slice], Pixels | None]:
    """Return where a part is in the picture, and its (h, w, 4) pixels there, or None where it is outside."""
    points = _moved(part.outline, place)
    points = _moved(points + _bend(actor, points, frame), pose)
    left, top = np.maximum(np.floor(points.min(axis=0)).astype(int) - 2 - margin, 0).tolist()
    right, bottom = np.minimum(np.ceil(points.max(axis=0)).astype(int) + 2 + margin, size_wh).tolist()
    region = np.s_[top:bottom, left:right]
    if left >= right or top >= bottom:
        return region, None
    size = right - left, bottom - top
    whole = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]]) @ pose
    zoom = math.sqrt(abs(np.linalg.det((whole @ place)[:2, :2])))
    level = int(np.clip(math.floor(-math.log2(max(zoom, 1e-6)) + 0.3), 0, LEVELS - 1))
    half = SIDE / 2
    to_place = place @ np.array([[2**level, 0, -half], [0, 2**level, -half], [0, 0, 1]])
    if len(actor.wave):
        maps = _bent_maps(actor, frame, np.asarray(np.linalg.inv(whole)), np.asarray(np.linalg.inv(to_place)), size)
        drawn = cv2.remap(part.levels[level], *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    else:
        drawn = cv2.warpPerspective(part.levels[level], _centred(whole @ to_place), size, flags=cv2.INTER_LINEAR)
    return region, np.asarray(drawn, dtype=np.uint8)


def _bent_maps(
    actor: Actor, frame: int, to_figure: Points, to_canvas: Points, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the maps for cv2.remap, worked out on a coarse grid: bends are smooth."""
    columns, rows = -(-size[0] // _CELL) + 2, -(-size[1] // _CELL) + 2
    # Resizing puts a coarse value into the middle of its cell; one cell more on each side is cut off again.
    x, y = (np.arange(columns) - 0.5) * _CELL, (np.arange(rows) - 0.5) * _CELL
    target = _moved(np.stack(np.meshgrid(x, y), axis=-1), to_figure)
    points = target
    for _ in range(2):  # where did the point that was moved here come from?
        points = target - _bend(actor, points, frame)
    canvas = (_moved(points, to_canvas) - 0.5).astype(np.float32)
    fine = cv2.resize(canvas, (columns * _CELL, rows * _CELL), interpolation=cv2.INTER_LINEAR)
    fine = fine[_CELL : _CELL + size[1], _CELL : _CELL + size[0]]
    return np.ascontiguousarray(fine[..., 0]), np.ascontiguousarray(fine[..., 1])


def _streak(way: Points, longest: float = _LONGEST_STREAK) -> np.ndarray | None:
    """Return the kernel of a motion within the exposure, or None for a short one."""
    length = min(float(np.hypot(*way)), longest)
    if length < 1.5:
        return None
    size = 2 * math.ceil(length / 2) + 1
    kernel = np.zeros((size, size), np.uint8)
    end = way / np.hypot(*way) * length / 2
    middle = np.array([size // 2, size // 2])
    ends = np.round(16 * np.stack([middle - end, middle + end])).astype(np.int32)
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 255, 1, cv2.LINE_AA, 4)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


# ------------------------------------------------------------------------------------------------- light


def _develop(image: Pixels, scene: Scene, frame: int, view: View) -> Pixels:
    """Return the picture in the scene's light, through the lens, with the camera's noise."""
    if scene.shadow is not None:
        spread = np.array([max(scene.size_wh) / scene.shadow.shape[0]] * 2 + [1])
        matrix = _centred(view.matrix() @ np.diag(spread))
        light = cv2.warpAffine(scene.shadow, matrix[:2], view.size_wh, borderMode=cv2.BORDER_REFLECT_101)
        cv2.multiply(image, light, image, scale=1 / 128)
    steps = np.linspace(0, 1, 256)[:, None] ** scene.gamma[frame] * scene.gains[frame]
    table = np.clip(np.round(255 * steps), 0, 255).astype(np.uint8)
    image = np.asarray(cv2.LUT(image, table[None]), dtype=np.uint8)
    if scene.softness:
        spread_px = scene.softness * min(view.scale, 1.0)
        if spread_px > 0.3:
            image = np.asarray(cv2.GaussianBlur(image, (5, 5), spread_px), dtype=np.uint8)
    if scene.grain:
        _add_grain(image, scene, frame)
    return image


def _add_grain(image: Pixels, scene: Scene, frame: int) -> None:
    tile, middle = _grain(max(round(scene.grain), 1))
    height, width = image.shape[:2]
    place = (scene.seed + 7919 * frame) % 99991
    y, x = place % (_TILE - height), (37 * place) % (_TILE - width)
    cv2.add(image, tile[y : y + height, x : x + width], image)
    cv2.subtract(image, np.full(4, middle, dtype=np.float64), image)


@lru_cache(maxsize=12)
def _grain(spread: int) -> tuple[Pixels, int]:
    """Return noise of a spread around a middle grey level, and that level."""
    middle = 4 * spread
    raw = np.random.Generator(np.random.PCG64(spread)).standard_normal((_TILE, _TILE), dtype=np.float32)
    gray = np.clip(np.round(raw * spread + middle), 0, 255).astype(np.uint8)
    return np.dstack([np.roll(gray, shift, axis=(0, 1)) for shift in (0, 311, 653)]), middle


def _cut(image: Pixels, mask: Pixels, scene: Scene, view: View) -> None:
    """Fill what lies outside of the frame with the mean of what lies inside, as cropping does."""
    width, height = view.size_wh
    low = np.clip(np.ceil(-view.scale * np.array([view.left, view.top])), 0, view.size_wh).astype(int)
    high = view.scale * (np.array(scene.size_wh) - (view.left, view.top))
    high = np.clip(np.floor(high + 0.5), 0, view.size_wh).astype(int)
    (x1, y1), (x2, y2) = low.tolist(), high.tolist()
    if (x1, y1, x2, y2) == (0, 0, width, height):
        return
    mean = np.asarray(cv2.mean(image[y1:y2, x1:x2])[:3]).astype(np.uint8) if x2 > x1 and y2 > y1 else 0
    for outside in (np.s_[:y1], np.s_[y2:], np.s_[y1:y2, :x1], np.s_[y1:y2, x2:]):
        image[outside] = mean
        mask[outside] = 0
