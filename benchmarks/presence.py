"""Measure whether a tracker's score tells that its target is gone, and whether it finds the target again.

Tracks every sequence from its first frame to its last: in how many frames with the target in view is `lost` on? Then
goes back to every tenth frame on which the tracker has its target (its box overlaps the true one), and continues from
there on the next 20 frames, from which the target was removed:

    patched   a piece of the same frame from beside the target lies over it
    painted   the target is painted over from its surroundings (cv2.inpaint)
    cut       frames of another sequence: the scene has changed
    kept      for comparison, the frames as they are

Over the target means over its true box and 10 % of its size on each side; shadows and reflections stay. A case is
*noticed* if `lost` is on in any of its first 10 frames; beside the share stands after how many frames, on average.
Where the sequence is long enough, 10 frames as they are follow: the target is back, where it has moved to meanwhile.
It is *found again* if the box overlaps the true one by half or more (IoU) in the tenth.

`lost` is a threshold on the score (TRACK.LOST_SCORE), so one run gives the numbers of all thresholds. The best one is
the highest with which fewer than 5 % of the frames in view are lost. It is chosen on one half of the sequences and
checked on the other, or chosen on another benchmark. Trackers that search ever farther for a lost target have two
thresholds and a memory: of those the numbers are given as they are, as are those of finding again. With TRACK.LIKENESS,
`lost` decides what is learned of the target's looks, so a run with another threshold differs a little from its row.

    python benchmarks/presence.py                                      # the default model on the built-in benchmark
    python benchmarks/presence.py --config siammask_r50_l3 --dataset OTB100 --picture presence.png
    python benchmarks/presence.py --config siamrpn_nano --snapshot model.pth --dataset OTB100 --choose-on Builtin
    python benchmarks/presence.py --dataset OTB100 --threshold 0.8 --show removed/
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

import pysot
from pysot.config import add_config_arguments
from pysot.config.cli import at_least_one, split_overrides
from pysot.run_record import find_model
from pysot.trackers import LongTermTracker, Prediction, TargetState, Tracker
from pysot.utils import InputError
from toolkit.datasets import default_root, load_dataset
from toolkit.draw import COLOURS, LINES, image_bytes
from toolkit.errors import ToolkitError
from toolkit.overlap import iou_xywh
from toolkit.protocols import start_box_xywh
from toolkit.results import write_atomic
from toolkit.runner import narrowed
from toolkit.sequence import Sequence as Video
from toolkit.tuning.split import split_by_share

Frame: TypeAlias = NDArray[np.uint8]
BoolArray: TypeAlias = NDArray[np.bool_]
FloatArray: TypeAlias = NDArray[np.float64]

FIRST = 5  # frame, from 0, after which the target is first removed
WITHIN = 10  # frames, to be noticed gone and to be found again
MARGIN = 0.1  # of the target's width and height, removed with it on each side
FOUND = 0.5  # overlap with the true box
ALLOWED = 0.05  # of the frames in view may be lost
WANTED = 0.9  # of the cases are to be noticed
FALSE_SHARES = (0, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--snapshot", metavar="FILE", help="checkpoint (default: the public one of the configuration)")
    parser.add_argument("--dataset", default="Builtin", metavar="NAME", help="benchmark (default: %(default)s)")
    parser.add_argument("--dataset-root", type=Path, metavar="DIR", help="of the benchmarks (default: testing_dataset)")
    parser.add_argument("--sequences", nargs="+", default=[], metavar="NAME", help="only these, at least two")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--threshold", type=float, metavar="SCORE", help="measure this one and choose none")
    choice.add_argument("--choose-on", metavar="NAME", help="benchmark to choose the threshold on (default: a half)")
    parser.add_argument("--seed", type=int, default=0, help="of the division into halves (default: %(default)s)")
    parser.add_argument("--every", type=at_least_one, default=10, metavar="N", help="frames from case to case")
    parser.add_argument(
        "--absent", type=at_least_one, default=20, metavar="N", help="frames without the target (default: %(default)s)"
    )
    parser.add_argument("--max-frames", type=at_least_one, metavar="N", help="of each sequence, the first N")
    parser.add_argument("--picture", type=Path, metavar="PNG", help="draw the scores and the curve")
    parser.add_argument("--show", type=Path, metavar="DIR", help="write the first frame of each case as it was removed")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, ... (default: auto)")
    parser.add_argument(
        "--runtime", choices=("eager", "fused", "bf16"), help="default: TRACK.RUNTIME of the configuration"
    )
    add_config_arguments(parser)
    args = parser.parse_args(argv)
    args.sequences, overrides = split_overrides(args.sequences)
    args.opts += [*overrides, *(["TRACK.RUNTIME", args.runtime] if args.runtime else [])]
    return args


# Removing the target.


def covered(shape: tuple[int, ...], box_xywh: FloatArray) -> tuple[slice, slice]:
    """Return the rows and columns of a frame that are removed with a box."""
    x, y, w, h = box_xywh
    left, top = math.floor(x - MARGIN * w), math.floor(y - MARGIN * h)
    right, bottom = math.ceil(x + (1 + MARGIN) * w), math.ceil(y + (1 + MARGIN) * h)
    return slice(max(top, 0), min(bottom, shape[0])), slice(max(left, 0), min(right, shape[1]))


def patched(frame: Frame, box_xywh: FloatArray) -> Frame | None:
    """Lay over the target, with soft edges, the neighbouring piece of the frame that fits its margin best.

    Returns:
        The new frame; None where no neighbour lies within the frame, or nothing of the target does.
    """
    rows, columns = covered(frame.shape, box_xywh)
    pieces = neighbours(frame, rows, columns)
    if not pieces:
        return None
    mask = np.zeros(frame.shape[:2], np.uint8)
    mask[rows, columns] = 1
    # Measured in the whole frame: along the frame's own border the patch has no edge.
    depth = cv2.distanceTransform(mask, cv2.DIST_C, 3)[rows, columns]
    softness = max(1.0, MARGIN * min(box_xywh[2:]))
    old = frame[rows, columns].astype(np.float64)
    edge = depth <= softness
    piece = min(pieces, key=lambda piece: float(np.abs(piece[edge] - old[edge]).sum()))
    weight = np.minimum(depth / softness, 1)[..., None]
    new = frame.copy()
    new[rows, columns] = np.rint(weight * piece + (1 - weight) * old).astype(np.uint8)
    return new


def neighbours(frame: Frame, rows: slice, columns: slice) -> list[Frame]:
    """Return the pieces of a frame around one of their size, without those that reach over its border."""
    height, width = rows.stop - rows.start, columns.stop - columns.start
    if height <= 0 or width <= 0:
        return []
    corners = [
        (rows.start + down, columns.start + right) for down in (-height, 0, height) for right in (-width, 0, width)
    ]
    corners.remove((rows.start, columns.start))
    inside = [(y, x) for y, x in corners if 0 <= y <= frame.shape[0] - height and 0 <= x <= frame.shape[1] - width]
    return [frame[y : y + height, x : x + width] for y, x in inside]


def painted(frame: Frame, box_xywh: FloatArray) -> Frame | None:
    """Continue the surroundings over the target; None where it fills the frame, or lies outside."""
    rows, columns = covered(frame.shape, box_xywh)
    mask = np.zeros(frame.shape[:2], np.uint8)
    mask[rows, columns] = 255
    if mask.all() or not mask.any():
        return None
    # A few pixels around the hole are all that is looked at.
    around = tuple(slice(max(side.start - 8, 0), side.stop + 8) for side in (rows, columns))
    new = frame.copy()
    new[around] = cv2.inpaint(frame[around], mask[around], 3, cv2.INPAINT_TELEA)
    return new


def cut(frame: Frame, other: Frame | None) -> Frame | None:
    """Return a frame of another sequence, in this one's size."""
    return None if other is None else np.asarray(cv2.resize(other, (frame.shape[1], frame.shape[0])), np.uint8)


