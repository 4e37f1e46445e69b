"""Where tracking starts: boxes from the command line, from a ground-truth file, or drawn in a window."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pysot.demo.sources import IMAGE_SUBFOLDERS, VIDEO_SUFFIXES, FrameSource, ImageSource, list_images
from pysot.demo.window import select_box
from pysot.geometry import bounding_box_of_polygon, check_box_xywh
from pysot.utils import InputError

GROUND_TRUTH_NAMES = ("groundtruth.txt", "groundtruth_rect.txt")
OUTPUT_MARK = "_tracked"
"""What an output's name ends in: such a file beside a video is not another video."""

_MEND = "mend the file or give --init-rect x,y,w,h"


@dataclass(frozen=True)
class Start:
    """The boxes to start on, one per target.

    Attributes:
        boxes: (N, 4) float64 x, y, w, h in pixels of the first frame, top-left, 0-based.
        ground_truth: (F, 4) float64 x, y, w, h of the first target in every frame, NaN where it is absent; None
            when the start does not come from a ground-truth file.
        origin: The ground-truth file.
    """

    boxes: np.ndarray
    ground_truth: np.ndarray | None = None
    origin: Path | None = None


def resolve_start(source: FrameSource, rects: Sequence[str]) -> Start | None:
    """Return the start that was given, or the one a ground-truth file gives, or None: it must be drawn.

    Args:
        source: The opened source; its first frame bounds the boxes.
        rects: The values of ``--init-rect``, "x,y,w,h" each.

    Raises:
        InputError: A box or the ground-truth file is unusable.
    """
    if rects:
        boxes = [check_box(parse_rect(text), source.first, f"--init-rect {text}") for text in rects]
        return Start(np.stack(boxes))
    origin = find_ground_truth(source)
    if origin is None:
        return None
    truth = read_ground_truth(origin)
    start = check_box(truth[0], source.first, f"{origin}, line 1")
    return Start(start[None], truth, origin)


def draw_start(source: FrameSource, title: str) -> Start:
    """Let the user draw one box on the first frame."""
    box = select_box(source.first, title)
    if box is None:
        raise InputError("no box was drawn: drag one with the mouse and press Enter, or give --init-rect x,y,w,h")
    return Start(check_box(box, source.first, "the drawn box")[None])


def missing_start(source: FrameSource) -> InputError:
    """Return the error for a source that has no start box and no window to draw one in."""
    beside = "" if source.path is None else f", or put the box into {_own_text_file(source.path)}"
    return InputError(
        f"{source.label}: no box to start on, and no window to draw one in; give --init-rect x,y,w,h{beside}"
    )


def parse_rect(text: str) -> np.ndarray:
    """Read "x,y,w,h" into four float64 numbers.

    Example:
        >>> parse_rect("10,20,30,40.5")
        array([10. , 20. , 30. , 40.5])
    """
    numbers = _numbers(text)
    if numbers is None or len(numbers) != 4:
        raise InputError(f"--init-rect {text!r}: expected four numbers x,y,w,h, for example 334,128,104,60")
    return np.array(numbers)


def check_box(box: np.ndarray, frame: np.ndarray, where: str) -> np.ndarray:
    """Return ``box`` (x, y, w, h) if a tracker can start on it; ``where`` says in the error whose it is."""
    try:
        return check_box_xywh(box, (frame.shape[0], frame.shape[1]))
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None


def find_ground_truth(source: FrameSource) -> Path | None:
    """Return the file with the boxes of this source, or None.

    A file named as the video (``bag.txt`` for ``bag.avi`` or for the folder ``bag``) is its own. A
    ``groundtruth.txt`` or ``groundtruth_rect.txt`` names no video, so it counts only where it can mean no other:
    beside the only video of a folder (not counting ``*_tracked``, which is ours), in the folder of the images,
    or above that folder when it is named as the benchmarks do or is the only one with images. A part of a
    folder's images has none: the lines would not fit.
    """
    if source.path is None or (isinstance(source, ImageSource) and not source.whole):
        return None
    candidates = [_own_text_file(source.path)]
    for folder in _own_folders(source):
        candidates += [folder / name for name in GROUND_TRUTH_NAMES]
    return next((path for path in candidates if path.is_file()), None)


def read_ground_truth(path: Path) -> np.ndarray:
    """Read one box or polygon per line as (F, 4) float64 x, y, w, h.

    Lines have 4 numbers (x, y, w, h) or 8 (a polygon's corners x1, y1 .. x4, y4, of which the axis-aligned
    bounding box is taken), divided by commas, tabs or spaces; NaN says that the target is absent. Numbers are
    taken as they are.

    Raises:
        InputError: A line is neither, or there is none.
    """
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    rows = []
    for number, line in enumerate(text.rstrip().splitlines(), start=1):
        values = _numbers(line)
        if values is None or len(values) not in (4, 8):
            raise InputError(f"{path}, line {number}: expected 4 or 8 numbers, got {line.strip()[:60]!r}; {_MEND}")
        rows.append(np.array(values) if len(values) == 4 else bounding_box_of_polygon(values))
    if not rows:
        raise InputError(f"{path}: expected a box per line, got an empty file; {_MEND}")
    return np.stack(rows)


def _own_text_file(path: Path) -> Path:
    return path.with_suffix(".txt") if path.is_file() else path.parent / f"{path.name}.txt"


def _own_folders(source: FrameSource) -> list[Path]:
    """Return the folders in which a ground-truth file can only mean this source."""
    if source.path is None:
        return []
    if not isinstance(source, ImageSource):
        folder = source.path.parent
        return [] if _other_videos(source.path) else [folder]
    images = source.files[0].parent
    if images != source.path:  # the folder given holds one sequence, with its images in a folder below
        return [source.path, images]
    parent = images.parent
    siblings = [path for path in parent.iterdir() if path.is_dir() and path != images]
    shared = images.name not in IMAGE_SUBFOLDERS and any(list_images(path) for path in siblings)
    return [images] if shared else [images, parent]


def _other_videos(video: Path) -> list[Path]:
    return [
        path
        for path in video.parent.iterdir()
        if path.suffix.lower() in VIDEO_SUFFIXES and path.name != video.name and not path.stem.endswith(OUTPUT_MARK)
    ]


def _numbers(text: str) -> list[float] | None:
    try:
        return [float(part) for part in re.split(r"\s*[,;]\s*|\s+", text.strip())]
    except ValueError:
        return None
