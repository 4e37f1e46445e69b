"""Work on many videos in parallel, with a journal from which an interrupted run goes on."""

from __future__ import annotations

import itertools
import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any, Protocol, TypeVar

import cv2

from pysot.utils import InputError

Item = TypeVar("Item", bound="Named")
Progress = Callable[[int], None]

_AHEAD = 4  # jobs handed out per process, beyond the one it works on


class Named(Protocol):
    """Anything with a name of its own."""

    @property
    def name(self) -> str:
        """Return the name, different from all others'."""


def run_jobs(
    items: Sequence[Item],
    work: Callable[[Item], Any],
    journal: Path,
    settings: dict[str, Any],
    workers: int = 1,
    progress: Progress | None = None,
    is_final: Callable[[Any], bool] = lambda value: True,
) -> dict[str, Any]:
    """Return ``work(item)`` by the items' names, in their order; what the journal has is not done again.

    Args:
        items: What to work on; they and ``work`` can be pickled.
        work: Gives a value that JSON can hold.
        journal: A file with one line per finished item. It appears, and is taken up, by itself.
        settings: What the values depend on besides the items. They must be those that the journal was begun with.
        workers: Processes; 1 works in this one.
        progress: Called with the number of items that were finished, at first with those of the journal.
        is_final: Says of a value in the journal whether it stands; if not, the item is worked on again.

    Raises:
        InputError: The journal was begun with other settings, or two items have one name.
    """
    names = [item.name for item in items]
    if len(set(names)) != len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise InputError(f"two videos are called {double!r}; their crops would overwrite each other")
    done = {name: value for name, value in _read_journal(journal, settings).items() if is_final(value)}
    tell = progress or (lambda count: None)
    tell(sum(name in done for name in names))
    todo = [item for item in items if item.name not in done]
    with journal.open("a", encoding="utf-8") as file:
        for name, value in _finished(todo, work, workers):
            file.write(json.dumps([name, value]) + "\n")
            file.flush()
            done[name] = value
            tell(1)
    return {name: done[name] for name in names}


def _finished(items: Sequence[Item], work: Callable[[Item], Any], workers: int) -> Iterator[tuple[str, Any]]:
    """Yield name and value of each item as it is finished."""
    if workers <= 1 or len(items) < 2:
        for item in items:
            yield item.name, work(item)
        return
    # Forked processes would inherit OpenCV's threads in an unknown state.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start) as pool:
        waiting: dict[Future[Any], str] = {}
        queue = iter(items)
        try:
            while True:
                for item in itertools.islice(queue, workers * _AHEAD - len(waiting)):
                    waiting[pool.submit(work, item)] = item.name
                if not waiting:
                    return
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield waiting.pop(future), future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _start() -> None:
    cv2.setNumThreads(1)  # one process per core is enough


def _read_journal(journal: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the finished values, and begin or mend the file."""
    journal.parent.mkdir(parents=True, exist_ok=True)
    expected = json.loads(json.dumps(settings))
    try:
        lines = journal.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        lines = []
    entries = []
    good = 0
    for line in lines:
        try:
            entries.append(json.loads(line))
        except ValueError:
            break
        if not line.endswith(b"\n"):  # the line that was being written when the run ended
            entries.pop()
            break
        good += len(line)
    if not entries:
        journal.write_text(json.dumps(expected) + "\n", encoding="utf-8")
        return {}
    if entries[0] != expected:
        begun = entries[0] if isinstance(entries[0], dict) else {"settings": entries[0]}
        differ = [key for key in expected | begun if expected.get(key) != begun.get(key)]
        there, here = ({key: side[key] for key in differ if key in side} for side in (begun, expected))
        same = {key: value for key, value in expected.items() if key not in differ}
        raise InputError(
            f"{journal.parent}: its run was begun with {json.dumps(there)}, this one has {json.dumps(here)} "
            f"(the same in both: {json.dumps(same)}); "
            f"give another --output, or remove {journal.name} and what was made with it there"
        )
    with journal.open("r+b") as file:
        file.truncate(good)
    return dict(entries[1:])