REMOVALS: dict[str, Callable[[Frame, FloatArray, Frame | None], Frame | None]] = {
    "patched": lambda frame, box, other: patched(frame, box),
    "painted": lambda frame, box, other: painted(frame, box),
    "cut": lambda frame, box, other: cut(frame, other),
}
WAYS = (*REMOVALS, "kept")


# Tracking.


@dataclass(frozen=True)
class Answers:
    """What a tracker said in consecutive frames.

    Attributes:
        scores: (N,).
        lost: (N,) as it said itself.
    """

    scores: FloatArray
    lost: BoolArray

    def lost_at(self, threshold: float | None) -> BoolArray:
        """Return where `lost` is on with a threshold; with None, as it was."""
        return self.lost if threshold is None else self.scores < threshold


@dataclass(frozen=True)
class Record:
    """One sequence.

    Attributes:
        name: The sequence's.
        in_view: N frames after the first in which the target is visible.
        on_target: (N,) in which of them the tracker's box overlaps the true one.
        cases: By way, the first 10 frames of each time the target was removed.
        returns: By way, whether the target was found again, for each time it came back.
        off_target: Frames that are no cases, since the tracker was not on its target.
    """

    name: str
    in_view: Answers
    on_target: BoolArray
    cases: dict[str, list[Answers]]
    returns: dict[str, list[bool]]
    off_target: int

    def frames(self, on_target: bool) -> BoolArray:
        """Return which of the frames in view count: those on the target, or all."""
        return self.on_target if on_target else np.ones_like(self.on_target)


