"""DaSiamRPN: an adaptive search region, distractor-aware re-ranking, and local-to-global search.

Each is a switch; with all of them off this is SiamRPN with DaSiamRPN's conventions.

Source: DaSiamRPN (ECCV 2018), sections 3.3 and 3.4, equations 2 to 4; conventions of the published code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from pysot.geometry import cxcywh_to_xywh, non_maximum_suppression
from pysot.models import NetworkOutput
from pysot.runtime import Executor
from pysot.trackers.base import TRACKERS, FloatArray, Frame, SearchCrops, to_numpy
from pysot.trackers.long_term import LongTermTracker, SearchGrowth
from pysot.trackers.looks import sample_proposals, unit_length
from pysot.trackers.postprocess import Proposals
from pysot.trackers.siamrpn import Choice, SiamRPNParams, SiamRPNState, take
from pysot.utils import ConfigError

# Proposals looked at before suppression: those of the cells around a few peaks.
_CANDIDATES = 256


@dataclass(frozen=True)
class AdaptiveSearch:
    """A larger search crop for targets that cover little of the first frame.

    Attributes:
        area_ratio: Share of the frame below which a target counts as small.
        search_size: Side of the search crop for small targets, network pixels.
    """

    area_ratio: float
    search_size: int


@dataclass(frozen=True)
class DistractorParams:
    """Distractor-aware re-ranking; symbols of the paper's equations in brackets.

    Attributes:
        score_threshold: Proposals that score higher and are not the target are distractors (h).
        nms_iou: Overlap above which two proposals are the same object.
        top_k: Proposals that are ranked again (k).
        alpha_hat: Weight of all distractors against the target.
        alpha: Weight of a single distractor.
        eta: Learning rate that gives the weights of the frames (beta_t).
    """

    score_threshold: float
    nms_iou: float
    top_k: int
    alpha_hat: float
    alpha: float
    eta: float

    def frame_weight(self, frame_index: int) -> float:
        """Return beta_t, the sum of (eta / (1 - eta))^i for i from 0 to t - 1, for frame t from 1 up."""
        ratio = self.eta / (1 - self.eta)
        return (1 - ratio**frame_index) / (1 - ratio)


@dataclass(frozen=True)
class DistractorMemory:
    """The running sums of equation 4; the features are of unit length before they are summed.

    Attributes:
        frame_index: Frames seen, t.
        target: (C, h, w) sum of beta_t * target features.
        target_weight: Sum of beta_t.
        distractors: (C, h, w) sum of beta_t * alpha_i * distractor features.
        distractor_weight: Sum of beta_t * alpha_i.
    """

    frame_index: int
    target: Tensor
    target_weight: float
    distractors: Tensor
    distractor_weight: float

    @staticmethod
    def of_template(features: Tensor, weight: float) -> DistractorMemory:
        """Return the memory after the first frame, which shows the target and no distractors."""
        return DistractorMemory(1, weight * features, weight, torch.zeros_like(features), 0.0)

    def template(self, alpha_hat: float) -> Tensor:
        """Return the incremental template (C, h, w): the mean target minus alpha_hat times the mean distractor."""
        mean = self.target / self.target_weight
        if self.distractor_weight == 0:
            return mean
        return mean - alpha_hat * self.distractors / self.distractor_weight

    def learned(self, target: Tensor, distractors: Tensor, params: DistractorParams) -> DistractorMemory:
        """Return the memory after another frame with these features, (C, h, w) and (D, C, h, w)."""
        index = self.frame_index + 1
        weight = params.frame_weight(index)
        return DistractorMemory(
            index,
            self.target + weight * target,
            self.target_weight + weight,
            self.distractors + weight * params.alpha * distractors.sum(dim=0),
            self.distractor_weight + weight * params.alpha * len(distractors),
        )


@dataclass(frozen=True)
class DaSiamRPNState(SiamRPNState):
    """As `SiamRPNState`, with the memory of what was target and what was not, or None."""

    memory: DistractorMemory | None


@TRACKERS.register("DaSiamRPNTracker")
class DaSiamRPNTracker(LongTermTracker):
    """A SiamRPN tracker with DaSiamRPN's additions, each given or None.

    Args:
        executor: Runs the network.
        params: See `SiamRPNParams`.
        adaptive: Search size by the target's size in the first frame.
        distractor: Re-ranking that knows what looks like the target.
        growth: Local-to-global search.
    """

    def __init__(
        self,
        executor: Executor,
        params: SiamRPNParams,
        adaptive: AdaptiveSearch | None = None,
        distractor: DistractorParams | None = None,
        growth: SearchGrowth | None = None,
    ) -> None:
        super().__init__(executor, params, growth)
        if distractor is not None and params.likeness is not None:
            raise ConfigError("DaSiamRPNTracker: distractor and params.likeness both choose: expected one of them")
        self.adaptive = adaptive
        self.distractor = distractor

    def _start(self, image: Frame, box_xywh: FloatArray) -> DaSiamRPNState:
        state = super()._start(image, box_xywh)
        memory = None
        if self.distractor is not None:
            features = unit_length(state.template.features[-1])[0]
            memory = DistractorMemory.of_template(features, self.distractor.frame_weight(1))
        return DaSiamRPNState(**vars(state), memory=memory)

    def _search_size(self, image: Frame, size_wh: FloatArray) -> int:
        if self.adaptive is None:
            return super()._search_size(image, size_wh)
        share = float(np.prod(size_wh)) / (image.shape[0] * image.shape[1])
        return self.adaptive.search_size if share < self.adaptive.area_ratio else self.params.search_size

    def _choose(
        self, proposals: Proposals, crops: SearchCrops[SiamRPNState], output: NetworkOutput
    ) -> tuple[Choice, list[SiamRPNState]]:
        if self.distractor is None:
            return super()._choose(proposals, crops, output)
        indices, states = [], []
        for row, state in enumerate(crops.states):
            index, new = self._choose_again(proposals, row, state, output.features[-1][row : row + 1], self.distractor)
            indices.append(index)
            states.append(new)
        return take(proposals, torch.stack(indices)), states

    def _choose_again(
        self, proposals: Proposals, row: int, state: SiamRPNState, features: Tensor, params: DistractorParams
    ) -> tuple[Tensor, SiamRPNState]:
        """Return the index of one target's proposal after re-ranking, and the state with the memory of this frame.

        Among the best-ranked proposals of different objects, those that score above the threshold could be the target.
        The one most like the incremental template is; the others are its distractors.
        """
        memory = state.memory  # type: ignore[attr-defined]  # _start makes a DaSiamRPNState
        ranks, candidates = proposals.rank[row].topk(min(_CANDIDATES, proposals.rank.shape[1]))
        boxes = proposals.boxes_cxcywh[row][:, candidates]
        scores = proposals.score[row][candidates]
        table = to_numpy(torch.cat([boxes, scores[None], ranks[None]]))
        kept = non_maximum_suppression(cxcywh_to_xywh(table[:4].T), table[5], params.nms_iou, params.top_k)
        credible = kept[table[4, kept] > params.score_threshold]
        if len(credible) == 0:
            return candidates[kept[0]], state
        sampled = sample_proposals(
            features,
            table[:4, credible].T,
            memory.target.shape[-1],
            self.template_size,
            self.params.stride,
            self.params.context_amount,
        )
        looks = unit_length(sampled)
        likeness = (looks * memory.template(params.alpha_hat)).sum(dim=(1, 2, 3))
        best = int(likeness.argmax())
        others = torch.arange(len(credible), device=looks.device) != best
        learned = memory.learned(looks[best], looks[others], params)
        return candidates[credible[best]], replace(state, memory=learned)  # type: ignore[call-arg]
