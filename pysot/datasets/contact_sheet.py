"""Pictures of training pairs: what the network sees and should answer, and what it does answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import cv2
import numpy as np
from numpy.typing import NDArray

from pysot.datasets.samples import Batch
from pysot.geometry import iou_xywh, xyxy_to_xywh
from pysot.utils import InputError, atomic_path

Uint8Image = NDArray[np.uint8]

_GREEN, _RED, _YELLOW, _WHITE, _DIM = (80, 200, 60), (70, 70, 235), (40, 200, 250), (235, 235, 235), (150, 150, 150)
_BLUE = (255, 170, 60)
_PAPER, _GAP, _CAPTION = 28, 8, 34


@dataclass(frozen=True)
class Answers:
    """What a network answers for the pairs of a batch.

    Attributes:
        score: (B, S, S) probability of the target in each cell; of several boxes in it, of the best.
        box_xyxy: (B, 4) the box with the best score, pixels of the search crop, a pixel's position being its centre.
        mask: (B, H, H) probability of the target at each pixel of the search crop, or None without masks.
    """

    score: NDArray[np.floating]
    box_xyxy: NDArray[np.floating]
    mask: NDArray[np.floating] | None = None


def contact_sheet(
    batch: Batch,
    stride: int,
    anchors_wh: NDArray[np.floating] | None,
    *,
    columns: int = 2,
    order: str = "BGR",
    title: str = "",
) -> Uint8Image:
    """Return a sheet with three pictures of every pair: template, search crop, and the labels on the search crop.

    The target's box is green, or red where the template shows another target; a mask is yellow. Of the labels, green
    dots and boxes are the positive anchors, red dots are cells with a negative one; nothing is asked of the others.

    Args:
        batch: From `PairDataset`, or `DeviceAugment`.
        stride: Network pixels per cell of the labels.
        anchors_wh: (K, 2) sizes of the anchors; None where the labels are of cells (SiamFC).
        columns: Pairs side by side.
        order: Order of the crops' channels.
        title: Written beside every pair.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    pairs = range(len(batch["names"]))
    return _arrange([_draw_pair(batch, number, stride, anchors_wh, order, title) for number in pairs], columns)


def answer_sheet(
    batch: Batch, answers: Answers, stride: int, *, columns: int = 2, order: str = "BGR", title: str = ""
) -> Uint8Image:
    """Return a sheet with three pictures of every pair: template, search crop, and the score map on the search crop.

    On the search crop, the target's box is green, or red where the template shows another target; the network's is
    blue, and its mask yellow. The score map goes from black (0) over red to bright yellow (1).

    Args:
        batch: From `PairDataset`, or `DeviceAugment`.
        answers: To its pairs.
        stride: Network pixels per cell of the score map.
        columns: Pairs side by side.
        order: Order of the crops' channels.
        title: Written beside every pair.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    pairs = range(len(batch["names"]))
    return _arrange([_draw_answer(batch, answers, number, stride, order, title) for number in pairs], columns)


def write_picture(image: Uint8Image, path: Path) -> None:
    """Write a picture (H, W, 3) BGR, whole or not at all.

    Raises:
        InputError: The name's ending is that of no picture.
    """
    if not cv2.haveImageWriter(str(path)):
        raise InputError(f"{path}: expected a name that ends in .png or .jpg")
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), image)


def _arrange(cells: list[Uint8Image], columns: int) -> Uint8Image:
    cells += [np.full_like(cells[0], _PAPER)] * (-len(cells) % columns)
    rows = [np.hstack(cells[start : start + columns]) for start in range(0, len(cells), columns)]
    return np.pad(np.vstack(rows), ((_GAP, 0), (_GAP, 0), (0, 0)), constant_values=_PAPER)


def _draw_pair(
    batch: Batch, number: int, stride: int, anchors_wh: NDArray[np.floating] | None, order: str, title: str
) -> Uint8Image:
    template, search = _crops(batch, number, order)
    color = _color(batch, number)
    labels = (search * 0.45).astype(np.uint8)
    _draw_labels(labels, batch["cls"][number].numpy(), stride, anchors_wh)
    if "mask" in batch and bool(batch["has_mask"][number]):
        _draw_mask(search, batch["mask"][number].numpy() > 0)
    _draw_box(search, batch["box_xyxy"][number].numpy(), color)
    counts = [int((batch["cls"][number] == label).sum()) for label in (1, 0)]
    facts = [f"{counts[0]} positive", f"{counts[1]} negative"]
    return _cell(batch, number, (template, search, labels), facts, title)


def _draw_answer(batch: Batch, answers: Answers, number: int, stride: int, order: str, title: str) -> Uint8Image:
    template, search = _crops(batch, number, order)
    truth, found = batch["box_xyxy"][number].numpy(), answers.box_xyxy[number]
    score = answers.score[number]
    facts = [f"score {score.max():.2f}"]
    if not bool(batch["negative"][number]):
        facts.append(f"overlap {float(iou_xywh(xyxy_to_xywh(truth), xyxy_to_xywh(found))):.2f}")
    scores = _draw_scores(search, score, stride)
    if answers.mask is not None:
        mask = answers.mask[number] > 0.5
        _draw_mask(search, mask)
        if bool(batch["has_mask"][number]):
            wanted = batch["mask"][number].numpy() > 0
            facts.append(f"mask {(mask & wanted).sum() / max((mask | wanted).sum(), 1):.2f}")
    _draw_box(search, truth, _color(batch, number))
    _draw_box(search, found, _BLUE)
    return _cell(batch, number, (template, search, scores), facts, title)


def _color(batch: Batch, number: int) -> tuple[int, int, int]:
    return _RED if bool(batch["negative"][number]) else _GREEN


def _crops(batch: Batch, number: int, order: str) -> tuple[Uint8Image, Uint8Image]:
    """Return the crops of a pair to draw on, the template with its box."""
    template, search = (_image(batch[name][number].numpy(), order) for name in ("template", "search"))
    _draw_box(template, batch["template_box_xyxy"][number].numpy(), _GREEN)
    return template, search


def _cell(
    batch: Batch, number: int, images: tuple[Uint8Image, Uint8Image, Uint8Image], facts: Sequence[str], title: str
) -> Uint8Image:
    """Return the pictures of a pair side by side, with what is to say about it."""
    template, search, _ = images
    height = search.shape[0] + _CAPTION + _GAP
    cell = np.full((height, template.shape[1] + 2 * search.shape[1] + 3 * _GAP, 3), _PAPER, dtype=np.uint8)
    left = 0
    for image in images:
        cell[: image.shape[0], left : left + image.shape[1]] = image
        left += image.shape[1] + _GAP
    kind = "negative" if bool(batch["negative"][number]) else "positive"
    cv2.putText(cell, title, (2, search.shape[0] - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _YELLOW, 1, cv2.LINE_AA)
    for line, text in enumerate([kind, *facts]):
        at = (2, template.shape[0] + 18 + 15 * line)
        color = _DIM if line else _color(batch, number)
        cv2.putText(cell, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4, color, 1, cv2.LINE_AA)
    for line, path in enumerate(batch["names"][number].split(" ")):
        name = "/".join(PurePath(path).parts[-3:]).encode("ascii", "replace").decode()
        at = (2, search.shape[0] + 12 + 13 * line)
        cv2.putText(cell, name, at, cv2.FONT_HERSHEY_SIMPLEX, 0.37, _WHITE, 1, cv2.LINE_AA)
    return cell


def _image(crop: NDArray[np.generic], order: str) -> Uint8Image:
    """Return a network's input as an image to draw on."""
    image = np.clip(np.rint(crop.astype(np.float32)), 0, 255).astype(np.uint8).transpose(1, 2, 0)
    return np.ascontiguousarray(image if order == "BGR" else image[..., ::-1])


