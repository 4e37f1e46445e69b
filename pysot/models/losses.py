"""Training losses as functions of tensors, and their weighted sum for each kind of network.

Every loss is a sum divided by how many things it is about: positives and negatives, pairs, masks. These counts follow
from the labels alone, so several processes, or several parts of an accumulated batch, can agree on them first: with the
mean of their counts in place of each one's own, the mean of their losses is the loss of the joined batch.

Labels are those of `pysot.datasets.targets`, with the batch as the first dimension: 1 positive, 0 negative, -1 ignored.
Half-precision outputs are read as float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pysot.models.siamese import NetworkOutput, SiameseNet
from pysot.utils import ConfigError, Registry

BoxLoss = Callable[[Tensor, Tensor], Tensor]
# Lower and upper corners, (B, 2, k, S, S) each.
Corners = tuple[Tensor, Tensor]

#: Losses of predicted offsets (B, 4, k, S, S) against wanted ones, per anchor: (B, k, S, S).
BOX_LOSSES: Registry[BoxLoss] = Registry("box loss (TRAIN.LOC_LOSS)")

# Where the smooth L1 loss turns from a square to a line: sigma 3 of Faster R-CNN's proposals, 1 / 3².
_SMOOTH_L1_BETA = 1 / 9
# A side this many times (as a logarithm) the anchor's is beyond any search crop; more would overflow.
_LARGEST_LOG_SIDE = math.log(64)


def balanced_logistic_loss(
    logits: Tensor, labels: Tensor, counts: Tensor | None = None, smoothing: float = 0.0
) -> Tensor:
    """Return half the mean logistic loss of the positives plus half that of the negatives.

    A class without members adds zero; the result has a graph in any case.

    Args:
        logits: Any shape; of the target against everything else.
        labels: The same shape: 1, 0, or -1 for ignored.
        counts: (2,) what to divide by instead of the numbers of positives and negatives here.
        smoothing: A label of 1 becomes 1 - smoothing / 2, one of 0 becomes smoothing / 2.

    Source: SiamFC, equations 1 and 2, with siamfc-pytorch's weights; for two logits per anchor the same as PySOT's mean
    of log-softmax, see `anchor_logits`.

    Example:
        >>> balanced_logistic_loss(torch.tensor([0.0, 9.0, 0.0]), torch.tensor([1, -1, 0]))
        tensor(0.6931)
    """
    logits = _precise(logits)
    positive, negative = labels == 1, labels == 0
    target = positive.to(logits.dtype) * (1 - smoothing) + smoothing / 2
    losses = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if counts is None:
        counts = torch.stack([positive.sum(), negative.sum()])
    halves = [_mean(losses, chosen, count) for chosen, count in zip((positive, negative), counts, strict=True)]
    return 0.5 * (halves[0] + halves[1])


def anchor_logits(cls: Tensor) -> Tensor:
    """Return the logits (B, k, S, S) of the target against the background for scores (B, 2k, S, S).

    The softmax over two logits is the logistic function of their difference.
    """
    background, target = _precise(cls).unflatten(1, (2, -1)).unbind(1)
    return target - background


def box_loss(
    loc: Tensor, wanted: Tensor, weights: Tensor, pairs: Tensor | int | None = None, kind: str = "l1"
) -> Tensor:
    """Return the weighted sum of the anchors' box losses, divided by the number of pairs.

    Args:
        loc: (B, 4k, S, S) predicted offsets dx, dy, dw, dh: channel = coordinate * k + anchor.
        wanted: (B, 4, k, S, S) offsets.
        weights: (B, k, S, S); those of a pair sum to one or are all zero.
        pairs: What to divide by instead of B.
        kind: A name in `BOX_LOSSES`.

    Source: PySOT's plain L1; the others as named in `BOX_LOSSES`.
    """
    predicted = _precise(loc).unflatten(1, (4, -1))
    losses = BOX_LOSSES[kind](predicted, wanted.to(predicted.dtype))
    return _weighted_sum(losses, weights) / (loc.shape[0] if pairs is None else pairs)


@BOX_LOSSES.register("l1")
def l1_loss(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Return the sum of the four absolute differences."""
    return (predicted - wanted).abs().sum(dim=1)


