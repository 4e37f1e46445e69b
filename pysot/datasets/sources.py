"""Where the images of a training set are: a folder of files, or one packed file."""

from __future__ import annotations

import os
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pysot.datasets.index import TrackIndex, read_index
from pysot.datasets.packed import PackedFolder, is_packed
from pysot.utils import ConfigError, InputError

_FIELDS = ("video", "frame", "track")


class Store(Protocol):
    """Files by name."""

    def read(self, name: str) -> bytes:
        """Return a file's bytes.

        Raises:
            OSError: There is no such file, or it cannot be read.
        """


@dataclass(frozen=True)
class Folder:
    """Files below a folder.

    Attributes:
        root: The folder.
    """

    root: str

    def read(self, name: str) -> bytes:
        """Return a file's bytes."""
        handle = os.open(f"{self.root}/{name}", os.O_RDONLY | getattr(os, "O_BINARY", 0))
        with open(handle, "rb", buffering=0) as file:
            return file.read()


@dataclass(frozen=True)
class Source:
    """One training set.

    Attributes:
        name: What the configuration calls it.
        index: Its annotations.
        store: Its images.
        root: Where ``store`` is, for messages.
        frame_range: The farthest a search frame may be from its template's, in frame numbers.
        draws: Videos drawn from it in one pass over all sources.
        cropped: Its images are crops with the target in the middle, for a template of 127 pixels (crop511); if not,
            whole frames.
        images: Name of an image, with ``{video}``, ``{frame}`` and ``{track}`` in it.
        masks: Name of a mask, alike; empty if there are none.
    """

    name: str
    index: TrackIndex
    store: Store
    root: str
    frame_range: int
    draws: int
    cropped: bool
    images: str
    masks: str

    def image_name(self, row: int) -> str:
        """Return the name of the image with a box, below the source's root."""
        return self._name(self.images, row)

    def mask_name(self, row: int) -> str:
        """Return the name of the mask of a box, below the source's root."""
        return self._name(self.masks, row)

    def _name(self, pattern: str, row: int) -> str:
        track = self.index.track_of(row)
        video = self.index.videos[self.index.video_of(track)]
        return pattern.format(video=video, frame=int(self.index.frames[row]), track=self.index.tracks[track])


def open_source(name: str, entry: Mapping[str, Any]) -> Source:
    """Open the training set that an entry of DATASET describes.

    Args:
        name: The entry's name.
        entry: ROOT, ANNO, FRAME_RANGE, NUM_USE, WEIGHT, CROPPED, IMAGES and MASKS.

    Raises:
        ConfigError: A name pattern cannot be used.
        InputError: Annotations or images are not there or cannot be read.
    """
    for key in ("IMAGES", "MASKS"):
        _check_pattern(f"DATASET.{name}.{key}", entry[key])
    root = Path(entry["ROOT"])
    if not root.exists():
        raise InputError(f"DATASET.{name}.ROOT: no folder {root}; see training_dataset/README.md")
    index = read_index(entry["ANNO"])
    if not entry["CROPPED"] and not index.has_positions:
        sizes = "some boxes are sizes alone; whole frames need x1, y1, x2, y2"
        raise InputError(f"{entry['ANNO']}: {sizes} (DATASET.{name}.CROPPED is False)")
    videos = len(index.videos)
    draws = round(entry["WEIGHT"] * (videos if entry["NUM_USE"] == -1 else entry["NUM_USE"]))
    store: Store = PackedFolder(str(root)) if is_packed(root) else Folder(os.fspath(root))
    return Source(
        name=name,
        index=index,
        store=store,
        root=str(root),
        frame_range=entry["FRAME_RANGE"],
        draws=max(draws, 1),
        cropped=entry["CROPPED"],
        images=entry["IMAGES"],
        masks=entry["MASKS"],
    )


def _check_pattern(key: str, pattern: str) -> None:
    """Raise unless a pattern names video, frame and track alone and can be filled in."""
    try:
        names = [field for _, field, _, _ in string.Formatter().parse(pattern) if field is not None]
        if all(field in _FIELDS for field in names):
            pattern.format(video="v", frame=1, track="t")
            return
    except ValueError:
        pass
    raise ConfigError(f"{key}: expected a name with {{video}}, {{frame:06d}} and {{track}} in it, got {pattern!r}")
