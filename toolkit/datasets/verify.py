"""Verifies a benchmark on disk: what is missing, broken or does not fit, and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from toolkit.benchmarks import Benchmark
from toolkit.datasets import Found
from toolkit.datasets.lasot import TEST_SPLIT
from toolkit.datasets.otb import SUBSETS
from toolkit.errors import DatasetError
from toolkit.sequence import Frames, Sequence, read_image

Size = tuple[int, int]

LISTS = {("lasot", "test"): TEST_SPLIT} | {("otb", name): names for name, names in SUBSETS.items()}
"""By reader and subset, the sequences of a benchmark, where they are known by name."""


@dataclass(frozen=True)
class Problem:
    """Something that has to be mended.

    Attributes:
        sequence: which; empty if it is about the whole benchmark.
        message: what is wrong, with the first file that it is about.
        fix: what to do.
        files: all files that it is about, as far as it is about single files.
    """

    sequence: str
    message: str
    fix: str
    files: tuple[str, ...] = ()


@dataclass
class Inspection:
    """What was found.

    Attributes:
        benchmark: its name.
        folder: where its images lie.
        source: the JSON annotations, or the folder of the download.
        sequences: how many could be read.
        frames: of these sequences.
        images: files that were looked at.
        problems: what has to be mended.
        notes: what is odd but allowed.
    """

    benchmark: str
    folder: str
    source: str
    sequences: int = 0
    frames: int = 0
    images: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as what JSON can hold."""
        return asdict(self)


def inspect(found: Found, *, decode: bool = True, threads: int | None = None) -> Inspection:
    """Read all annotations and images of a benchmark and say what is wrong with them.

    Args:
        found: the benchmark, as :func:`toolkit.datasets.find_dataset` returns it.
        decode: decode every image; else only look whether it is there and not empty, and decode each first.
        threads: how many; None for one per processor.
    """
    result = Inspection(found.benchmark.name, str(found.folder), str(found.source))
    sequences = _read_all(found, result)
    _check_completeness(found, {entry.name for entry in found.entries}, result)
    used: dict[Path, int] = {}
    with (
        ThreadPoolExecutor(threads or os.cpu_count()) as pool,
        tqdm(total=sum(map(len, sequences)), desc=result.benchmark, unit="frame", disable=None, leave=False) as bar,
    ):
        for sequence in sequences:
            result.sequences += 1
            result.frames += len(sequence)
            if not _check_files(sequence, result):
                bar.update(len(sequence))
                continue
            paths = sequence.frames.paths
            checks = [decode or index == 0 for index in range(len(paths))]
            faults = []
            for path, (fault, size) in zip(paths, pool.map(check_image, paths, checks), strict=True):
                faults.append((path, fault, size))
                bar.update()
            result.images += len(paths)
            used[paths[0].parent] = used.get(paths[0].parent, 0) + len(paths)
            _check_images(sequence, faults, result)
            _check_truth(sequence, next((size for _, _, size in faults if size), None), result)
    _note_unused(used, result)
    return result


def check_image(path: Path, decode: bool = True) -> tuple[str, Size | None]:
    """Look at an image file.

    Returns:
        What is wrong with it, empty if nothing is; its width and height, None if it was not decoded.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return "is missing", None
    except OSError as failure:
        return f"cannot be read ({failure.strerror or failure})", None
    if not decode:
        return ("is empty (0 bytes)" if size == 0 else ""), None
    image, problem = read_image(path)
    return problem, None if image is None else (image.shape[1], image.shape[0])


def _read_all(found: Found, result: Inspection) -> list[Sequence]:
    sequences = []
    for entry in found.entries:
        try:
            sequence = entry.read()
        except DatasetError as failure:
            result.problems.append(Problem(entry.name, str(failure), "correct that file, or download it again"))
            continue
        if len(sequence.ground_truth) == 0:
            message = f"no annotated frame in {sequence.frames.folder}"
            result.problems.append(Problem(entry.name, message, "download its annotations again"))
            continue
        sequences.append(sequence)
    return sequences


def _check_completeness(found: Found, names: set[str], result: Inspection) -> None:
    benchmark, have = found.benchmark, len(found.entries)
    lacking = sorted(known_names(benchmark) - names)
    if have < benchmark.sequences:
        which = f"; missing: {_some(lacking)}" if lacking else ""
        result.problems.append(
            Problem(
                "",
                f"{have} of {benchmark.sequences} sequences in {found.source}{which}",
                "unpack the rest of the download there (testing_dataset/README.md shows the tree)",
                tuple(lacking),
            )
        )


def known_names(benchmark: Benchmark) -> frozenset[str]:
    """Return the names of a benchmark's sequences; none if they are not known."""
    return LISTS.get((benchmark.reader, benchmark.subset), frozenset())


