"""Measure whether a tracker finds out that the size it believes in is wrong.

Puts a tracker on the true centre of a later frame, with the true size times a factor, and lets it look once at that
frame: which box does the network answer with? A tracker whose answer only repeats what it believes cannot follow a
target that grows, and what went wrong once stays wrong.

    python benchmarks/wrong_size.py                                     # the default model on the built-in benchmark
    python benchmarks/wrong_size.py --config siammask_r50_l3 --dataset OTB100 --sequences Couple Jumping --every 30
    python benchmarks/wrong_size.py --config siamrpn_nano --snapshot snapshot/best.pth --dataset VOT2018

"answered" is the median of answered side by true side (roots of the areas), 1 if all is well; "mended" is the share of
the mistake that this takes back, on a logarithmic scale: 0 repeats the mistake, 1 knows better. Answers that overlap
with the truth by less than 0.2 count as lost and not as a size. The overlap is a mean, the score a median. "mask" is
the mean overlap of the masks, where the tracker draws them and the benchmark has them, as Synthetic does: at the true
size, what masks are worth from the right place. Sizes that trackers do not believe in, below 10 pixels or larger than
the frame, are left out. For trackers whose networks answer with boxes: all but SiamFC.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

import pysot
from pysot.config import add_config_arguments
from pysot.config.cli import at_least_one, split_overrides
from pysot.run_record import find_model
from pysot.trackers import TRACKERS, SiamRPNTracker, Tracker
from pysot.utils import InputError, PysotError
from toolkit.datasets import default_root, load_dataset
from toolkit.errors import ToolkitError
from toolkit.masks import mask_iou
from toolkit.overlap import iou_xywh
from toolkit.protocols import start_box_xywh
from toolkit.runner import narrowed
from toolkit.sequence import Sequence as Video

FACTORS = (0.5, 0.67, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0)
SMALLEST = 10.0  # pixels; trackers clip what is below, and what is larger than the frame
LOST = 0.2  # overlap below which an answer is about something else
# The size becomes the answer's share `score` and the rest of the old one: see SiamRPNTracker.
AT_ONCE = ("TRACK.LR", 1.0, "TRACK.PENALTY_K", 0.0)

FloatArray = NDArray[np.float64]


class Look(NamedTuple):
    """What one look answered.

    Attributes:
        overlap: Of the answered box with the true one.
        side: Answered side by true side.
        score: Of the answer.
        mask: Overlap of the drawn mask with the true one; NaN where there are none, or nothing of the target is seen.
    """

    overlap: float
    side: float
    score: float
    mask: float = math.nan


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--snapshot", metavar="FILE", help="checkpoint (default: the public one of the configuration)")
    parser.add_argument("--dataset", default="Builtin", metavar="NAME", help="benchmark (default: %(default)s)")
    parser.add_argument("--dataset-root", type=Path, metavar="DIR", help="of the benchmarks (default: testing_dataset)")
    parser.add_argument("--sequences", nargs="+", default=[], metavar="NAME", help="only these")
    parser.add_argument("--every", type=at_least_one, default=15, metavar="N", help="frames from look to look")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, ... (default: auto)")
    add_config_arguments(parser)
    args = parser.parse_args(argv)
    args.sequences, overrides = split_overrides(args.sequences)
    args.opts += overrides
    return args


def looks(tracker: Tracker[Any], video: Video, factor: float, every: int) -> Iterator[Look]:
    """Yield what a tracker answers on every so many frames, when it believes in so many times the true size.

    Args:
        tracker: Made with `AT_ONCE`.
        video: Its target is started on the first frame; frames without it are passed over.
        factor: On width and height.
        every: Frames from look to look; the first is half as many after the start.
    """
    truth = video.ground_truth.enclosing_xywh()
    start = tracker.start(video.frame(0), start_box_xywh(video.start_region))
    for index in range(max(every // 2, 1), len(truth), every):
        true: FloatArray = truth[index]
        if not np.isfinite(true).all() or not (true[2:] > 0).all():
            continue
        if video.visible is not None and not video.visible[index]:
            continue
        frame, believed = video.frame(index), true[2:] * factor
        state = replace(start, center_xy=true[:2] + true[2:] / 2, size_wh=believed)
        ((_, prediction),) = tracker.step([frame], [state])
        largest = np.array(frame.shape[1::-1])
        if any(((size <= SMALLEST) | (size >= largest)).any() for size in (believed, prediction.bbox[2:])):
            continue  # it was clipped: what the network answered is not known
        answered = answered_size(believed, prediction.bbox[2:], prediction.score)
        center = prediction.bbox[:2] + prediction.bbox[2:] / 2
        box = np.concatenate([center - answered / 2, answered])
        overlap = float(iou_xywh(box[None], true[None])[0])
        mask = math.nan
        if prediction.mask is not None and video.masks is not None and (seen := video.mask(index)).any():
            mask = mask_iou(prediction.mask, seen)
        yield Look(overlap, math.sqrt(max(answered.prod(), 0.0) / true[2:].prod()), prediction.score, mask)


def answered_size(believed: FloatArray, after: FloatArray, score: float) -> FloatArray:
    """Return the width and height that the network answered with, of which `score` parts went into the size.

    Example:
        >>> answered_size(np.array([10.0, 10.0]), np.array([15.0, 20.0]), 0.5).tolist()
        [20.0, 30.0]
    """
    return believed + (after - believed) / max(score, 1e-6)


def row(factor: float, found: Sequence[Look]) -> str:
    """Return a line of the table."""
    if not found:
        return f"| {factor:g} | - | | - | - | - | |"
    overlap, side, score, mask = np.array(found).T
    kept = side[overlap >= LOST]
    answered = float(np.median(kept)) if len(kept) else math.nan
    mended = "" if factor == 1 else f"{1 - math.log(answered) / math.log(factor):.2f}"
    lost = f"{1 - len(kept) / len(side):.1%}"
    drawn = mask[~np.isnan(mask)]
    cells = [f"{factor:g}", f"{answered:.3f}", mended, f"{overlap.mean():.3f}", lost, f"{np.median(score):.2f}"]
    return f"| {' | '.join([*cells, f'{drawn.mean():.3f}' if len(drawn) else ''])} |"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print the table; return 2 after a mistake in what was given."""
    args = parse_args(argv)
    try:
        model = find_model(args.config, args.snapshot, [*args.opts, *AT_ONCE])
        if not issubclass(TRACKERS[model.cfg.TRACK.TYPE], SiamRPNTracker):
            raise InputError(f"{model.name} answers with no boxes: {model.cfg.TRACK.TYPE} tries a few sizes")
        tracker = pysot.load_tracker(cfg=model.cfg, snapshot=model.snapshot, device=args.device)
        dataset = load_dataset(args.dataset, args.dataset_root or default_root())
        dataset = narrowed(dataset, args.sequences) if args.sequences else dataset
        if dataset.benchmark.withheld:
            raise InputError(f"{dataset.benchmark.name}: where its targets are is not known, its server scores")
        found: dict[float, list[Look]] = {factor: [] for factor in FACTORS}
        for video in tqdm(dataset.sequences, unit="sequence"):
            for factor, of_factor in found.items():
                of_factor += looks(tracker, video, factor, args.every)
        if not found[1.0]:
            raise InputError(f"{dataset.benchmark.name}: nothing to look at; lower --every {args.every}")
    except (PysotError, ToolkitError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        f"{model.name} ({model.snapshot.name}) on {dataset.benchmark.name}, {len(found[1.0])} looks at the true size\n"
    )
    print(
        "| believed / true | answered / true | mended | overlap | lost | score | mask |\n|---|---|---|---|---|---|---|"
    )
    for factor, of_factor in found.items():
        print(row(factor, of_factor))
    return 0


if __name__ == "__main__":
    sys.exit(main())
