"""Pictures of what a network answers on some pairs, the same ones throughout a training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from pysot.datasets.contact_sheet import Answers, answer_sheet
from pysot.models import NetworkOutput, SiameseNet
from pysot.models.losses import MaskTerm

#: Returns boxes (B, 4, N) cx, cy, w, h, network pixels relative to the search crop's centre, and probabilities (B, N),
#: in flattened (k, row, column) order.
Propose = Callable[[NetworkOutput], tuple[Tensor, Tensor]]


class AnswerPictures:
    """Draws the answers of networks on a batch.

    Args:
        batch: From `PairDataset`, or `DeviceAugment`.
        device: Of the networks.
        stride: Network pixels per cell of the score map.
        propose: What the maps of boxes and scores mean; None for a network without a map of boxes: the target is then
            drawn where the score is best, in its size in the template.
        mask: Where masks are, or None for a network without.
        order: Order of the crops' channels.
    """

    def __init__(
        self,
        batch: dict[str, Any],
        device: torch.device,
        stride: int,
        *,
        propose: Propose | None = None,
        mask: MaskTerm | None = None,
        order: str = "BGR",
    ) -> None:
        self.batch = batch
        self.device = device
        self.stride = stride
        self.propose = propose
        self.mask = mask
        self.order = order

    def __call__(self, network: SiameseNet, title: str = "") -> NDArray[np.uint8]:
        """Return the sheet (H, W, 3) BGR of a network in evaluation mode."""
        return answer_sheet(self.batch, self.answers(network), self.stride, order=self.order, title=title)

    @torch.no_grad()
    def answers(self, network: SiameseNet) -> Answers:
        """Return what a network in evaluation mode answers."""
        template, search = (self.batch[name].to(self.device, torch.float32) for name in ("template", "search"))
        output = network(network.encode_template(template), search)
        boxes, score = self._alone(output) if self.propose is None else self.propose(output)
        count, side = len(score), output.cls.shape[-1]
        best = score.argmax(dim=1)
        center, size = boxes[torch.arange(count), :, best].float().cpu().split(2, dim=1)
        center = center + search.shape[-1] // 2  # the position of the central pixel
        masks = None
        if self.mask is not None:
            place = best % side**2
            cells = torch.stack([torch.arange(count, device=best.device), place // side, place % side], dim=1)
            masks = paste_masks(network.masks_at(output, cells), cells, self.mask, search.shape[-1]).cpu().numpy()
        return Answers(
            score.reshape(count, -1, side, side).amax(dim=1).float().cpu().numpy(),
            torch.cat([center - size / 2, center + size / 2], dim=1).numpy(),
            masks,
        )

    def _alone(self, output: NetworkOutput) -> tuple[Tensor, Tensor]:
        """Return proposals where there is but a score map: a box of the template's size around every cell."""
        side = output.cls.shape[-1]
        places = self.stride * (torch.arange(side, device=output.cls.device) - (side - 1) / 2)
        y, x = (grid.flatten() for grid in torch.meshgrid(places, places, indexing="ij"))
        corners = self.batch["template_box_xyxy"].to(output.cls.device)
        sizes = (corners[:, 2:] - corners[:, :2])[:, :, None].expand(-1, -1, side**2)
        centers = torch.stack([x, y])[None].expand(len(sizes), -1, -1)
        return torch.cat([centers, sizes], dim=1), output.cls.flatten(1).sigmoid()


def paste_masks(logits: Tensor, cells: Tensor, term: MaskTerm, side: int) -> Tensor:
    """Return the masks of single cells as probabilities in their search crops; the inverse of `mask_windows`.

    Args:
        logits: (B, M, M) of one cell in each search crop; enlarged to the windows' size where they are smaller.
        cells: (B, 3) int64: batch index, row, column.
        term: Which window belongs to a cell.
        side: Of a search crop, network pixels.

    Returns:
        (B, side, side) float32, 0 outside the windows.

    Example:
        >>> term = MaskTerm(stride=2, padding=1, size=3)
        >>> paste_masks(torch.zeros(1, 3, 3), torch.tensor([[0, 0, 1]]), term, 3).tolist()
        [[[0.0, 0.5, 0.5], [0.0, 0.5, 0.5], [0.0, 0.0, 0.0]]]
    """
    size, padding = term.size, term.padding
    windows = F.interpolate(logits[:, None].float(), size=(size, size), mode="bilinear", align_corners=True)[:, 0]
    padded = logits.new_zeros(len(logits), side + 2 * padding, side + 2 * padding, dtype=torch.float32)
    for number, (_, row, column) in enumerate(cells.tolist()):
        top, left = term.stride * row, term.stride * column
        padded[number, top : top + size, left : left + size] = windows[number].sigmoid()
    return padded[:, padding : padding + side, padding : padding + side]
