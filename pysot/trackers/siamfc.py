"""SiamFC: correlation at several scales.

Source: SiamFC (ECCVW 2016); steps and constants of siamfc-pytorch. The arithmetic is single precision where theirs is,
because the rounding of a crop's side decides about pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from pysot.geometry import Rounding, box_center, cosine_window
from pysot.models import NetworkOutput
from pysot.runtime import Executor
from pysot.trackers.base import TRACKERS, FloatArray, Frame, Prediction, SearchCrops, TargetState, Tracker


@dataclass(frozen=True)
class SiamFCParams:
    """Parameters of SiamFC; the names are those of the TRACK and TRACK.SIAMFC keys.

    Attributes:
        scale_num: Scales searched, odd.
        scale_step: Factor between neighbouring scales.
        scale_lr: How fast the size follows, 0..1.
        scale_penalty: Factor on the response of every scale but the middle one.
        window_influence: Share of the cosine window, 0..1.
        response_up: Upsampling of the response.
        template_size: Side of the template crop, network pixels.
        search_size: Side of the search crop, network pixels.
        context_amount: Context around the target, share of width + height.
        stride: Network pixels per response cell.
        lost_score: `Prediction.lost` is True below this score.
    """

    scale_num: int
    scale_step: float
    scale_lr: float
    scale_penalty: float
    window_influence: float
    response_up: int
    template_size: int
    search_size: int
    context_amount: float
    stride: int
    lost_score: float


@dataclass(frozen=True)
class SiamFCState(TargetState):
    """As `TargetState`, with the side of the unscaled search crop, frame pixels: it follows the size by factors."""

    search_side: float


@TRACKERS.register("SiamFCTracker")
class SiamFCTracker(Tracker[SiamFCState]):
    """Follows a target with a fully convolutional Siamese network.

    Args:
        executor: Runs the network.
        params: See `SiamFCParams`.
    """

    def __init__(self, executor: Executor, params: SiamFCParams) -> None:
        super().__init__(executor, params.template_size, Rounding.SIAMFC)
        self.params = params
        half = params.scale_num // 2
        self.scales = params.scale_step ** np.linspace(-half, half, params.scale_num)
        self._penalty = np.where(np.arange(params.scale_num) == half, 1.0, params.scale_penalty).astype(np.float32)
        self._windows: dict[int, FloatArray] = {}

    def _start(self, image: Frame, box_xywh: FloatArray) -> SiamFCState:
        center = box_center(box_xywh).astype(np.float32)
        size = box_xywh[2:].astype(np.float32)
        context = self.params.context_amount * size.sum()
        template_side = np.sqrt(np.prod(size + context))
        search_side = template_side * self.params.search_size / self.template_size
        # The border is rounded, where the other trackers cut it.
        border = np.rint(image.mean(axis=(0, 1)))
        crop = self._square(image, center, round(float(template_side)), self.template_size, border)
        return SiamFCState(
            center_xy=center.astype(np.float64),
            size_wh=size.astype(np.float64),
            template=self.executor.encode_template([crop])._replace(early_features=()),
            border_bgr=border,
            search_size=self.params.search_size,
            base_search_size=self.params.search_size,
            lost=False,
            search_side=float(search_side),
        )

    def _search_crops(self, image: Frame, state: SiamFCState) -> tuple[list[Frame], float]:
        center = state.center_xy.astype(np.float32)
        crops = [
            self._square(image, center, round(state.search_side * scale), state.search_size, state.border_bgr)
            for scale in self.scales
        ]
        return crops, state.search_side

    def update(
        self, images: Sequence[Frame], crops: SearchCrops[SiamFCState], output: NetworkOutput
    ) -> list[tuple[SiamFCState, Prediction]]:
        """Find the peak over the scales and move there; the size follows the best scale."""
        logits = output.cls[:, 0].float().cpu().numpy()
        per_target = logits.reshape(len(crops.states), self.params.scale_num, *logits.shape[1:])
        return [self._follow(state, maps) for state, maps in zip(crops.states, per_target, strict=True)]

    def _follow(self, state: SiamFCState, maps: NDArray[np.float32]) -> tuple[SiamFCState, Prediction]:
        """Return the new state for the responses (scales, S, S) of one target."""
        params = self.params
        up_size = maps.shape[-1] * params.response_up
        responses = np.stack([cv2.resize(one, (up_size, up_size), interpolation=cv2.INTER_CUBIC) for one in maps])
        responses *= self._penalty[:, None, None]
        best_scale = int(responses.max(axis=(1, 2)).argmax())
        response = responses[best_scale]
        score = float(1 / (1 + np.exp(-float(response.max()))))
        response = response - response.min()
        response /= response.sum() + 1e-16
        response = (1 - params.window_influence) * response + params.window_influence * self._window(up_size)
        peak_yx = np.unravel_index(response.argmax(), response.shape)

        cells = (np.array(peak_yx[::-1]) - (up_size - 1) / 2) / params.response_up
        moved = cells * params.stride * state.search_side * self.scales[best_scale] / params.search_size
        factor = (1 - params.scale_lr) + params.scale_lr * self.scales[best_scale]
        center = (state.center_xy + moved).astype(np.float32).astype(np.float64)
        size = (state.size_wh * factor).astype(np.float32).astype(np.float64)
        lost = score < params.lost_score
        new = replace(state, center_xy=center, size_wh=size, search_side=state.search_side * factor, lost=lost)
        return new, Prediction(np.concatenate([center - (size - 1) / 2, size]), score, lost)

    def _window(self, size: int) -> FloatArray:
        if size not in self._windows:
            window = cosine_window(size).reshape(size, size)
            self._windows[size] = window / window.sum()
        return self._windows[size]
