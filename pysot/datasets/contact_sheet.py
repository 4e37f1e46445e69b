"""A picture of training pairs: what the network sees, and what it should answer."""

from __future__ import annotations

from pathlib import PurePath

import cv2
import numpy as np
from numpy.typing import NDArray

from pysot.datasets.samples import Batch

Uint8Image = NDArray[np.uint8]

_GREEN, _RED, _YELLOW, _WHITE, _DIM = (80, 200, 60), (70, 70, 235), (40, 200, 250), (235, 235, 235), (150, 150, 150)
_PAPER, _GAP, _CAPTION = 28, 8, 34


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
    cells = [_draw_pair(batch, number, stride, anchors_wh, order, title) for number in range(len(batch["names"]))]
    cells += [np.full_like(cells[0], _PAPER)] * (-len(cells) % columns)
    rows = [np.hstack(cells[start : start + columns]) for start in range(0, len(cells), columns)]
    return np.pad(np.vstack(rows), ((_GAP, 0), (_GAP, 0), (0, 0)), constant_values=_PAPER)


def _draw_pair(
    batch: Batch, number: int, stride: int, anchors_wh: NDArray[np.floating] | None, order: str, title: str
) -> Uint8Image:
    template, search = (_image(batch[name][number].numpy(), order) for name in ("template", "search"))
    negative = bool(batch["negative"][number])
    color = _RED if negative else _GREEN
    labels = (search * 0.45).astype(np.uint8)
    _draw_labels(labels, batch["cls"][number].numpy(), stride, anchors_wh)
    if "mask" in batch and bool(batch["has_mask"][number]):
        _draw_mask(search, batch["mask"][number].numpy() > 0)
    _draw_box(template, batch["template_box_xyxy"][number].numpy(), _GREEN)
    _draw_box(search, batch["box_xyxy"][number].numpy(), color)
    height = search.shape[0] + _CAPTION + _GAP
    cell = np.full((height, template.shape[1] + 2 * search.shape[1] + 3 * _GAP, 3), _PAPER, dtype=np.uint8)
    left = 0
    for image in (template, search, labels):
        cell[: image.shape[0], left : left + image.shape[1]] = image
        left += image.shape[1] + _GAP
    counts = [int((batch["cls"][number] == label).sum()) for label in (1, 0)]
    facts = ["negative" if negative else "positive", f"{counts[0]} positive", f"{counts[1]} negative"]
    cv2.putText(cell, title, (2, search.shape[0] - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _YELLOW, 1, cv2.LINE_AA)
    for line, text in enumerate(facts):
        at = (2, template.shape[0] + 18 + 15 * line)
        cv2.putText(cell, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4, color if line == 0 else _DIM, 1, cv2.LINE_AA)
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
