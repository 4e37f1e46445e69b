"""Lists which benchmarks and own datasets are installed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toolkit.benchmarks import BENCHMARKS
from toolkit.datasets import GENERATORS, find_dataset
from toolkit.errors import DatasetError
from toolkit.sequence import IMAGE_FOLDERS, Sequence


@dataclass(frozen=True)
class Installed:
    """What there is of a dataset.

    Attributes:
        name: of the benchmark, or of the folder.
        sequences: how many.
        expected: how many a complete copy has; 0 if that is not fixed.
        frames: annotated, of all sequences.
        with_images: sequences whose first frame is there.
        annotations: "JSON" or "download".
        fault: why it cannot be read; then nothing else is known.
    """

    name: str
    sequences: int = 0
    expected: int = 0
    frames: int = 0
    with_images: int = 0
    annotations: str = ""
    fault: str = ""


def survey(dataset_root: Path) -> tuple[list[Installed], list[str]]:
    """Return what is installed under a folder, and the names of the benchmarks that are not.

    What is rendered on first use counts as missing until then, and is not rendered here.
    """
    installed, missing = [], []
    for name in [*BENCHMARKS, *_own_folders(dataset_root)]:
        if name in BENCHMARKS and not _is_there(name, dataset_root):
            missing.append(name)
            continue
        try:
            installed.append(_look(name, dataset_root))
        except DatasetError as failure:
            benchmark = BENCHMARKS.get(name)
            if benchmark is not None and benchmark.folder and not (dataset_root / name).is_dir():
                missing.append(name)  # the folder is there for another benchmark that shares it
            elif benchmark is not None or _is_meant(dataset_root / name):
                installed.append(Installed(name, fault=str(failure)))
    return installed, missing


def _is_there(name: str, dataset_root: Path) -> bool:
    benchmark = BENCHMARKS[name]
    places = [dataset_root / name, dataset_root / f"{name}.json"]
    if benchmark.folder:
        places.append(dataset_root / benchmark.folder)
    return any(place.exists() for place in places)


def _is_meant(folder: Path) -> bool:
    """Say whether an own folder that cannot be read is meant as a dataset, and not something else."""
    signs = ("groundtruth*.txt", f"{folder.name}.json", *IMAGE_FOLDERS)
    return any(next(folder.rglob(sign), None) is not None for sign in signs)


def _own_folders(dataset_root: Path) -> list[str]:
    """Return the folders that are no benchmark's."""
    taken = {*BENCHMARKS, *(benchmark.folder for benchmark in BENCHMARKS.values())}
    if not dataset_root.is_dir():
        return []
    return sorted(path.name for path in dataset_root.iterdir() if path.is_dir() and path.name not in taken)


def _look(name: str, dataset_root: Path) -> Installed:
    found = find_dataset(name, dataset_root)
    sequences = [entry.read() for entry in found.entries]
    return Installed(
        found.benchmark.name,
        len(sequences),
        found.benchmark.sequences,
        sum(map(len, sequences)),
        sum(map(_has_images, sequences)),
        "JSON" if found.source.is_file() else "download",
    )


def _has_images(sequence: Sequence) -> bool:
    paths = sequence.frames.paths
    return bool(paths) and paths[0].is_file()


def generated() -> list[str]:
    """Return the benchmarks that need no download."""
    return [name for name, benchmark in BENCHMARKS.items() if benchmark.reader in GENERATORS]
