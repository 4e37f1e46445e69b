"""SiamRPN and SiamRPN++: one tracker, different networks.

Source: SiamRPN (CVPR 2018), SiamRPN++ (CVPR 2019); steps and constants of the published trackers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pysot.geometry import (
    Rounding,
    anchor_grid,
    base_anchors_wh,
    box_center,
    context_side,
    cosine_window,
    cxcywh_to_xywh,
    point_grid,
    score_size,
)
from pysot.models import NetworkOutput, Template
from pysot.models.neck import central_cells
from pysot.runtime import Executor
from pysot.trackers.base import (
    TRACKERS,
    FloatArray,
    Frame,
    Prediction,
    SearchCrops,
    TargetState,
    Tracker,
    to_numpy,
)
from pysot.trackers.looks import LikenessParams, Look, most_alike
from pysot.trackers.postprocess import (
    AnchorCode,
    BoxCode,
    PointCode,
    Proposals,
    RankingWeights,
    rank_proposals,
    target_probability,
)
from pysot.utils import CheckpointError, ConfigError

_SMALLEST_SIDE = 10.0  # a tracked box never gets narrower or lower, frame pixels


@dataclass(frozen=True)
class SiamRPNParams:
    """Parameters of the SiamRPN family; the names are those of the TRACK keys.

    Attributes:
        penalty_k: Penalty on changes of size and ratio.
        window_influence: Share of the cosine window, 0..1.
        lr: How fast the size follows, 0..1.
        template_size: Side of the template crop, network pixels.
        search_size: Side of the search crop, network pixels.
        base_size: Cells the score map gains over (search - template) / stride + 1.
        context_amount: Context around the target, share of width + height.
        stride: Network pixels per score cell.
        ratios: Anchor ratios h / w.
        scales: Anchor scales, strides.
        lost_score: `Prediction.lost` is True below this score.
        dasiamrpn_convention: Anchor grid, crop corner and box centre of DaSiamRPN's published trackers.
        points: The network's boxes are distances from each cell (`PointHead`), not offsets from anchors.
        likeness: How much it counts that a proposal looks like the target; None: it does not.
    """

    penalty_k: float
    window_influence: float
    lr: float
    template_size: int
    search_size: int
    base_size: int
    context_amount: float
    stride: int
    ratios: tuple[float, ...]
    scales: tuple[float, ...]
    lost_score: float
    dasiamrpn_convention: bool = False
    points: bool = False
    likeness: LikenessParams | None = None


@dataclass(frozen=True)
class SiamRPNState(TargetState):
    """As `TargetState`, with what the target looks like, or None where that does not count."""

    look: Look | None


class _Grid(NamedTuple):
    """Constants of one search size, on the network's device."""

    code: BoxCode
    window: Tensor  # (N,)
    cells: int  # per side


class Choice(NamedTuple):
    """The proposal taken for each of B targets.

    Attributes:
        indices: (B,) index among the N proposals, on the device.
        boxes_cxcywh: (B, 4) relative to the crop's centre, network pixels.
        scores: (B,).
        penalties: (B,).
    """

    indices: Tensor
    boxes_cxcywh: FloatArray
    scores: FloatArray
    penalties: FloatArray


