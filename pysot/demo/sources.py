"""Where frames come from: a video file, a folder or glob of images, a camera, a stream."""

from __future__ import annotations

import glob
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from pysot.geometry import as_bgr_uint8
from pysot.utils import InputError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
VIDEO_SUFFIXES = (".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".ts")
IMAGE_SUBFOLDERS = ("img", "imgs", "images", "color", "frames")
"""Names under which the benchmarks (OTB, LaSOT: ``img``, VOT: ``color``) keep a sequence's images."""

DEFAULT_FPS = 25.0
# A camera delivers what it buffered while the model was loading, its first frames before the exposure settles.
STALE_FRAMES = 5


class FrameSource(ABC):
    """Frames in order, read once; the first is read on opening, so an opened source has at least one.

    Attributes:
        label: What the user called it.
        path: The video file or the folder of images; None for a camera or a stream.
        fps: Frames per second of the material (25 where it does not say).
        promised: How many frames the file header or the folder promises; None when nobody knows.
        first: The first frame, as decoded: (H, W) or (H, W, C), uint8 or uint16, BGR order.
        warning: After the last frame: why it was the last, if more were promised.
    """

    def __init__(self, label: str, path: Path | None, fps: float, promised: int | None) -> None:
        self.label = label
        self.path = path
        self.fps = fps
        self.promised = promised
        self.warning: str | None = None
        first = self._read(0)
        if first is None:
            self.close()
            raise InputError(f"{self._where(0)}: no frame can be read; expected a video or image that OpenCV decodes")
        try:
            as_bgr_uint8(first)
        except ValueError as error:
            raise InputError(f"{self._where(0)}: {error}") from None
        self.first: np.ndarray = first

    @property
    def live(self) -> bool:
        """Whether frames come at their own time and without a known end: a camera or a stream."""
        return self.path is None and self.promised is None

    def refresh(self) -> None:
        """Make ``first`` a current frame when the source is live; others stay at their beginning."""
        for _ in range(STALE_FRAMES if self.live else 0):
            frame = self._read(0)
            if frame is not None:
                self.first = frame

    def __iter__(self) -> Iterator[np.ndarray]:
        yield self.first
        index = 1
        while self.promised is None or self._may_continue(index):
            frame = self._read(index)
            if frame is None:
                break
            if frame.shape[:2] != self.first.shape[:2]:
                sizes = f"{_size(frame)} pixels, but the first frame has {_size(self.first)}"
                self.warning = f"{self._where(index)}: {sizes}; stopped after {index} frames"
                return
            yield frame
            index += 1
        if self.promised is not None and index < self.promised:
            told = f"stopped after {index} of {self.promised} promised frames"
            self.warning = f"{self._where(index)}: cannot be read; {told}"

    def _may_continue(self, index: int) -> bool:
        return True

    @abstractmethod
    def _read(self, index: int) -> np.ndarray | None:
        """Return frame ``index`` (always the next one), or None when there is none."""

    @abstractmethod
    def _where(self, index: int) -> str:
        """Name frame ``index`` for a message."""

    def close(self) -> None:  # noqa: B027 - a folder of images holds nothing open
        """Release what is held open."""


class VideoSource(FrameSource):
    """A video file, a camera index or a stream address, decoded by OpenCV."""

    def __init__(self, label: str, target: Path | int | str, expected: str) -> None:
        # OpenCV takes the index of a camera as int, anything else as text.
        self._capture = cv2.VideoCapture(target if isinstance(target, int) else str(target))
        if not self._capture.isOpened():
            raise InputError(f"{label}: cannot be opened; expected {expected}")
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        # Cameras and broken headers report rates like 0, NaN or 90000.
        super().__init__(
            label,
            path=target if isinstance(target, Path) else None,
            fps=fps if 1.0 <= fps <= 1000.0 else DEFAULT_FPS,
            promised=count if count > 0 else None,
        )

    def _read(self, index: int) -> np.ndarray | None:
        ok, frame = self._capture.read()
        return frame if ok else None

    def _where(self, index: int) -> str:
        return f"{self.label}, frame {index}"

    def close(self) -> None:
        """Release the decoder or the camera."""
        self._capture.release()


class ImageSource(FrameSource):
    """Image files in natural order (2.png before 10.png).

    Attributes:
        files: The image files.
        whole: Whether they are all the images of their folder, so that a list of boxes for the folder fits.
    """

    def __init__(self, label: str, path: Path, files: Sequence[Path], whole: bool) -> None:
        self.files = sorted(files, key=_natural)
        self.whole = whole
        super().__init__(label, path=path, fps=DEFAULT_FPS, promised=len(self.files))

    def _may_continue(self, index: int) -> bool:
        return index < len(self.files)

    def _read(self, index: int) -> np.ndarray | None:
        try:
            # np.fromfile opens names that cv2.imread cannot on Windows (anything not ASCII).
            data = np.fromfile(self.files[index], np.uint8)
        except OSError:
            return None
        # Depth and channels as stored, but turned upright as EXIF says, which IMREAD_UNCHANGED would not do.
        return cv2.imdecode(data, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR) if data.size else None

    def _where(self, index: int) -> str:
        return str(self.files[index])


def open_source(text: str, search: Sequence[Path] = ()) -> FrameSource:
    """Open what ``--video`` names and read its first frame.

    Args:
        text: A video file, an image, a folder or a (quoted) glob of images, a camera index or an address.
        search: Folders to look in when ``text`` is not found as given.

    Raises:
        InputError: Nothing is there, or no frame can be read.
    """
    if "://" in text:
        return VideoSource(text, text, "the address of a stream or video that can be reached")
    candidates = [Path(text), *(folder / text for folder in search)]
    for path in candidates:
        if path.is_dir():
            return _open_folder(text, path)
        if path.is_file():
            return _open_file(text, path)
    if text.isdecimal():
        expected = "the index of a connected camera that no other program uses (usually 0)"
        return VideoSource(f"camera {text}", int(text), expected)
    if glob.has_magic(text):
        return _open_glob(text, candidates)
    places = ", ".join(str(path) for path in candidates)
    raise InputError(f"no video {text!r}: expected a file, folder, glob, camera index or address (looked for {places})")


def _open_file(label: str, path: Path) -> FrameSource:
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageSource(label, path, [path], whole=False)
    return VideoSource(label, path, "a complete video in a format that OpenCV decodes")


def _open_folder(label: str, folder: Path) -> FrameSource:
    for place in (folder, *(folder / name for name in IMAGE_SUBFOLDERS)):
        files = list_images(place)
        if files:
            return ImageSource(label, folder.resolve(), files, whole=True)
    raise InputError(f"{label}: no images in this folder; expected {', '.join(IMAGE_SUFFIXES)}")


def _open_glob(label: str, patterns: Sequence[Path]) -> FrameSource:
    for pattern in patterns:
        files = [Path(match) for match in glob.glob(str(pattern), recursive=True)]
        files = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
        if files:
            folder = min(files, key=_natural).parent
            whole = set(files) == set(list_images(folder))
            return ImageSource(label, folder.resolve(), files, whole=whole)
    raise InputError(f"{label}: matches no image; expected {', '.join(IMAGE_SUFFIXES)}")


def list_images(folder: Path) -> list[Path]:
    """Return the image files directly in ``folder``; none if there is no such folder."""
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]


def quiet_opencv() -> None:
    """Keep OpenCV and FFmpeg from writing to stderr: the errors raised here say it once, in a line."""
    # OpenCV 5 moved the function.
    set_level = cv2.setLogLevel if hasattr(cv2, "setLogLevel") else cv2.utils.logging.setLogLevel
    set_level(0)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Return a sorting key in which runs of digits count as numbers."""
    parts = re.split(r"(\d+)", str(path).lower())
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]


def _size(frame: np.ndarray) -> str:
    return f"{frame.shape[1]}x{frame.shape[0]}"
