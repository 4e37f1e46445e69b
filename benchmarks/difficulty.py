"""Measure how hard benchmarks are to follow, without a tracker: what boxes reach that know a part of the truth.

    python benchmarks/difficulty.py                                                     # the built-in benchmark
    python benchmarks/difficulty.py --dataset Synthetic --dataset-root training_dataset/synthetic
    python benchmarks/difficulty.py --dataset OTB100 --dataset-root ../shared/data/otb  # annotations are enough

Boxes that never move ("still") have the first place and size; "centre" is the true centre with the first size, "area"
the true centre and area with the first ratio of width to height. The pace is how far the centre moves from frame to
frame, in sides of the target (the root of its area): of each sequence the median, of those the median and the 90 %
quantile.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from numpy.typing import NDArray

from toolkit.datasets import default_root, load_dataset
from toolkit.errors import ToolkitError
from toolkit.metrics.success import one_pass_scores

Boxes = NDArray[np.float64]


def knowing(truth_xywh: Boxes) -> dict[str, Boxes]:
    """Return the boxes that know a part of the truth, (F, 4) x, y, w, h each.

    Example:
        >>> boxes = knowing(np.array([[0.0, 0, 2, 2], [8, 8, 2, 8]]))
        >>> boxes["still"][1].tolist(), boxes["centre"][1].tolist(), boxes["area"][1].tolist()
        ([0.0, 0.0, 2.0, 2.0], [8.0, 11.0, 2.0, 2.0], [7.0, 10.0, 4.0, 4.0])
    """
    centers = truth_xywh[:, :2] + truth_xywh[:, 2:] / 2
    first = np.broadcast_to(truth_xywh[0, 2:], centers.shape)
    enlarged = first * np.sqrt(truth_xywh[:, 2:].prod(axis=1) / truth_xywh[0, 2:].prod())[:, None]
    return {
        "still": np.broadcast_to(truth_xywh[0], truth_xywh.shape),
        "centre": np.hstack([centers - first / 2, first]),
        "area": np.hstack([centers - enlarged / 2, enlarged]),
    }


def pace(truth_xywh: Boxes) -> float:
    """Return the median step of the centre, in sides of the target; frames that are NaN have none."""
    steps = np.diff(truth_xywh[:, :2] + truth_xywh[:, 2:] / 2, axis=0)
    return float(np.nanmedian(np.linalg.norm(steps, axis=1) / np.sqrt(truth_xywh[1:, 2:].prod(axis=1))))


def measure(name: str, root: Path) -> tuple[dict[str, float], tuple[float, float]]:
    """Return the success AUC of each kind of boxes on a benchmark, and its pace."""
    dataset = load_dataset(name, root)
    if dataset.shortfall:
        print(f"note: {dataset.shortfall}", file=sys.stderr)
    truths, paces = [], []
    for sequence in dataset.sequences:
        whole = sequence.ground_truth.enclosing_xywh()
        whole[(whole[:, 2:] <= 0).any(axis=1)] = np.nan
        truth = whole[np.isfinite(whole).all(axis=1)]
        if len(truth) > 1:
            truths.append(truth)
            paces.append(pace(whole))
    if not truths:
        raise ToolkitError(f"{name}: of no sequence it is known where the target is after its first frame")
    lengths = np.array([len(truth) for truth in truths])
    kinds = [knowing(truth) for truth in truths]
    scores = {}
    for kind in ("still", "centre", "area"):
        found = one_pass_scores(np.concatenate(truths), np.concatenate([boxes[kind] for boxes in kinds]), lengths)
        scores[kind] = float(found.success.mean())
    median, tenth = np.nanquantile(paces, (0.5, 0.9))
    return scores, (float(median), float(tenth))


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", nargs="+", default=["Builtin"], metavar="NAME", help="default: Builtin")
    parser.add_argument("--dataset-root", type=Path, metavar="DIR", help="of the benchmarks (default: testing_dataset)")
    args = parser.parse_args(argv)
    print("| success AUC of | still | centre | area | pace, median | pace, every tenth |\n|---|---|---|---|---|---|")
    try:
        for name in args.dataset:
            scores, (median, tenth) = measure(name, args.dataset_root or default_root())
            cells = [name, *(f"{score:.3f}" for score in scores.values()), f"{median:.3f}", f"{tenth:.3f}"]
            print(f"| {' | '.join(cells)} |")
    except (ToolkitError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