Show = Callable[[str, int, list[Frame]], None]


def measure(
    tracker: Tracker[Any],
    video: Video,
    other: Video | None,
    every: int,
    absent: int = 20,
    frames: int | None = None,
    show: Show | None = None,
) -> Record:
    """Track a sequence, and again without its target from every so many frames on.

    Args:
        tracker: Only its `start` and `step` are used.
        video: The sequence.
        other: Another one, for the scene after the cut; None for no cuts.
        every: Frames from case to case.
        absent: Frames without the target before it comes back; where a sequence is too short, it does not.
        frames: How many to look at; None for all.
        show: Called with name, frame (from 0) and pictures: the frame as it is, then each way.
    """
    truth = video.ground_truth.enclosing_xywh()[:frames]
    visible: BoolArray = np.asarray(np.isfinite(truth).all(axis=1) & (truth[:, 2:] > 0).all(axis=1), np.bool_)
    if video.visible is not None:
        visible &= video.visible[: len(truth)]
    states = [tracker.start(video.frame(0), start_box_xywh(video.start_region))]
    predictions = [Prediction(start_box_xywh(video.start_region), 1.0, False)]
    for index in range(1, len(truth)):
        ((state, prediction),) = tracker.step([video.frame(index)], [states[-1]])
        states.append(state)
        predictions.append(prediction)
    whole = answers(predictions)
    found: FloatArray = np.stack([prediction.bbox for prediction in predictions])
    on_target = iou_xywh(found, truth) > 0  # NaN is not
    cases: dict[str, list[Answers]] = {way: [] for way in WAYS}
    returns: dict[str, list[bool]] = {way: [] for way in WAYS}
    off_target = 0
    for index in range(FIRST, len(truth) - WITHIN, every):
        first = index + 1
        if not visible[index : first + WITHIN].all():
            continue
        if not on_target[index]:
            off_target += 1
            continue
        films = without_target(video, other, truth, range(first, first + WITHIN))
        said = continued(tracker, states[index], list(films.values()))
        for way, told in {"kept": predictions[first : first + WITHIN], **dict(zip(films, said, strict=True))}.items():
            cases[way].append(answers(told))
        last = first + absent + WITHIN - 1
        if last < len(truth) and visible[index : last + 1].all():
            afterwards = [video.frame(number) for number in range(first + absent, last + 1)]
            long = without_target(video, other, truth, range(first, first + absent))
            said = continued(tracker, states[index], [film + afterwards for film in long.values()])
            boxes = {"kept": found[last], **{way: told[-1].bbox for way, told in zip(long, said, strict=True)}}
            for way, box in boxes.items():
                returns[way].append(bool(iou_xywh(box[None], truth[last : last + 1])[0] >= FOUND))
        if show:
            show(video.name, first, [video.frame(first), *(film[0] for film in films.values())])
    seen = visible & (np.arange(len(truth)) > 0)
    in_view = Answers(whole.scores[seen], whole.lost[seen])
    return Record(video.name, in_view, on_target[seen], cases, returns, off_target)


def answers(predictions: Sequence[Prediction]) -> Answers:
    """Gather scores and `lost`."""
    scores = np.array([prediction.score for prediction in predictions], np.float64)
    return Answers(scores, np.array([prediction.lost for prediction in predictions], np.bool_))


