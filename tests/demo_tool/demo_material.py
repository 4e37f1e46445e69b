"""Material for the demo's tests: tiny videos and image folders, and a tracker that needs no network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

needs_animation = pytest.mark.skipif(
    not hasattr(cv2, "imwriteanimation"), reason="this OpenCV writes no animations (4.11 and newer do)"
)
WIDTH, HEIGHT, SIDE = 96, 72, 20


@dataclass(frozen=True)
class FakePrediction:
    """Has the fields of pysot.trackers.Prediction."""

    bbox: np.ndarray
    score: float = 0.9
    polygon: np.ndarray | None = None
    mask: np.ndarray | None = None
    lost: bool = False


class FakeMultiTracker:
    """Moves every target one pixel to the right per frame, as the square of the material does."""

    def __init__(self, tracker: object) -> None:
        self.tracker = tracker
        self.boxes: dict[int, np.ndarray] = {}
        self.frames: list[np.ndarray] = []
        self.fail_at: int | None = None
        self.failure: BaseException = KeyboardInterrupt()

    def add(self, frame: np.ndarray, box: tuple[float, float, float, float]) -> int:
        self.frames = [frame]
        target = 100 + len(self.boxes)  # ids are the tracker's own affair, not 1, 2, ...
        self.boxes[target] = np.array(box, np.float64)
        return target

    def track(self, frame: np.ndarray) -> dict[int, FakePrediction]:
        if len(self.frames) == self.fail_at:
            raise self.failure
        self.frames.append(frame)
        found = {}
        for target, box in self.boxes.items():
            box += (1, 0, 0, 0)
            x, y, w, h = box
            mask = np.zeros(frame.shape[:2], bool)
            mask[int(y) : int(y + h), int(x) : int(x + w)] = True
            polygon = np.array([x, y, x + w, y, x + w, y + h, x, y + h])
            found[target] = FakePrediction(box.copy(), 0.75, polygon, mask, lost=len(self.frames) % 4 == 0)
        return found


def picture(index: int, dtype: type = np.uint8, channels: int = 3) -> np.ndarray:
    """Return frame ``index``: a bright square at x = 10 + index, y = 30 on grey."""
    frame = np.full((HEIGHT, WIDTH, channels), 90, dtype)
    frame[30 : 30 + SIDE, 10 + index : 10 + index + SIDE] = 230
    frame[..., 0] //= 2 if channels == 3 else 1
    frame = frame * 256 if dtype == np.uint16 else frame
    return frame[..., 0] if channels == 1 else frame


def make_video(path: Path, frames: int = 12, fps: float = 20.0) -> Path:
    codec = cv2.VideoWriter.fourcc(*("MJPG" if path.suffix == ".avi" else "mp4v"))
    writer = cv2.VideoWriter(str(path), codec, fps, (WIDTH, HEIGHT))
    for index in range(frames):
        writer.write(picture(index))
    writer.release()
    return path


def make_images(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        ok, data = cv2.imencode(Path(name).suffix.lower(), picture(index))
        assert ok
        (folder / name).write_bytes(data.tobytes())
    return folder


def truth_lines(frames: int) -> str:
    return "".join(f"{10 + index},30,{SIDE},{SIDE}\n" for index in range(frames))


def square_x(frame: np.ndarray) -> int:
    """Return the column where the bright square of a frame begins."""
    grey = frame if frame.ndim == 2 else frame[..., -1]
    return int(np.argmax(grey[40] > 0.7 * grey.max()))
