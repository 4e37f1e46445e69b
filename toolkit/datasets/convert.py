"""Makes PySOT's JSON annotations: from a benchmark's download, or from one's own videos and boxes."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from toolkit.datasets import Found, pysot_json
from toolkit.datasets.box_formats import VIDEO_SUFFIXES, Track, natural
from toolkit.errors import DatasetError
from toolkit.regions import FloatArray, Regions
from toolkit.sequence import IMAGE_SUFFIXES, Frames, Sequence

JPEG_QUALITY = 95
IMAGE_FOLDERS = ("img", "img1", "images", "imgs", "color", "frames")


def convert_download(found: Found, output: Path) -> list[Sequence]:
    """Write the JSON annotations of a benchmark that lies there as it was downloaded.

    The images' size is noted where the first image is there.

    Raises:
        DatasetError: a sequence is malformed or has no images: their names are part of the JSON.
    """
    sequences = []
    for entry in tqdm(found.entries, desc=found.benchmark.name, unit="sequence", disable=None, leave=False):
        sequence = entry.read()
        images = len(sequence.frames.paths)
        if images == 0 or images < len(sequence):
            raise DatasetError(
                f"{sequence.frames.folder}: {images} images for the {len(sequence)} frames of {sequence.name}; "
                "the JSON lists them, unpack them first"
            )
        sequences.append(replace(sequence, annotated_size=sequence.size))
    pysot_json.write(output, sequences, found.folder)
    return sequences


def convert_boxes(tracks: list[Track], videos: Path, output: Path) -> list[Sequence]:
    """Write a dataset of one's own: JSON annotations, and frames of what is a video file.

    A sequence goes from the first to the last frame with a box; between them, frames without are frames without the
    target. Folders of images are referred to where they are; videos are turned into JPEG files beside the JSON.

    Args:
        tracks: the boxes.
        videos: the folder that holds the videos or folders of images.
        output: the JSON file; its folder becomes the dataset's.

    Raises:
        DatasetError: a video is missing or cannot be read, or a box is for a frame that it does not have.
    """
    images: dict[str, list[Path]] = {}
    sequences, names = [], set()
    for track in tqdm(tracks, desc=output.stem, unit="sequence", disable=None, leave=False):
        if track.video not in images or track.images is not None:
            images[track.video] = _images(track, videos, output.parent)
        sequence = _sequence(track, images[track.video])
        if sequence.name in names:
            raise DatasetError(f"{track.source}: two sequences would be called {sequence.name}; rename one")
        names.add(sequence.name)
        sequences.append(sequence)
    pysot_json.write(output, sequences, output.parent)
    return sequences


def _sequence(track: Track, images: list[Path]) -> Sequence:
    boxes = track.boxes or _boxes_by_name(track, images)
    first, last = min(boxes), max(boxes)
    if last >= len(images):
        raise DatasetError(
            f"{track.source}: a box for frame {last + 1} of {track.video}, which has {len(images)} frames"
        )
    rows = np.full((last - first + 1, 4), np.nan)
    for frame, box in boxes.items():
        rows[frame - first] = box
    frames = Frames(images[0].parent, [str(path.absolute()) for path in images[first : last + 1]])
    name = safe_name(f"{track.video}-{track.target}" if track.target else track.video)
    sequence = Sequence(name, frames, Regions.from_array(rows))
    if track.relative:
        rows = _pixels(rows, sequence.size)
    return replace(sequence, ground_truth=Regions.from_array(rows), annotated_size=sequence.size)


def safe_name(name: str) -> str:
    """Return a name that can be a file's: results are called like their sequence.

    Example:
        >>> safe_name("day 1/cam:2")
        'day_1_cam_2'
    """
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "video"


def _pixels(shares: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Return boxes x, y, w, h in pixels from centres and sizes as shares of the image's size (N, 4)."""
    scale = np.array([size[0], size[1]], dtype=np.float64)
    return np.concatenate([(shares[:, :2] - shares[:, 2:] / 2) * scale, shares[:, 2:] * scale], axis=1)


