"""Protocols: how a tracker is put to a sequence, and what of it goes into result files.

A protocol needs of a tracker no more than :class:`Tracker` says: this package imports neither PyTorch nor the
trackers. Where the half pixels go is said once, in :func:`start_box_xywh`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Series
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.errors import DatasetError, ResultError, unknown_name
from toolkit.masks import EMPTY, encode_mask
from toolkit.overlap import vot_overlap
from toolkit.regions import FAILED, INITIALIZED, SKIPPED, FloatArray, box_corners, start_box_cxcywh
from toolkit.results import (
    LAYOUTS,
    Layout,
    format_region,
    write_boxes,
    write_confidences,
    write_masks,
    write_regions,
    write_times,
)
from toolkit.sequence import Sequence

Clock = Callable[[], float]

RESTART_AFTER = 5
"""Frames from a failure to the restart; those between are skipped."""


class Output(Protocol):
    """What a tracker says about one frame.

    One that segments also has ``mask``, (H, W) of the frame's size, True on the target: bool or the integers 0 and 1,
    not probabilities; None where it finds nothing to draw. Others need not have the attribute.
    """

    @property
    def bbox(self) -> ArrayLike:
        """(4,) x, y, w, h, pixels, 0-based."""

    @property
    def score(self) -> float:
        """Confidence that the box holds the target; any scale."""

    @property
    def polygon(self) -> ArrayLike | None:
        """(8,) corners x1, y1, ... x4, y4, pixels; None for a tracker that only has boxes."""


class Tracker(Protocol):
    """What a protocol needs of a tracker; ``frame`` is (H, W, 3) uint8 BGR."""

    def init(self, frame: NDArray[np.uint8], box: FloatArray) -> object:
        """Start on the target in ``box``, x, y, w, h, and forget any other; what is returned is not looked at."""

    def track(self, frame: NDArray[np.uint8]) -> Output:
        """Find the target in the next frame."""


@dataclass(frozen=True)
class Trajectory:
    """What a tracker did on one sequence.

    Attributes:
        regions: one per frame, as result files have them: (1,) code, (4,) box or (8,) polygon.
        confidences: (N,) the tracker's scores; NaN where it was not asked.
        seconds: (N,) time in ``init`` and ``track`` alone; 0 on frames that the tracker did not see.
        tracked: (N,) True where ``track`` was called.
        masks: one line per frame, as result files have them, the code of a start or a mask, empty where the tracker
            gave none; None where the sequence or the tracker has no masks at all.
    """

    regions: list[FloatArray]
    confidences: FloatArray
    seconds: FloatArray
    tracked: NDArray[np.bool_]
    masks: list[str] | None = None

    @property
    def failures(self) -> list[int]:
        """Frames, from 0, on which the target was lost."""
        return [index for index, region in enumerate(self.regions) if region.size == 1 and region[0] == FAILED]


class RealTime:
    """The camera of the real-time protocol, which does not wait: a frame that comes too early is missed.

    A frame lasts ``1 / fps`` seconds. Time beyond that is carried over, and a frame that falls entirely into it is
    missed. The first ``grace`` slow frames after a start are forgiven.

    Source: the VOT toolkit's real-time runtime with the settings of VOT2017-2019.
    """

    def __init__(self, fps: float = 20.0, grace: int = 3) -> None:
        self._interval = 1 / fps
        self._grace = grace
        self._forgiven = 0
        self._behind = 0.0

    def started(self, seconds: float) -> None:
        """Note that the tracker was started, and how long that took."""
        self._forgiven = 0
        self.took(seconds)

    def took(self, seconds: float) -> None:
        """Note how long the tracker took for the frame it was last given."""
        self._behind = max(0.0, seconds - self._interval)
        if self._behind and self._forgiven < self._grace:
            self._forgiven += 1
            self._behind = 0.0

    def misses_next(self) -> bool:
        """Let a frame go by and return True, if the tracker is still busy with the last one it was given."""
        if self._behind <= self._interval:
            return False
        self._behind -= self._interval
        return True


def start_box_xywh(region: ArrayLike) -> FloatArray:
    """Return the box x, y, w, h that a tracker is started on, as in the runs behind the published numbers.

    There the start's centre is x + w / 2, while a box's centre, in trackers and in the precision plot, is
    x + (w - 1) / 2: pixel x is a point, not a square. To put the centre where those runs had it, a box is moved by
    half a pixel. It is also the first line of a one-pass result file.

    Args:
        region: (4,) box x, y, w, h or (8,) polygon, pixels; a polygon becomes the box of
            :func:`toolkit.regions.start_box_cxcywh`.

    Example:
        >>> start_box_xywh([10, 20, 30, 40]).tolist()
        [10.5, 20.5, 30.0, 40.0]
    """
    cx, cy, w, h = start_box_cxcywh(region)
    return np.array([cx - (w - 1) / 2, cy - (h - 1) / 2, w, h])


def as_polygon(region: FloatArray) -> FloatArray:
    """Return a VOT ground truth as a polygon (8,); a box's far corners are on its last pixels."""
    return region if region.size == 8 else box_corners(region, last_pixel=True)[0]


