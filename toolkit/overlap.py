"""Overlap of regions: the VOT overlap that published tables rest on, and the plain IoU of boxes.

The VOT overlap is not the area of two polygons: both are drawn, row by row, onto a small canvas of pixels and
the pixels are counted. Drawing pixel by pixel would need a compiled loop. Here only the two ends of every row
are computed, for thousands of polygons at once: a convex polygon crosses a row in one run of pixels, from the
largest crossing of its left edges to the smallest crossing of its right edges, and a box in the same run on all
of its rows. The rare quadrilateral that is not convex on the pixel grid is drawn literally
(:func:`draw_polygon`), which is also the specification that the fast way is tested against.

Source: the overlap of the VOT toolkit 5-6, as used for VOT2013-2019; pinned in tests/toolkit/test_overlap.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.errors import RegionError
from toolkit.regions import FloatArray

Float32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]
Pair = tuple[Float32Array, Float32Array]

NEGLIGIBLE_AREA = 1e-10
"""Of two bounding boxes, one smaller than this share of the other counts as no overlap."""

CHUNK = 1 << 15
"""Row crossings worked on at a time: 256 KiB of float64 stay in the second-level cache."""

WIDEST = 1 << 30
"""Coordinates beyond this would not fit the int32 of the fast way."""


def vot_overlap(first: ArrayLike, second: ArrayLike, bounds: ArrayLike | None = None) -> float:
    """Return the VOT overlap of two regions.

    Args:
        first: (4,) box x, y, w, h or (8,) polygon, pixels; a single number, a status code, overlaps nothing: NaN.
        second: the same.
        bounds: (2,) image width and height beyond which nothing counts; None for no bounds.

    Returns:
        A float32 value between 0 and 1, or NaN.

    Example:
        >>> vot_overlap([0, 0, 9, 9], [0, 0, 9, 9])
        1.0
        >>> round(vot_overlap([0, 0, 9, 9], [0, 5, 9, 9]), 4)  # rows 5..9 of rows 0..14
        0.3333
    """
    if np.size(first) == 1 or np.size(second) == 1:
        return float("nan")
    rows = np.reshape(first, (1, -1)), np.reshape(second, (1, -1))
    return float(vot_overlaps(*rows, bounds=bounds)[0])


def vot_overlaps(first: ArrayLike, second: ArrayLike, bounds: ArrayLike | None = None) -> FloatArray:
    """Return the VOT overlap of many pairs of regions.

    Args:
        first: (N, 4) boxes x, y, w, h or (N, 8) polygons, pixels; a row with NaN overlaps nothing: NaN.
        second: the same.
        bounds: (2,) or (N, 2) image width and height beyond which nothing counts; None for no bounds.

    Returns:
        (N,) float64 that hold float32 values.

    Raises:
        RegionError: an array of another shape, or of another length than its partner.
    """
    return vot_overlaps_within(first, second, [bounds])[0]


def vot_overlaps_within(first: ArrayLike, second: ArrayLike, bounds: Sequence[ArrayLike | None]) -> list[FloatArray]:
    """Return the VOT overlap of many pairs of regions under several bounds at once.

    Accuracy and EAO are defined with bounds that differ by a pixel; only pairs that reach the image border can
    tell the difference, so only those are counted again.

    Args:
        first: as in :func:`vot_overlaps`.
        second: as in :func:`vot_overlaps`.
        bounds: one entry per answer, each as in :func:`vot_overlaps`.

    Returns:
        For each bounds, (N,) overlaps.
    """
    pair = _points_float32(first), _points_float32(second)
    count, other = (points.shape[-1] for points in pair)
    if count != other:
        raise RegionError(f"overlap: expected as many regions on both sides, got {count} and {other}")
    cuts = [_cut_boxes(pair, limit) for limit in bounds]
    answers = [_overlaps_in(pair, cuts[0])]
    for cut in cuts[1:]:
        answer = answers[0].copy()
        moved = np.flatnonzero((cut != cuts[0]).any(axis=(0, 1, 2)))
        answer[moved] = _overlaps_in((pair[0][..., moved], pair[1][..., moved]), cut[..., moved])
        answers.append(answer)
    return answers


def iou_xywh(first: ArrayLike, second: ArrayLike) -> FloatArray:
    """Return the intersection over union of axis-aligned boxes, by area.

    Args:
        first: (..., 4) boxes x, y, w, h, pixels.
        second: the same, or broadcastable.

    Returns:
        (...) float64 between 0 and 1; 0 where the union is empty, NaN where a box has NaN.

    Example:
        >>> iou_xywh([[0, 0, 10, 10]], [[5, 0, 10, 10]]).round(4).tolist()
        [0.3333]
    """
    ax, ay, aw, ah = np.moveaxis(np.asarray(first, dtype=np.float64), -1, 0)
    bx, by, bw, bh = np.moveaxis(np.asarray(second, dtype=np.float64), -1, 0)
    width = np.maximum(np.minimum(ax + aw, bx + bw) - np.maximum(ax, bx), 0)
    height = np.maximum(np.minimum(ay + ah, by + bh) - np.maximum(ay, by), 0)
    shared = width * height
    union = aw * ah + bw * bh - shared
    ratio = np.divide(shared, union, out=np.zeros_like(union), where=union != 0)
    return np.clip(ratio, 0, 1)


def draw_polygon(vertices: ArrayLike, height: int, width: int) -> NDArray[np.bool_]:
    """Draw a polygon with integer vertices as the VOT overlap defines it.

    Each row collects the crossings of all edges that are not horizontal, truncated towards zero; the sorted
    crossings are filled in pairs, both ends included, after dropping the first of two equal neighbours. So an
    edge between two equal crossings draws nothing: a polygon of no width has no pixels.

    Args:
        vertices: (K, 2) integer x, y on the canvas; they may lie outside.
        height: rows of the canvas.
        width: columns of the canvas.

    Returns:
        (height, width) mask.
    """
    start = np.asarray(vertices, dtype=np.float64)
    end = np.roll(start, 1, axis=0)
    mask = np.zeros((height, width), dtype=bool)
    low, high = int(start[:, 1].min()), int(start[:, 1].max())
    for y in range(max(low, 0), min(high, height - 1) + 1):
        meets = (np.minimum(start[:, 1], end[:, 1]) <= y) & (y <= np.maximum(start[:, 1], end[:, 1]))
        meets &= start[:, 1] != end[:, 1]
        (x0, y0), (x1, y1) = start[meets].T, end[meets].T
        nodes = np.sort(np.trunc(x0 + (y - y0) / (y1 - y0) * (x1 - x0))).astype(int)
        at = 0
        while at < len(nodes) - 1:
            if nodes[at] == nodes[at + 1]:
                at += 1
                continue
            mask[y, max(nodes[at], 0) : max(min(nodes[at + 1], width - 1) + 1, 0)] = True
            at += 2
    return mask


@dataclass(frozen=True)
class _Quads:
    """Quadrilaterals on the pixel grid of their canvases; the last axis runs over the N quads.

    Attributes:
        points: (2, 4, N) integer x and y of the vertices.
        low: (2, N) smallest x and y.
        high: (2, N) largest x and y.
        side: (4, N) int8, of every edge -1 if it bounds a convex quad on the left, 1 on the right, 0 neither.
        kind: (N,) 0 for a box; 4 * (edges on the left) + (edges on the right) for another convex quad; -1 for
            what has to be drawn.
    """

    points: FloatArray
    low: FloatArray
    high: FloatArray
    side: NDArray[np.int8]
    kind: IntArray

    def __getitem__(self, which: IntArray | slice) -> _Quads:
        return _Quads(
            self.points[..., which],
            self.low[:, which],
            self.high[:, which],
            self.side[:, which],
            self.kind[which],
        )

    def edges(self) -> FloatArray:
        """Return (4, 4, N): start x, start y, rise and run of every edge, those on the left first."""
        if not self.kind.any():
            return np.empty((4, 4, len(self.kind)))  # boxes do without
        towards = np.roll(self.points, 1, axis=1) - self.points
        order = np.argsort(self.side.T, axis=1, kind="stable").T
        table = np.concatenate([self.points, towards[::-1]])
        return np.take_along_axis(table, order[None], axis=1)


def _points_float32(regions: ArrayLike) -> Float32Array:
    """Return (2, 4, N) vertices of regions (N, 4) or (N, 8), in the precision that the definition works in."""
    rows = np.asarray(regions, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] not in (4, 8):
        raise RegionError(f"overlap: expected regions (N, 4) or (N, 8), got {rows.shape}")
    columns = np.ascontiguousarray(rows.astype(np.float32).T)
    if len(columns) == 4:
        left, top = columns[:2]
        right, bottom = columns[:2] + columns[2:]
        return np.stack([np.stack([left, right, right, left]), np.stack([top, top, bottom, bottom])])
    return np.stack([columns[0::2], columns[1::2]])


def _cut_boxes(pair: Pair, bounds: ArrayLike | None) -> Float32Array:
    """Return (2, 2, 2, N), the bounding boxes rounded outwards and cut to the bounds.

    Axes: which of the pair; left top or right bottom; x or y; pair.
    """
    corners = [(np.floor(points.min(axis=1)), np.ceil(points.max(axis=1))) for points in pair]
    boxes = np.array(corners)
    if bounds is not None:
        limit = np.asarray(bounds, dtype=np.float32).reshape(-1, 2).T
        boxes[:, 0] = np.maximum(boxes[:, 0], 0)
        boxes[:, 1] = np.minimum(boxes[:, 1], limit)
    return boxes


def _overlaps_in(pair: Pair, boxes: Float32Array) -> FloatArray:
    """Return (N,) overlaps of pairs (2, 4, N) whose bounding boxes were cut to ``boxes`` (2, 2, 2, N)."""
    (low_a, high_a), (low_b, high_b) = boxes
    origin, far = np.minimum(low_a, low_b), np.maximum(high_a, high_b)
    with np.errstate(invalid="ignore", divide="ignore"):
        area_a, area_b = (high_a - low_a).prod(axis=0), (high_b - low_b).prod(axis=0)
        apart = (area_a / area_b < NEGLIGIBLE_AREA) | (area_b / area_a < NEGLIGIBLE_AREA)
        apart |= (np.minimum(high_a, high_b) <= np.maximum(low_a, low_b)).any(axis=0)
        apart |= (far < origin).any(axis=0)
    known = ~np.isnan(far - origin).any(axis=0)
    overlaps = np.where(known, 0.0, np.nan)
    live = np.flatnonzero(known & ~apart)
    origin, size = origin[:, live], (far - origin)[:, live].astype(np.int64) + 1
    quads_a, quads_b = (_on_grid(points[..., live], origin) for points in pair)
    shared, either = _count_pixels(quads_a, quads_b, size)
    with np.errstate(invalid="ignore"):
        overlaps[live] = shared.astype(np.float32) / either.astype(np.float32)
    return overlaps


def _on_grid(points: Float32Array, origin: Float32Array) -> _Quads:
    """Move vertices (2, 4, N) to the canvas at ``origin`` (2, N) and round them half away from zero."""
    moved = points - origin[:, None]
    grid = np.trunc(moved.astype(np.float64) + np.copysign(0.5, moved))
    low, high = grid.min(axis=1), grid.max(axis=1)
    (x0, x1, x2, x3), (y0, y1, y2, y3) = grid
    is_box = (x0 == x3) & (x1 == x2) & (y0 == y1) & (y2 == y3)
    is_box |= (x0 == x1) & (x2 == x3) & (y0 == y3) & (y1 == y2)
    side, kind = np.zeros(grid.shape[1:], dtype=np.int8), np.zeros(len(is_box), dtype=np.int64)
    rest = np.flatnonzero(~is_box)
    side[:, rest], kind[rest] = _sides(grid[..., rest])
    kind[(np.maximum(-low, high) >= WIDEST).any(axis=0)] = -1
    return _Quads(grid, low, high, side, kind)


def _sides(grid: FloatArray) -> tuple[NDArray[np.int8], IntArray]:
    """Return ``side`` (4, N) and ``kind`` (N,) of quads (2, 4, N) that are no boxes."""
    run, rise = before = np.roll(grid, 1, axis=1) - grid
    run_next, rise_next = np.roll(before, 1, axis=1)
    turn = np.sign(rise_next * run - run_next * rise)
    is_convex = (turn != 0).all(axis=0) & (turn == turn[0]).all(axis=0)
    side = (np.sign(rise) * turn[0]).astype(np.int8)
    return side, np.where(is_convex, 4 * (side < 0).sum(axis=0) + (side > 0).sum(axis=0), -1)


def _count_pixels(a: _Quads, b: _Quads, size: IntArray) -> tuple[IntArray, IntArray]:
    """Return (N,) pixels in both and (N,) in either quad of each pair, on canvases ``size`` (2, N) wide, high."""
    shared, either = np.zeros_like(size[0]), np.zeros_like(size[0])
    drawn = (a.kind < 0) | (b.kind < 0)
    for i in np.flatnonzero(drawn):
        mask_a, mask_b = (draw_polygon(quads.points[..., i].T, size[1, i], size[0, i]) for quads in (a, b))
        shared[i], either[i] = (mask_a & mask_b).sum(), (mask_a | mask_b).sum()
    boxes = (a.kind == 0) & (b.kind == 0)
    for group, count in ((boxes, _count_boxes), (~boxes & ~drawn, _count_crossed)):
        which = np.flatnonzero(group)
        shared[which], either[which] = count(a[which], b[which], size[:, which])
    return shared, either


def _count_crossed(a: _Quads, b: _Quads, size: IntArray) -> tuple[IntArray, IntArray]:
    """Return (N,) pixels in both and in either of convex quads of which one or both are no boxes.

    Only the rows of what is no box are looked at: all others hold nothing that the two share.
    """
    first = np.minimum(*(np.where(quads.kind > 0, quads.low[1], np.inf) for quads in (a, b)))
    last = np.maximum(*(np.where(quads.kind > 0, quads.high[1], -np.inf) for quads in (a, b)))
    top = np.maximum(first, 0)
    rows = np.minimum(last, size[1] - 1) - top + 1
    kinds = 16 * a.kind + b.kind
    order = np.lexsort((rows, kinds))
    pair, size, top, rows, kinds = (a[order], b[order]), size[:, order], top[order], rows[order], kinds[order]
    edges = [quads.edges() for quads in pair]
    areas = [_box_sides(quads, size)[2].prod(axis=0) for quads in pair]
    shared, either = np.empty_like(order), np.empty_like(order)
    for part in _chunks(kinds, rows):
        offsets = np.arange(rows[part].max())
        ends = [
            _row_ends(quads[part], lines[..., part], top[part], offsets, size[:, part])
            for quads, lines in zip(pair, edges, strict=True)
        ]
        (low_a, high_a), (low_b, high_b) = ends
        shared[order[part]] = _run_lengths(np.maximum(low_a, low_b), np.minimum(high_a, high_b))
        for quads, area, (low, high) in zip(pair, areas, ends, strict=True):
            if quads.kind[part.start] > 0:
                area[part] = _run_lengths(low, high)
    either[order] = areas[0] + areas[1]
    return shared, either - shared


def _chunks(kinds: IntArray, rows: FloatArray) -> Iterator[slice]:
    """Yield portions of one kind that stay in the cache; ``rows`` is ascending within a kind."""
    starts = np.flatnonzero(np.diff(kinds, prepend=-1))
    for start, end in pairwise([*starts, len(kinds)]):
        while end > start:
            begin = max(end - max(int(CHUNK // max(rows[end - 1], 1)), 1), start)
            yield slice(begin, end)
            end = begin


def _row_ends(
    quads: _Quads, edges: FloatArray, top: FloatArray, offsets: FloatArray, size: IntArray
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return first and last pixel of quads of one kind on rows ``top + offsets``; last is -1 where there is none.

    ``top`` (n,) and ``offsets`` (rows,) in, (n, rows) or (n, 1) out.
    """
    flat = quads.low[1] == quads.high[1]
    last = np.where(flat, -1, np.minimum(quads.high[1], size[1] - 1) - top)
    outside = (offsets < (quads.low[1] - top)[:, None]) | (offsets > last[:, None])
    if quads.kind[0] == 0:
        low, high = (side[0].astype(np.int32)[:, None] for side in (quads.low, quads.high))
    else:
        lefts, rights = divmod(int(quads.kind[0]), 4)
        low = _crossings(edges[:, :lefts], top, offsets, np.maximum)
        high = _crossings(edges[:, -rights:], top, offsets, np.minimum)
    empty = outside | (low >= high)
    high = np.minimum(high, (size[0] - 1).astype(np.int32)[:, None])
    return np.maximum(low, 0), np.where(empty, np.int32(-1), high)