def _check_files(sequence: Sequence, result: Inspection) -> bool:
    """Check that there is an image for each annotated frame; return whether there is any to look at."""
    folder, paths = sequence.frames.folder, sequence.frames.paths
    if paths and not any(path.exists() for path in paths):
        lost = paths[0].parent
        message = f"none of its {len(paths)} images is there (first: {paths[0]})"
        result.problems.append(Problem(sequence.name, message, _where_else(lost), tuple(map(str, paths))))
        return False
    if not paths:
        message = f"no images in {folder}, {len(sequence)} frames are annotated"
        result.problems.append(Problem(sequence.name, message, _where_else(folder)))
        return False
    if len(paths) < len(sequence):
        message = f"{len(paths)} images in {folder}, {len(sequence)} frames are annotated"
        result.problems.append(Problem(sequence.name, message, "unpack the sequence's images again"))
    return True


def _where_else(folder: Path) -> str:
    """Say what to do about a folder without images; often it is there under a slightly other name."""
    missing = folder
    while not missing.parent.is_dir() and missing.parent != missing:
        missing = missing.parent
    if missing.parent.is_dir() and not missing.is_dir():
        plain = missing.name.rpartition("-")[0] if missing.name.rpartition("-")[2].isdigit() else missing.name
        with os.scandir(missing.parent) as entries:
            like = next((e.name for e in entries if e.is_dir() and e.name.lower() == plain.lower()), None)
        if like is not None:
            return f"copy or link {missing.parent / like} to {missing}"
        return f"unpack the images so that there is a folder {missing}"
    return f"unpack the images to {folder}"


def _check_images(sequence: Sequence, faults: list[tuple[Path, str, Size | None]], result: Inspection) -> None:
    by_fault: dict[str, list[str]] = {}
    for path, fault, _ in faults:
        if fault:
            by_fault.setdefault(fault, []).append(str(path))
    for fault, files in by_fault.items():
        count = f" (and {len(files) - 1} more)" if len(files) > 1 else ""
        message = f"{files[0]} {fault}{count}"
        result.problems.append(Problem(sequence.name, message, "unpack or download these files again", tuple(files)))
    sizes = [(path, size) for path, _, size in faults if size]
    other = [(path, size) for path, size in sizes if size != sizes[0][1]]
    if other:
        message = f"{other[0][0]} is {_by(other[0][1])}, the first image {_by(sizes[0][1])} ({len(other)} differ)"
        differing = tuple(str(path) for path, _ in other)
        fix = "images of another sequence? unpack them again"
        result.problems.append(Problem(sequence.name, message, fix, differing))
    if sizes and sequence.annotated_size not in (None, sizes[0][1]):
        message = f"{sizes[0][0]} is {_by(sizes[0][1])}, the annotations say {_by(sequence.annotated_size or (0, 0))}"
        fix = "use the images that were annotated, or correct width and height in the annotations"
        result.problems.append(Problem(sequence.name, message, fix, (str(sizes[0][0]),)))


def _check_truth(sequence: Sequence, size: Size | None, result: Inspection) -> None:
    truth = sequence.ground_truth
    infinite = np.isinf(truth.values).any(axis=1)
    if infinite.any():
        message = f"the ground truth of frame {int(np.argmax(infinite)) + 1} has an infinite number"
        result.problems.append(Problem(sequence.name, message, "correct its annotations"))
        return
    boxes = np.where((truth.sizes == 4)[:, None], truth.values[:, :4], truth.enclosing_xywh())
    first = boxes[0]
    known = ~np.isnan(boxes).any(axis=1, keepdims=True)
    limits = size if size is not None else (np.inf, np.inf)
    empty = known & (boxes[:, 2:] <= 0)
    outside = known & ((boxes[:, :2] > limits) | (boxes[:, :2] + boxes[:, 2:] < 0))
    for columns, what in ((~known, "is no region"), (empty, "has no size"), (outside, "is outside the image")):
        wrong = np.any(columns, axis=1)
        if wrong[0]:
            message = f"the first region, {', '.join(f'{n:g}' for n in first)}, {what}: no tracker can start on it"
            result.problems.append(Problem(sequence.name, message, "correct its annotations"))
        elif wrong.any():
            frame = int(np.argmax(wrong)) + 1
            kind = {"is no region": "the target is absent"}.get(what, f"the ground truth {what}")
            result.notes.append(f"{sequence.name}: {kind} in {int(wrong.sum())} frames (first: {frame})")


def _note_unused(used: dict[Path, int], result: Inspection) -> None:
    for folder, count in used.items():
        there = len(Frames(folder).paths)
        if there > count:
            result.notes.append(f"{folder}: {there} images, {count} frames are annotated")


def _by(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def _some(names: Iterable[str], most: int = 5) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
