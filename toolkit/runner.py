"""Running a tracker over a benchmark: alone, or as one of several processes that share the sequences out."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable
from collections.abc import Sequence as Series
from dataclasses import dataclass, field

from toolkit.datasets import Dataset
from toolkit.errors import DatasetError
from toolkit.protocols import Tracker, Trajectory, find_protocol
from toolkit.run_folder import RunFolder
from toolkit.sequence import Sequence

POLL_S = 0.5
"""Between looks at what other processes are working on."""


@dataclass(frozen=True)
class Task:
    """What is to be run.

    Attributes:
        dataset: the benchmark, or part of it.
        protocol: a name in :data:`toolkit.protocols.PROTOCOLS`.
        folder: where the results go.
        repetitions: runs per sequence.
        launch: names the processes that were started together; see :func:`toolkit.locks.take`.
    """

    dataset: Dataset
    protocol: str
    folder: RunFolder
    repetitions: int
    launch: str

    def unfinished(self) -> list[Sequence]:
        """Return the sequences without results, the longest first: the last to end are then short ones."""
        left = [
            sequence
            for sequence in self.dataset.sequences
            if not self.folder.finished(self.protocol, sequence.name, self.repetitions)
        ]
        return sorted(left, key=lambda sequence: (-len(sequence), sequence.name))


@dataclass
class Outcome:
    """How it went: the sequences run by this process, and why others have no results."""

    done: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Watcher:
    """Who is told what happens; by default nobody.

    Attributes:
        finished: a sequence was run.
        took_over: a sequence was left behind by a process that died.
        failed: a sequence could not be run, and why.
    """

    finished: Callable[[Sequence, list[Trajectory]], None] = lambda sequence, runs: None
    took_over: Callable[[Sequence, str], None] = lambda sequence, holder: None
    failed: Callable[[Sequence, str], None] = lambda sequence, reason: None


def run(
    task: Task,
    make_tracker: Callable[[], Tracker],
    seed: Callable[[int], None],
    user_errors: tuple[type[Exception], ...],
    watcher: Watcher | None = None,
) -> Outcome:
    """Run every sequence that no other process has finished or is working on, until none is left.

    Args:
        task: what to run; its folder is open.
        make_tracker: returns the tracker, always the same; called once there is something to run.
        seed: called with the repetition, from 0, before each: so results do not depend on what was run before.
        user_errors: on these a sequence is given up and the next one run; any other error ends the run.
        watcher: told what happens.

    Raises:
        ResultError: meanwhile the folder was given to other settings.
    """
    watcher = watcher or Watcher()
    outcome = Outcome()
    experiment = find_protocol(task.protocol)
    while left := [sequence for sequence in task.unfinished() if sequence.name not in outcome.failures]:
        idle = True
        for sequence in left:
            claim = task.folder.claim(task.protocol, sequence.name, task.launch)
            if claim is None:
                continue
            idle = False
            if isinstance(claim, str):
                outcome.failures[sequence.name] = claim
                continue
            if task.folder.finished(task.protocol, sequence.name, task.repetitions):
                claim.done()
                continue
            if claim.died:
                watcher.took_over(sequence, claim.died)
            runs = []
            tracker = make_tracker()
            try:
                for repetition in range(task.repetitions):
                    seed(repetition)
                    runs.append(experiment.run(tracker, sequence))
            except user_errors as failure:
                claim.failed(str(failure))
                outcome.failures[sequence.name] = str(failure)
                watcher.failed(sequence, str(failure))
                continue
            task.folder.store(task.protocol, sequence.name, runs)
            claim.done()
            outcome.done.append(sequence.name)
            watcher.finished(sequence, runs)
        if idle:
            time.sleep(POLL_S)
    return outcome


def narrowed(dataset: Dataset, videos: Series[str]) -> Dataset:
    """Return the benchmark with these sequences only, in its own order.

    Raises:
        DatasetError: it has no such sequence; the message suggests the nearest.
    """
    names = {sequence.name.lower(): sequence.name for sequence in dataset.sequences}
    for video in videos:
        if video not in names.values():
            close = difflib.get_close_matches(video.lower(), names, n=1, cutoff=0.6)
            hint = (
                f"did you mean {names[close[0]]!r}?" if close else f"it has {', '.join(list(names.values())[:5])}, ..."
            )
            raise DatasetError(f"{dataset.benchmark.name} has no sequence {video!r}; {hint}")
    kept = [sequence for sequence in dataset.sequences if sequence.name in set(videos)]
    return Dataset(dataset.benchmark, dataset.folder, kept)