@TRACKERS.register("SiamRPNTracker")
class SiamRPNTracker(Tracker[SiamRPNState]):
    """Follows a target with a region proposal network.

    Args:
        executor: Runs the network.
        params: See `SiamRPNParams`.
    """

    def __init__(self, executor: Executor, params: SiamRPNParams) -> None:
        rounding = Rounding.DASIAMRPN if params.dasiamrpn_convention else Rounding.PYSOT
        super().__init__(executor, params.template_size, rounding)
        early_stride = executor.network.early_stride
        if params.likeness is not None and early_stride not in (None, params.stride):
            raise ConfigError(
                f"TRACK.LIKENESS compares features of stride {params.stride} (ANCHOR.STRIDE); the last level before "
                f"the head's has stride {early_stride}: mend BACKBONE.KWARGS.used_layers"
            )
        self.params = params
        self._grids: dict[int, _Grid] = {}

    # Start

    def _start(self, image: Frame, box_xywh: FloatArray) -> SiamRPNState:
        center = box_center(box_xywh, "edge" if self.params.dasiamrpn_convention else "pixel")
        size = box_xywh[2:].copy()
        border = image.mean(axis=(0, 1))
        side = round(context_side(size, self.params.context_amount))
        crop = self._square(image, center, side, self.template_size, border)
        search_size = self._search_size(image, size)
        template = self.executor.encode_template([crop])
        return SiamRPNState(
            center_xy=center,
            size_wh=size,
            # What tells how the target looks is read once.
            template=template._replace(early_features=()),
            border_bgr=border,
            search_size=search_size,
            base_search_size=search_size,
            lost=False,
            look=None if self.params.likeness is None else _look(template),
        )

    def _search_size(self, image: Frame, size_wh: FloatArray) -> int:
        """Return the side of a new target's search crops, network pixels."""
        return self.params.search_size

    # Crop

    def _search_crops(self, image: Frame, state: SiamRPNState) -> tuple[list[Frame], float]:
        side = self._search_side(state)
        crop = self._square(image, state.center_xy, round(side), state.search_size, state.border_bgr)
        return [crop], side

    def _search_side(self, state: SiamRPNState) -> float:
        """Return the side of the search crop, frame pixels, before rounding."""
        return context_side(state.size_wh, self.params.context_amount) * (state.search_size / self.template_size)

    def _scale(self, state: SiamRPNState) -> float:
        """Return network pixels per frame pixel."""
        return self.template_size / context_side(state.size_wh, self.params.context_amount)

    # Choose and update

    def update(
        self, images: Sequence[Frame], crops: SearchCrops[SiamRPNState], output: NetworkOutput
    ) -> list[tuple[SiamRPNState, Prediction]]:
        """Rank the proposals, take the best and follow it."""
        with torch.inference_mode():
            proposals = self._rank(crops, output)
            choice, states = self._choose(proposals, crops, output)
        found = [
            self._follow(image, state, choice.boxes_cxcywh[i], float(choice.scores[i]), float(choice.penalties[i]))
            for i, (image, state) in enumerate(zip(images, states, strict=True))
        ]
        if self.params.likeness is not None:
            # What is seen while the target is lost is something else.
            found = [
                (replace(new, look=old.look) if new.lost else new, prediction)
                for old, (new, prediction) in zip(crops.states, found, strict=True)
            ]
        return self._finish(images, crops, output, choice, found)

    def grid(self, search_size: int) -> _Grid:
        """Return box code and window of a search size; made once."""
        if search_size not in self._grids:
            params = self.params
            cells = score_size(search_size, params.template_size, params.stride, params.base_size)
            code = self._box_code(cells)
            window = cosine_window(cells, code.per_cell)
            device = self.executor.device
            # Apple's GPUs have no double precision.
            kind = torch.float32 if device.type == "mps" else torch.float64
            self._grids[search_size] = _Grid(code, torch.from_numpy(window).to(device, kind), cells)
        return self._grids[search_size]

    def _box_code(self, cells: int) -> BoxCode:
        """Return what a box map of ``cells`` cells per side means."""
        params, device = self.params, self.executor.device
        if params.points:
            points = point_grid(params.stride, cells, exact_origin=params.dasiamrpn_convention)
            return PointCode(torch.from_numpy(points.T.copy()).to(device), params.stride)
        sizes_wh = base_anchors_wh(params.stride, params.ratios, params.scales)
        anchors = anchor_grid(sizes_wh, params.stride, cells, exact_origin=params.dasiamrpn_convention)
        return AnchorCode(torch.from_numpy(anchors.boxes_cxcywh.T.copy()).to(device), len(sizes_wh))

    def _rank(self, crops: SearchCrops[SiamRPNState], output: NetworkOutput) -> Proposals:
        grid = self.grid(crops.search_size)
        answered = (output.cls.shape[1] // 2, *output.cls.shape[2:])
        expected = (grid.code.per_cell, grid.cells, grid.cells)
        if answered != expected:
            raise ConfigError(
                f"the network answers search crops of {crops.search_size} with (anchors, height, width) {answered}, "
                f"the tracker expects {expected}; mend ANCHOR, or TRACK.BASE_SIZE "
                f"(8 for padded backbones with a neck, 0 for AlexNet)"
            )
        target_wh = np.stack([state.size_wh * self._scale(state) for state in crops.states])
        influence = np.array([[self._window_influence(state)] for state in crops.states])
        return rank_proposals(
            grid.code.decode(output.loc),  # type: ignore[arg-type]  # every head of these trackers has one
            target_probability(output.cls, *output.quality),
            grid.window,
            torch.as_tensor(target_wh, dtype=torch.float32, device=grid.window.device),
            RankingWeights(
                self.params.penalty_k, torch.as_tensor(influence, dtype=grid.window.dtype, device=grid.window.device)
            ),
        )

    def _window_influence(self, state: SiamRPNState) -> float:
        return self.params.window_influence

    def _choose(
        self, proposals: Proposals, crops: SearchCrops[SiamRPNState], output: NetworkOutput
    ) -> tuple[Choice, list[SiamRPNState]]:
        """Return the chosen proposals, and the states with what the choice taught."""
        if self.params.likeness is None:
            return take(proposals, proposals.rank.argmax(dim=1)), crops.states
        features = _compared_level(output)
        indices, states = [], []
        for row, state in enumerate(crops.states):
            index, look = most_alike(
                proposals,
                row,
                state.look,  # type: ignore[arg-type]  # _start gave it one
                features[row : row + 1],
                self.params.likeness,
                template_size=self.template_size,
                stride=self.params.stride,
                context_amount=self.params.context_amount,
            )
            indices.append(index)
            states.append(replace(state, look=look))
        return take(proposals, torch.stack(indices)), states

    def _follow(
        self, image: Frame, state: SiamRPNState, box_cxcywh: FloatArray, score: float, penalty: float
    ) -> tuple[SiamRPNState, Prediction]:
        """Return the new state of one target and its prediction."""
        center, size = self._moved(state, box_cxcywh, score, penalty)
        center, size = clip_to_frame(center, size, image)
        new = replace(state, center_xy=center, size_wh=size, lost=score < self.params.lost_score)
        return new, Prediction(cxcywh_to_xywh(np.concatenate([center, size])), score, new.lost)

    def _moved(
        self, state: SiamRPNState, box_cxcywh: FloatArray, score: float, penalty: float
    ) -> tuple[FloatArray, FloatArray]:
        """Return the target's centre and size after it moved to a proposal: the size follows gradually."""
        box = box_cxcywh / self._scale(state)
        rate = penalty * score * self.params.lr
        return state.center_xy + box[:2], state.size_wh * (1 - rate) + box[2:] * rate

    def _finish(
        self,
        images: Sequence[Frame],
        crops: SearchCrops[SiamRPNState],
        output: NetworkOutput,
        choice: Choice,
        found: list[tuple[SiamRPNState, Prediction]],
    ) -> list[tuple[SiamRPNState, Prediction]]:
        """Add to the predictions what a subclass knows beyond the box."""
        return found


def take(proposals: Proposals, indices: Tensor) -> Choice:
    """Return the proposals at ``indices`` (B,) on the host, with a single transfer from the device.

    Raises:
        CheckpointError: A proposal is not finite.
    """
    rows = torch.arange(len(indices), device=indices.device)
    boxes = proposals.boxes_cxcywh[rows, :, indices]
    picked = torch.cat([boxes, proposals.score[rows, indices, None], proposals.penalty[rows, indices, None]], dim=1)
    values = to_numpy(picked)
    if not np.isfinite(values).all():
        raise CheckpointError("the network answers with values that are not finite: its weights are unusable")
    return Choice(indices, values[:, :4], values[:, 4], values[:, 5])


def _look(template: Template) -> Look:
    """Return what a target looks like in its template, which the neck cuts to its central cells."""
    return Look.of_template(central_cells(_compared_level(template), template.features[-1].shape[-1]))


def _compared_level(encoded: Template | NetworkOutput) -> Tensor:
    """Return the features in which looks are compared: the last early level, or the head's first without one."""
    return encoded.early_features[-1] if encoded.early_features else encoded.features[0]


def clip_to_frame(
    center_xy: FloatArray, size_wh: FloatArray, image: NDArray[np.uint8]
) -> tuple[FloatArray, FloatArray]:
    """Return the centre clipped to the frame and the size clipped to 10 pixels up to the frame's size."""
    bounds = np.array([image.shape[1], image.shape[0]], dtype=np.float64)
    return np.clip(center_xy, 0, bounds), np.maximum(_SMALLEST_SIDE, np.minimum(size_wh, bounds))
