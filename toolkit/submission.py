"""Archives for the servers of benchmarks whose ground truth is withheld.

GOT-10k's takes the sequences' folders with boxes and times, TrackingNet's one file of boxes per sequence; both at
the top of the archive.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from toolkit.datasets import Dataset
from toolkit.protocols import result_files
from toolkit.results import read_boxes, write_atomic

_DATE = (1980, 1, 1, 0, 0, 0)
"""The same results make the same archive, byte for byte."""


def write_submission(dataset: Dataset, tracker: Path, repetitions: int) -> Path:
    """Write ``<tracker>.zip`` beside the tracker's folder and return it.

    Args:
        dataset: the benchmark, all of it.
        tracker: the folder with results.
        repetitions: runs per sequence.

    Raises:
        ResultError: a file is missing, malformed or of the wrong length; the message names file and line.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for sequence in sorted(dataset.sequences, key=lambda sequence: sequence.name):
            for file in result_files(dataset.benchmark.protocol, tracker, sequence.name, repetitions):
                if not file.name.endswith("_time.txt"):
                    read_boxes(file, len(sequence))
                entry = zipfile.ZipInfo(file.relative_to(tracker).as_posix(), _DATE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, file.read_bytes())
    path = tracker.with_name(f"{tracker.name}.zip")
    write_atomic(path, buffer.getvalue())
    return path
