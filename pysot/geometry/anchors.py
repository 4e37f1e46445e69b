"""Anchors, the size of a score map, and the cosine window over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


def score_size(search_size: int, template_size: int, stride: int, base_size: int) -> int:
    """Return the side of the score map: ``(search - template) // stride + 1 + base``.

    ``base_size`` is what the template loses by cropping its features (8 for the padded backbones whose template
    features are cropped from 15 to 7 cells, 0 for AlexNet).

    Example:
        >>> [score_size(255, 127, 8, 8), score_size(287, 127, 8, 0), score_size(831, 127, 8, 8)]
        [25, 21, 97]
    """
    return (search_size - template_size) // stride + 1 + base_size


def base_anchors_wh(stride: int, ratios: Sequence[float], scales: Sequence[float]) -> FloatArray:
    """Return the (K, 2) anchor sizes w, h in network pixels, ratio by ratio, scale by scale.

    An anchor of ratio r = h / w has about the area (stride * scale)²; the unscaled sides are cut to integers, as
    the published networks assume.

    Example:
        >>> base_anchors_wh(8, [0.33, 0.5, 1, 2, 3], [8]).astype(int).tolist()
        [[104, 32], [88, 40], [64, 64], [40, 80], [32, 96]]
    """
    sizes = []
    for ratio in ratios:
        width = int(np.sqrt(stride * stride / ratio))
        height = int(width * ratio)
        sizes += [(width * scale, height * scale) for scale in scales]
    return np.asarray(sizes, dtype=np.float32)


@dataclass(frozen=True)
class AnchorGrid:
    """Anchors at every cell of a score map.

    Attributes:
        boxes_cxcywh: (K * size * size, 4) float32, centres relative to the crop's centre, network pixels, in the
            order of a flattened (K, size, size) map.
        size: Cells per side.
    """

    boxes_cxcywh: FloatArray
    size: int


def anchor_grid(sizes_wh: FloatArray, stride: int, size: int, *, exact_origin: bool = False) -> AnchorGrid:
    """Return the anchors of a ``size`` x ``size`` score map.

    Args:
        sizes_wh: (K, 2) from `base_anchors_wh`.
        stride: Network pixels between neighbouring cells.
        size: Cells per side.
        exact_origin: The first cell lies at ``-(size // 2) * stride`` (PySOT), or, if True, at
            ``-(size / 2) * stride`` (DaSiamRPN's code): half a stride apart when ``size`` is odd.
    """
    count = len(sizes_wh)
    boxes = np.empty((count, size, size, 4), dtype=np.float32)
    boxes[..., :2] = point_grid(stride, size, exact_origin=exact_origin).reshape(size, size, 2)
    boxes[..., 2:] = sizes_wh[:, None, None, :]
    return AnchorGrid(boxes.reshape(-1, 4), size)


def point_grid(stride: int, size: int, *, exact_origin: bool = False) -> FloatArray:
    """Return the (size * size, 2) positions x, y of a score map's cells, row by row, relative to the crop's centre.

    Args:
        stride: Network pixels between neighbouring cells.
        size: Cells per side.
        exact_origin: As for `anchor_grid`.

    Example:
        >>> point_grid(stride=8, size=3)[:4].tolist()
        [[-8.0, -8.0], [0.0, -8.0], [8.0, -8.0], [-8.0, 0.0]]
    """
    origin = -(size / 2) * stride if exact_origin else -(size // 2) * stride
    positions = origin + stride * np.arange(size, dtype=np.float32)
    return np.stack(np.meshgrid(positions, positions), axis=-1).reshape(-1, 2)


def cosine_window(size: int, anchors: int = 1) -> NDArray[np.float64]:
    """Return the (anchors * size * size,) outer product of two Hann windows, repeated for each anchor."""
    hann = np.hanning(size)
    return np.tile(np.outer(hann, hann).reshape(-1), anchors)
