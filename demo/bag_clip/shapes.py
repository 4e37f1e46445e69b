"""Matrices and meshes: metres, z up, column vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


def translation(x: float, y: float, z: float) -> np.ndarray:
    """A 4x4 matrix that shifts column vectors."""
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    return matrix


def rotation(axis: str, angle: float) -> np.ndarray:
    """A 4x4 right-handed rotation about ``axis`` ("x", "y" or "z") by ``angle`` radians."""
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(4)
    matrix[i, i] = matrix[j, j] = math.cos(angle)
    matrix[j, i] = math.sin(angle)
    matrix[i, j] = -math.sin(angle)
    return matrix


def look_at(eye: np.ndarray, target: np.ndarray, roll: float = 0.0) -> np.ndarray:
    """The view matrix of a camera at ``eye`` that looks at ``target``, turned about its axis by ``roll``."""
    back = (eye - target) / np.linalg.norm(eye - target)
    hint = np.array([0.0, 0.0, 1.0]) if abs(back[2]) < 0.95 else np.array([0.0, 1.0, 0.0])
    right = np.cross(hint, back)
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, :3] = right, np.cross(back, right), back
    matrix[:3, 3] = -matrix[:3, :3] @ eye
    return rotation("z", roll) @ matrix


def perspective(half_height: float, aspect: float, near: float = 0.3, far: float = 40.0) -> np.ndarray:
    """A perspective projection; ``half_height`` is the tangent of half the vertical field of view."""
    matrix = np.zeros((4, 4))
    matrix[0, 0], matrix[1, 1] = 1 / (half_height * aspect), 1 / half_height
    matrix[2, 2], matrix[2, 3] = -(far + near) / (far - near), -2 * far * near / (far - near)
    matrix[3, 2] = -1
    return matrix


def light_matrix(direction: np.ndarray, reach: float = 6.6) -> np.ndarray:
    """The orthographic view of a distant light over the carousel."""
    centre = np.array([0.6, -0.3, 0.5])
    scale = np.diag([1 / reach, 1 / reach, -1 / 12.0, 1.0])
    scale[2, 3] = -1.0
    return scale @ look_at(centre + 12.0 * direction, centre)


@dataclass
class Mesh:
    """Triangles with normals and texture coordinates; local metres, z up."""

    points: np.ndarray
    normals: np.ndarray
    uvs: np.ndarray
    faces: np.ndarray

    def moved(self, matrix: np.ndarray) -> Mesh:
        """The mesh after a rigid motion."""
        points = self.points @ matrix[:3, :3].T + matrix[:3, 3]
        return Mesh(points, self.normals @ matrix[:3, :3].T, self.uvs, self.faces)


def sheet(points: np.ndarray, uvs: np.ndarray, closed: bool = False) -> Mesh:
    """A surface through a grid of points, (rows, columns, 3); ``closed`` joins the last column to the first."""
    across = np.gradient(points, axis=1)
    if closed:
        across[:, 0] = across[:, -1] = points[:, 1] - points[:, -2]
    normals = np.cross(across, np.gradient(points, axis=0))
    length = np.linalg.norm(normals, axis=2, keepdims=True)
    normals = normals / np.maximum(length, 1e-12)
    for pole, inner in ((0, 1), (-1, -2)):
        if length[pole].max() < 1e-3 * length.max():  # all columns meet in one point
            mean = normals[inner].mean(axis=0)
            normals[pole] = mean / max(float(np.linalg.norm(mean)), 1e-12)
    rows, columns = points.shape[:2]
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    quads = np.stack([corner, corner + 1, corner + columns, corner + 1, corner + columns + 1, corner + columns], 1)
    return Mesh(points.reshape(-1, 3), normals.reshape(-1, 3), uvs.reshape(-1, 2), quads.reshape(-1, 3))


def _power(value: np.ndarray, exponent: float) -> np.ndarray:
    """A signed power."""
    return np.sign(value) * np.abs(value) ** exponent


def loft(size: tuple[float, float, float], round_xy: float, round_z: float, n: tuple[int, int] = (64, 40)) -> Mesh:
    """A rounded block standing on z = 0; larger exponents (from 2) are boxier.

    Texture: u runs around (front, -y, at 0.75), v from the middle of the bottom to the middle of the top.
    """
    theta, phi = np.meshgrid(np.linspace(0, 2 * np.pi, n[0] + 1), np.linspace(-np.pi / 2, np.pi / 2, n[1] + 1))
    ring = _power(np.cos(phi), 2 / round_z)
    ring[0] = ring[-1] = 0
    height = size[2] / 2 * (1 + _power(np.sin(phi), 2 / round_z))
    x = size[0] / 2 * ring * _power(np.cos(theta), 2 / round_xy)
    y = size[1] / 2 * ring * _power(np.sin(theta), 2 / round_xy)
    profile = np.hypot(np.diff(ring[:, 0]) * (size[0] + size[1]) / 4, np.diff(height[:, 0]))
    v = np.concatenate([[0], np.cumsum(profile)]) / profile.sum()
    uvs = np.stack([theta / (2 * np.pi), np.broadcast_to(v[:, None], theta.shape)], axis=-1)
    return sheet(np.stack([x, y, height], axis=-1), uvs, closed=True)


def pillow(width: float, height: float, depth: float, boxy: float = 6.0, n: int = 20) -> Mesh:
    """A padded panel in the xz plane that bulges to -y; its texture is seen straight from the front."""
    edge = np.sin(np.linspace(-np.pi / 2, np.pi / 2, n + 1))
    a, b = np.meshgrid(edge, edge)
    bulge = ((1 - np.abs(a) ** boxy) * (1 - np.abs(b) ** boxy)) ** 0.5
    corner = 1 - 0.05 * a**4 * b**4
    points = np.stack([a * width / 2 * corner, -depth * bulge, b * height / 2 * corner], axis=-1)
    return sheet(points, np.stack([a / 2 + 0.5, b / 2 + 0.5], axis=-1))


def tube(path: np.ndarray, wide: float, thick: float, hint: tuple[float, float, float], sides: int = 12) -> Mesh:
    """A band or a cord along ``path`` (n, 3), ``wide`` along path x hint and ``thick`` across it (half sizes)."""
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    side = np.cross(tangent, np.array(hint))
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    up = np.cross(side, tangent)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    boxy = 0.6 if wide > 1.8 * thick else 1.0
    ring_a, ring_b = wide * _power(np.cos(angle), boxy), thick * _power(np.sin(angle), boxy)
    points = path[:, None] + side[:, None] * ring_a[:, None] + up[:, None] * ring_b[:, None]
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    u, v = np.meshgrid(angle / (2 * np.pi), length / 0.2)
    return sheet(points, np.stack([u, v], axis=-1), closed=True)


def lathe(profile: list[tuple[float, float]], sides: int = 32) -> Mesh:
    """A turned body from (radius, z) pairs; a corner of the profile is written twice to stay sharp."""
    radius, height = np.array(profile).T
    angle, r = np.meshgrid(np.linspace(0, 2 * np.pi, sides + 1), radius)
    z = np.broadcast_to(height[:, None], r.shape)
    uvs = np.stack([angle / (2 * np.pi) * 2, z], axis=-1)
    return sheet(np.stack([r * np.cos(angle), r * np.sin(angle), z], axis=-1), uvs, closed=True)


def quad(corner: tuple, right: tuple, up: tuple, repeat: tuple[float, float] = (1, 1)) -> Mesh:
    """A flat panel from a corner and two edges."""
    a, b = np.meshgrid([0.0, 1.0], [0.0, 1.0])
    points = np.array(corner) + a[..., None] * np.array(right) + b[..., None] * np.array(up)
    return sheet(points, np.stack([a * repeat[0], b * repeat[1]], axis=-1))


def box(centre: tuple[float, float, float], size: tuple[float, float, float]) -> Mesh:
    """A sharp-edged box."""
    sides = []
    for axis in range(3):
        right, up = np.roll(np.diag(size), -axis - 1, axis=0)[:2]
        for sign in (-0.5, 0.5):
            corner = np.array(centre) - right / 2 - up / 2 + sign * np.diag(size)[axis]
            sides.append(quad(tuple(corner), tuple(right), tuple(up)))
    return join(sides)


def join(meshes: list[Mesh]) -> Mesh:
    """Several meshes as one."""
    offsets = np.cumsum([0] + [len(mesh.points) for mesh in meshes[:-1]])
    return Mesh(
        np.concatenate([mesh.points for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.uvs for mesh in meshes]),
        np.concatenate([mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=True)]),
    )