def _draw_box(image: Uint8Image, box_xyxy: NDArray[np.floating], color: tuple[int, int, int]) -> None:
    left, top, right, bottom = np.rint(box_xyxy).astype(int).tolist()
    cv2.rectangle(image, (left, top), (right, bottom), color, 1)


def _draw_mask(image: Uint8Image, mask: NDArray[np.bool_]) -> None:
    image[mask] = (0.55 * image[mask] + 0.45 * np.array(_YELLOW)).astype(np.uint8)


def _draw_scores(image: Uint8Image, score: NDArray[np.floating], stride: int) -> Uint8Image:
    """Return an image with a score map (S, S) on it."""
    side = stride * score.shape[0]
    # Cells are squares around the places that `_draw_labels` marks.
    first = (image.shape[0] - side) // 2
    levels = np.rint(255 * np.clip(score, 0, 1)).astype(np.uint8)
    heat = cv2.applyColorMap(cv2.resize(levels, (side, side), interpolation=cv2.INTER_NEAREST), cv2.COLORMAP_INFERNO)
    low, high = max(first, 0), min(first + side, image.shape[0])
    gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    shown = (gray * 0.35).astype(np.uint8)
    part = heat[low - first : high - first, low - first : high - first]
    shown[low:high, low:high] = cv2.addWeighted(shown[low:high, low:high], 1.0, part, 0.65, 0.0)
    return shown


def _draw_labels(
    image: Uint8Image, labels: NDArray[np.integer], stride: int, anchors_wh: NDArray[np.floating] | None
) -> None:
    """Draw the labels (K, S, S) of the cells of an image."""
    size = labels.shape[-1]
    places = image.shape[0] // 2 + stride * (np.arange(size) - (size - 1) / 2)
    for row, column in np.argwhere((labels == 0).any(axis=0)):
        cv2.circle(image, (round(places[column]), round(places[row])), 1, _RED, -1, cv2.LINE_AA)
    for anchor, row, column in np.argwhere(labels == 1):
        center = np.array([places[column], places[row]])
        if anchors_wh is not None:
            half = anchors_wh[anchor] / 2
            _draw_box(image, np.concatenate([center - half, center + half]), (60, 110, 50))
    for row, column in np.argwhere((labels == 1).any(axis=0)):
        cv2.circle(image, (round(places[column]), round(places[row])), 2, _GREEN, -1, cv2.LINE_AA)
