"""A sequence: the frames of one video and what is known about the target in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.errors import DatasetError
from toolkit.masks import Mask, read_mask
from toolkit.regions import FloatArray, Regions

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
IMAGE_FOLDERS = ("img", "color")
"""What the folder of the images may be called within a sequence's own."""


def read_image(path: Path) -> tuple[NDArray[np.uint8] | None, str]:
    """Read an image file.

    Returns:
        The image (H, W, 3) BGR, and an empty text; or None, and what is wrong with the file.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None, "no such file"
    except OSError as failure:
        return None, f"cannot be read ({failure.strerror or failure})"
    if not data:
        return None, "is empty (0 bytes)"
    if _is_cut_off(data):
        return None, "is cut off"
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # such as a size beyond all bounds
        image = None
    return (None, "cannot be decoded as an image") if image is None else (np.asarray(image, dtype=np.uint8), "")


def _is_cut_off(data: bytes) -> bool:
    """Say whether an image is incomplete: OpenCV decodes a cut JPEG to a picture that is partly gray.

    What follows the end is allowed: some programs fill up to whole blocks, or append something of theirs.
    """
    if data.startswith(b"\x89PNG"):
        return data.rfind(b"IEND") < 0
    if data.startswith(b"\xff\xd8"):
        # The end of the image, not that of a small one in its head: the last scan begins before it.
        end = data.rfind(b"\xff\xd9")
        return end < 0 or (end < len(data) - 1024 and end < data.rfind(b"\xff\xda"))
    return False


class Frames:
    """The image files of a sequence, listed only when asked for: scoring needs no images.

    Args:
        folder: what the names are relative to.
        names: file names in order; None for all images in the folder, sorted.
        start: of the images in the folder, how many to leave out in front.
        count: how many frames there are; None for all.
    """

    def __init__(self, folder: Path, names: list[str] | None = None, start: int = 0, count: int | None = None) -> None:
        self.folder = folder
        self._names = names
        self._start = start
        self._count = len(names) if names is not None else count

    @cached_property
    def paths(self) -> list[Path]:
        """All files in order; of a folder without images, none."""
        if self._names is not None:
            return [self.folder / name for name in self._names]
        found = []
        if self.folder.is_dir():
            with os.scandir(self.folder) as entries:
                found = [entry.name for entry in entries if entry.name.lower().endswith(IMAGE_SUFFIXES)]
        # By length first, so that 2.jpg comes before 10.jpg.
        found.sort(key=lambda name: (len(name), name))
        stop = None if self._count is None else self._start + self._count
        return [self.folder / name for name in found[self._start : stop]]

    def __len__(self) -> int:
        return len(self.paths) if self._count is None else self._count


def masks_beside(images: Path, target: str, *, alone: bool) -> str | None:
    """Return the name of the folder of a target's masks beside that of the images; None if there is none.

    It is ``mask.<target>``; for the only target in the images, ``mask`` will do.

    Args:
        images: the folder of the images; what lies beside it is theirs only if it is within a sequence's own.
        target: number of the target; empty if it has none.
        alone: no other sequence has the same images.
    """
    if images.name not in IMAGE_FOLDERS:
        return None
    names = [*([f"mask.{target}"] if target else []), *(["mask"] if alone else [])]
    return next((name for name in names if (images.parent / name).is_dir()), None)


@dataclass(frozen=True, eq=False)
class Sequence:
    """One video with one target.

    Attributes:
        name: as in the benchmark's lists and result files.
        frames: the image files.
        ground_truth: one region per frame, NaN where the target is absent; only the first where the benchmark
            withholds the rest.
        attributes: challenges that the whole sequence has, such as "Occlusion".
        visible: (N,) False on frames where the target is flagged absent; None if nothing is flagged.
        tags: per frame tag, such as "occlusion", its (N,) mask.
        annotated_size: image width and height if the annotations have them.
        masks: name of the folder, beside that of the images, with the target's mask in every frame, of the image's
            name and with the suffix ``.png``; None where there are boxes alone.
    """

    name: str
    frames: Frames
    ground_truth: Regions
    attributes: tuple[str, ...] = ()
    visible: NDArray[np.bool_] | None = None
    tags: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    annotated_size: tuple[int, int] | None = None
    masks: str | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (self.frame(index) for index in range(len(self)))

    @property
    def start_region(self) -> FloatArray:
        """(4,) box or (8,) polygon that the tracker is started on."""
        return self.ground_truth.values[0, : self.ground_truth.sizes[0]]

    @cached_property
    def size(self) -> tuple[int, int]:
        """Image width and height, from the annotations or else the first image.

        Raises:
            DatasetError: neither is there.
        """
        if self.annotated_size is not None:
            return self.annotated_size
        try:
            height, width = self.frame(0).shape[:2]
        except DatasetError as failure:
            raise DatasetError(
                f"image size of {self.name}: expected 'width' and 'height' in the annotations, or its first image "
                f"({failure})"
            ) from failure
        return width, height

    def frame(self, index: int) -> NDArray[np.uint8]:
        """Read a frame, counted from 0, as (H, W, 3) uint8 BGR.

        Raises:
            DatasetError: the file is missing, cut off, or cannot be decoded.
        """
        path = self._image(index)
        image, problem = read_image(path)
        if image is None:
            raise DatasetError(f"{path}: {problem} (frame {index + 1} of {self.name})")
        return image

    def mask(self, index: int) -> Mask:
        """Read the target's mask in a frame, counted from 0, as (H, W) bool.

        Raises:
            DatasetError: the sequence has no masks, or the file is missing or cannot be decoded.
        """
        if self.masks is None:
            raise DatasetError(f"{self.name}: no masks are annotated")
        image = self._image(index)
        try:
            return read_mask(image.parent.with_name(self.masks) / f"{image.stem}.png")
        except DatasetError as failure:
            raise DatasetError(f"{failure} (mask of frame {index + 1} of {self.name})") from None

    def _image(self, index: int) -> Path:
        if index >= len(self.frames.paths):
            raise DatasetError(
                f"{self.name}: no image for frame {index + 1} in {self.frames.folder} "
                f"({len(self.frames.paths)} images, {len(self)} frames expected)"
            )
        return self.frames.paths[index]
