"""Benchmarks of a few small pictures, and trackers that know where the target is because the pictures say so.

The first pixel of a picture holds the number of its sequence and of its frame.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SIZE = (160, 120)


def moving(frames: int, step: float = 1.0, box: tuple[float, ...] = (20.0, 30.0, 20.0, 20.0)) -> list[list[float]]:
    """Return boxes that go right by ``step`` pixels per frame."""
    x, y, w, h = box
    return [[x + step * index, y, w, h] for index in range(frames)]


def write_pictures(folder: Path, number: int, frames: int, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(frames):
        picture = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
        picture[0, 0] = (number, index // 256, index % 256)
        cv2.imwrite(str(folder / names[index]), picture)


def write_benchmark(root: Path, name: str, truths: dict[str, list[list[float]]], **extra: Any) -> Path:
    """Write a benchmark as JSON with pictures; return the file that the trackers need (`MADE_TRUTH`)."""
    entries = {}
    for number, (sequence, truth) in enumerate(truths.items()):
        names = [f"{index + 1:04d}.png" for index in range(len(truth))]
        write_pictures(root / name / sequence, number, len(truth), names)
        entries[sequence] = {
            "video_dir": sequence,
            "init_rect": truth[0],
            "img_names": [f"{sequence}/{each}" for each in names],
            "gt_rect": truth,
            **extra,
        }
    (root / name / f"{name}.json").write_text(json.dumps(entries))
    return write_truth(root / "truth.json", truths)


def write_truth(file: Path, truths: dict[str, list[list[float]]]) -> Path:
    file.write_text(json.dumps(list(truths.values())))
    return file


@dataclass
class Answer:
    bbox: Any
    score: float = 0.9
    polygon: Any = None


class Oracle:
    """Says what is true, as box and as polygon."""

    def __init__(self) -> None:
        self.starts: list[tuple[int, int, list[float]]] = []

    @cached_property
    def truth(self) -> list[list[list[float]]]:
        return json.loads(Path(os.environ["MADE_TRUTH"]).read_text())

    def init(self, frame, box) -> None:
        self.starts.append((*self.where(frame), np.asarray(box).tolist()))

    def track(self, frame) -> Answer:
        sequence, index = self.where(frame)
        region = np.array(self.truth[sequence][index])
        if region.size == 4:
            return Answer(region)
        points = region.reshape(4, 2)
        low, high = points.min(axis=0), points.max(axis=0)
        return Answer(np.concatenate([low, high - low]), polygon=region)

    @staticmethod
    def where(frame) -> tuple[int, int]:
        stamp = frame[0, 0].astype(int)
        return int(stamp[0]), int(stamp[1] * 256 + stamp[2])


class Static:
    """Stays where it was started."""

    def init(self, frame, box) -> None:
        self.box = np.asarray(box)

    def track(self, frame) -> Answer:
        return Answer(self.box, 0.5)


class Loses(Oracle):
    """Is elsewhere on frames 7, 15 and 16, from 0, of every sequence."""

    def track(self, frame) -> Answer:
        answer = super().track(frame)
        return Answer([140.0, 100.0, 10.0, 10.0]) if self.where(frame)[1] in (7, 15, 16) else answer


class Slow(Oracle):
    """Takes its time, so that it can be killed at work; its boxes depend on random numbers and on its past."""

    def __init__(self) -> None:
        super().__init__()
        self.offset = random.random()

    def init(self, frame, box) -> None:
        self.drift = np.zeros(4)

    def track(self, frame) -> Answer:
        time.sleep(0.004)
        self.drift[0] += random.gauss(0, 0.3)
        return Answer(np.asarray(super().track(frame).bbox) + self.drift + self.offset, random.random())


class Dies(Oracle):
    """Kills its process on sequence 1, as often as there are files ``die*`` to remove in the folder MADE_DEATHS."""

    def track(self, frame) -> Answer:
        if self.where(frame) == (1, 5):
            for file in sorted(Path(os.environ["MADE_DEATHS"]).glob("die*"))[:1]:
                file.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
        return super().track(frame)


class NotFinite(Oracle):
    """Returns NaN on sequence 1."""

    def track(self, frame) -> Answer:
        return Answer([float("nan")] * 4) if self.where(frame)[0] == 1 else super().track(frame)
