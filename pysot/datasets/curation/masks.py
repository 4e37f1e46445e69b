"""Videos whose targets are painted into images: YouTube-VOS and DAVIS."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pysot.datasets.curation.clips import Clip, Labelled, Thing, list_folder, read_json, read_text
from pysot.datasets.curation.stills import find_image
from pysot.utils import InputError

UNKNOWN = 255
"""What DAVIS paints where it is not clear what is seen."""


def read_labels(file: Path) -> NDArray[np.uint8]:
    """Return the numbers (H, W) in a PNG with a palette, or the values of a grey one.

    OpenCV gives colours instead of a palette's numbers; they are turned back by the palette in the file.

    Raises:
        InputError: It is no such image; names the file.
    """
    try:
        data = file.read_bytes()
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    except cv2.error as error:
        raise InputError(f"{file}: not an image that can be read: {error.err}") from error
    if image is None or image.dtype != np.uint8:
        raise InputError(f"{file}: not an 8-bit image that can be read ({len(data)} bytes)")
    if b"IEND" not in data[-16:]:
        raise InputError(f"{file}: the PNG ends early, after {len(data)} bytes")
    if image.ndim == 2:
        return np.asarray(image, dtype=np.uint8)
    palette = _palette(file, data)
    colors = image[..., 2] * np.int64(65536) + image[..., 1] * np.int64(256) + image[..., 0]
    found, inverse = np.unique(colors, return_inverse=True)
    if any(color not in palette for color in found.tolist()):
        raise InputError(f"{file}: a colour that its palette does not have")
    numbers = np.array([palette[color] for color in found.tolist()], dtype=np.uint8)
    return np.asarray(numbers[inverse].reshape(image.shape[:2]), dtype=np.uint8)


def _palette(file: Path, data: bytes) -> dict[int, int]:
    """Return the first number of each colour of a PNG's palette."""
    at = 8
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + length]
        if kind == b"PLTE" and zlib.crc32(kind + body) == int.from_bytes(
            data[at + 8 + length : at + 12 + length], "big"
        ):
            colors = [int.from_bytes(body[start : start + 3], "big") for start in range(0, length - 2, 3)]
            return {color: number for number, color in reversed(list(enumerate(colors)))}
        at += 12 + length
    raise InputError(f"{file}: expected a PNG with a palette or a grey one, got colours")


def youtube_vos_clips(root: Path) -> list[Clip]:
    """Return the clips of YouTube-VOS's ``train`` folder.

    Raises:
        InputError: There are none, or ``meta.json`` is malformed.
    """
    meta = root / "meta.json"
    videos = read_json(meta).get("videos")
    if not isinstance(videos, dict):
        raise InputError(f"{meta}: expected an object 'videos'")
    clips = []
    for folder in list_folder(root / "Annotations", "YouTube-VOS's masks"):
        try:
            objects = videos[folder.name]["objects"]
            kinds = {int(number): str(entry["category"]) for number, entry in objects.items()}
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InputError(f"{meta}: {folder.name}: expected objects with a category ({error!r})") from error
        clips.append(Clip(folder.name, partial(_painted, folder, root / "JPEGImages" / folder.name, kinds)))
    return clips


def davis_clips(root: Path, split: str, resolution: str = "480p") -> list[Clip]:
    """Return the clips of DAVIS 2017.

    Args:
        root: The folder with ``Annotations``, ``ImageSets`` and ``JPEGImages``.
        split: A file in ``ImageSets/2017``.
        resolution: A folder in ``Annotations`` and ``JPEGImages``.

    Raises:
        InputError: There are none.
    """
    names = read_text(root / "ImageSets" / "2017" / f"{split}.txt").split()
    clips = []
    for name in names:
        folder, images = root / "Annotations" / resolution / name, root / "JPEGImages" / resolution / name
        clips.append(Clip(name, partial(_painted, folder, images, {})))
    return clips


def _painted(folder: Path, images: Path, kinds: Mapping[int, str]) -> Iterable[Labelled]:
    files = sorted(folder.glob("*.png"))
    if not files:
        raise InputError(f"{folder}: no .png masks there")
    for file in files:
        if not file.stem.isdecimal():
            raise InputError(f"{file}: expected a frame number as its name")
        labels = read_labels(file)
        things = []
        for number in np.unique(labels).tolist():
            if number in (0, UNKNOWN):
                continue
            mask = np.asarray(labels == number, dtype=np.uint8)
            x, y, w, h = cv2.boundingRect(mask)
            things.append(Thing(f"{number:02d}", (x, y, x + w, y + h), kinds.get(number), mask=mask))
        if things:
            yield Labelled(int(file.stem), find_image(images / file.stem), tuple(things))