def run_one_pass(tracker: Tracker, sequence: Sequence, clock: Clock = time.perf_counter) -> Trajectory:
    """Start on the first frame and track to the end; the first region is the box that was given."""
    with _session(tracker, sequence, clock) as session:
        box = start_box_xywh(sequence.start_region)
        session.start(0, box)
        return session.trajectory([box, *(session.follow(index).box for index in range(1, len(sequence)))])


def run_long_term(tracker: Tracker, sequence: Sequence, clock: Clock = time.perf_counter) -> Trajectory:
    """Start on the first frame and track to the end, also where the target is absent; confidences tell which."""
    with _session(tracker, sequence, clock) as session:
        session.start(0, start_box_xywh(sequence.start_region))
        regions = [session.follow(index).box for index in range(1, len(sequence))]
        return session.trajectory([np.array([INITIALIZED]), *regions])


def run_unsupervised(tracker: Tracker, sequence: Sequence, clock: Clock = time.perf_counter) -> Trajectory:
    """Start on the first frame and track to the end, with rotated boxes where the tracker has them."""
    with _session(tracker, sequence, clock) as session:
        session.start(0, start_box_xywh(as_polygon(sequence.start_region)))
        regions = [session.follow(index).region for index in range(1, len(sequence))]
        return session.trajectory([np.array([INITIALIZED]), *regions])


def run_supervised(
    tracker: Tracker, sequence: Sequence, clock: Clock = time.perf_counter, camera: RealTime | None = None
) -> Trajectory:
    """Start again, five frames later, whenever the region has no pixel in common with the ground truth.

    The tracker is started on the first frame from there on that has a ground truth; a frame without one is no
    failure. Overlap is that of VOT within (width, height).

    Args:
        tracker: what is run.
        sequence: on what.
        clock: seconds.
        camera: what the tracker has to keep up with; None for a camera that waits.

    Raises:
        DatasetError: there is no ground truth to compare with.
    """
    truth = sequence.ground_truth
    if len(truth) != len(sequence):
        raise DatasetError(
            f"{sequence.name}: ground truth of {len(truth)} of {len(sequence)} frames; restarts need that of all"
        )
    known = (truth.sizes > 1) & ~np.isnan(truth.values[:, 0])
    regions: list[FloatArray] = []
    start = 0
    with _session(tracker, sequence, clock, camera) as session:
        for index in range(len(sequence)):
            here = as_polygon(truth.values[index, : truth.sizes[index]]) if known[index] else None
            if index < start:
                regions.append(np.array([SKIPPED]))
            elif index == start and here is None:
                start += 1
                regions.append(np.array([SKIPPED]))
            elif index == start and here is not None:
                session.start(index, start_box_xywh(here))
                regions.append(np.array([INITIALIZED]))
            else:
                region = session.follow(index).region
                if here is None or vot_overlap(region, here, session.size) > 0:
                    regions.append(region)
                else:
                    regions.append(np.array([FAILED]))
                    start = index + RESTART_AFTER
        return session.trajectory(regions)


