"""Long-term tracking: searching in a growing region while the target is out of sight.

Source: DaSiamRPN, section 3.4 (local-to-global search with a constant step); SiamRPN++'s published long-term tracker
(one step to the largest region).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pysot.geometry import cxcywh_to_xywh
from pysot.runtime import Executor
from pysot.trackers.base import TRACKERS, FloatArray, Frame, Prediction
from pysot.trackers.siamrpn import SiamRPNParams, SiamRPNState, SiamRPNTracker, clip_to_frame

# While the target is out of sight it may reappear anywhere: the window hardly counts.
_LOST_WINDOW_INFLUENCE = 0.001


@dataclass(frozen=True)
class SearchGrowth:
    """When a target counts as lost, and how the search region grows then.

    Attributes:
        enter: Lost when the score falls below this.
        leave: Found again when the score exceeds this; between the two nothing changes.
        step: Network pixels by which the search crop grows in each lost frame.
        largest: Side of the largest search crop, network pixels.
    """

    enter: float
    leave: float
    step: int
    largest: int

    def next_phase(self, lost: bool, score: float) -> bool:
        """Return whether the target counts as lost after a frame with this score."""
        if score < self.enter:
            return True
        return lost and score <= self.leave

    def next_size(self, lost: bool, current: int, smallest: int) -> int:
        """Return the side of the next search crop: the smallest one in sight, one step larger while lost."""
        return min(current + self.step, self.largest) if lost else smallest


class LongTermTracker(SiamRPNTracker):
    """A SiamRPN tracker that holds still while its target is out of sight, and searches ever farther.

    Args:
        executor: Runs the network.
        params: See `SiamRPNParams`.
        growth: See `SearchGrowth`; None for a tracker that always follows, in a region of one size.
    """

    def __init__(self, executor: Executor, params: SiamRPNParams, growth: SearchGrowth | None) -> None:
        super().__init__(executor, params)
        self.growth = growth

    def _window_influence(self, state: SiamRPNState) -> float:
        if self.growth is not None and state.lost:
            return _LOST_WINDOW_INFLUENCE
        return super()._window_influence(state)

    def _follow(
        self, image: Frame, state: SiamRPNState, box_cxcywh: FloatArray, score: float, penalty: float
    ) -> tuple[SiamRPNState, Prediction]:
        if self.growth is None:
            return super()._follow(image, state, box_cxcywh, score, penalty)
        center, size = state.center_xy, state.size_wh
        if score >= self.growth.enter:
            center, size = self._moved(state, box_cxcywh, score, penalty)
        lost = self.growth.next_phase(state.lost, score)
        search_size = self.growth.next_size(lost, state.search_size, state.base_search_size)
        new = replace(state, center_xy=center, size_wh=size, search_size=search_size, lost=lost)
        # Only what is returned is clipped: a target that leaves the frame keeps the state it left with.
        shown = np.concatenate(clip_to_frame(center, size, image))
        return new, Prediction(cxcywh_to_xywh(shown), score, lost)


@TRACKERS.register("SiamRPNLTTracker")
class SiamRPNLTTracker(LongTermTracker):
    """SiamRPN++'s long-term tracker: one step from the usual search region to the largest."""
