"""The built-in benchmark: short sequences that are rendered on first use, so that nothing has to be downloaded.

``Builtin`` (boxes, one pass) and ``Builtin-VOT`` (rotated rectangles and frame tags, supervised restarts) share their
frames; in ``Builtin-LT`` the target disappears and comes back. Its scores say that everything works, not how good a
tracker is.

A rendered copy holds ``<sequence>/0001.jpg`` ... and one JSON file of annotations per benchmark.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.datasets import pysot_json
from toolkit.datasets.builtin.render import Stage, Truth
from toolkit.datasets.builtin.scenes import HEIGHT, LONG_TERM, ONE_PASS, WIDTH, Scene
from toolkit.datasets.entry import Entry
from toolkit.errors import DatasetError

VERSION = 1
"""Goes up with every change of what is rendered: results on one version say nothing about another."""

JPEG_QUALITY = 92
DECIMALS = 2
"""Of a coordinate in the annotations."""


def read(root: Path, subset: str) -> list[Entry]:
    """Find the sequences of a rendered copy.

    Args:
        root: the folder of the copy.
        subset: the benchmark's name.

    Raises:
        DatasetError: the copy is incomplete.
    """
    return pysot_json.entries(root / f"{subset}.json", root)


def cache_folder() -> Path:
    """Return where the benchmark is or will be rendered.

    ``builtin-v<version>`` in the first of: ``$PYSOT_CACHE``, ``$XDG_CACHE_HOME/pysot``, the system's own place for
    caches (``~/.cache/pysot``, on macOS ``~/Library/Caches/pysot``, on Windows ``%LOCALAPPDATA%/pysot``).
    """
    chosen = os.environ.get("PYSOT_CACHE")
    base = Path(chosen).expanduser() if chosen else _system_cache() / "pysot"
    return base / f"builtin-v{VERSION}"


def _system_cache() -> Path:
    configured = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(configured):
        return Path(configured)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")


def prepare(folder: Path | None = None) -> Path:
    """Return the folder of the rendered benchmark, rendering it if it is not there.

    Safe to call from several processes at once: the folder appears when it is complete.

    Args:
        folder: where; None for :func:`cache_folder`.

    Raises:
        DatasetError: the folder cannot be written.
    """
    folder = cache_folder() if folder is None else folder
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as staging:
            made = Path(staging) / folder.name
            made.mkdir()
            render(made)
            _move(made, folder)
    except OSError as failure:
        raise DatasetError(
            f"{folder}: cannot render the built-in benchmark there ({failure.strerror or failure}); "
            "set PYSOT_CACHE to a folder that can be written"
        ) from failure
    return folder


def _move(made: Path, folder: Path) -> None:
    try:
        made.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was first, with the same content
            raise


def render(folder: Path) -> None:
    """Render all sequences into an existing folder, with the annotations of every benchmark."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        takes = dict(
            zip((*ONE_PASS, *LONG_TERM), pool.map(partial(_film, folder), (*ONE_PASS, *LONG_TERM)), strict=True)
        )
    tables = {
        "Builtin": {scene.name: takes[scene].boxes() for scene in ONE_PASS},
        "Builtin-VOT": {scene.name: takes[scene].polygons() for scene in ONE_PASS},
        "Builtin-LT": {scene.name: takes[scene].boxes() for scene in LONG_TERM},
    }
    for name, table in tables.items():
        (folder / f"{name}.json").write_text(json.dumps(table) + "\n", encoding="utf-8")


@dataclass(frozen=True, eq=False)
class _Take:
    """What is known about a rendered scene; the tags follow from the stage's poses."""

    stage: Stage
    truths: list[Truth]

    def boxes(self) -> dict[str, Any]:
        """Return the entry with boxes, NaN where the target is gone."""
        return self._entry([truth.box if truth.present else np.full(4, np.nan) for truth in self.truths])

    def polygons(self) -> dict[str, Any]:
        """Return the entry with rotated rectangles and frame tags."""
        tags = {name: mask.astype(int).tolist() for name, mask in self._tags().items()}
        return self._entry([truth.polygon.ravel() for truth in self.truths]) | tags

    def _entry(self, regions: list[NDArray[np.float64]]) -> dict[str, Any]:
        scene = self.stage.scene
        rows = [np.round(region, DECIMALS).tolist() for region in regions]
        return {
            "video_dir": scene.name,
            "init_rect": rows[0],
            "img_names": [_image_name(scene, frame) for frame in range(scene.frames)],
            "gt_rect": rows,
            "attr": list(scene.attributes),
            "width": WIDTH,
            "height": HEIGHT,
        }

    def _tags(self) -> dict[str, NDArray[np.bool_]]:
        """Return VOT's frame tags (N,), from the poses; the thresholds are this benchmark's own."""
        frames = range(self.stage.scene.frames)
        poses = np.array([self.stage.target_pose(frame) for frame in frames])
        cameras = np.array([self.stage.camera_matrix(frame)[:, 2] for frame in frames])
        light = np.array([self.stage.light(frame) for frame in frames])
        velocity = np.gradient(poses[:, :2], axis=0)
        return {
            "camera_motion": np.linalg.norm(np.gradient(cameras, axis=0), axis=1) > 0.5,
            "illum_change": np.abs(np.gradient(np.log(light), axis=0)).max(axis=1) > 0.01,
            "motion_change": np.linalg.norm(np.gradient(velocity, axis=0), axis=1) > 1.0,
            "size_change": np.abs(np.gradient(np.log(poses[:, 2]))) > 0.01,
            "occlusion": np.array([truth.hidden for truth in self.truths]) > 0.05,
        }


def _image_name(scene: Scene, frame: int) -> str:
    return f"{scene.name}/{frame + 1:04d}.jpg"


def _film(folder: Path, scene: Scene) -> _Take:
    """Render a scene's frames to files."""
    (folder / scene.name).mkdir()
    stage, truths = Stage(scene), []
    for frame in range(scene.frames):
        image, truth = stage.shoot(frame)
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        (folder / _image_name(scene, frame)).write_bytes(data.tobytes())
        truths.append(truth)
    return _Take(stage, truths)