def without_target(video: Video, other: Video | None, truth: FloatArray, frames: range) -> dict[str, list[Frame]]:
    """Return consecutive frames without the target, by way, as far as that way is possible in all of them."""
    films: dict[str, list[Frame]] = {way: [] for way in REMOVALS}
    for index in frames:
        frame = video.frame(index)
        scene = other.frame(index % len(other)) if other is not None else None
        for way, film in films.items():
            new = REMOVALS[way](frame, truth[index], scene)
            if new is not None:
                film.append(new)
    return {way: film for way, film in films.items() if len(film) == len(frames)}


def continued(tracker: Tracker[Any], state: TargetState, films: Sequence[Sequence[Frame]]) -> list[list[Prediction]]:
    """Track on from a state in several films of equal length, each for itself."""
    states, said = [state] * len(films), []
    for frames in zip(*films, strict=True):
        results = tracker.step(frames, states)
        states = [new for new, _ in results]
        said.append([prediction for _, prediction in results])
    return [list(predictions) for predictions in zip(*said, strict=True)]


# Counting.


@dataclass(frozen=True)
class Noticed:
    """What became of the cases of a way.

    Attributes:
        cases: How many there are.
        share: In which `lost` was on in any frame; NaN without cases.
        delay: Frames until it was, mean over those noticed: 1 is at once; NaN if none were.
    """

    cases: int
    share: float
    delay: float


def lost_share(records: Iterable[Record], threshold: float | None, *, on_target: bool) -> float:
    """Return the share of the frames in view that are lost: of all, or of those on the target."""
    return mean(np.concatenate([each.in_view.lost_at(threshold)[each.frames(on_target)] for each in records]))


def noticed(records: Iterable[Record], way: str, threshold: float | None) -> Noticed:
    """Count the cases of a way."""
    cases = [case.lost_at(threshold) for record in records for case in record.cases[way]]
    delays = [int(lost.argmax()) + 1 for lost in cases if lost.any()]
    return Noticed(len(cases), len(delays) / len(cases) if cases else math.nan, mean(delays))


def mean(values: ArrayLike) -> float:
    """Return the mean, NaN of nothing."""
    array = np.asarray(values, np.float64)
    return float(array.mean()) if array.size else math.nan


def scores_in_view(records: Iterable[Record], *, on_target: bool) -> FloatArray:
    """Return the scores of the frames in view: of all, or of those on the target."""
    return np.concatenate([each.in_view.scores[each.frames(on_target)] for each in records])


def highest_threshold(scores: FloatArray, allowed: float) -> float:
    """Return the highest threshold, of four decimals, that fewer than a share of the scores lie below.

    The cases noticed never get fewer with a higher one, so it is also the one with the most of them.

    Example:
        >>> highest_threshold(np.array([0.9, 0.2, 0.8, 0.75555]), 0.5)
        0.7555
    """
    below = math.ceil(allowed * len(scores) - 1e-9) - 1
    return math.floor(np.sort(scores)[below] * 1e4) / 1e4


# Showing.


def row(label: str, threshold: float | None, records: Sequence[Record]) -> str:
    """Return a line of the table."""
    cells = [f"{label:26}", "         -" if threshold is None else f"{threshold:10.4f}"]
    cells += [f"{percent(lost_share(records, threshold, on_target=on)):>10}" for on in (False, True)]
    for way in WAYS:
        found = noticed(records, way, threshold)
        delay = "" if math.isnan(found.delay) else f"{found.delay:4.1f}"
        cells.append(f"{percent(found.share):>8} {delay:4}")
    return " ".join(cells).rstrip()


def percent(share: float) -> str:
    """Write a share."""
    return "-" if math.isnan(share) else f"{share:.1%}"


HEADER = (
    f"{'':37} {'lost, of the frames':>21}  noticed, after frames\n"
    f"{'':26} {'threshold':>10} {'in view':>10} {'on target':>10} "
    + " ".join(f"{way:>8}     " for way in WAYS).rstrip()
)


def summary(records: Sequence[Record]) -> str:
    """Say how much was measured."""
    frames = sum(len(record.on_target) for record in records)
    on_target = sum(int(record.on_target.sum()) for record in records)
    cases = ", ".join(f"{sum(len(record.cases[way]) for record in records)} {way}" for way in WAYS)
    off_target = sum(record.off_target for record in records)
    return (
        f"{len(records)} sequences, {frames} frames in view, {on_target} of them on the target; "
        f"cases: {cases}; {off_target} left out, off the target"
    )


