"""The benchmarks as a table: how each is stored, run and scored, and its constants.

Adding one is one line here, and a reader in toolkit/datasets if its download has a layout of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from toolkit.errors import DatasetError, unknown_name

Family = Literal["one_pass", "supervised", "unsupervised", "long_term", "average_overlap"]
LEADING_METRICS: dict[Family, str] = {
    "one_pass": "success_auc",
    "supervised": "eao/all",
    "unsupervised": "accuracy",
    "long_term": "f1",
    "average_overlap": "ao",
}


@dataclass(frozen=True)
class Benchmark:
    """What distinguishes one benchmark from another.

    Attributes:
        name: also the folder under the dataset root and under the results.
        reader: layout of the native download, a name in :data:`toolkit.datasets.READERS`.
        subset: which part of the download, in the reader's words.
        folder: where else the download may lie, if several benchmarks share it.
        protocol: how trackers are run and where results go, a name in :data:`toolkit.results.LAYOUTS`.
        family: which metrics apply, a name in :data:`toolkit.evaluate.FAMILIES`.
        sequences: how many a complete copy has; 0 if that is not fixed.
        eao_lengths: first and last fragment length that EAO is averaged over.
        withheld: the ground truth is not public beyond the first frame; results have to be submitted.
        cut: sequences of which published results run on past the last annotated frame.
    """

    name: str
    reader: str
    subset: str = ""
    folder: str = ""
    protocol: str = "one_pass"
    family: Family = "one_pass"
    sequences: int = 0
    eao_lengths: tuple[int, int] = (0, 0)
    withheld: bool = False
    cut: frozenset[str] = frozenset()

    @property
    def leading_metric(self) -> str:
        """The headline number that trackers are ranked by."""
        return LEADING_METRICS[self.family]


def _vot(name: str, eao_lengths: tuple[int, int]) -> Benchmark:
    return Benchmark(name, "vot", protocol="supervised", family="supervised", sequences=60, eao_lengths=eao_lengths)


def _got10k(subset: str, *, withheld: bool = False) -> Benchmark:
    return Benchmark(
        f"GOT-10k-{subset}",
        "got10k",
        subset,
        folder="GOT-10k",
        protocol="got10k",
        family="average_overlap",
        sequences=180,
        withheld=withheld,
    )


BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark("OTB100", "otb", "OTB100", sequences=100),
        Benchmark("OTB50", "otb", "OTB50", folder="OTB100", sequences=50),
        Benchmark("CVPR13", "otb", "CVPR13", folder="OTB100", sequences=51),
        _vot("VOT2016", (108, 371)),
        _vot("VOT2017", (100, 356)),
        _vot("VOT2018", (100, 356)),
        _vot("VOT2019", (46, 291)),
        Benchmark("VOT2018-LT", "vot", protocol="long_term", family="long_term", sequences=35),
        Benchmark("LaSOT", "lasot", "test", sequences=280, cut=frozenset({"monkey-17"})),
        Benchmark("LaSOT-all", "lasot", "all", folder="LaSOT", sequences=1400, cut=frozenset({"monkey-17"})),
        Benchmark("UAV123", "uav", "UAV123", sequences=123),
        Benchmark("UAV20L", "uav", "UAV20L", folder="UAV123", sequences=20),
        Benchmark("NFS30", "nfs", "30", folder="NFS", sequences=100),
        Benchmark("NFS240", "nfs", "240", folder="NFS", sequences=100),
        _got10k("val"),
        _got10k("test", withheld=True),
        Benchmark("TrackingNet", "trackingnet", "TEST", sequences=511, withheld=True),
        Benchmark("Builtin", "builtin", "Builtin", sequences=10),
        Benchmark(
            "Builtin-VOT",
            "builtin",
            "Builtin-VOT",
            folder="Builtin",
            protocol="supervised",
            family="supervised",
            sequences=10,
            eao_lengths=(20, 60),
        ),
        Benchmark(
            "Builtin-LT",
            "builtin",
            "Builtin-LT",
            folder="Builtin",
            protocol="long_term",
            family="long_term",
            sequences=2,
        ),
    )
}


def find_benchmark(name: str) -> Benchmark:
    """Return the benchmark of that name.

    Raises:
        DatasetError: unknown; the message suggests the nearest.

    Example:
        >>> find_benchmark("VOT2018").eao_lengths
        (100, 356)
    """
    if name not in BENCHMARKS:
        raise DatasetError(unknown_name("benchmark", name, BENCHMARKS))
    return BENCHMARKS[name]
