"""What a run leaves behind: the annotated video (or animation) and the boxes as CSV and JSON beside it."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pysot.demo.draw import Outline
from pysot.demo.sources import FrameSource
from pysot.demo.start import OUTPUT_MARK
from pysot.utils import InputError
from pysot.utils.files import atomic_path

# What every opencv-python wheel encodes: MPEG-4 through its FFmpeg, and Motion JPEG by itself.
# H.264 would play in browsers too, but its encoder is missing from the Linux wheels.
VIDEO_CODECS = {".mp4": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
ANIMATION_SUFFIXES = (".gif", ".webp")
ANIMATION_FPS = 12.5
# An animation is held in memory until it is written, and nobody wants a GIF of more than a minute.
ANIMATION_PICTURES = 750
COLUMNS = ("frame", "target", "x", "y", "w", "h", "score", "lost", "polygon")


def resolve_output(source: FrameSource, output: str | None) -> Path:
    """Return the annotated video's path, its folder made and proven writable.

    Args:
        source: Its name and place give the default: ``bag_tracked.mp4`` beside ``bag.avi`` or the folder
            ``bag``; for a camera or stream in the current folder.
        output: A file whose suffix says the format, a folder, or None for the default.

    Raises:
        InputError: The format is unknown, nothing can be written there, or it would replace the input.
    """
    name = f"{_stem(source)}{OUTPUT_MARK}.mp4"
    if output is None:
        path = (source.path.parent if source.path else Path()) / name
    elif Path(output).is_dir() or output.endswith(("/", os.sep)) or not Path(output).suffix:
        path = Path(output) / name
    else:
        path = Path(output)
    if path.suffix.lower() not in (*VIDEO_CODECS, *ANIMATION_SUFFIXES):
        known = ", ".join((*VIDEO_CODECS, *ANIMATION_SUFFIXES))
        raise InputError(f"--output {output}: unknown format {path.suffix!r}; expected one of {known}, or a folder")
    if source.path is not None and path.exists() and path.samefile(source.path):
        raise InputError(f"--output {output}: this is the input; give another name")
    if path.suffix.lower() in ANIMATION_SUFFIXES and not hasattr(cv2, "imwriteanimation"):
        raise InputError(f"--output {output}: OpenCV {cv2.__version__} cannot write {path.suffix}, 4.11 and newer can")
    _prove_writable(path)
    return path


class Outputs:
    """The files of one run; `open_outputs` makes one and completes it.

    Attributes:
        video_path: The annotated video.
        csv_path: The boxes, one target on one frame per line.
        json_path: The same, headed by what was run.
        warning: After the run: what of it is not in the video.
    """

    def __init__(self, path: Path, pictures: _PictureWriter, about: dict[str, Any], width: int | None = None) -> None:
        self.video_path = path
        self.csv_path = path.with_suffix(".csv")
        self.json_path = path.with_suffix(".json")
        self.warning: str | None = None
        self._pictures = pictures
        self._about = about
        self._width = width
        self._rows: list[dict[str, Any]] = []

    def write_picture(self, image: np.ndarray) -> None:
        """Append one annotated frame, (H, W, 3) uint8 BGR, in the width that was asked for."""
        height, width = image.shape[:2]
        if self._width is not None and self._width != width:
            size = (self._width, max(1, round(height * self._width / width)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if self._width < width else cv2.INTER_LINEAR)
        self._pictures.write(image)

    def write_box(self, frame: int, target: int, outline: Outline) -> None:
        """Note one target on one frame; coordinates are kept to 1/100 pixel."""
        x, y, w, h = _rounded(outline.bbox)
        polygon = outline.polygon
        self._rows.append(
            {
                "frame": frame,
                "target": target,
                "x": x,
                "y": y,
                "w": w,
                "h": h,
                "score": round(float(outline.score), 4),
                "lost": bool(outline.lost),
                "polygon": None if polygon is None else _rounded(polygon),
            }
        )

    def write_csv(self, path: Path) -> None:
        """Write the boxes as CSV: lost as 0 or 1, a polygon as eight numbers divided by spaces."""
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            for row in self._rows:
                polygon = " ".join(str(value) for value in row["polygon"] or ())
                writer.writerow(row | {"lost": int(row["lost"]), "polygon": polygon})

    def write_json(self, path: Path) -> None:
        """Write what was run and the boxes as JSON."""
        path.write_text(json.dumps(self._about | {"boxes": self._rows}), encoding="utf-8")


@contextlib.contextmanager
def open_outputs(path: Path, fps: float, about: dict[str, Any], width: int | None = None) -> Iterator[Outputs]:
    """Collect a run's pictures and boxes; put all files in place at the end, or none of them after an error.

    Args:
        path: The annotated video, from `resolve_output`.
        fps: Its frames per second.
        about: What heads the JSON file: video, model and the like.
        width: Of the annotated video, pixels; None for that of the frames. Boxes stay in pixels of the frames.
    """
    kind = _AnimationWriter if path.suffix.lower() in ANIMATION_SUFFIXES else _VideoWriter
    with atomic_path(path) as partial:
        pictures = kind(partial, fps)
        outputs = Outputs(path, pictures, about, width)
        try:
            yield outputs
            outputs.warning = pictures.finish()
        finally:
            pictures.release()
    for table, write in ((outputs.csv_path, outputs.write_csv), (outputs.json_path, outputs.write_json)):
        with atomic_path(table) as partial:
            write(partial)


class _PictureWriter(ABC):
    """Writes pictures into ``path``, whose suffix says the format."""

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self.fps = fps

    @abstractmethod
    def write(self, image: np.ndarray) -> None:
        """Append a picture."""

    @abstractmethod
    def finish(self) -> str | None:
        """Complete the file; return a warning if not everything is in it."""

    @abstractmethod
    def release(self) -> None:
        """Let go of the file, complete or not: one that is open cannot be moved or removed on Windows."""


class _VideoWriter(_PictureWriter):
    def __init__(self, path: Path, fps: float) -> None:
        super().__init__(path, fps)
        self._writer: cv2.VideoWriter | None = None

    def write(self, image: np.ndarray) -> None:
        if self._writer is None:
            codec = VIDEO_CODECS[self.path.suffix.lower()]
            size = (image.shape[1], image.shape[0])
            self._writer = cv2.VideoWriter(str(self.path), cv2.VideoWriter.fourcc(*codec), self.fps, size)
            if not self._writer.isOpened():
                raise InputError(
                    f"OpenCV cannot write {self.path.suffix} ({codec}) of {size[0]}x{size[1]} pixels here: if there is "
                    "room on the disk, install opencv-python from PyPI, or give --output with a name ending in .avi"
                )
        self._writer.write(image)

    def finish(self) -> str | None:
        self.release()
        return None

    def release(self) -> None:
        if self._writer is not None:
            self._writer.release()


class _AnimationWriter(_PictureWriter):
    """Keeps every n-th picture, so that the animation runs in real time at about 12.5 per second at most."""

    def __init__(self, path: Path, fps: float) -> None:
        super().__init__(path, fps)
        self._step = max(1, round(fps / ANIMATION_FPS))
        self._seen = 0
        self._kept: list[np.ndarray] = []

    def write(self, image: np.ndarray) -> None:
        if self._seen % self._step == 0 and len(self._kept) < ANIMATION_PICTURES:
            self._kept.append(image)
        self._seen += 1

    def finish(self) -> str | None:
        animation = cv2.Animation()
        animation.frames = self._kept
        animation.durations = [round(1000 * self._step / self.fps)] * len(self._kept)
        # Without dithering a GIF's 256 colours turn smooth areas into bands.
        options = [cv2.IMWRITE_GIF_DITHER, 3] if self.path.suffix.lower() == ".gif" else [cv2.IMWRITE_WEBP_QUALITY, 80]
        if not cv2.imwriteanimation(str(self.path), animation, options):
            raise InputError(f"OpenCV could not write the animation {self.path}; give --output with another suffix")
        room = ANIMATION_PICTURES * self._step
        return f"the animation has the first {room} of {self._seen} frames" if self._seen > room else None

    def release(self) -> None:
        self._kept = []


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 2) + 0.0 for value in values]  # + 0.0 turns -0.0 into 0.0


def _stem(source: FrameSource) -> str:
    if source.path is None:
        return re.sub(r"\W+", "_", source.label).strip("_")
    return source.path.stem if source.path.is_file() else source.path.name


def _prove_writable(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise InputError(
            f"cannot write into {path.parent}: {error.strerror}; give --output FILE_OR_FOLDER elsewhere"
        ) from None
