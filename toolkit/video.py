"""What a tracker did on a sequence, as a video to look at."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ResultError
from toolkit.regions import FAILED, INITIALIZED, SKIPPED, FloatArray, Regions
from toolkit.sequence import Sequence

TRUTH_BGR = (0, 160, 0)
TRACKER_BGR = (0, 0, 220)
FRAMES_PER_SECOND = 30.0
CODES = {SKIPPED: "skipped", INITIALIZED: "start", FAILED: "failure"}


def draw_region(frame: NDArray[np.uint8], polygon: FloatArray, colour: tuple[int, int, int]) -> None:
    """Draw a region (8,), pixels, onto a frame (H, W, 3); nothing if it is NaN."""
    if np.isfinite(polygon).all():
        points = np.clip(polygon, -1e4, 3e4).reshape(-1, 1, 2).round().astype(np.int32)
        cv2.polylines(frame, [points], True, colour, 2, cv2.LINE_AA)


def write_video(path: Path, sequence: Sequence, regions: Regions) -> None:
    """Write an MP4 with the ground truth in green and the tracker in red; it appears whole or not at all.

    Args:
        path: the file.
        sequence: its frames and ground truth; the latter is left out where it is withheld.
        regions: the tracker's, one per frame.

    Raises:
        ResultError: a region per frame is not there, or this OpenCV cannot write MP4.
        DatasetError: a frame is missing.
    """
    if len(regions) != len(sequence):
        raise ResultError(f"{sequence.name}: {len(regions)} regions, the sequence has {len(sequence)} frames")
    truth, found = sequence.ground_truth.corners(), regions.corners()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    try:
        writer = cv2.VideoWriter(name, cv2.VideoWriter.fourcc(*"mp4v"), FRAMES_PER_SECOND, sequence.size)
        if not writer.isOpened():
            raise ResultError(f"{path}: this OpenCV cannot write MP4; install opencv-python from PyPI")
        try:
            for index, frame in enumerate(sequence):
                if index < len(truth):
                    draw_region(frame, truth[index], TRUTH_BGR)
                draw_region(frame, found[index], TRACKER_BGR)
                code = CODES.get(regions.values[index, 0], "") if regions.sizes[index] == 1 else ""
                _write_text(frame, f"{index + 1} {code}")
                writer.write(frame)
        finally:
            writer.release()
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _write_text(frame: NDArray[np.uint8], text: str) -> None:
    """Write into the upper left corner, legible on any ground."""
    for colour, weight in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(frame, text, (6, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, weight, cv2.LINE_AA)
