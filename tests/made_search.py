"""A search with a score that is known: best at x = 0.3, size = 271. As a program, one of its workers."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from toolkit.tuning.study import Range, Search, database_url

RANGES = (Range("x", 0.0, 1.0), Range("size", 239, 303, 16))
DEFAULTS = {"x": 0.8, "size": 255}
SEQUENCES = 5


def score(values) -> float:
    return 1 - (values["x"] - 0.3) ** 2 - abs(values["size"] - 271) / 160


def open_search(folder, *, study=None, name="made", identity=None, **options) -> Search:
    url = database_url(study or Path(folder) / "study.db")
    options = {"maximize": True, "sequences": SEQUENCES, "seed": 3} | options
    return Search(url, name, Path(folder), RANGES, DEFAULTS, identity or {"dataset": "made"}, **options)


def objective(delay=0.0):
    def evaluate(values, report):
        for _ in range(SEQUENCES):
            time.sleep(delay)
            report(score(values))
        return score(values)

    return evaluate


if __name__ == "__main__":
    where, database, total, seconds = sys.argv[1:]
    open_search(where, study=database).work(objective(float(seconds)), int(total))
