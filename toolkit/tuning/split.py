"""Which sequences settings are tuned on, and which are held back to see whether they hold elsewhere."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from collections.abc import Sequence as Series
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import DatasetError
from toolkit.sequence import Sequence


@dataclass(frozen=True)
class Split:
    """Names of sequences; the two have none in common.

    Attributes:
        tuning: in the order in which trials run them.
        testing: the held-back ones, in the same kind of order.
    """

    tuning: tuple[str, ...]
    testing: tuple[str, ...]

    def sides(self) -> dict[str, str]:
        """Return "tuning" or "testing" by sequence."""
        return dict.fromkeys(self.tuning, "tuning") | dict.fromkeys(self.testing, "testing")

    def identity(self, sequences: Iterable[Sequence]) -> dict[str, Any]:
        """Return what of the split scores depend on, JSON: the sides, the order, and the annotations of both."""
        sides, truth = self.sides(), hashlib.sha256()
        for sequence in sorted(sequences, key=lambda sequence: sequence.name):
            if sequence.name in sides:
                truth.update(f"{sequence.name} {len(sequence)}".encode() + sequence.ground_truth.values.tobytes())
        return {
            "annotations_sha256": truth.hexdigest(),
            "split": sides,
            "order": hashlib.sha256(" ".join(self.tuning).encode()).hexdigest(),
        }

    def to_json(self) -> str:
        """Return what :func:`read_split` reads."""
        return json.dumps({"tuning": self.tuning, "testing": self.testing}, indent=1) + "\n"


def choose_split(text: str, sequences: Series[Sequence], seed: int = 0) -> Split:
    """Return the split that ``--split`` asks for: by a share of the sequences, or from a file.

    Raises:
        DatasetError: a share that is none; as :func:`split_by_share` and :func:`read_split`.
    """
    if not re.fullmatch(r"[0-9]*\.?[0-9]+", text):
        return read_split(Path(text), sequences, seed)
    share = float(text)
    if not 0 < share < 1:
        raise DatasetError(f"--split {text}: expected a share between 0 and 1, or a file")
    return split_by_share(sequences, share, seed)


def split_by_share(sequences: Series[Sequence], share: float, seed: int = 0) -> Split:
    """Divide sequences by a hash of their names, so that another sequence more or less moves none of the others.

    Sequences cut from the same images (OTB's Jogging-1 and Jogging-2, UAV123's car1_1 and car1_2) stay together:
    settings tuned on one have seen the other.

    Args:
        sequences: of a benchmark.
        share: of the sequences that tune, in (0, 1); each falls on its side by chance, so the numbers are near it.
        seed: of the hash.

    Raises:
        DatasetError: one side is empty.
    """
    first_of_images: dict[Path, str] = {}
    for sequence in sequences:
        images = _images(sequence)
        first_of_images[images] = min(sequence.name, first_of_images.get(images, sequence.name))
    names = _shuffled((sequence.name for sequence in sequences), seed)
    key = {sequence.name: first_of_images[_images(sequence)] for sequence in sequences}
    tunes = {name: _place(key[name], seed) < share for name in names}
    split = Split(tuple(name for name in names if tunes[name]), tuple(name for name in names if not tunes[name]))
    if not split.tuning or not split.testing:
        raise DatasetError(
            f"a split of {share:g} with seed {seed} leaves no sequence for {'testing' if split.tuning else 'tuning'} "
            f"({len(names)} in all); take another share or seed, or give the split as a file"
        )
    return split


def read_split(file: Path, sequences: Series[Sequence], seed: int = 0) -> Split:
    """Read ``{"tuning": [names], "testing": [names]}``; sequences in neither list are not used.

    Raises:
        DatasetError: another form, unknown sequences, one in both lists, or an empty list.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as failure:
        raise DatasetError(f"{file}: cannot be read as JSON ({failure})") from failure
    tuning, testing = (_names(content, side) for side in ("tuning", "testing"))
    if not tuning or not testing:
        raise DatasetError(f'{file}: expected {{"tuning": [names], "testing": [names]}}, neither list empty')
    known = {sequence.name for sequence in sequences}
    problems = (("the benchmark has no sequence", (tuning | testing) - known), ("in both lists:", tuning & testing))
    for problem, names in problems:
        if names:
            raise DatasetError(f"{file}: {problem} {', '.join(sorted(names)[:5])}")
    return Split(tuple(_shuffled(tuning, seed)), tuple(_shuffled(testing, seed)))


def _names(content: object, side: str) -> set[str]:
    """Return one list of names; empty if it is none."""
    names = content.get(side) if isinstance(content, dict) else None
    return set(names) if isinstance(names, list) and all(isinstance(name, str) for name in names) else set()


def _images(sequence: Sequence) -> Path:
    """Return the folder of a sequence's images."""
    paths = sequence.frames.paths
    return paths[0].parent if paths else sequence.frames.folder / sequence.name


def _shuffled(names: Iterable[str], seed: int) -> list[str]:
    """Return the names in an order that means nothing: the alphabet would put LaSOT's classes one after the other."""
    return sorted(names, key=lambda name: (_place(name, seed), name))


def _place(name: str, seed: int) -> float:
    """Return a number in [0, 1) that only depends on name and seed."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 256**7