def run_realtime(tracker: Tracker, sequence: Sequence, clock: Clock = time.perf_counter) -> Trajectory:
    """Run supervised with a camera of 20 frames per second that does not wait; a missed frame keeps the last region."""
    return run_supervised(tracker, sequence, clock, RealTime())


@dataclass(frozen=True)
class Experiment:
    """A protocol: how to run it, and how to write what came out.

    Attributes:
        run: puts a tracker to a sequence.
        repetitions: how often, unless asked otherwise.
        full_precision: regions are boxes written with all their digits, not as the VOT toolkit writes them.
    """

    run: Callable[[Tracker, Sequence], Trajectory]
    repetitions: int = 1
    full_precision: bool = False


PROTOCOLS = {
    "one_pass": Experiment(run_one_pass, full_precision=True),
    "supervised": Experiment(run_supervised),
    "realtime": Experiment(run_realtime),
    "unsupervised": Experiment(run_unsupervised),
    "long_term": Experiment(run_long_term),
    "got10k": Experiment(run_one_pass, repetitions=3, full_precision=True),
}
"""By the names of :data:`toolkit.results.LAYOUTS`."""


def find_protocol(name: str) -> Experiment:
    """Return the protocol of that name.

    Raises:
        ResultError: unknown; the message suggests the nearest.
    """
    if name not in PROTOCOLS:
        raise ResultError(unknown_name("protocol", name, PROTOCOLS))
    return PROTOCOLS[name]


def result_files(protocol: str, tracker: Path, sequence: str, repetitions: int) -> list[Path]:
    """Return all files that a finished sequence has, in the order they are written in."""
    layout = LAYOUTS[protocol]
    regions = [layout.regions_path(tracker, sequence, number + 1) for number in range(repetitions)]
    times = layout.times_path(tracker, sequence)
    confidences = [layout.confidence_path(tracker, sequence)] if layout.has_confidence else []
    return [*([times] if times else []), *confidences, *regions]


def save(protocol: str, tracker: Path, sequence: str, runs: Series[Trajectory]) -> None:
    """Write the result files of a sequence, one run per repetition; each file appears whole or not at all.

    Args:
        protocol: a name in :data:`PROTOCOLS`.
        tracker: the tracker's folder.
        sequence: its name.
        runs: at least one.
    """
    layout: Layout = LAYOUTS[protocol]
    times = layout.times_path(tracker, sequence)
    if times:
        write_times(times, np.stack([run.seconds for run in runs], axis=1))
    if layout.has_confidence:
        write_confidences(layout.confidence_path(tracker, sequence), runs[0].confidences)
    masks = layout.masks_path(tracker, sequence)
    if masks and runs[0].masks is not None:
        write_masks(masks, runs[0].masks)
    for number, run in enumerate(runs, 1):
        path = layout.regions_path(tracker, sequence, number)
        if PROTOCOLS[protocol].full_precision:
            write_boxes(path, np.stack(run.regions))
        else:
            write_regions(path, run.regions)


@dataclass(frozen=True)
class _Answer:
    """A checked output: the box, and the region, rotated where the tracker has that."""

    box: FloatArray
    region: FloatArray