def returned(records: Sequence[Record], absent: int) -> str:
    """Say how often the target was found again."""
    found = {way: [each for record in records for each in record.returns[way]] for way in WAYS}
    shares = ", ".join(f"{way} {percent(mean(each))} of {len(each)}" for way, each in found.items())
    return f"found again within {WITHIN} frames, after {absent} out of sight: {shares}"


def curve_rows(records: Sequence[Record]) -> list[str]:
    """Return lines of the table from low thresholds to high ones."""
    scores = scores_in_view(records, on_target=False)
    thresholds = {highest_threshold(scores, share + 1 / len(scores)) for share in FALSE_SHARES}
    return [row("", threshold, records) for threshold in sorted(thresholds)]


def choice_rows(chosen_on: Sequence[Record], checked_on: Sequence[Record], where: str, elsewhere: str) -> list[str]:
    """Choose thresholds on some sequences, and return lines with their numbers there and on others."""
    rows = []
    for what, on_target in (("in view", False), ("on target", True)):
        scores = scores_in_view(chosen_on, on_target=on_target)
        if not len(scores):
            rows.append(f"nothing to choose on: {where} have no frames {what}")
            continue
        threshold = highest_threshold(scores, ALLOWED)
        rows.append(f"lost in fewer than {ALLOWED:.0%} of the frames {what}:")
        rows.append(row(f"  chosen on {where}", threshold, chosen_on))
        rows.append(row(f"  checked on {elsewhere}", threshold, checked_on))
    return rows


def draw(records: Sequence[Record], title: str, threshold: float | None) -> Figure:
    """Draw the scores with and without the target, and the curve over all thresholds.

    Args:
        records: What was measured.
        title: Of the picture.
        threshold: To mark; None for no thresholds at all, and no curve.
    """
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    figure.suptitle(title)
    draw_scores(left, records)
    if threshold is not None:
        left.axvline(threshold, color="0.4", linestyle=":", label=f"threshold {threshold:g}")
        draw_curve(right, records, threshold)
        right.legend(fontsize="small", loc="lower right")
    else:
        right.set_axis_off()
    left.legend(fontsize="small", loc="upper center")
    return figure


def draw_scores(axes: Axes, records: Sequence[Record]) -> None:
    """Draw histograms of the scores: in view filled, removed in each way as a line."""
    bins = np.linspace(0, 1, 41).tolist()
    in_view = scores_in_view(records, on_target=False)
    weights = np.full(len(in_view), 1 / max(len(in_view), 1))
    axes.hist(in_view, bins, weights=weights, color="0.8", label="in view")
    for way, colour in zip(REMOVALS, COLOURS, strict=False):
        scores = np.array([score for record in records for case in record.cases[way] for score in case.scores])
        weights = np.full(len(scores), 1 / max(len(scores), 1))
        axes.hist(scores, bins, weights=weights, histtype="step", linewidth=1.6, color=colour, label=way)
    axes.set_xlabel("score")
    axes.set_ylabel("share of frames")
    axes.grid(alpha=0.3)


def draw_curve(axes: Axes, records: Sequence[Record], threshold: float) -> None:
    """Draw which share of the cases is noticed over the share of lost frames in view."""
    scores = np.sort(scores_in_view(records, on_target=False))
    # Below the lowest score in view no frame is lost, and yet cases are noticed: the line that goes straight up.
    ladder = np.concatenate([np.linspace(0, scores[0], 60), np.quantile(scores, np.linspace(0, 0.3, 121))])
    false = [lost_share(records, step, on_target=False) for step in ladder]
    here = lost_share(records, threshold, on_target=False)
    for number, way in enumerate(WAYS):
        colour = COLOURS[number]
        shares = [noticed(records, way, step).share for step in ladder]
        # One over the other, all are seen.
        axes.plot(false, shares, color=colour, linewidth=4 - 0.8 * number, linestyle=LINES[number], label=way)
        axes.plot(here, noticed(records, way, threshold).share, "o", color=colour, clip_on=False)
    axes.axvline(ALLOWED, color="0.4", linestyle="--", linewidth=1)
    axes.axhline(WANTED, color="0.4", linestyle="--", linewidth=1)
    axes.set(xlim=(0, 0.3), ylim=(0, 1.02), xlabel="frames in view that are lost", ylabel="cases noticed")
    axes.grid(alpha=0.3)


