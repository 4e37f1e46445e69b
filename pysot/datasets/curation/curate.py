"""From clips to a training set: crops, annotations, and a report of what could not be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pysot.datasets.curation.annotations import write_annotations, write_json
from pysot.datasets.curation.backgrounds import Backgrounds
from pysot.datasets.curation.clips import Clip
from pysot.datasets.curation.crops import CropMaker
from pysot.datasets.curation.jobs import Progress, run_jobs
from pysot.utils import InputError, hash_file


@dataclass(frozen=True)
class Summary:
    """What came out.

    Attributes:
        annotations: The file that training reads.
        clips: With at least one crop.
        crops: How many.
        problems: Of each file or box that could not be used, why.
    """

    annotations: Path
    clips: int
    crops: int
    problems: tuple[str, ...]


def curate(
    clips: Sequence[Clip],
    source: Path,
    output: Path,
    split: str,
    step: int = 1,
    workers: int = 1,
    progress: Progress | None = None,
    backgrounds: Backgrounds | None = None,
    images: Path | None = None,
) -> Summary:
    """Crop all clips into ``output/crop511`` and write ``output/<split>.json``.

    What cannot be used is left out and listed in ``output/<split>.problems.json``. An interrupted run goes on; a
    further run tries again what could not be used.

    Args:
        clips: With names different from each other.
        source: The file or folder they were read from. A run goes on only with the same, a file also with the same
            content.
        output: The training set's folder.
        split: Name of the annotation file.
        step: Every how manyth labelled frame is taken.
        workers: Processes.
        progress: Called with the number of clips that were finished.
        backgrounds: What fills crops outside of the frame; None for the frame's mean colour.
        images: The folder of their frames, where that is given beside ``source``; a run goes on only with the same.

    Raises:
        InputError: There are no clips, or nothing of them can be used; or `run_jobs`.
    """
    if not clips:
        raise InputError(f"{source}: nothing to crop was found for {split}")
    maker = CropMaker(output / "crop511", step, backgrounds)
    settings: dict[str, Any] = {"source": str(source.resolve()), "step": step}
    if source.is_file():
        settings["source_sha256"] = hash_file(source)
    if images is not None:
        settings["images"] = str(images.resolve())
    if backgrounds is not None:
        settings["backgrounds"] = [str(photo) for photo in backgrounds.photos]
    done = run_jobs(clips, maker, output / f".{split}.journal", settings, workers, progress, _is_whole)
    problems = tuple(problem for value in done.values() for problem in value["problems"])
    report = output / f"{split}.problems.json"
    if problems:
        write_json(report, problems)
    else:
        report.unlink(missing_ok=True)
    file = output / f"{split}.json"
    used = sum(bool(value["tracks"]) for value in done.values())
    if not used:
        reason = problems[0] if problems else f"no target is in them, the first of which is {clips[0].name}"
        raise InputError(f"{source}: no crop could be made of {len(clips)} videos or images for {split}: {reason}")
    return Summary(file, used, write_annotations(file, done), problems)


def _is_whole(value: dict[str, Any]) -> bool:
    return not value["problems"]
