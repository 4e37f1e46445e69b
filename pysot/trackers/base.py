"""What all trackers share: the prediction, the state of a target, and the way a frame becomes predictions.

A tracker holds a network and its parameters, never a target: `Tracker.start` returns a state *value*, `Tracker.step`
takes the states of any number of targets and returns new ones. `init` and `track` are the same with one target kept
for the caller.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from pysot.geometry import Rounding, as_bgr_uint8, check_box_xywh, crop_corner, crop_square
from pysot.models import NetworkOutput, Template, stack_templates
from pysot.runtime import Executor
from pysot.utils import InputError, Registry

Frame = NDArray[np.uint8]
FloatArray = NDArray[np.float64]

TRACKERS: Registry[type[Tracker[Any]]] = Registry("tracker (TRACK.TYPE)")


@dataclass(frozen=True)
class Prediction:
    """Where a tracker believes its target to be in one frame.

    Attributes:
        bbox: (4,) x, y, w, h, pixels, 0-based.
        score: Probability, 0..1, that the box holds the target.
        lost: The tracker believes that it does not see the target; the box is then its last belief.
        polygon: (8,) rotated box x1, y1, ..., x4, y4, for trackers that draw masks.
        mask: (H, W) bool, True on the target, in frame pixels, for trackers that draw masks.
    """

    bbox: FloatArray
    score: float
    lost: bool
    polygon: FloatArray | None = None
    mask: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class TargetState:
    """What is known of one target after a frame. A value: nothing in it is ever changed.

    Attributes:
        center_xy: (2,) pixels.
        size_wh: (2,) pixels.
        template: What the network keeps of the target; batch of one.
        border_bgr: (3,) colour of crops outside the frame: the first frame's mean.
        search_size: Side of the next search crop, network pixels.
        base_search_size: Side of the search crop while the target is in sight, network pixels.
        lost: As in `Prediction`.
    """

    center_xy: FloatArray
    size_wh: FloatArray
    template: Template
    border_bgr: FloatArray
    search_size: int
    base_search_size: int
    lost: bool


State = TypeVar("State", bound=TargetState)


@dataclass(frozen=True)
class SearchCrops(Generic[State]):
    """The crops of all targets that are searched for in crops of one size: one batch of the network.

    Attributes:
        members: Indices of these targets among all.
        states: Their states.
        search_size: Side of the crops, network pixels.
        pixels: Crops (S, S, 3) uint8; for trackers that search at several scales, a target's crops are neighbours.
        sides: Side of each target's (unscaled) crop, frame pixels.
    """

    members: list[int]
    states: list[State]
    search_size: int
    pixels: list[Frame]
    sides: list[float]


class Tracker(ABC, Generic[State]):
    """Base of all trackers.

    Args:
        executor: Runs the network.
        template_size: Side of the template crop, network pixels.
        rounding: How crops are placed.

    Example:
        >>> import pysot
        >>> tracker = pysot.load_tracker("siammask_r50_l3")  # doctest: +SKIP
        >>> tracker.init(frame, (x, y, w, h))  # doctest: +SKIP
        >>> tracker.track(next_frame).bbox  # doctest: +SKIP
    """

    def __init__(self, executor: Executor, template_size: int, rounding: Rounding) -> None:
        self.executor = executor
        self.template_size = template_size
        self.rounding = rounding
        self._state: State | None = None

    # One target, kept here.

    def init(self, frame: NDArray[np.generic], box: ArrayLike) -> None:
        """Start on a new target; what was tracked before is forgotten.

        Args:
            frame: (H, W, 3) uint8 BGR; gray, BGRA and 16-bit frames are converted (`pysot.geometry.as_bgr_uint8`).
            box: x, y, w, h, pixels, 0-based; may lie partly outside the frame.

        Raises:
            InputError: An unusable frame, or a box that is empty, not finite or outside the frame.
        """
        self._state = self.start(frame, box)

    def track(self, frame: NDArray[np.generic]) -> Prediction:
        """Find the target in the next frame.

        Raises:
            InputError: An unusable frame, or `init` was not called.
        """
        if self._state is None:
            raise InputError("track() was called before init(frame, box): there is no target yet")
        ((self._state, prediction),) = self.step([frame], [self._state])
        return prediction

    # Any number of targets, kept by the caller.

    def start(self, frame: NDArray[np.generic], box: ArrayLike) -> State:
        """Return the state of a new target; arguments and errors as for `init`."""
        image = checked_frame(frame)
        try:
            checked = check_box_xywh(box, (image.shape[0], image.shape[1]))
        except ValueError as error:
            raise InputError(str(error)) from error
        return self._start(image, checked)

    def step(self, frames: Sequence[NDArray[np.generic]], states: Sequence[State]) -> list[tuple[State, Prediction]]:
        """Find every target in its next frame, in one forward pass for all targets with crops of equal size.

        Args:
            frames: One frame for all targets, or one per target.
            states: The targets' states; they are not changed.

        Returns:
            New state and prediction of each target, in order.

        Raises:
            InputError: Neither one frame nor one per state, or an unusable frame.
        """
        if len(frames) not in (1, len(states)):
            raise InputError(f"step() takes one frame, or one per target: got {len(frames)} for {len(states)} targets")
        images = [checked_frame(frame) for frame in frames]
        if len(images) == 1:
            images *= len(states)
        results: list[tuple[State, Prediction] | None] = [None] * len(states)
        for crops in self.crop(images, states):
            output = self.infer(crops)
            found = self.update([images[member] for member in crops.members], crops, output)
            for member, result in zip(crops.members, found, strict=True):
                results[member] = result
        return [result for result in results if result is not None]

    # The three stages of a step.

    def crop(self, images: Sequence[Frame], states: Sequence[State]) -> list[SearchCrops[State]]:
        """Cut the search crops, grouped by their size in network pixels."""
        sizes = sorted({state.search_size for state in states})
        groups = []
        for size in sizes:
            members = [index for index, state in enumerate(states) if state.search_size == size]
            cut = [self._search_crops(images[index], states[index]) for index in members]
            groups.append(
                SearchCrops(
                    members=members,
                    states=[states[index] for index in members],
                    search_size=size,
                    pixels=[pixels for crops, _ in cut for pixels in crops],
                    sides=[side for _, side in cut],
                )
            )
        return groups

    def infer(self, crops: SearchCrops[State]) -> NetworkOutput:
        """Run the network on a group of crops."""
        # The search needs the kernels alone.
        templates = [state.template._replace(features=(), early_features=()) for state in crops.states]
        return self.executor.search(stack_templates(templates), crops.pixels)

    @abstractmethod
    def update(
        self, images: Sequence[Frame], crops: SearchCrops[State], output: NetworkOutput
    ) -> list[tuple[State, Prediction]]:
        """Turn the network's answer for a group into new states and predictions."""

    @abstractmethod
    def _start(self, image: Frame, box_xywh: FloatArray) -> State:
        """Return the state of a new target."""

    @abstractmethod
    def _search_crops(self, image: Frame, state: State) -> tuple[list[Frame], float]:
        """Return a target's crops and the side of the unscaled one, frame pixels."""

    def _square(self, image: Frame, center_xy: ArrayLike, side: int, out_size: int, border_bgr: ArrayLike) -> Frame:
        # A target far smaller than a pixel would ask for a crop of nothing.
        side = max(side, 1)
        return crop_square(image, crop_corner(center_xy, side, self.rounding), side, out_size, border_bgr)


def checked_frame(frame: NDArray[np.generic]) -> Frame:
    """Return the frame as BGR uint8 (`pysot.geometry.as_bgr_uint8`), with its errors as `InputError`."""
    try:
        return as_bgr_uint8(frame)
    except ValueError as error:
        raise InputError(str(error)) from error


def to_numpy(tensor: Tensor) -> FloatArray:
    """Return a tensor's values on the host, float64."""
    # Apple's GPUs have no double precision.
    return tensor.cpu().double().numpy()
