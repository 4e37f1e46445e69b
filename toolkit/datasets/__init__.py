"""Reading benchmarks: PySOT's JSON annotations, or the layout that a benchmark is downloaded in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from toolkit.benchmarks import BENCHMARKS, Benchmark, find_benchmark
from toolkit.datasets import builtin, folder, got10k, lasot, nfs, otb, pysot_json, trackingnet, uav, vot
from toolkit.datasets.entry import Entry
from toolkit.errors import DatasetError
from toolkit.sequence import Sequence

READERS: dict[str, Callable[[Path, str], list[Entry]]] = {
    "otb": otb.read,
    "vot": vot.read,
    "lasot": lasot.read,
    "uav": uav.read,
    "nfs": nfs.read,
    "got10k": got10k.read,
    "trackingnet": trackingnet.read,
    "builtin": builtin.read,
    "folder": folder.read,
}

GENERATORS: dict[str, Callable[[], Path]] = {"builtin": builtin.prepare}
"""By reader, what makes a benchmark that is not under the dataset root, and returns its folder."""


@dataclass(frozen=True)
class Dataset:
    """A benchmark with its sequences.

    Attributes:
        benchmark: how it is run and scored.
        folder: where it was found.
        sequences: in the benchmark's order.
    """

    benchmark: Benchmark
    folder: Path
    sequences: list[Sequence]

    @property
    def shortfall(self) -> str:
        """Say how many sequences a complete copy has, if this one has fewer; empty if it is complete."""
        expected = self.benchmark.sequences
        if len(self.sequences) >= expected:
            return ""
        return f"{self.benchmark.name}: {len(self.sequences)} of {expected} sequences in {self.folder}"


@dataclass(frozen=True)
class Found:
    """Where a benchmark lies, and its sequences, not read yet.

    Attributes:
        benchmark: how it is run and scored.
        folder: what holds its images.
        source: the JSON annotations, or the same as ``folder`` where the download is read.
        entries: the sequences in the benchmark's order.
    """

    benchmark: Benchmark
    folder: Path
    source: Path
    entries: list[Entry]


def default_root() -> Path:
    """Return the folder of the benchmarks: ``testing_dataset`` here, else that of the checkout."""
    here = Path("testing_dataset")
    return here if here.is_dir() else Path(__file__).resolve().parents[2] / here


def load_dataset(name: str, dataset_root: Path) -> Dataset:
    """Load a benchmark's annotations; images are not touched.

    Args:
        name: of a benchmark, or of a folder with sequences of one's own in the OTB layout: as a path, or under
            ``dataset_root``.
        dataset_root: the folder that holds ``<name>/``, or ``<name>.json``.

    Raises:
        DatasetError: unknown, absent or malformed.
    """
    found = find_dataset(name, dataset_root)
    return Dataset(found.benchmark, found.folder, [entry.read() for entry in found.entries])


def find_dataset(name: str, dataset_root: Path, *, native: bool = False) -> Found:
    """Find a benchmark's sequences without reading them.

    Args:
        name: as for :func:`load_dataset`.
        dataset_root: the folder that holds ``<name>/``, or ``<name>.json``.
        native: pass over JSON annotations.

    Raises:
        DatasetError: unknown or absent, or its list of sequences is malformed.
    """
    benchmark, folders = _resolve(name, dataset_root)
    if benchmark.reader in GENERATORS and not any(candidate.is_dir() for candidate in folders):
        folders = [GENERATORS[benchmark.reader]()]
    files = [place / f"{benchmark.name}.json" for place in dict.fromkeys([*folders, folders[0].parent])]
    for file in files if not native else ():
        if file.is_file():
            root = file.parent if file.parent in folders else folders[0]
            return Found(benchmark, root, file, pysot_json.entries(file, root))
    for place in folders:
        if place.is_dir() and (entries := READERS[benchmark.reader](place, benchmark.subset)):
            return Found(benchmark, place, place, entries)
    if benchmark.reader == "folder":
        expected = "<sequence>/groundtruth_rect.txt with images in <sequence>/img/"
        raise DatasetError(f"no sequences in {folders[0]}: expected {expected}, or {files[0].name}")
    looked = ", ".join(map(str, folders if native else [*files, *folders]))
    raise DatasetError(
        f"no {name} in {dataset_root} (looked for {looked}); see testing_dataset/README.md, "
        "or use the built-in benchmark, Builtin, which needs no download"
    )


def _resolve(name: str, dataset_root: Path) -> tuple[Benchmark, list[Path]]:
    """Return the benchmark that a name or path means, and the folders it may lie in."""
    if name not in BENCHMARKS:
        own = next((path.resolve() for path in (Path(name), dataset_root / name) if path.is_dir()), None)
        if own is not None:  # under a benchmark's name, it is that benchmark
            return BENCHMARKS.get(own.name, Benchmark(own.name, "folder")), [own]
    benchmark = find_benchmark(name)
    folders = [dataset_root / name]
    return benchmark, folders + ([dataset_root / benchmark.folder] if benchmark.folder else [])
