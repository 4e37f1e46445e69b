"""What every source is read into: clips of labelled frames, read when their turn comes, by the process that crops."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysot.utils import InputError

Box = tuple[float, float, float, float]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


@dataclass(frozen=True)
class Thing:
    """A target in one frame.

    Attributes:
        track: Its name in the clip, two digits where the source has numbers.
        box_xyxy: Pixels of the frame, or shares of its size if ``relative``.
        category: Its name, if known.
        relative: See ``box_xyxy``.
        mask: (H, W) uint8, not 0 where the target is seen; None if unknown.
        polygons: The mask as outlines (N, 2) in pixels, alternatively.
    """

    track: str
    box_xyxy: Box
    category: str | None = None
    relative: bool = False
    mask: NDArray[np.uint8] | None = None
    polygons: tuple[NDArray[np.float64], ...] = ()


@dataclass(frozen=True)
class Labelled:
    """A frame with its targets.

    Attributes:
        number: Of the frame in its clip.
        image: The file.
        things: The targets in it.
    """

    number: int
    image: Path
    things: tuple[Thing, ...]


@dataclass(frozen=True)
class Clip:
    """A video, or a still image.

    Attributes:
        name: Its name, which is also the folder of its crops; may have slashes.
        read: Gives the frames. Can be pickled; raises InputError with the name of a malformed file.
    """

    name: str
    read: Callable[[], Iterable[Labelled]]


def read_text(file: Path) -> str:
    """Return a text file.

    Raises:
        InputError: It is missing or no text; names the file.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: expected text, got other bytes at {error.start}") from error


def read_json(file: Path) -> dict[str, Any]:
    """Return a JSON file with an object in it.

    Raises:
        InputError: It is missing or something else; names the file.
    """
    try:
        content = json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{file}: expected an object, got a {type(content).__name__}")
    return content


def to_number(text: Any, where: str) -> float:
    """Return a finite number.

    Raises:
        InputError: It is none.
    """
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = math.nan
    if isinstance(text, bool) or not math.isfinite(value) or abs(value) > 1e7:
        raise InputError(f"{where}: expected a finite number, got {str(text)[:40]!r}")
    return value


def to_box(values: Iterable[Any], where: str) -> Box:
    """Return four finite numbers.

    Raises:
        InputError: There are more or fewer, or one is none.
    """
    numbers = [to_number(value, where) for value in values]
    if len(numbers) != 4:
        raise InputError(f"{where}: expected 4 numbers, got {len(numbers)}")
    return numbers[0], numbers[1], numbers[2], numbers[3]


def from_xywh(box: Box, origin: float = 0.0) -> Box:
    """Return corners of a box given by corner and size; ``origin`` is the number of the first pixel."""
    x, y, w, h = box
    return x - origin, y - origin, x - origin + w, y - origin + h


def list_folder(folder: Path, what: str) -> list[Path]:
    """Return the folders in a folder, by name.

    Raises:
        InputError: There are none.
    """
    found = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not found:
        raise InputError(f"{folder}: expected {what} there; see the README beside this script")
    return found


def images_in(folder: Path) -> list[Path]:
    """Return the image files in a folder, by the number in their names, then by name."""
    files = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES] if folder.is_dir() else []
    return sorted(files, key=lambda path: (int(path.stem) if path.stem.isdecimal() else -1, path.name))
