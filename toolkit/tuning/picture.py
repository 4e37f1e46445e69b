"""The picture of a search: how the score went, and what each key has to do with it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence as Series
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toolkit.draw import COLOURS, image_bytes
from toolkit.results import write_atomic

_BLUE, _ORANGE, _GREEN = COLOURS[:3]
_COLUMNS = 4
Row = Mapping[str, Any]


def write_picture(
    path: Path,
    rows: Series[Row],
    keys: Series[str],
    importances: Mapping[str, float],
    *,
    title: str,
    label: str,
    maximize: bool,
) -> None:
    """Write a PNG: above, the scores of all trials in order; below, the score over each key.

    Args:
        path: the file.
        rows: of :meth:`toolkit.tuning.study.Search.rows`.
        keys: what was searched.
        importances: by key, may be empty.
        title: of the picture.
        label: of the score.
        maximize: whether a higher score is better.
    """
    columns = min(_COLUMNS, len(keys))
    below = math.ceil(len(keys) / columns)
    figure = Figure(figsize=(max(8.0, 3.2 * columns), 3.6 + 3.0 * below), layout="constrained")
    grid = figure.add_gridspec(1 + below, columns, height_ratios=[1.2, *[1.0] * below])
    figure.suptitle(title)
    _history(figure.add_subplot(grid[0, :]), rows, label, maximize)
    complete = [row for row in rows if row["score"] is not None]
    for number, key in enumerate(keys):
        axes = figure.add_subplot(grid[1 + number // columns, number % columns])
        _slice(axes, complete, key, maximize)
        axes.set_title(f"importance {importances[key]:.0%}" if key in importances else "", fontsize="medium")
        axes.set_xlabel(key)
        if number % columns == 0:
            axes.set_ylabel(label)
    write_atomic(path, image_bytes(figure, "png"))


def _history(axes: Axes, rows: Series[Row], label: str, maximize: bool) -> None:
    """Draw each trial's score, the best so far, the default's, and where trials were pruned."""
    complete = [row for row in rows if row["score"] is not None]
    numbers = [row["trial"] for row in complete]
    scores = np.array([row["score"] for row in complete], dtype=np.float64)
    best = (np.maximum if maximize else np.minimum).accumulate(scores)
    axes.scatter(numbers, scores, s=18, color=_BLUE, label="complete", zorder=3)
    axes.step(numbers, best, where="post", color=_GREEN, label="best so far", zorder=2)
    for row in complete:
        if row["is_default"]:
            axes.axhline(row["score"], color=_ORANGE, linestyle="--", linewidth=1, label="the configuration's own")
    pruned = [row["trial"] for row in rows if row["state"] == "pruned"]
    axes.plot(
        pruned,
        np.full(len(pruned), 0.02),
        linestyle="none",
        marker="|",
        color="0.5",
        label=f"pruned ({len(pruned)})",
        transform=axes.get_xaxis_transform(),
    )
    axes.set_xlabel("trial")
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="best", framealpha=0.7)


def _slice(axes: Axes, complete: Series[Row], key: str, maximize: bool) -> None:
    """Draw the scores over one key, later trials darker; a ring is the best, a cross the configuration's own."""
    rows = [row for row in complete if row[key] is not None]
    axes.scatter(
        [row[key] for row in rows],
        [row["score"] for row in rows],
        c=range(len(rows)),
        s=18,
        cmap="Blues",
        vmin=-0.5 * len(rows),
        edgecolors="none",
    )
    if rows:
        best = (max if maximize else min)(rows, key=lambda row: row["score"])
        axes.plot(best[key], best["score"], "o", markersize=9, markerfacecolor="none", color=_GREEN)
    for row in rows:
        if row["is_default"]:
            axes.plot(row[key], row["score"], "x", color=_ORANGE)
    axes.grid(alpha=0.3)
    axes.tick_params(labelsize="small")
