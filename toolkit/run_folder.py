"""The folder of one tracker's results on one benchmark: run.json, what is finished, who works on what.

Any number of processes may work in it at once. All that has to agree, the settings and run.json, is read and
written under one lock; sequences are shared out by claims (:mod:`toolkit.locks`).
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Sequence as Series
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from toolkit.errors import ResultError
from toolkit.locks import Claim, locked, take
from toolkit.protocols import Trajectory, result_files, save
from toolkit.results import write_atomic

RECORD = "run.json"
_LOCK = ".run.lock"
_CLAIMS = ".claims"


class RunFolder:
    """Results of one tracker with one set of settings.

    Args:
        folder: ``<results>/<benchmark>/<tracker>``.
        settings: what the results depend on, JSON; results of other settings cannot lie in the same folder.
        about: what else is worth knowing, JSON; of the latest run that wrote any results.
        advice: what to do about results of other settings, for the message that refuses them.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], about: Mapping[str, Any], advice: str) -> None:
        self.folder = folder
        self._settings = json.loads(json.dumps(settings))
        self._about = dict(about)
        self._advice = advice

    def replaces(self, *, overwrite: bool = False) -> bool:
        """Return whether to open the folder removes results of other settings; removes none.

        Args:
            overwrite: they may be removed; else they are an error.

        Raises:
            ResultError: the folder holds results of other settings, or files that are not known to be of these.
        """
        if not self.folder.is_dir():
            return False
        with self._locked():
            return self._replaces(self._read(), overwrite)

    def open(self, protocol: str, videos: Series[str] | None, *, overwrite: bool = False) -> bool:
        """Begin or continue a run.

        Args:
            protocol: a name in :data:`toolkit.protocols.PROTOCOLS`.
            videos: the sequences that were asked for; None for all.
            overwrite: remove results of other settings; else they are an error.

        Returns:
            Whether there were any.

        Raises:
            ResultError: as `replaces`.
        """
        with self._locked():
            record = self._read()
            replaces = self._replaces(record, overwrite)
            if replaces:
                _empty(self.folder)
                record = {}
            about = {name: value for name, value in record.items() if name not in self._settings} or self._about
            runs = record.setdefault("protocols", {})
            run = runs.setdefault(protocol, {"videos": [], "sequences": {}})
            if videos is None or run["videos"] is None:
                run["videos"] = None
            else:
                run["videos"] = sorted({*run["videos"], *videos})
            self._write(runs, about)  # versions and commit stay those of the results that are there
        return replaces

    def finished(self, protocol: str, sequence: str, repetitions: int) -> bool:
        """Return whether all result files of a sequence are there."""
        return all(file.exists() for file in result_files(protocol, self.folder, sequence, repetitions))

    def claim(self, protocol: str, sequence: str, launch: str) -> Claim | str | None:
        """Claim a sequence; see :func:`toolkit.locks.take`."""
        return take(self._claim_file(protocol, sequence), launch)

    def store(self, protocol: str, sequence: str, runs: Series[Trajectory]) -> None:
        """Write the results of a claimed sequence, and its speed into run.json.

        Raises:
            ResultError: meanwhile the folder was given to other settings.
        """
        with self._locked():
            record = self._read()
            if self._difference(record):
                raise ResultError(f"{self.folder}: another run has replaced the results with those of other settings")
            # Before the files: what has its files is finished, and has its speed here.
            record["protocols"][protocol]["sequences"][sequence] = {
                "frames": sum(int(run.tracked.sum()) for run in runs),
                "seconds": round(sum(float(run.seconds[run.tracked].sum()) for run in runs), 6),
                "start_seconds": round(sum(float(run.seconds[~run.tracked].sum()) for run in runs), 6),
            }
            self._write(record["protocols"], self._about)
            for file in result_files(protocol, self.folder, sequence, len(runs)):
                for leftover in file.parent.glob(f".{file.name}.*"):
                    leftover.unlink()
            save(protocol, self.folder, sequence, runs)

    def tidy(self, protocol: str, sequences: Iterable[str], repetitions: int) -> None:
        """Remove what is left of the claims on finished sequences."""
        for name in sequences:
            if self.finished(protocol, name, repetitions):
                self._claim_file(protocol, name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # others are still at work
            (self.folder / _CLAIMS).rmdir()

    def _claim_file(self, protocol: str, sequence: str) -> Path:
        return self.folder / _CLAIMS / f"{protocol}.{sequence}"

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self.folder / _LOCK)

    def _read(self) -> dict[str, Any]:
        file = self.folder / RECORD
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as failure:
            raise ResultError(f"{file}: cannot be read as JSON ({failure}); remove it with its folder") from failure
        if not isinstance(record, dict):
            raise ResultError(f"{file}: expected an object, got {type(record).__name__}")
        return record

    def _write(self, runs: dict[str, Any], about: Mapping[str, Any]) -> None:
        for leftover in self.folder.glob(f".{RECORD}.*"):
            leftover.unlink()
        for run in runs.values():
            run["fps"] = _fps(run["sequences"].values())
        head = {"fps": next((run["fps"] for run in runs.values() if run["fps"]), None)}
        record = head | self._settings | {**about, **head} | {"protocols": runs}
        write_atomic(self.folder / RECORD, json.dumps(record, indent=1) + "\n")

    def _replaces(self, record: Mapping[str, Any], overwrite: bool) -> bool:
        problem = self._difference(record)
        if problem and not overwrite:
            raise ResultError(f"{self.folder} holds results of another configuration ({problem}); {self._advice}")
        return bool(problem)

    def _difference(self, record: Mapping[str, Any]) -> str:
        """Say in what the settings differ from those in run.json; empty if in nothing."""
        if not record:
            strays = [path.name for path in self.folder.iterdir() if not path.name.startswith(".")]
            return f"files without {RECORD}: {', '.join(sorted(strays)[:3])}" if strays else ""
        return difference({name: record.get(name) for name in self._settings}, self._settings)


def difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Say in what two sets of settings differ; empty if in nothing.

    Example:
        >>> difference({"TRACK": {"LR": 0.3}, "seed": 0}, {"TRACK": {"LR": 0.4}, "seed": 0})
        'TRACK.LR: 0.3 there, 0.4 here'
    """
    theirs, ours = _flat(there), _flat(here)
    differing = [name for name in sorted({*ours, *theirs}) if ours.get(name) != theirs.get(name)]
    shown = [f"{name}: {theirs.get(name)!r} there, {ours.get(name)!r} here" for name in differing[:3]]
    more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
    return "; ".join(shown) + more


def ask_record(folder: Path, reader: Callable[[Mapping[str, Any]], Any]) -> Any:
    """Return what ``reader`` makes of a tracker's run.json; None without one, or with one of another form."""
    try:
        return reader(json.loads((folder / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def asked_videos(folder: Path, protocol: str) -> frozenset[str] | None:
    """Return the sequences that a run was limited to; None if to none, or if there is no record of it."""
    videos = ask_record(folder, lambda record: record["protocols"][protocol]["videos"])
    return frozenset(map(str, videos)) if videos is not None else None


def _fps(sequences: Iterable[Mapping[str, float]]) -> float | None:
    """Return tracked frames per second of tracking: reading images and starting are left out."""
    listed = list(sequences)
    seconds = sum(entry["seconds"] for entry in listed)
    return sum(entry["frames"] for entry in listed) / seconds if seconds > 0 else None


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested dictionaries by their dotted names."""
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            leaves |= _flat(value, f"{prefix}{name}.")
        else:
            leaves[f"{prefix}{name}"] = value
    return leaves


def _empty(folder: Path) -> None:
    """Remove everything but the lock that is held."""
    for path in folder.iterdir():
        if path.name == _LOCK:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