def _boxes_by_name(track: Track, images: list[Path]) -> dict[int, tuple[float, float, float, float]]:
    """Return boxes by frame from boxes by the name of the image, or of a video with the frame's number, from 1."""
    index = {path.stem: number for number, path in enumerate(images)}
    boxes = {}
    for stem, box in track.stems.items():
        numbered = re.fullmatch(r".*?(\d+)", stem)
        if stem in index:
            boxes[index[stem]] = box
        elif _extracted(images) and numbered and 1 <= int(numbered[1]) <= len(images):
            boxes[int(numbered[1]) - 1] = box
        else:
            raise DatasetError(f"{track.source / stem}.txt: {track.video} has no image {stem}")
    return boxes


def _extracted(images: list[Path]) -> bool:
    return bool(images) and images[0].parent.name == EXTRACTED


EXTRACTED = "frames_of_video"
"""The folder, in that of the video's name, with what became of a video file."""


def _images(track: Track, videos: Path, output: Path) -> list[Path]:
    """Return the frames of a track's video, turning a video file into images."""
    found = _image_folder(track, videos) if track.images is None else _listed(track, videos)
    if found is not None:
        return found
    name = Path(track.video).name
    files = [place / f"{name}{suffix}" for place in _places(track, videos) for suffix in VIDEO_SUFFIXES]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise DatasetError(
            f"{track.source}: no video {track.video} in {videos}: expected a folder of images "
            f"({', '.join(IMAGE_SUFFIXES)}), or a file {name} with one of {', '.join(VIDEO_SUFFIXES)}"
        )
    return extract(file, output / safe_name(track.video) / EXTRACTED)


def _places(track: Track, videos: Path) -> list[Path]:
    return [videos, (videos / track.video).parent]


def _listed(track: Track, videos: Path) -> list[Path] | None:
    """Return the images that the annotations list; None if the first is not there: a video file's frames, then."""
    listed = track.images or ()
    for root in (videos, videos / "images", videos / track.video):
        paths = [root / name for name in listed]
        if paths[0].is_file():
            lost = next((path for path in paths if not path.is_file()), None)
            if lost is not None:
                raise DatasetError(f"{track.source}: {lost}: no such file, but it is listed")
            return paths
    return None


def _image_folder(track: Track, videos: Path) -> list[Path] | None:
    below = [videos / track.video, videos / "images" / track.video, videos / "images"]
    if videos.resolve().name == track.video:  # the annotations of a single video, in its own folder
        below.append(videos)
    for folder in [place / sub for place in below for sub in (*IMAGE_FOLDERS, ".")]:
        if folder.is_dir():
            paths = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
            if paths:
                return sorted(paths, key=lambda path: natural(path.name))
    return None


def extract(video: Path, folder: Path) -> list[Path]:
    """Turn a video into JPEG files, ``00000001.jpg`` and so on; the folder appears when it is complete.

    Raises:
        DatasetError: no frame can be decoded.
    """
    if folder.is_dir() and folder.stat().st_mtime < video.stat().st_mtime:
        shutil.rmtree(folder)  # made of an earlier video of that name
    if not folder.is_dir():
        with _appearing(folder) as staging:
            count = sum(1 for number, frame in enumerate(_decode(video), 1) if _save(staging, number, frame))
            if count == 0:
                raise DatasetError(f"{video}: cannot be decoded as a video")
    return sorted(folder.glob("*.jpg"))


def _decode(video: Path) -> Iterator[np.ndarray]:
    capture = cv2.VideoCapture(str(video))
    try:
        while True:
            read, frame = capture.read()
            if not read:
                return
            yield frame
    finally:
        capture.release()


def _save(folder: Path, number: int, frame: np.ndarray) -> bool:
    path = folder / f"{number:08d}.jpg"
    if not cv2.imwrite(str(path), frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
        raise DatasetError(f"{path}: cannot be written")
    return True


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """Give a folder beside the one that is to be, which takes its place unless something fails."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield staging
        os.chmod(staging, 0o755)
        os.replace(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
