"""Time the VOT overlap: many random pairs of rotated boxes, boxes and mixtures.

python benchmarks/overlap.py [--pairs 20000]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from toolkit.overlap import vot_overlaps


def random_boxes(rng: np.random.Generator, count: int, *, rotated: bool) -> np.ndarray:
    """Return (count, 8) corners of boxes of 20 to 150 pixels, near the middle of a 640 x 480 image."""
    centre, side = rng.normal((320, 240), 30, (count, 1, 2)), rng.uniform(20, 150, (count, 1, 2))
    angle = rng.uniform(0, np.pi, count) if rotated else np.zeros(count)
    turn = np.stack([np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)], axis=1).reshape(-1, 2, 2)
    unit = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    return (centre + (unit * side) @ turn).reshape(count, 8)


def main(argv: list[str] | None = None) -> int:
    """Print microseconds per pair, the best of five runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20000, help="pairs per kind (default: %(default)s)")
    count = parser.parse_args(argv).pairs
    rng = np.random.default_rng(0)
    shapes = {"box": random_boxes(rng, count, rotated=False), "rotated": random_boxes(rng, count, rotated=True)}
    for first, second in (("box", "box"), ("rotated", "box"), ("rotated", "rotated")):
        others = np.roll(shapes[second], 1, axis=0)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            vot_overlaps(shapes[first], others, (640, 480))
            times.append(time.perf_counter() - start)
        print(f"{first:8s} x {second:8s} {1e6 * min(times) / count:7.2f} us/pair {min(times):7.3f} s for {count}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
