"""What lies around a small image: parts of photographs in place of its mean colour.

Of a still image a few hundred pixels wide, a crop of four times the target's context is mostly outside of the image. A
network that only sees targets in frames of one colour learns the frame. A photograph is no true surrounding, but it
has edges, textures and things in it, as what surrounds a target in a video has.
"""

from __future__ import annotations

import math
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pysot.datasets.curation.clips import IMAGE_SUFFIXES
from pysot.datasets.curation.images import Uint8Image, read_image
from pysot.utils import InputError

SHOWN = 0.5, 1.3
"""Least and most of a photograph's longer side that fills a picture's; beyond its edges it is mirrored."""
SOFT = 0.5
"""How often an image runs into its surroundings instead of ending at an edge."""
_WIDEST = 24.0  # of a soft edge, pixels
_LONGEST_PHOTO = 1024
_KEPT_PHOTOS = 64  # in memory, of at most 3 MiB each
_READERS = 4


@dataclass(frozen=True)
class Backgrounds:
    """Photographs to put around images.

    Attributes:
        photos: The files.
    """

    photos: tuple[Path, ...]

    def fill(self, picture: Uint8Image, inside: Uint8Image, name: str) -> Uint8Image:
        """Return a picture with a photograph where the picture's image does not reach; see `surround`.

        Args:
            picture: (H, W, 3) uint8 BGR, the image continued beyond its edges in some way.
            inside: (H, W) uint8, 255 where the image is, 0 outside.
            name: Decides which photograph is taken and how: the same name gives the same picture.
        """
        if inside.min() == 255:
            return picture
        rng = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
        return surround(rng, picture, inside, self.pick(rng))

    def pick(self, rng: Generator) -> Uint8Image:
        """Return one of the photographs.

        Raises:
            InputError: It cannot be read; names the file.
        """
        try:
            return load_photo(self.photos[rng.integers(len(self.photos))])
        except InputError as error:
            raise InputError(f"photograph for backgrounds: {error}") from error


@lru_cache(maxsize=_KEPT_PHOTOS)
def load_photo(path: Path) -> Uint8Image:
    """Return a photograph, its longer side at most 1024 pixels; from memory if it was asked for not long ago.

    Raises:
        InputError: It cannot be read; names the file.
    """
    photo = read_image(path)
    scale = _LONGEST_PHOTO / max(photo.shape[:2])
    if scale >= 1:
        return photo
    return np.asarray(cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def find_photos(folder: Path) -> tuple[Path, ...]:
    """Return the images in a folder and below it, in the order of their names.

    All are read once: one that cannot be would end the run hours later.

    Raises:
        InputError: There are none, or one cannot be read; names the file.
    """
    photos = tuple(sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES))
    if not photos:
        raise InputError(f"{folder}: no images ({', '.join(IMAGE_SUFFIXES)})")
    with ThreadPoolExecutor(_READERS) as pool:
        faults = [fault for fault in pool.map(_fault, photos) if fault is not None]
    if faults:
        raise InputError(
            f"{folder}: {len(faults)} of {len(photos)} photographs cannot be used, remove them: {faults[0]}"
        )
    return photos


def _fault(photo: Path) -> str | None:
    """Return why a photograph cannot be read; None if it can."""
    try:
        read_image(photo)
    except InputError as error:
        return str(error)
    return None


def surround(rng: Generator, picture: Uint8Image, inside: Uint8Image, photo: Uint8Image) -> Uint8Image:
    """Return a picture with a photograph around the image in it, as bright as the image, with a soft or a hard edge.

    Args:
        rng: Decides which part of the photograph is taken, how large, mirrored or not, and the edge.
        picture: (H, W, 3) uint8 BGR, the image continued beyond its edges in some way; a soft edge lies there.
        inside: (H, W) uint8, 255 where the image is, 0 outside.
        photo: (H, W, 3) uint8 BGR.
    """
    around = match_light(rng, spread_photo(rng, photo, picture.shape[1::-1]), None, picture, inside)
    alpha = inside
    if rng.random() < SOFT:
        width = rng.uniform(3, _WIDEST)
        away = cv2.distanceTransform(cv2.bitwise_not(inside), cv2.DIST_L2, 3)
        alpha = np.clip(255 - away * (255 / width), 0, 255).astype(np.uint8)
    share = cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR)
    image = cv2.multiply(picture, share, scale=1 / 255)
    return np.asarray(cv2.add(image, cv2.multiply(around, cv2.bitwise_not(share), scale=1 / 255)), dtype=np.uint8)


def spread_photo(
    rng: Generator, photo: Uint8Image, size_wh: tuple[int, ...], shown: tuple[float, float] = SHOWN
) -> Uint8Image:
    """Return a part of a photograph, or all of it mirrored at its edges, in (width, height); ``shown``: see SHOWN."""
    zoom = max(size_wh) / max(photo.shape[:2]) / math.exp(rng.uniform(*np.log(shown)))
    x, y = (rng.uniform(0.3, 0.7, 2) * photo.shape[1::-1]).tolist()
    across = rng.choice([-1, 1]) / zoom
    matrix = np.array([[across, 0, x - across * size_wh[0] / 2], [0, 1 / zoom, y - size_wh[1] / 2 / zoom]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(photo, matrix, size_wh[:2], flags=flags, borderMode=cv2.BORDER_REFLECT_101))


def match_light(
    rng: Generator, image: Uint8Image, among: Uint8Image | None, like: Uint8Image, inside: Uint8Image | None
) -> Uint8Image:
    """Return an image with its brightness moved most of the way to another's; colours and contrast stay.

    Args:
        rng: Decides how far, 40 to 100 %.
        image: (H, W, 3) uint8 BGR.
        among: (H, W) uint8, not 0 where the image counts; None for everywhere.
        like: (H, W, 3) uint8 BGR.
        inside: The same of ``like``.
    """
    own, wanted = _level(image, among), _level(like, inside)
    gain = (wanted / own) ** rng.uniform(0.4, 1.0)
    return np.asarray(cv2.convertScaleAbs(image, alpha=float(np.clip(gain, 0.4, 2.0))), dtype=np.uint8)


def _level(image: Uint8Image, among: NDArray[np.uint8] | None) -> float:
    """Return the mean grey level, of a black image a little more than 0."""
    return max(float(np.mean(cv2.mean(image, among)[:3])), 4.0)
