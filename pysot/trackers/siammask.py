"""SiamMask: a SiamRPN tracker that also draws the target's mask and the rotated box around it.

Source: SiamMask (CVPR 2019); steps and constants of the published tracker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pysot.geometry import corners_of_box, paste_back
from pysot.models import NetworkOutput
from pysot.runtime import Executor
from pysot.trackers.base import TRACKERS, FloatArray, Frame, Prediction, SearchCrops
from pysot.trackers.siamrpn import Choice, SiamRPNParams, SiamRPNState, SiamRPNTracker
from pysot.utils import ConfigError

_SMALLEST_CONTOUR = 100.0  # a mask whose largest piece is smaller gives no rotated box, frame pixels²


@TRACKERS.register("SiamMaskTracker")
class SiamMaskTracker(SiamRPNTracker):
    """Follows a target and segments it.

    Args:
        executor: Runs the network, which must have a mask head.
        params: See `SiamRPNParams`.
        mask_threshold: Probability from which a pixel belongs to the target.

    Raises:
        ConfigError: The network has no mask head.
    """

    def __init__(self, executor: Executor, params: SiamRPNParams, mask_threshold: float) -> None:
        super().__init__(executor, params)
        if executor.network.mask_size is None:
            raise ConfigError("SiamMaskTracker needs a network with a mask head (MASK.MASK True)")
        self.mask_threshold = mask_threshold

    def _search_side(self, state: SiamRPNState) -> float:
        # Where the crop lies decides where the mask is drawn: it is rounded first here.
        return float(round(super()._search_side(state)))

    def _finish(
        self,
        images: Sequence[Frame],
        crops: SearchCrops[SiamRPNState],
        output: NetworkOutput,
        choice: Choice,
        found: list[tuple[SiamRPNState, Prediction]],
    ) -> list[tuple[SiamRPNState, Prediction]]:
        cells = self._cells(choice.indices, crops.search_size)
        masks = self.executor.masks_at(output, cells).float().cpu().numpy()
        host_cells = cells.cpu().numpy()
        finished = []
        for i, (new, prediction) in enumerate(found):
            probability = self._in_frame(
                masks[i], host_cells[i, 1:], crops.states[i], crops.sides[i], crops.search_size, images[i]
            )
            mask = probability > self.mask_threshold
            polygon = rotated_box(mask)
            if polygon is None:
                polygon = corners_of_box(prediction.bbox)
            finished.append((new, replace(prediction, polygon=polygon, mask=mask)))
        return finished

    def _cells(self, indices: Tensor, search_size: int) -> Tensor:
        """Return (B, 3): batch index, row and column of the proposals' score-map cells."""
        size = self.grid(search_size).cells
        cell = indices % (size * size)
        rows = torch.div(cell, size, rounding_mode="floor")
        return torch.stack([torch.arange(len(indices), device=indices.device), rows, cell % size], dim=1)

    def _in_frame(
        self,
        mask: NDArray[np.float32],
        cell: NDArray[np.int64],
        state: SiamRPNState,
        side: float,
        search_size: int,
        image: Frame,
    ) -> NDArray[np.float32]:
        """Return a cell's mask (M, M) as a map of the frame's size.

        The mask covers the template-sized window of the search crop that belongs to its cell.
        """
        scale = side / search_size
        offset = (cell[::-1] - self.params.base_size / 2) * self.params.stride * scale
        corner = state.center_xy - side / 2 + offset
        return paste_back(mask, corner, scale * self.template_size, (image.shape[0], image.shape[1]))


def rotated_box(mask: NDArray[np.bool_]) -> FloatArray | None:
    """Return the smallest rotated rectangle (8,) around the largest piece of a mask, or None if that is too small.

    Holes do not matter: a piece is what lies within an outer contour.
    """
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    largest = max(contours, key=cv2.contourArea)
    if cv2.contourArea(largest) <= _SMALLEST_CONTOUR:
        return None
    return np.asarray(cv2.boxPoints(cv2.minAreaRect(largest)), dtype=np.float64).reshape(8)