class _Session:
    """One run over one sequence: hands out frames, takes the times, checks what comes back."""

    def __init__(
        self, tracker: Tracker, sequence: Sequence, clock: Clock, camera: RealTime | None, reader: ThreadPoolExecutor
    ) -> None:
        self._tracker = tracker
        self._sequence = sequence
        self._clock = clock
        self._camera = camera
        self._reader = reader
        self._ahead: tuple[int, Future[NDArray[np.uint8]]] | None = None
        self._last: _Answer | None = None
        self._confidences = np.full(len(sequence), np.nan)
        self._seconds = np.zeros(len(sequence))
        self._tracked = np.zeros(len(sequence), dtype=bool)
        self._masks: dict[int, str] = {}
        self._starts: set[int] = set()
        self.size = (0, 0)

    def start(self, index: int, box: FloatArray) -> None:
        """Start the tracker on a frame."""
        self._starts.add(index)
        frame = self._frame(index)
        self.size = (frame.shape[1], frame.shape[0])
        before = self._clock()
        self._tracker.init(frame, box)
        self._seconds[index] = self._clock() - before
        self._last = _Answer(box, box)
        if self._camera:
            self._camera.started(self._seconds[index])

    def follow(self, index: int) -> _Answer:
        """Return the tracker's answer to a frame, or its last one if the frame was missed."""
        if self._camera and self._last and self._camera.misses_next():
            return self._last
        frame = self._frame(index)
        before = self._clock()
        output = self._tracker.track(frame)
        self._seconds[index] = self._clock() - before
        self._tracked[index] = True
        if self._camera:
            self._camera.took(self._seconds[index])
        self._confidences[index] = output.score
        self._keep_mask(index, getattr(output, "mask", None))
        box = self._checked(index, "bbox", output.bbox, 4)
        self._last = _Answer(box, box if output.polygon is None else self._checked(index, "polygon", output.polygon, 8))
        return self._last

    def trajectory(self, regions: list[FloatArray]) -> Trajectory:
        """Return the whole run."""
        masks = None
        if self._masks:
            code = format_region([INITIALIZED])
            masks = [code if i in self._starts else self._masks.get(i, EMPTY) for i in range(len(regions))]
        return Trajectory(regions, self._confidences, self._seconds, self._tracked, masks)

    def _keep_mask(self, index: int, mask: ArrayLike | None) -> None:
        """Keep a mask as text, where the sequence has masks to compare it with."""
        if mask is None or self._sequence.masks is None:
            return
        pixels, expected = np.asarray(mask), self.size[::-1]
        problem = ""
        if pixels.shape != expected:
            problem = f"is {pixels.shape}, expected the frame's {expected}"
        elif pixels.dtype != bool and not np.issubdtype(pixels.dtype, np.integer):
            problem = f"is {pixels.dtype}, expected bool or the integers 0 and 1; threshold probabilities first"
        elif not 0 <= pixels.min() <= pixels.max() <= 1:
            problem = f"has values from {pixels.min()} to {pixels.max()}, expected bool or the integers 0 and 1"
        if problem:
            raise ResultError(f"{self._sequence.name} frame {index + 1}: the tracker's mask {problem}")
        self._masks[index] = encode_mask(pixels.astype(bool))

    def _checked(self, index: int, name: str, value: ArrayLike, size: int) -> FloatArray:
        numbers = np.asarray(value, dtype=np.float64).ravel()
        if numbers.size != size or not np.isfinite(numbers).all():
            raise ResultError(
                f"{self._sequence.name} frame {index + 1}: the tracker's {name} is {numbers.tolist()}, "
                f"expected {size} finite numbers"
            )
        return numbers

    def _frame(self, index: int) -> NDArray[np.uint8]:
        """Return a frame; the one after it is read from the disk while the tracker works."""
        ahead, self._ahead = self._ahead, None
        frame = ahead[1].result() if ahead and ahead[0] == index else self._sequence.frame(index)
        if index + 1 < len(self._sequence):
            self._ahead = (index + 1, self._reader.submit(self._sequence.frame, index + 1))
        return frame


@contextmanager
def _session(tracker: Tracker, sequence: Sequence, clock: Clock, camera: RealTime | None = None) -> Iterator[_Session]:
    with ThreadPoolExecutor(max_workers=1) as reader:
        yield _Session(tracker, sequence, clock, camera, reader)
