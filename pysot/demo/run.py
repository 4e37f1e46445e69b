"""The loop: read a frame, track every target, draw, write, show."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from pysot.demo.draw import Outline, annotate
from pysot.demo.outputs import Outputs
from pysot.demo.sources import FrameSource
from pysot.demo.start import Start
from pysot.demo.window import Window
from pysot.geometry import iou_xywh

if TYPE_CHECKING:
    from pysot.trackers import MultiTracker

# The speed shown on a frame is the mean over this many: steady enough to read, yet current.
SPEED_WINDOW = 30


@dataclass(frozen=True)
class Given:
    """A start box as an outline: what the first frame shows."""

    bbox: np.ndarray
    score: float = 1.0
    polygon: np.ndarray | None = None
    mask: np.ndarray | None = None
    lost: bool = False


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes:
        frames: Frames written, the first (on which the targets were given) included.
        seconds: Time spent in tracking alone: without reading, drawing, writing and showing.
        mean_iou: Of the first target's boxes with the ground truth's, both axis-aligned, over the frames after
            the first in which it is present; None without a ground truth for all of them.
        interrupted: Whether Ctrl-C ended the run.
    """

    frames: int
    seconds: float
    mean_iou: float | None
    interrupted: bool

    @property
    def fps(self) -> float:
        """Tracked frames per second of tracking; 0 if nothing was tracked."""
        return (self.frames - 1) / self.seconds if self.seconds > 0 else 0.0


def follow(
    source: FrameSource,
    targets: MultiTracker,
    start: Start,
    outputs: Outputs,
    window: Window | None = None,
    max_frames: int | None = None,
) -> Summary:
    """Track the start's boxes through the source and write what is found.

    Ends with the source, after ``max_frames``, when the window is closed, or with Ctrl-C; what was done by then
    is in the outputs.
    """
    loop = _Loop(targets, start, outputs)
    interrupted = False
    total = min((n for n in (source.promised, max_frames) if n is not None), default=None)
    with tqdm(total=total, unit="frame", desc=source.label, dynamic_ncols=True) as bar:
        try:
            for frame in source:
                image = loop.step(frame)
                bar.update()
                if (window is not None and not window.show(image)) or loop.frames == max_frames:
                    break
        except KeyboardInterrupt:
            if loop.frames == 0:
                raise
            interrupted = True
        finally:
            if window is not None:
                window.close()
    return Summary(loop.frames, loop.seconds, loop.mean_iou(), interrupted)


class _Loop:
    """What is carried from frame to frame."""

    def __init__(self, targets: MultiTracker, start: Start, outputs: Outputs) -> None:
        self.frames = 0
        self.seconds = 0.0
        self._targets = targets
        self._start = start
        self._outputs = outputs
        self._numbers: dict[int, int] = {}
        self._first_boxes: list[np.ndarray] = []
        self._recent: deque[float] = deque(maxlen=SPEED_WINDOW)

    def step(self, frame: np.ndarray) -> np.ndarray:
        """Handle one frame; return it annotated."""
        outlines = self._track(frame) if self.frames else self._begin(frame)
        image = annotate(frame, outlines, self._status())
        self._outputs.write_picture(image)
        for number, outline in outlines.items():
            self._outputs.write_box(self.frames, number, outline)
        self._first_boxes.append(np.asarray(outlines[1].bbox, np.float64))
        self.frames += 1
        return image

    def mean_iou(self) -> float | None:
        """Return the mean overlap of the first target with the ground truth, if that covers every frame."""
        truth = self._start.ground_truth
        if truth is None or self.frames < 2 or len(truth) < self.frames:
            return None
        found, truth = np.stack(self._first_boxes[1:]), truth[1 : self.frames]
        present = np.isfinite(truth).all(axis=1)
        return float(iou_xywh(found[present], truth[present]).mean()) if present.any() else None

    def _begin(self, frame: np.ndarray) -> Mapping[int, Outline]:
        for number, box in enumerate(self._start.boxes, start=1):
            self._numbers[self._targets.add(frame, tuple(box.tolist()))] = number
        return {number: Given(self._start.boxes[number - 1]) for number in self._numbers.values()}

    def _track(self, frame: np.ndarray) -> Mapping[int, Outline]:
        began = time.perf_counter()
        predictions = self._targets.track(frame)
        self._recent.append(time.perf_counter() - began)
        self.seconds += self._recent[-1]
        return {number: predictions[target] for target, number in self._numbers.items()}

    def _status(self) -> str:
        speed = f"   {len(self._recent) / sum(self._recent):.1f} fps" if self._recent else ""
        return f"frame {self.frames}{speed}"
