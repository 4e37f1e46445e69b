"""Time loading and scoring on benchmarks of the real sizes, against what the compiled reference takes.

    python benchmarks/evaluate.py                                          # made-up benchmarks of the same sizes
    python benchmarks/evaluate.py --dataset-root DIR --results DIR         # those of VOT2018, OTB100, LaSOT in DIR

The reference needs 0.8 s to score one tracker on VOT2018 and 3.5 s on LaSOT's 280 test sequences, after loading.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from toolkit.conventions import PUBLISHED
from toolkit.datasets import Dataset, load_dataset
from toolkit.errors import ToolkitError
from toolkit.evaluate import FAMILIES, GroundTruth, tracker_names
from toolkit.metrics.eao import FRAME_TAGS
from toolkit.results import write_atomic, write_boxes, write_regions

TARGETS = {("VOT2018", "score"): 0.15, ("LaSOT", "score"): 0.5, ("OTB100", "load"): 0.5}
"""Seconds that must not be exceeded."""


def best_of(run: Callable[[], object], times: int = 5) -> float:
    """Return the shortest of some runs in seconds."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)


def make_vot(root: Path, rng: np.random.Generator, sequences: int = 60, frames: int = 356) -> None:
    """Write quadrilaterals that drift, and a tracker with boxes near them that fails in every other sequence."""
    annotations = {}
    quad = np.array([[-0.5, -0.4], [0.45, -0.5], [0.5, 0.4], [-0.45, 0.5]])
    for number in range(sequences):
        centre = np.cumsum(rng.normal(0, 2, (frames, 1, 2)), axis=0) + np.array([320, 240])
        side = rng.uniform(40, 150, (1, 1, 2))
        corners = (centre + quad * side).reshape(frames, 8).round(2)
        corner = centre[:, 0] - side[0] / 2 + rng.normal(0, 5, (frames, 2))
        rows: list[list[float]] = np.hstack([corner, np.broadcast_to(side[0], (frames, 2))]).tolist()
        rows[0] = [1.0]
        if number % 2:
            rows[200:206] = [[2.0], [0.0], [0.0], [0.0], [0.0], [1.0]]
        name = f"sequence{number}"
        tags = {tag: (rng.random(frames) < 0.2).astype(int).tolist() for tag in FRAME_TAGS}
        size = {"width": 640, "height": 480}
        annotations[name] = {"img_names": [""] * frames, "gt_rect": corners.tolist(), **size, **tags}
        write_regions(root / f"results/VOT2018/made_up/baseline/{name}/{name}_001.txt", rows)
    write_atomic(root / "VOT2018/VOT2018.json", json.dumps(annotations))


def make_one_pass(root: Path, name: str, rng: np.random.Generator, sequences: int, frames: int) -> None:
    """Write boxes of no video at all, and a tracker with boxes near them."""
    annotations = {}
    for number in range(sequences):
        truth = rng.uniform(20, 200, (frames, 4)).round()
        images = [f"sequence{number}/img/{frame:08d}.jpg" for frame in range(1, frames + 1)]
        flags = {"absent": (rng.random(frames) < 0.98).astype(int).tolist()} if name == "LaSOT" else {}
        annotations[f"sequence{number}"] = {"img_names": images, "gt_rect": truth.tolist(), **flags}
        write_boxes(root / f"results/{name}/made_up/sequence{number}.txt", truth + rng.normal(0, 5, truth.shape))
    write_atomic(root / name / f"{name}.json", json.dumps(annotations))


def time_benchmark(name: str, dataset_root: Path, results: Path) -> dict[str, float]:
    """Return the seconds to load annotations and one tracker's results, and to score them."""
    tracker = results / name / tracker_names(results / name)[-1]
    family = FAMILIES[load_dataset(name, dataset_root).benchmark.family]
    loaded: tuple[Dataset, GroundTruth, object]

    def load() -> None:
        nonlocal loaded
        dataset = load_dataset(name, dataset_root)
        truth = GroundTruth(dataset)
        loaded = dataset, truth, family.read(truth, tracker)

    def score() -> None:
        dataset, _, runs = loaded
        _, statistics = family.score(GroundTruth(dataset), runs, PUBLISHED)
        for statistic in statistics.values():
            statistic(np.ones((1, len(dataset.sequences))))

    return {"load": best_of(load, 3), "score": best_of(score)}


def main(argv: list[str] | None = None) -> int:
    """Print the seconds and the targets; return 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset-root", type=Path, help="folder that holds <benchmark>/ or <benchmark>.json")
    parser.add_argument("--results", type=Path, help="folder that holds <benchmark>/<tracker>/")
    args = parser.parse_args(argv)
    missed = False
    with tempfile.TemporaryDirectory() as made_up:
        root = args.dataset_root or Path(made_up)
        results = args.results or root / "results"
        names = ["VOT2018", "OTB100", "LaSOT"]
        if args.dataset_root is None:
            rng = np.random.default_rng(0)
            make_vot(root, rng)
            make_one_pass(root, "OTB100", rng, sequences=100, frames=590)
            make_one_pass(root, "LaSOT", rng, sequences=280, frames=2448)
        for name in (name for name in names if tracker_names(results / name)):
            try:
                seconds = time_benchmark(name, root, results)
            except ToolkitError as failure:
                print(failure, file=sys.stderr)
                return 2
            for step, taken in seconds.items():
                target = TARGETS.get((name, step))
                missed |= target is not None and taken > target
                print(f"{name:8s} {step:6s} {taken:7.3f} s" + (f"   (at most {target} s)" if target else ""))
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
