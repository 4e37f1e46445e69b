"""Reading benchmarks: PySOT's JSON annotations, or the layout that a benchmark is downloaded in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from toolkit.benchmarks import BENCHMARKS, Benchmark, find_benchmark
from toolkit.datasets import got10k, lasot, nfs, otb, pysot_json, trackingnet, uav, vot
from toolkit.errors import DatasetError
from toolkit.sequence import Sequence

READERS: dict[str, Callable[[Path, str], list[Sequence]]] = {
    "otb": otb.read,
    "vot": vot.read,
    "lasot": lasot.read,
    "uav": uav.read,
    "nfs": nfs.read,
    "got10k": got10k.read,
    "trackingnet": trackingnet.read,
}


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


def load_dataset(name: str, dataset_root: Path) -> Dataset:
    """Load a benchmark's annotations; images are not touched.

    Args:
        name: of a benchmark, or of a folder with sequences of one's own in the OTB layout: as a path, or under
            ``dataset_root``.
        dataset_root: the folder that holds ``<name>/``, or ``<name>.json``.

    Raises:
        DatasetError: unknown, absent or malformed.
    """
    own = next((folder for folder in (Path(name), dataset_root / name) if folder.is_dir()), None)
    if name not in BENCHMARKS and own is not None:
        benchmark, folders = Benchmark(own.name, "otb"), [own]
    else:
        benchmark = find_benchmark(name)
        folders = [dataset_root / name]
        folders += [dataset_root / benchmark.folder] if benchmark.folder else []
    candidates = [folder / f"{benchmark.name}.json" for folder in [*folders, dataset_root]]
    for file in candidates:
        if file.is_file():
            root = folders[0] if file.parent == dataset_root else file.parent
            return Dataset(benchmark, root, pysot_json.read(file, root))
    for folder in folders:
        if folder.is_dir():
            sequences = READERS[benchmark.reader](folder, benchmark.subset)
            if sequences:
                return Dataset(benchmark, folder, sequences)
    looked = ", ".join(map(str, [*candidates, *folders]))
    raise DatasetError(f"no {name} in {dataset_root} (looked for {looked}); see testing_dataset/README.md")
