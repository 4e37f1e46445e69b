"""What readers have in common: they find sequences without reading them, so that one bad file hides no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from toolkit.errors import DatasetError
from toolkit.regions import FloatArray
from toolkit.results import read_rows
from toolkit.sequence import Sequence


class Entry(NamedTuple):
    """A sequence that a benchmark has.

    Attributes:
        name: of the sequence.
        read: returns it; raises DatasetError if its annotations are missing or malformed.
    """

    name: str
    read: Callable[[], Sequence]


def read_text(file: Path) -> str:
    """Read a text file of a benchmark.

    Raises:
        DatasetError: it cannot be read, or is no text.
    """
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failure:
        raise DatasetError(f"{file}: cannot be read as text ({failure})") from failure


def read_numbers(file: Path, expected: int | None = None) -> FloatArray:
    """Read the numbers of a file, in rows of any length, into (N,).

    Raises:
        DatasetError: there is something else in it, or not one number for each of the ``expected`` frames.
    """
    numbers = np.array([number for row in read_rows(file, error=DatasetError) for number in row])
    if expected is not None and len(numbers) != expected:
        raise DatasetError(f"{file}: {len(numbers)} flags, groundtruth.txt has {expected} frames")
    return numbers
