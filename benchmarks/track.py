"""Measure how fast every configuration tracks: milliseconds per frame for crop, network and post-processing.

Weights are random: speed does not depend on them, as the benchmark keeps the target where it is. The baseline of the
ratio is PySOT's own implementation (for SiamFC and DaSiamRPN none is stated), in frames per second on two cores of an
AMD EPYC (Zen 5): pass --baseline none on other machines.

    python benchmarks/track.py                                # all configurations, CPU
    python benchmarks/track.py --config siammask_r50_l3 --runtime eager fused
    python benchmarks/track.py --targets 1 4 16 --device cuda
    python benchmarks/track.py --config siamrpn_nano --set RPN.KWARGS.out_channels 64
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import torch
from tqdm import tqdm

import pysot
from pysot.config import experiment_names
from pysot.trackers import TargetState, Tracker

# Frames per second of PySOT (d04028f) on this kind of machine: two cores, float32.
BASELINE_FPS = {
    "siamrpn_alex_dwxcorr": 18.0,
    "siamrpn_mobilev2_l234_dwxcorr": 14.0,
    "siamrpn_r50_l234_dwxcorr": 3.3,
    "siammask_r50_l3": 8.7,
}
TRAINING_ONLY = ("_8gpu", "_16gpu")
CLIP = Path(__file__).resolve().parents[1] / "demo" / "bag.avi"
BOX = (185, 130, 68, 102)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", nargs="+", help="experiments to measure (default: all that differ in speed)")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY VALUE", help="configuration keys to change")
    parser.add_argument("--runtime", nargs="+", choices=("eager", "fused", "bf16"), default=["eager", "fused"])
    parser.add_argument("--targets", nargs="+", type=int, default=[1], help="targets per frame, one batch")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads")
    parser.add_argument("--frames", type=int, default=20, help="frames measured, after 3 to warm up")
    parser.add_argument("--baseline", choices=("pysot", "none"), default="pysot")
    return parser.parse_args(argv)


def read_frames(count: int) -> list[np.ndarray]:
    """Return the first frames of the demo clip."""
    video = cv2.VideoCapture(str(CLIP))
    frames = [video.read()[1] for _ in range(count)]
    video.release()
    return frames


def measure(tracker: Tracker[Any], frames: Sequence[np.ndarray], targets: int) -> tuple[float, float, float]:
    """Return the median milliseconds per frame of crop, network and post-processing."""
    x, y, width, height = BOX
    states: list[TargetState] = [tracker.start(frames[0], (x + 5 * i, y, width, height)) for i in range(targets)]
    rows = []
    for frame in frames[1:]:
        times = [time.perf_counter()]
        groups = tracker.crop([frame] * targets, states)
        times.append(time.perf_counter())
        outputs = [tracker.infer(group) for group in groups]
        synchronize(tracker.executor.device)
        times.append(time.perf_counter())
        for group, output in zip(groups, outputs, strict=True):
            tracker.update([frame] * len(group.members), group, output)
        times.append(time.perf_counter())
        rows.append(np.diff(times) * 1000)
    crop, network, post = (statistics.median(column) for column in zip(*rows[3:], strict=True))
    return crop, network, post


def synchronize(device: torch.device) -> None:
    """Wait for a GPU, so that the stage that started the work pays for it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print the table."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    names = args.config or [name for name in experiment_names() if not name.endswith(TRAINING_ONLY)]
    frames = read_frames(args.frames + 4)
    lines = []
    try:
        for name in tqdm(names, unit="config", file=sys.stderr):
            cfg = pysot.load_cfg(name, args.set)
            torch.manual_seed(0)
            model = pysot.build_model(cfg).eval()
            for runtime in args.runtime:
                tracker = pysot.build_tracker(cfg, model, args.device, runtime)
                for targets in args.targets:
                    stages = measure(tracker, frames, targets)
                    fps = 1000 / sum(stages)
                    baseline = BASELINE_FPS.get(name) if args.baseline == "pysot" and targets == 1 else None
                    ratio = f"{fps / baseline:5.2f}x" if baseline else "     -"
                    crop, network, post = stages
                    lines.append(
                        f"{name:32} {runtime:6} {targets:7} {crop:8.2f} {network:8.2f} {post:8.2f} {fps:8.1f} {ratio}"
                    )
    except pysot.PysotError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    height, width = frames[0].shape[:2]
    print(f"{args.device}, {args.threads} threads, torch {torch.__version__}, frames {width} x {height}, medians in ms")
    print(f"{'configuration':32} {'runtime':6} targets     crop  network     post      fps vs PySOT")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