def _crossings(edges: FloatArray, top: FloatArray, offsets: FloatArray, innermost: np.ufunc) -> NDArray[np.int32]:
    """Return (n, rows) where the innermost of some edges, prolonged, cross the rows, truncated towards zero."""
    lines = []
    for x, y, rise, run in np.moveaxis(edges, 1, 0)[..., None]:
        line = offsets + (top[:, None] - y)
        line /= rise
        line *= run
        line += x
        lines.append(line)
    return reduce(innermost, lines).astype(np.int32)


def _run_lengths(low: NDArray[np.int32], high: NDArray[np.int32]) -> IntArray:
    """Return (n,) pixels in runs (n, rows) from low to high, both included; none where high < low."""
    runs = high - low
    runs += 1
    return np.maximum(runs, 0, out=runs).sum(axis=1, dtype=np.int32).astype(np.int64)


def _count_boxes(a: _Quads, b: _Quads, size: IntArray) -> tuple[IntArray, IntArray]:
    """Return (N,) pixels in both and in either of boxes."""
    (low_a, high_a, sides_a), (low_b, high_b, sides_b) = _box_sides(a, size), _box_sides(b, size)
    shared = np.maximum(np.minimum(high_a, high_b) - np.maximum(low_a, low_b) + 1, 0).prod(axis=0)
    return shared.astype(np.int64), (sides_a.prod(axis=0) + sides_b.prod(axis=0) - shared).astype(np.int64)


def _box_sides(quads: _Quads, size: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (2, N) first pixel, last pixel and pixels across and down of boxes; none of a box without width."""
    low = np.maximum(quads.low, 0)
    high = np.where((quads.low == quads.high).any(axis=0), -1, np.minimum(quads.high, size - 1))
    return low, high, np.maximum(high - low + 1, 0)
