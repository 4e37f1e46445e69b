"""The baggage hall as one list of triangles."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np

from .motion import BELT_HEIGHT, BELT_WIDTH, CART_NODE, LAP, STRAIGHT, TRAVELLERS, belt_place
from .shapes import Mesh, box, lathe, loft, pillow, quad, rotation, sheet, translation, tube
from .textures import LAYERS

PILLAR = (2.04, -2.75)  # x, y of the post between the camera and the belt


@dataclass
class Scene:
    """Triangles of the whole hall; the first ``bag_indices`` of them are the target.

    A node is a rigid body that moves; node 0 stands still, node 1 is the target.
    """

    vertices: list[np.ndarray] = field(default_factory=list)
    indices: list[np.ndarray] = field(default_factory=list)
    count: int = 0
    bag_indices: int = 0

    def add(
        self,
        mesh: Mesh,
        layer: str,
        tint: tuple[float, float, float] = (1.0, 1.0, 1.0),
        node: int = 0,
        gloss: float = 0.25,
        metal: float = 0.0,
        emission: float = 0.0,
    ) -> None:
        """Add a mesh of one material to a node."""
        material = (LAYERS.index(layer), gloss, metal, emission, *tint, node)
        rows = np.broadcast_to(np.array(material), (len(mesh.points), 8))
        self.vertices.append(np.hstack([mesh.points, mesh.normals, mesh.uvs, rows]).astype("f4"))
        self.indices.append((mesh.faces + self.count).astype("u4").ravel())
        self.count += len(mesh.points)


def _add_backpack(scene: Scene, node: int, seed: int, style: str, leather: tuple, metal: tuple) -> None:
    """A canvas backpack, 0.36 x 0.24 x 0.5 m, front to -y: body with lid, pocket, straps, handle, bottle."""
    rng = np.random.default_rng([seed, 2, node])
    body = loft((0.37, 0.23, 0.50), 3.4, 4.5, (72, 56))
    thrice = np.tile(rng.standard_normal((57, 72)), (1, 3))  # round the bag, so that the ends meet
    folds = cv2.GaussianBlur(thrice, (0, 0), 4)[:, 72:145]
    v = body.uvs[:, 1]
    lid = 0.007 / (1 + np.exp(-(v - 0.668) * 700)) + 0.004 / (1 + np.exp((v - 0.305) * 500))
    taper = 1 - 0.16 * np.clip(body.points[:, 2] / 0.5, 0, 1) ** 2
    body.points[:, :2] *= taper[:, None]
    outward = body.normals * np.sign(np.sum(body.normals * (body.points - [0, 0, 0.25]), axis=1, keepdims=True))
    body.points += outward * (lid + 0.05 * folds.ravel() * (v > 0.05))[:, None]
    shape = sheet(body.points.reshape(57, 73, 3), body.uvs.reshape(57, 73, 2), closed=True)
    scene.add(shape, f"{style}_body", node=node, gloss=0.2)
    pocket = pillow(0.25, 0.22, 0.065).moved(translation(0, -0.098, 0.185))
    scene.add(pocket, f"{style}_pocket", node=node, gloss=0.2)

    t = np.linspace(0, 1, 24)
    for x in (-0.085, 0.085):  # the lid's two leather straps, from the crown down to the pocket
        out = -0.03 - 0.083 * np.sin(np.pi / 2 * np.minimum(t * 2.2, 1)) ** 0.6
        front = np.stack([0 * t + x, out, 0.497 - 0.21 * t**1.6], axis=1)
        scene.add(tube(front, 0.014, 0.004, (0.0, -1.0, 0.15)), "leather", leather, node, 0.35)
        scene.add(box((x, -0.122, 0.33), (0.042, 0.010, 0.036)), "steel", metal, node, 0.75, 1.0)
        scene.add(box((x, -0.128, 0.33), (0.024, 0.006, 0.018)), "leather", leather, node, 0.35)
    for x in (-0.09, 0.09):  # shoulder straps hang in a bow at the back
        bow = np.stack(
            [x * (1 + 0.35 * np.sin(np.pi * t)), 0.095 + 0.06 * np.sin(np.pi * t) ** 0.7, 0.46 - 0.40 * t], axis=1
        )
        scene.add(tube(bow, 0.028, 0.008, (0.0, 1.0, 0.2)), "canvas", tuple(1.6 * c for c in leather), node, 0.2)
    arc = np.pi * t
    handle = np.stack([0.065 * np.cos(arc), 0.045 + 0.012 * np.sin(arc), 0.485 + 0.075 * np.sin(arc) ** 0.75], axis=1)
    scene.add(tube(handle, 0.013, 0.007, (0.0, 0.0, 1.0)), "leather", leather, node, 0.35)
    for side in (-1, 1):  # side pockets; the right one holds a bottle
        pouch = loft((0.075, 0.15, 0.17), 3.0, 5.0, (32, 20)).moved(translation(side * 0.178, 0.0, 0.03))
        scene.add(pouch, "canvas", tuple(0.75 * c for c in leather), node)
    bottle = [(0.0, 0.0), (0.032, 0.0), (0.034, 0.01), (0.034, 0.2), (0.03, 0.22), (0.018, 0.232), (0.018, 0.24)]
    scene.add(lathe(bottle).moved(translation(0.192, 0, 0.07)), "plain", (0.55, 0.75, 0.85), node, 0.8, 0.6)
    cap = [(0.021, 0.238), (0.022, 0.24), (0.022, 0.27), (0.02, 0.274), (0.0, 0.275)]
    scene.add(lathe(cap).moved(translation(0.192, 0, 0.07)), "plain", (0.15, 0.15, 0.16), node, 0.4)


def _add_suitcase(scene: Scene, node: int, size: tuple[float, float, float], tint: tuple, standing: bool) -> None:
    """A ribbed hard-shell suitcase, upright or lying on its back."""
    turn = np.eye(4) if standing else translation(0, size[2] / 2, size[1] / 2) @ rotation("x", math.pi / 2)
    shell = loft(size, 7.0, 9.0, (56, 24))
    shell.uvs = shell.points[:, [0, 2]] / (size[0], size[2])  # ribs run over the top, the sides are smooth
    scene.add(shell.moved(turn), "ribs", tint, node, 0.55)
    seam = loft((size[0] * 1.012, 0.012, size[2] * 1.008), 9.0, 12.0, (40, 20)).moved(turn)
    scene.add(seam, "plain", (0.12, 0.12, 0.13), node, 0.5)
    t = np.linspace(0, np.pi, 20)
    grip = np.stack([0.08 * np.cos(t), 0 * t, size[2] - 0.005 + 0.035 * np.sin(t) ** 0.5], axis=1)
    scene.add(tube(grip, 0.010, 0.010, (0.0, 1.0, 0.0)).moved(turn), "plain", (0.1, 0.1, 0.11), node, 0.5)
    for x in (-0.4, 0.4):
        for y in (-0.35, 0.35):
            wheel = loft((0.05, 0.05, 0.05), 3, 3, (16, 10)).moved(
                translation(x * size[0], y * size[1], -0.03 if standing else -0.02)
            )
            scene.add(wheel.moved(turn), "plain", (0.08, 0.08, 0.09), node)


def _add_duffel(scene: Scene, node: int, tint: tuple) -> None:
    """A sports bag: a lying roll with two bands and grips."""
    lying = translation(-0.29, 0, 0.15) @ rotation("y", math.pi / 2)
    roll = loft((0.30, 0.30, 0.58), 2.6, 7.0, (56, 32)).moved(lying)
    scene.add(roll, "canvas", tint, node, 0.25)
    t = np.linspace(0, 2 * np.pi, 48)
    for x in (-0.13, 0.13):
        band = np.stack([0 * t + x, 0.151 * np.cos(t), 0.15 + 0.151 * np.sin(t)], axis=1)
        scene.add(tube(band, 0.018, 0.004, (1.0, 0.0, 0.0)), "canvas", (0.16, 0.15, 0.15), node)
    s = np.linspace(0, np.pi, 20)
    grip = np.stack([0.13 * np.cos(s), 0 * s - 0.04, 0.29 + 0.10 * np.sin(s)], axis=1)
    scene.add(tube(grip, 0.012, 0.006, (0.0, 1.0, 0.0)), "canvas", (0.16, 0.15, 0.15), node)


def _add_plant(scene: Scene, rng: np.random.Generator, at: tuple[float, float], height: float = 1.2) -> None:
    """A potted plant with bowing leaves."""
    place = translation(at[0], at[1], 0)
    pot = [(0.0, 0.0), (0.17, 0.0), (0.17, 0.0), (0.24, 0.42), (0.24, 0.42), (0.215, 0.42), (0.215, 0.37), (0.0, 0.37)]
    scene.add(lathe(pot).moved(place), "concrete", (0.86, 0.86, 0.88), gloss=0.35)
    t = np.linspace(0, 1, 14)
    across = np.linspace(-1, 1, 5)
    for k in range(42):
        reach, lift = rng.uniform(0.18, 0.52), rng.uniform(0.45, 1.0) * (height - 0.4)
        droop = rng.uniform(0.1, 0.75) * lift
        spine = np.stack([0.05 + reach * t**1.3, 0 * t, 0.38 + lift * np.sin(t * 1.9) - droop * t**4], axis=1)
        half = 0.030 * rng.uniform(0.7, 1.2) * np.sin(np.pi * (0.08 + 0.92 * t)) ** 0.7
        blade = spine[:, None] + np.stack(
            [0 * across * half[:, None], across * half[:, None], 0.35 * across**2 * half[:, None]], axis=2
        )
        uvs = np.stack(np.meshgrid(across / 2 + 0.5, t), axis=-1)
        leaf = sheet(blade, uvs).moved(place @ rotation("z", 2.4 * k + rng.uniform(-0.3, 0.3)))
        shade = rng.uniform(0.7, 1.1)
        scene.add(leaf, "leaf", (0.8 * shade, shade, 0.8 * shade), gloss=0.4)


def _ring(offset: float, heights: tuple[float, float], inset: float = 0.0, repeat: float = 0.5) -> Mesh:
    """A strip along the whole carousel between two offsets or heights; u follows the belt."""
    s = np.linspace(0, LAP, 241)
    places = np.array([belt_place(float(a)) for a in s])
    outward = np.stack([np.sin(places[:, 2]), -np.cos(places[:, 2])], axis=1)
    rows = [
        np.column_stack([places[:, :2] + outward * off, np.full(len(s), z)])
        for off, z in ((offset, heights[0]), (offset - inset, heights[1]))
    ]
    u, v = np.meshgrid(s / repeat * round(LAP / repeat) / (LAP / repeat), [0.0, 1.0])
    return sheet(np.stack(rows), np.stack([u, v], axis=-1))


def _add_carousel(scene: Scene) -> None:
    """The belt, its steel flanks with a rubber bumper, and the island with the sign."""
    half = BELT_WIDTH / 2
    scene.add(_ring(half, (BELT_HEIGHT, BELT_HEIGHT), BELT_WIDTH), "belt", gloss=0.35)
    black, rim = (0.08, 0.08, 0.09), BELT_HEIGHT - 0.05
    for side in (1, -1):
        flank, lip = side * (half + 0.10), side * 0.06
        scene.add(_ring(flank, (0.12, rim)), "steel", (0.66, 0.68, 0.70), gloss=0.7, metal=1.0)
        scene.add(_ring(flank, (rim, rim + 0.07), lip), "steel", (0.72, 0.73, 0.75), gloss=0.8, metal=1.0)
        scene.add(_ring(side * (half + 0.04), (rim + 0.07, rim + 0.04), lip), "plain", black)
        scene.add(_ring(side * (half + 0.03), (0.0, 0.12)), "plain", black, gloss=0.3)
    s = np.linspace(0, LAP, 241)
    x, y, heading = np.array([belt_place(float(a)) for a in s]).T
    path = np.column_stack([x + 0.545 * np.sin(heading), y - 0.545 * np.cos(heading), 0 * s + 0.30])
    scene.add(tube(path, 0.028, 0.028, (0.0, 0.0, 1.0), 10), "plain", black, gloss=0.45)
    island = loft((STRAIGHT + 1.1, 1.05, 0.62), 6.0, 8.0, (96, 16))
    scene.add(island, "plain", (0.30, 0.32, 0.35), gloss=0.55)
    for x in np.linspace(-2.0, 2.0, 6):  # joints between its panels
        joint = loft((0.02, 1.056, 0.623), 6.0, 8.0, (40, 16)).moved(translation(float(x), 0, 0))
        scene.add(joint, "plain", (0.12, 0.13, 0.14), gloss=0.3)
    scene.add(box((0.1, 0.0, 0.82), (0.07, 0.07, 0.76)), "steel", gloss=0.7, metal=1.0)
    scene.add(box((0.1, 0.02, 1.45), (0.54, 0.10, 0.54)), "plain", (0.12, 0.12, 0.13))
    scene.add(quad((-0.15, -0.035, 1.20), (0.50, 0, 0), (0, 0, 0.50)), "sign", emission=0.25)


def _add_seats(scene: Scene, x: float) -> None:
    """A row of four seats before the back wall, from ``x`` to the right."""
    blue = (0.16, 0.30, 0.52)
    for k in range(4):
        place = translation(x + 0.56 * k, 4.45, 0)
        seat = loft((0.5, 0.46, 0.07), 5, 4, (24, 10)).moved(place @ translation(0, 0, 0.42))
        scene.add(seat, "leather", blue, gloss=0.45)
        back = loft((0.5, 0.06, 0.42), 5, 4, (24, 10)).moved(place @ translation(0, 0.24, 0.52) @ rotation("x", -0.22))
        scene.add(back, "leather", blue, gloss=0.45)
    scene.add(box((x + 0.84, 4.5, 0.36), (2.3, 0.06, 0.06)), "steel", gloss=0.7, metal=1.0)
    for leg in (0.1, 1.6):
        scene.add(box((x + leg, 4.5, 0.17), (0.05, 0.4, 0.34)), "steel", gloss=0.7, metal=1.0)


def _add_hall(scene: Scene, seed: int) -> None:
    """Everything that stands still around the carousel."""
    rng = np.random.default_rng([seed, 3])
    scene.add(quad((-9, 5.2, 0), (20, 0, 0), (0, 0, 4.6), (12, 2)), "wall", (0.9, 0.9, 0.9), gloss=0.2)
    scene.add(box((1.0, 5.17, 0.06), (20, 0.06, 0.12)), "plain", (0.2, 0.2, 0.21))
    for x, name in ((-4.2, "poster_city"), (-1.15, "poster_sea"), (2.6, "poster_hills"), (6.2, "poster_city")):
        scene.add(box((x, 5.12, 1.75), (1.66, 0.1, 1.96)), "steel", (0.3, 0.3, 0.32), gloss=0.6, metal=1.0)
        scene.add(quad((x - 0.76, 5.06, 0.84), (1.52, 0, 0), (0, 0, 1.82)), name, emission=0.5)
    scene.add(box((0.75, 5.1, 2.9), (1.7, 0.14, 1.0)), "plain", (0.08, 0.08, 0.09), gloss=0.5)
    scene.add(quad((-0.05, 5.02, 2.45), (1.6, 0, 0), (0, 0, 0.9)), "board", emission=1.3)
    scene.add(quad((8.4, 5.2, 0), (0, -14, 0), (0, 0, 4.6), (9, 2)), "wall", (0.8, 0.8, 0.8), gloss=0.2)
    for y, name in ((2.9, "poster_sea"), (0.2, "poster_city")):
        scene.add(box((8.35, y - 0.8, 1.85), (0.1, 1.76, 2.06)), "steel", (0.3, 0.3, 0.32), gloss=0.6, metal=1.0)
        scene.add(quad((8.29, y, 0.9), (0, -1.6, 0), (0, 0, 1.9)), name, emission=0.5)
    for x in (-5.8, 0.75, 4.5):
        column = [(0.30, 0.0), (0.30, 0.1), (0.30, 0.1), (0.27, 0.1), (0.27, 0.1), (0.27, 4.6)]
        scene.add(lathe(column).moved(translation(x, 3.7, 0)), "concrete", (0.92, 0.92, 0.93))
    for x in (-2.6, 2.3):
        _add_seats(scene, x)
    for at in ((-4.4, 4.5), (1.35, 4.4), (5.3, 3.6), (4.9, 1.9)):
        _add_plant(scene, rng, at, 1.5)
    _add_plant(scene, rng, (1.30, -2.78), 1.13)
    pillar = [(0.08, 0.0), (0.08, 0.12), (0.08, 0.12), (0.06, 0.12), (0.06, 0.12), (0.06, 4.5)]
    scene.add(lathe(pillar).moved(translation(*PILLAR, 0)), "concrete", (0.80, 0.82, 0.86), gloss=0.35)
    band = [(0.0605, 1.18), (0.0605, 1.30)]
    scene.add(lathe(band).moved(translation(*PILLAR, 0)), "plain", (0.20, 0.32, 0.52), gloss=0.35)
    scene.add(quad((-12, -9, 0), (24, 0, 0), (0, 15, 0), (20, 12.5)), "terrazzo", (0.80, 0.79, 0.78), gloss=0.6)


def _add_cart(scene: Scene, node: int, place: np.ndarray, loaded: bool) -> None:
    """A luggage trolley, with two suitcases if ``loaded``."""
    for z in (0.18, 0.22):
        scene.add(box((0, 0, z), (0.9, 0.5, 0.025)).moved(place), "steel", gloss=0.7, metal=1.0, node=node)
    t = np.linspace(0, np.pi, 20)
    bow = np.stack([0.48 + 0.10 * np.sin(t), 0.24 * np.cos(t), 0.2 + 0.8 * np.sin(t) ** 0.5], axis=1)
    scene.add(tube(bow, 0.016, 0.016, (1.0, 0.0, 0.0)).moved(place), "steel", node=node, gloss=0.8, metal=1.0)
    for x in (-0.38, 0.38):
        for y in (-0.2, 0.2):
            wheel = loft((0.11, 0.04, 0.11), 3, 2.2, (16, 8)).moved(place @ translation(x, y, 0.02))
            scene.add(wheel, "plain", (0.1, 0.1, 0.1), node)
    if not loaded:
        return
    for x, size, tint in ((-0.2, (0.3, 0.42, 0.62), (0.75, 0.16, 0.14)), (0.17, (0.28, 0.4, 0.5), (0.85, 0.62, 0.15))):
        scene.add(loft(size, 7, 8, (56, 20)).moved(place @ translation(x, 0, 0.235)), "ribs", tint, node, 0.5)


def make_scene(seed: int) -> Scene:
    """Build the hall; the target comes first."""
    scene = Scene()
    _add_backpack(scene, 1, seed, "bag", (0.42, 0.24, 0.14), (0.95, 0.80, 0.50))
    scene.bag_indices = sum(len(part) for part in scene.indices)
    for node, (_, kind, tint, _) in enumerate(TRAVELLERS, start=2):
        if kind == "backpack":
            _add_backpack(scene, node, seed, "other", (0.20, 0.19, 0.19), (0.7, 0.7, 0.72))
        elif kind == "duffel":
            _add_duffel(scene, node, tint)
        elif kind == "upright":
            _add_suitcase(scene, node, (0.40, 0.25, 0.60), tint, standing=True)
        else:
            _add_suitcase(scene, node, (0.44, 0.24, 0.62), tint, standing=False)
    _add_cart(scene, CART_NODE, np.eye(4), loaded=True)
    for k in range(4):
        _add_cart(scene, 0, translation(6.0 + 0.25 * k, 0.6 - 0.1 * k, 0) @ rotation("z", 2.7), loaded=False)
    _add_carousel(scene)
    _add_hall(scene, seed)
    return scene