@BOX_LOSSES.register("smooth_l1")
def smooth_l1_loss(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Return the sum of the four differences' smooth L1: 4.5 d² up to 1/9, |d| - 1/18 from there.

    Source: SiamRPN, equation 6, with sigma 3 as in Faster R-CNN's proposals.
    """
    return F.smooth_l1_loss(predicted, wanted, reduction="none", beta=_SMOOTH_L1_BETA).sum(dim=1)


@BOX_LOSSES.register("iou")
def iou_loss(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Return one minus the overlap of the boxes.

    Scaling an axis changes no ratio of areas, so the anchors need not be known: in units of the anchor, an offset dx,
    dw is a box with centre dx and side exp(dw).
    """
    return _OVERLAP_LOSSES["iou"](*_overlap(_corners(predicted), _corners(wanted)))


@BOX_LOSSES.register("giou")
def giou_loss(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Return one minus the generalised overlap, which also draws boxes together that do not touch.

    Source: Rezatofighi et al. 2019, arXiv:1902.09630, algorithm 1.
    """
    return _OVERLAP_LOSSES["giou"](*_overlap(_corners(predicted), _corners(wanted)))


# Losses of an overlap, and of the share of the smallest box around both that neither covers.
_OVERLAP_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "iou": lambda overlap, emptiness: 1 - overlap,
    "giou": lambda overlap, emptiness: 1 - overlap + emptiness,
}


def point_losses(
    loc: Tensor,
    quality: Tensor | None,
    wanted: Tensor,
    weights: Tensor,
    pairs: Tensor | int | None = None,
    kind: str = "iou",
) -> dict[str, Tensor]:
    """Return ``loc``, the loss of boxes around points, and, where it is predicted, that of their ``quality``.

    Each is the weighted sum over the points, divided by the number of pairs. The quality of a box is its overlap with
    the target as it is now: cross-entropy teaches it, and it teaches the box nothing.

    Args:
        loc: (B, 4, S, S) logarithms of the distances left, top, right, bottom of the sides from each cell, in strides.
        quality: (B, 1, S, S) logits of the overlaps, or None.
        wanted: (B, 4, 1, S, S) distances; negative where the cell lies beyond that side.
        weights: (B, 1, S, S); those of a pair sum to one or are all zero.
        pairs: What to divide by instead of B.
        kind: iou or giou.

    Source: UnitBox and FCOS (arXiv:1904.01355) for the overlap of distances; IoU-aware RetinaNet (arXiv:1912.05992) for
    the loss of the quality.

    Example:
        >>> loc, wanted = torch.zeros(1, 4, 1, 1), torch.tensor([1.0, 1.0, 3.0, 1.0]).reshape(1, 4, 1, 1, 1)
        >>> losses = point_losses(loc, torch.zeros(1, 1, 1, 1), wanted, torch.ones(1, 1, 1, 1))
        >>> losses["loc"], losses["quality"]
        (tensor(0.5000), tensor(0.6931))
    """
    distances = _precise(loc).unflatten(1, (4, -1)).clamp(-_LARGEST_LOG_SIDE, _LARGEST_LOG_SIDE).exp()
    overlap, emptiness = _overlap(_sides(distances), _sides(wanted.to(distances.dtype)))
    losses = {"loc": _OVERLAP_LOSSES[kind](overlap, emptiness)}
    if quality is not None:
        losses["quality"] = F.binary_cross_entropy_with_logits(_precise(quality), overlap.detach(), reduction="none")
    divisor = loc.shape[0] if pairs is None else pairs
    return {name: _weighted_sum(values, weights) / divisor for name, values in losses.items()}


def _overlap(predicted: Corners, wanted: Corners) -> tuple[Tensor, Tensor]:
    """Return the overlap and the share of the smallest box around both that neither covers, (B, k, S, S) each."""
    (low_p, high_p), (low_w, high_w) = predicted, wanted
    intersection = (torch.minimum(high_p, high_w) - torch.maximum(low_p, low_w)).clamp(min=0).prod(dim=1)
    union = (high_p - low_p).prod(dim=1) + (high_w - low_w).prod(dim=1) - intersection
    around = (torch.maximum(high_p, high_w) - torch.minimum(low_p, low_w)).prod(dim=1)
    return intersection / union, (around - union) / around


def _corners(offsets: Tensor) -> Corners:
    """Return the corners of boxes around anchors, in units of the anchor."""
    centers, half_sides = offsets[:, :2], offsets[:, 2:].clamp(max=_LARGEST_LOG_SIDE).exp() / 2
    return centers - half_sides, centers + half_sides


def _sides(distances: Tensor) -> Corners:
    """Return the corners of boxes around points."""
    return -distances[:, :2], distances[:, 2:]


def mask_loss(logits: Tensor, wanted: Tensor, masks: Tensor | int | None = None) -> Tensor:
    """Return the mean soft-margin loss log(1 + exp(-y m)) of the masks' pixels.

    Pixels of unknown label (0) add nothing; they count in the mean, so that a mask's known pixels weigh the same
    however many there are. No known pixel at all gives zero, with a graph.

    Args:
        logits: (N, M, M) masks m; enlarged to P first (bilinear, corner to corner) where they are smaller.
        wanted: (N, P, P) labels y: 1 the target, -1 not, 0 unknown.
        masks: What to divide by instead of N, besides the P² pixels of a mask.

    Source: SiamMask, equation 3.

    Example:
        >>> mask_loss(torch.zeros(1, 2, 2), torch.tensor([[[1, -1], [0, 0]]]))
        tensor(0.3466)
    """
    logits, side = _precise(logits), wanted.shape[-1]
    if logits.shape[-1] != side:
        logits = F.interpolate(logits[:, None], size=(side, side), mode="bilinear", align_corners=True)[:, 0]
    losses = -F.logsigmoid(logits * wanted)
    count = torch.as_tensor(len(logits) if masks is None else masks, device=logits.device)
    return _mean(losses, wanted != 0, count * side * side)


def mask_windows(mask: Tensor, cells: Tensor, stride: int, padding: int, size: int) -> Tensor:
    """Return what each cell's mask should show: the template-sized window of the search crop that belongs to the cell.

    Args:
        mask: (B, H, H) labels of the search crops' pixels.
        cells: (N, 3) int64: batch index, row, column of the score map.
        stride: Network pixels per cell.
        padding: How far the first cell's window begins before the crop; what lies outside is 0, unknown.
        size: Side of a window.

    Returns:
        (N, size, size), of the type of ``mask``.

    Example:
        >>> crop = torch.arange(9).reshape(1, 3, 3)
        >>> mask_windows(crop, torch.tensor([[0, 0, 1]]), stride=2, padding=1, size=3).tolist()
        [[[0, 0, 0], [1, 2, 0], [4, 5, 0]]]
    """
    # Views: no window is copied before it is picked.
    windows = F.pad(mask, (padding,) * 4).unfold(1, size, stride).unfold(2, size, stride)
    return windows[cells[:, 0], cells[:, 1], cells[:, 2]]


@dataclass(frozen=True)
class MaskTerm:
    """Where masks are trained.

    Attributes:
        stride: Network pixels per cell of the score map.
        padding: How far the first cell's window begins before the search crop: half of BASE_SIZE, in pixels.
        size: Side of a window, that of the template.
        all_inside: Train the cells whose windows lie within the search crop, as SiamMask's refinement, instead of those
            with a positive anchor.
    """

    stride: int
    padding: int
    size: int
    all_inside: bool = False

    def cells(self, targets: Mapping[str, Tensor]) -> Tensor:
        """Return (N, 3), batch index, row and column, of the cells to train in pairs that have a mask."""
        chosen = (targets["cls"] == 1).any(dim=1)
        if self.all_inside:
            first = torch.arange(chosen.shape[-1], device=chosen.device) * self.stride - self.padding
            inside = (first >= 0) & (first + self.size <= targets["mask"].shape[-1])
            chosen = (inside[:, None] & inside).expand_as(chosen)
        return (chosen & targets["has_mask"][:, None, None]).nonzero()

    def windows(self, targets: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the cells (N, 3) and what their masks should show (N, size, size), N at least 1.

        A batch without masks gives one cell whose pixels are all unknown: every parameter has a gradient then.
        """
        cells = self.cells(targets)
        if not len(cells):
            cells = cells.new_zeros(1, 3)
            return cells, targets["mask"].new_zeros(1, self.size, self.size)
        return cells, mask_windows(targets["mask"], cells, self.stride, self.padding, self.size)


@dataclass(frozen=True)
class Criterion:
    """The losses of a network and their weights: SiamFC's, those of heads with anchors or points, and SiamMask's.

    Attributes:
        cls_weight: Of the classification loss.
        loc_weight: Of the box loss; networks without a box map have none.
        mask_weight: Of the mask loss.
        box_loss: A name in `BOX_LOSSES`.
        smoothing: See `balanced_logistic_loss`.
        mask: Where masks are trained, or None for a network that has none.
        points: Boxes are distances from points, not offsets from anchors; ``box_loss`` is iou or giou then.
        quality_weight: Of the loss of the boxes' predicted overlap.
    """

    cls_weight: float = 1.0
    loc_weight: float = 1.2
    mask_weight: float = 1.0
    box_loss: str = "l1"
    smoothing: float = 0.0
    mask: MaskTerm | None = None
    points: bool = False
    quality_weight: float = 1.0

    def counts(self, targets: Mapping[str, Tensor]) -> Tensor:
        """Return (4,) float32, what the losses divide by: positives, negatives, pairs, masks.

        For a batch that several processes share, pass their mean to the losses of each.
        """
        labels = targets["cls"]
        masks = 0 if self.mask is None else len(self.mask.cells(targets))
        others = torch.tensor([labels.shape[0], masks], device=labels.device)
        return torch.cat([torch.stack([(labels == 1).sum(), (labels == 0).sum()]), others]).float()

    def __call__(
        self, network: SiameseNet, output: NetworkOutput, targets: Mapping[str, Tensor], counts: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return ``total``, the weighted sum, and the losses: ``cls``, and ``loc``, ``quality`` and ``mask`` if any.

        Args:
            network: Draws the masks.
            output: Its answer.
            targets: From `pysot.datasets.targets`, stacked, on the device of ``output``.
            counts: From `counts`, or the mean of several; None for those of ``targets``.

        Raises:
            ConfigError: The labels are made for another score map.
        """
        counts = self.counts(targets) if counts is None else counts
        logits = output.cls if output.loc is None else anchor_logits(output.cls)
        if logits.shape != targets["cls"].shape:
            raise ConfigError(
                f"the scores are (pairs, anchors, rows, columns) {tuple(logits.shape)}, "
                f"the labels {tuple(targets['cls'].shape)}: "
                f"TRAIN.SEARCH_SIZE, BASE_SIZE, OUTPUT_SIZE or ANCHOR do not fit the network"
            )
        losses = {"cls": balanced_logistic_loss(logits, targets["cls"], counts[:2], self.smoothing)}
        total = self.cls_weight * losses["cls"]
        if output.loc is not None:
            losses |= self._of_boxes(output, targets, counts[2])
            total = total + self.loc_weight * losses["loc"]
            if "quality" in losses:
                total = total + self.quality_weight * losses["quality"]
        if self.mask is not None:
            cells, wanted = self.mask.windows(targets)
            losses["mask"] = mask_loss(network.masks_at(output, cells), wanted, counts[3])
            total = total + self.mask_weight * losses["mask"]
        return {"total": total, **losses}

    def _of_boxes(self, output: NetworkOutput, targets: Mapping[str, Tensor], pairs: Tensor) -> dict[str, Tensor]:
        loc, wanted, weights = cast(Tensor, output.loc), targets["loc"], targets["loc_weight"]
        if self.points:
            quality = output.quality[0] if output.quality else None
            return point_losses(loc, quality, wanted, weights, pairs, self.box_loss)
        return {"loc": box_loss(loc, wanted, weights, pairs, self.box_loss)}


class TrainingNetwork(nn.Module):
    """A network and its losses as one module, so that one forward pass is all that a wrapper has to see.

    Args:
        network: What is trained.
        criterion: Its losses.
    """

    def __init__(self, network: SiameseNet, criterion: Criterion) -> None:
        super().__init__()
        self.network = network
        self.criterion = criterion

    def forward(
        self, template: Tensor, search: Tensor, targets: Mapping[str, Tensor], counts: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Return the losses of a batch of pairs, see `Criterion`.

        Args:
            template: (B, 3, 127, 127) in 0..255.
            search: (B, 3, S, S) in 0..255.
            targets: Labels of the pairs.
            counts: See `Criterion`.
        """
        output = self.network(self.network.encode_template(template), search)
        return self.criterion(self.network, output, targets, counts)


def _mean(losses: Tensor, chosen: Tensor, count: Tensor) -> Tensor:
    """Return the sum of the chosen losses by ``count``, without waiting for the device; zero if there are none."""
    total = torch.where(chosen, losses, torch.zeros_like(losses)).sum()
    return total / torch.where(count > 0, count, torch.ones_like(count))


def _weighted_sum(losses: Tensor, weights: Tensor) -> Tensor:
    """Return the sum of the weighted losses; one without a weight may be anything."""
    return torch.where(weights > 0, losses * weights, torch.zeros_like(losses)).sum()


def _precise(values: Tensor) -> Tensor:
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
