"""Where everything is: the belt, its travellers, the camera and the light as functions of time in seconds."""

from __future__ import annotations

import math

import numpy as np

from .shapes import rotation, translation

FPS = 25
NODES = 24  # rigid bodies; 0 stands still, 1 is the target, then the travellers and the cart

# The carousel: a stadium-shaped belt; straights along x, half circles at both ends. Metres, z up.
STRAIGHT, RADIUS, BELT_WIDTH, BELT_HEIGHT, BELT_SPEED = 4.4, 1.25, 0.86, 0.42, 0.72
LAP = 2 * STRAIGHT + 2 * math.pi * RADIUS
BAG_START = 1.45  # metres along the belt at time 0

# Belt travellers: metres ahead of the target, kind, tint, yaw.
TRAVELLERS = (
    (1.45, "duffel", (0.50, 0.12, 0.14), -0.35),
    (2.45, "flat", (0.10, 0.20, 0.42), 0.25),
    (3.1, "flat", (0.66, 0.68, 0.70), 0.4),
    (4.6, "flat", (0.16, 0.42, 0.40), -0.5),
    (6.6, "duffel", (0.22, 0.24, 0.30), 0.3),
    (-0.92, "backpack", (0.0, 0.0, 0.0), 0.5),
    (-1.95, "flat", (0.24, 0.18, 0.34), -0.2),
    (-2.95, "duffel", (0.14, 0.34, 0.25), 0.5),
    (-4.2, "flat", (0.62, 0.14, 0.12), -0.2),
    (-5.5, "flat", (0.80, 0.60, 0.22), 0.2),
    (-7.0, "upright", (0.55, 0.57, 0.60), 0.1),
)
CART_NODE = 2 + len(TRAVELLERS)


def belt_place(s: float) -> tuple[float, float, float]:
    """Where the belt is after ``s`` metres: x, y, heading in radians.

    It starts in the middle of the far straight towards +x and turns right, towards the camera.
    """
    s = s % LAP
    half, arc = STRAIGHT / 2, math.pi * RADIUS
    if s < half:
        return s, RADIUS, 0.0
    if s < half + arc:
        turn = (s - half) / RADIUS
        return half + RADIUS * math.sin(turn), RADIUS * math.cos(turn), -turn
    if s < half + arc + STRAIGHT:
        return half - (s - half - arc), -RADIUS, -math.pi
    if s < half + 2 * arc + STRAIGHT:
        turn = (s - half - arc - STRAIGHT) / RADIUS
        return -half - RADIUS * math.sin(turn), -RADIUS * math.cos(turn), -math.pi - turn
    return s - LAP, RADIUS, -2 * math.pi


def _smooth(low: float, high: float, value: float) -> float:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = min(max((value - low) / (high - low), 0.0), 1.0)
    return t * t * (3 - 2 * t)


def bag_pose(time: float) -> np.ndarray:
    """The target's pose: carried by the belt, slipping round, leaning, rocking where plates meet."""
    x, y, heading = belt_place(BAG_START + BELT_SPEED * time)
    slip = 0.55 + 1.6 * _smooth(1.5, 7.5, time)
    rock = sum(
        size * math.exp(-(time - start) / 0.45) * math.sin(9.5 * (time - start))
        for start, size in ((1.1, 0.13), (3.3, -0.16), (5.6, 0.15), (7.7, -0.17))
        if time > start
    )
    lean = -0.10 - 0.16 * _smooth(2.0, 5.0, time) + 0.12 * _smooth(6.5, 9.0, time)
    place = translation(x, y, BELT_HEIGHT + 0.025 * abs(rock) / 0.15) @ rotation("z", heading + slip)
    return place @ rotation("x", lean + 0.5 * rock) @ rotation("y", rock + 0.13 * _smooth(3.0, 6.0, time))


def node_poses(time: float) -> np.ndarray:
    """The pose of every node, (NODES, 4, 4)."""
    poses = np.tile(np.eye(4), (NODES, 1, 1))
    poses[1] = bag_pose(time)
    for node, (ahead, kind, _, yaw) in enumerate(TRAVELLERS, start=2):
        x, y, heading = belt_place(BAG_START + BELT_SPEED * time + ahead)
        lift = 0.03 if kind == "upright" else 0.0
        poses[node] = translation(x, y, BELT_HEIGHT + lift) @ rotation("z", heading + yaw)
    poses[CART_NODE] = translation(6.4 - 0.95 * time, 3.0, 0) @ rotation("z", 0.06 * math.sin(time))
    return poses


def camera(time: float) -> tuple[np.ndarray, np.ndarray, float]:
    """A hand-held camera that follows the target with delay: eye, target point, roll in radians."""

    def followed(at: float) -> np.ndarray:
        return (bag_pose(at) @ np.array([0, 0, 0.24, 1.0]))[:3]

    focus = np.mean([followed(time - lag) for lag in (0.05, 0.2, 0.35, 0.5)], axis=0)
    move = _smooth(0.0, 9.6, time)
    eye = np.array([0.35 + 1.0 * move, -4.8 + 0.95 * move, 1.72 - 0.22 * move])
    shake = [math.sin(time * f + p) * a for f, p, a in ((1.7, 0.3, 1.0), (2.9, 1.0, 0.55), (5.3, 2.0, 0.18))]
    drift = [math.sin(time * f + p) * a for f, p, a in ((1.3, 2.3, 1.0), (2.3, 0.4, 0.6), (6.1, 1.2, 0.15))]
    eye = eye + 0.025 * np.array([sum(shake), 0.0, sum(drift)])
    target = focus + np.array([0.10 * sum(drift) - 0.12, 0.0, 0.07 * sum(shake) + 0.08])
    return eye, target, math.radians(1.6 * sum(shake) - 2.2 * math.sin(0.75 * time))


def daylight(time: float) -> tuple[float, float]:
    """Strength of sun and sky: a cloud passes in the middle of the clip."""
    cloud = _smooth(2.6, 3.8, time) - _smooth(5.6, 6.8, time)
    return 1.0 - 0.82 * cloud, 1.0 - 0.22 * cloud
