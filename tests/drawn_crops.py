"""Training sets of a few drawn images, for the tests of the training data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pysot.datasets.sources import Source, open_source
from pysot.geometry import context_side

CROP = {"NUM_USE": -1, "FRAME_RANGE": 100, "WEIGHT": 1.0, "CROPPED": True, "MASKS": ""}
NAMES = "{video}/{frame:06d}.{track}.x.jpg"
Videos = dict[str, dict[str, dict[str, list[float]]]]


def textured(rng: np.random.Generator, height: int = 511, width: int = 511) -> np.ndarray:
    """An image with something to see everywhere."""
    coarse = rng.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


def target_in_crop(size_wh: tuple[float, float]) -> tuple[int, int]:
    """The size in a crop of a target of some size in its frame."""
    zoom = context_side(size_wh, 0.5) / 127
    return round(size_wh[0] / zoom), round(size_wh[1] / zoom)


def write_annotations(folder: Path, videos: Videos, categories: dict[str, dict[str, str]] | None = None) -> Path:
    """Write a set's JSON files."""
    file = folder / "train.json"
    file.write_text(json.dumps(videos))
    if categories is not None:
        (folder / "train.categories.json").write_text(json.dumps(categories))
    return file


def write_crops(folder: Path, videos: Videos, *, masks: bool = False, suffix: str = ".jpg") -> None:
    """Write a crop for every box: texture, and the target as a bright rectangle (or its mask as one)."""
    rng = np.random.default_rng(0)
    for video, tracks in videos.items():
        (folder / video).mkdir(parents=True, exist_ok=True)
        for track, frames in tracks.items():
            for frame, box in frames.items():
                size_wh = (box[2] - box[0], box[3] - box[1]) if len(box) == 4 else (box[0], box[1])
                width, height = target_in_crop(size_wh)
                left, top = 255 - width // 2, 255 - height // 2
                image, mask = textured(rng) // 2, np.zeros((511, 511), dtype=np.uint8)
                for drawn in (image, mask):
                    drawn[top : top + height, left : left + width] = 255
                cv2.imwrite(str(folder / video / f"{frame}.{track}.x{suffix}"), image)
                if masks:
                    cv2.imwrite(str(folder / video / f"{frame}.{track}.m.png"), mask)


def small_set(videos: int = 4, frames: int = 3) -> Videos:
    """Annotations of videos with one target each, all boxes of an odd size in a crop."""
    return {
        f"v{video}": {"00": {f"{10 * frame:06d}": [5.0, 6.0, 45.0 + video, 66.0] for frame in range(frames)}}
        for video in range(videos)
    }


def source_of(folder: Path, videos: Videos, name: str = "SET", **entry: Any) -> Source:
    """Open a set for its annotations; its images need not be there."""
    folder.mkdir(parents=True, exist_ok=True)
    file = write_annotations(folder, videos, entry.pop("categories", None))
    return open_source(name, CROP | {"ROOT": str(folder), "ANNO": str(file), "IMAGES": NAMES} | entry)