def write_case(folder: Path, name: str, index: int, pictures: list[Frame]) -> None:
    """Write a frame beside those that it became."""
    ok, data = cv2.imencode(".jpg", np.hstack(pictures))
    if not ok:
        raise InputError(f"OpenCV could not encode {name}, frame {index + 1}")
    write_atomic(folder / f"{name.replace('/', '_')}_{index + 1:05d}.jpg", data.tobytes())


def load(name: str, args: argparse.Namespace) -> list[Video]:
    """Return the sequences of a benchmark, those of --dataset narrowed to the ones asked for."""
    dataset = load_dataset(name, args.dataset_root or default_root())
    if dataset.benchmark.withheld:
        raise InputError(f"{name}: its ground truth is withheld, so the target cannot be removed; take another one")
    return narrowed(dataset, args.sequences).sequences if args.sequences and name == args.dataset else dataset.sequences


def run(tracker: Tracker[Any], videos: Sequence[Video], args: argparse.Namespace, show: Show | None) -> list[Record]:
    """Measure."""
    numbered = tqdm(list(enumerate(videos)), unit="sequence", file=sys.stderr)
    return [
        measure(tracker, video, other_scene(videos, number), args.every, args.absent, args.max_frames, show)
        for number, video in numbered
    ]


def other_scene(videos: Sequence[Video], number: int) -> Video | None:
    """Return the next sequence of other images: OTB's Jogging-1 and Jogging-2 are two targets in one video."""

    def images(video: Video) -> Path:
        return video.frames.paths[0].parent if video.frames.paths else video.frames.folder

    following = [*videos[number + 1 :], *videos[:number]]
    return next((video for video in following if images(video) != images(videos[number])), None)


def report(tracker: Tracker[Any], name: str, lost_score: float, args: argparse.Namespace) -> None:
    """Measure, print the table and draw the picture."""
    remembers = isinstance(tracker, LongTermTracker) and tracker.growth is not None
    if remembers and (args.threshold is not None or args.choose_on):
        raise InputError(f"{name} has two thresholds and a memory, not one: leave out --threshold and --choose-on")
    if args.absent < WITHIN:
        raise InputError(f"--absent {args.absent}: at least {WITHIN}, the frames in which it is to be noticed")
    if args.choose_on == args.dataset:
        raise InputError(f"--choose-on {args.choose_on}: chosen on what is reported; name another, or leave it out")
    videos = load(args.dataset, args)
    elsewhere = load(args.choose_on, args) if args.choose_on else []
    choosing = not remembers and args.threshold is None
    # Before the hours of tracking: sequences may be too few.
    halves = split_by_share(videos, 0.5, args.seed) if choosing and not elsewhere else None
    records = run(tracker, videos, args, partial(write_case, args.show) if args.show else None)
    if not len(scores_in_view(records, on_target=False)):
        raise InputError(
            f"{args.dataset}: no frame after the first has the target in view; take more frames or sequences"
        )
    lines = [f"{name} on {args.dataset}: {summary(records)}", HEADER, row("as it is", None, records)]
    lines.append(returned(records, args.absent))
    threshold = None if remembers else lost_score
    if args.threshold is not None:
        threshold = args.threshold
        lines.append(row("--threshold", threshold, records))
    if not remembers:
        lines += ["all thresholds:", *curve_rows(records)]
    if halves:
        first, second = ([each for each in records if each.name in names] for names in (halves.tuning, halves.testing))
        lines += choice_rows(first, second, f"{len(first)} sequences", f"the other {len(second)}")
        lines.append(f"chosen on: {', '.join(each.name for each in first)}")
    elif choosing:
        lines += choice_rows(run(tracker, elsewhere, args, None), records, args.choose_on, args.dataset)
    print("\n".join(lines))
    if args.picture:
        write_atomic(args.picture, image_bytes(draw(records, f"{name} on {args.dataset}", threshold), "png"))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure; return 0, or 2 after a mistake in what was given."""
    args = parse_args(argv)
    try:
        model = find_model(args.config, args.snapshot, args.opts)
        tracker = pysot.load_tracker(cfg=model.cfg, snapshot=model.snapshot, device=args.device)
        report(tracker, model.name, model.cfg.TRACK.LOST_SCORE, args)
    except (pysot.PysotError, ToolkitError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
