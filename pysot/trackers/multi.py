"""Several targets in one video, in one batched forward pass per frame."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pysot.trackers.base import Prediction, TargetState, Tracker
from pysot.utils import InputError


class MultiTracker:
    """Follows any number of targets that come and go.

    Args:
        tracker: Any tracker; it is used as a function and keeps nothing of these targets.

    Example:
        >>> import pysot
        >>> targets = pysot.MultiTracker(pysot.load_tracker("siammask_r50_l3"))  # doctest: +SKIP
        >>> first = targets.add(frame, (10, 20, 30, 40))  # doctest: +SKIP
        >>> targets.track(next_frame)[first].bbox  # doctest: +SKIP
    """

    def __init__(self, tracker: Tracker[Any]) -> None:
        self.tracker = tracker
        self._states: dict[int, TargetState] = {}
        self._ids = itertools.count()

    def add(self, frame: NDArray[np.generic], box: ArrayLike) -> int:
        """Start on a new target and return its id; ids are never used twice. Arguments as for `Tracker.init`."""
        state = self.tracker.start(frame, box)
        target_id = next(self._ids)
        self._states[target_id] = state
        return target_id

    def remove(self, target_id: int) -> None:
        """Forget a target.

        Raises:
            InputError: No such target.
        """
        if target_id not in self._states:
            raise InputError(f"there is no target {target_id!r}; the targets are {list(self._states)}")
        del self._states[target_id]

    def track(self, frame: NDArray[np.generic]) -> dict[int, Prediction]:
        """Find all targets in the next frame; an empty result if there are none."""
        if not self._states:
            return {}
        results = self.tracker.step([frame], list(self._states.values()))
        ids = list(self._states)
        self._states = {target_id: state for target_id, (state, _) in zip(ids, results, strict=True)}
        return {target_id: prediction for target_id, (_, prediction) in zip(ids, results, strict=True)}

    def __len__(self) -> int:
        return len(self._states)

    def __iter__(self) -> Iterator[int]:
        return iter(self._states)
