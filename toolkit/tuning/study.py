"""A search as an Optuna study in a database, for any number of processes that come, go and die.

Who begins a trial holds a lock beside the outputs, so the processes of one machine (or of a shared folder) never
begin one too many; of machines that share a database alone, the later trial gives way. A process that works holds a
lock as well, which ends with it: its trial is then known to be abandoned. Other machines go by Optuna's heartbeats.
"""

from __future__ import annotations

import datetime
import itertools
import json
import math
import os
import socket
import statistics
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as Series
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from toolkit.errors import ToolkitError
from toolkit.locks import locked, take
from toolkit.run_folder import difference

Number = int | float
Objective = Callable[[Mapping[str, Number], Callable[[float], None]], float]
"""From settings and what to call with each running score to the final score."""

HEARTBEAT_S = 20
GRACE_S = 120
"""After so long without a heartbeat, a process on another machine is taken for dead."""
POLL_S = 0.5
STARTUP_TRIALS = 5
"""Complete trials before any is pruned."""
_DEFAULT, _WORKER, _PLACE, _UNUSABLE, _IDENTITY = "default", "worker", "place", "unusable", "identity"


class StudyError(ToolkitError, ValueError):
    """A study cannot be opened, or is about something else."""


class UnusableSettings(Exception):
    """Settings that do not fit together; an objective raises it, and the trial counts as pruned."""


class _Surplus(Exception):
    """A trial that another machine's came before."""


@dataclass(frozen=True)
class Range:
    """The values a key may take: whole numbers if its bounds are.

    Attributes:
        key: its name.
        low: the least.
        high: the greatest, a whole number of steps above.
        step: between neighbouring values; None for any.
    """

    key: str
    low: Number
    high: Number
    step: Number | None = None

    def suggest(self, trial: optuna.Trial) -> Number:
        """Return a value for a trial."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(self.key, self.low, self.high, step=int(self.step or 1))
        return trial.suggest_float(self.key, self.low, self.high, step=self.step)


class RunningMedianPruner(optuna.pruners.BasePruner):
    """Stops a trial whose running score is below the median of the complete trials after the same sequences.

    Optuna's own median pruner compares the *best* running score of a trial, which suits learning curves. Over
    sequences, one easy sequence at the start would protect a trial for good.

    Args:
        sequences: how many a complete trial runs; a fifth of them, at least two, are run in any case.
    """

    def __init__(self, sequences: int) -> None:
        self._warmup = max(2, math.ceil(sequences / 5))

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Return whether to stop."""
        step = trial.last_step
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if step is None or step < self._warmup or len(complete) < STARTUP_TRIALS:
            return False
        others = [other.intermediate_values[step] for other in complete if step in other.intermediate_values]
        if not others:
            return False
        behind = statistics.median(others) - trial.intermediate_values[step]
        return behind < 0 if study.direction == optuna.study.StudyDirection.MINIMIZE else behind > 0


def database_url(study: str | Path) -> str:
    """Return the URL of a database given by URL or as the file of an SQLite one."""
    return str(study) if "://" in str(study) else f"sqlite:///{Path(study).resolve()}"


def without_password(url: str) -> str:
    """Return a database URL as it may be shown."""
    return make_url(url).render_as_string(hide_password=True)


class Search:
    """A study with the ranges it searches.

    Args:
        url: of the database; see :func:`database_url`.
        name: of the study in it.
        folder: of the outputs; holds the locks.
        ranges: what is searched.
        defaults: a value for each, the first trial.
        identity: what scores depend on, JSON; a study of something else is refused.
        maximize: whether a higher score is better.
        sequences: how many a trial runs.
        seed: of the sampler, not negative.

    Raises:
        StudyError: the database cannot be used, or holds a study of that name about something else.
    """

    def __init__(
        self,
        url: str,
        name: str,
        folder: Path,
        ranges: Series[Range],
        defaults: Mapping[str, Number],
        identity: Mapping[str, Any],
        *,
        maximize: bool,
        sequences: int,
        seed: int = 0,
    ) -> None:
        self.ranges = ranges
        self.defaults = dict(defaults)
        self._url = url
        self._folder = folder
        self.seed = seed
        self._lock = folder / ".study.lock"
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with locked(self._lock), _explained(url, (*_DATABASE_ERRORS, ImportError)):
            self.study = optuna.create_study(
                storage=_storage(url),
                study_name=name,
                direction="maximize" if maximize else "minimize",
                pruner=RunningMedianPruner(sequences),
                load_if_exists=True,
            )
            known = self.study.user_attrs.get(_IDENTITY)
            mine = json.loads(json.dumps(identity))
            if known is None and self.study.get_trials(deepcopy=False):
                raise StudyError(f"{without_password(url)} has a study {name!r} of another origin; give another name")
            if known is None:
                self.study.set_user_attr(_IDENTITY, mine)
            elif known != mine:
                raise StudyError(
                    f"study {name!r} in {without_password(url)} is about something else ({difference(known, mine)}); "
                    "give --study-name for a new one"
                )

    def work(
        self, objective: Objective, total: int, *, timeout: float | None = None, tick: Callable[[], None] = lambda: None
    ) -> None:
        """Run trials until the study has ``total`` and none is running, here or elsewhere.

        Args:
            objective: scores settings.
            total: complete and pruned trials of the whole study; failed ones are replaced.
            timeout: seconds after which no trial is begun.
            tick: called after each trial, and while others are waited for.
        """
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        with _explained(self._url, _DATABASE_ERRORS), _presence(self._folder) as me:
            while True:
                with ExitStack() as lock:
                    lock.enter_context(locked(self._lock))
                    self._give_up_the_dead()
                    if time.monotonic() < deadline and self._prepare(total):
                        run = _Run(self, objective, total, me, begun=lock.close)
                        self.study.optimize(run, n_trials=1, catch=(_Surplus,))
                        tick()
                        continue
                tick()
                if not self._trials(TrialState.RUNNING):
                    return
                time.sleep(POLL_S)

    @property
    def version(self) -> str:
        """Optuna's version."""
        return str(optuna.__version__)

    def finished(self) -> list[FrozenTrial]:
        """Return the complete and pruned trials."""
        return self._trials(TrialState.COMPLETE, TrialState.PRUNED)

    def best(self) -> FrozenTrial | None:
        """Return the complete trial with the best score, the first of equals; None if there is none."""
        return self.study.best_trial if self._trials(TrialState.COMPLETE) else None

    def default(self) -> FrozenTrial | None:
        """Return the complete trial with the values of the configuration."""
        return next((trial for trial in self._trials(TrialState.COMPLETE) if _DEFAULT in trial.user_attrs), None)

    def importances(self) -> dict[str, float]:
        """Return each key's share in what makes trials good; empty while there are too few to tell."""
        if len(self._trials(TrialState.COMPLETE)) < 2 * STARTUP_TRIALS:
            return {}
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return optuna.importance.get_param_importances(self.study, evaluator=evaluator)
        except (ValueError, RuntimeError):  # scores without any difference
            return {}

    def counts(self) -> dict[str, int]:
        """Return the number of trials by state."""
        states = [trial.state.name.lower() for trial in self.study.get_trials(deepcopy=False)]
        return {state: states.count(state) for state in sorted(set(states))}

    def rows(self) -> list[dict[str, Any]]:
        """Return every trial as a row of a table."""
        return [_row(trial, self.ranges) for trial in self.study.get_trials(deepcopy=False)]

    def _prepare(self, total: int) -> bool:
        """Return whether there is a trial to begin; the queue is then ready for it."""
        counted = _counted(self.study)
        if not any(_DEFAULT in trial.user_attrs for trial in counted):
            self.study.enqueue_trial(self.defaults, user_attrs={_DEFAULT: True})
            return True
        return len(counted) < total or bool(self._trials(TrialState.WAITING))

    def _give_up_the_dead(self) -> None:
        """Fail the trials of processes that are gone."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            optuna.storages.fail_stale_trials(self.study)
        for trial in self._trials(TrialState.RUNNING):
            worker = trial.user_attrs.get(_WORKER)
            if _is_gone(self._folder / _WORKERS / worker) if worker else _is_old(trial):
                self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=states)


@dataclass(frozen=True)
class _Run:
    """One trial, as Optuna calls it; ``begun`` is called once others can see who runs it."""

    search: Search
    objective: Objective
    total: int
    worker: str
    begun: Callable[[], None]

    def __call__(self, trial: optuna.Trial) -> float:
        trial.set_user_attr(_WORKER, self.worker)
        is_default = _DEFAULT in trial.user_attrs
        others = [other for other in _counted(self.search.study) if other.number != trial.number]
        before = [other for other in others if other.number < trial.number]
        if any(_DEFAULT in other.user_attrs for other in before) if is_default else len(before) >= self.total:
            raise _Surplus
        place = _free_place(others, trial.number)
        trial.set_user_attr(_PLACE, place)
        self.begun()
        self.search.study.sampler = optuna.samplers.TPESampler(seed=_seed_of(self.search.seed, place))
        values = {each.key: each.suggest(trial) for each in self.search.ranges}
        step = 0

        def report(score: float) -> None:
            nonlocal step
            step += 1
            if math.isfinite(score):
                trial.report(score, step)
                if not is_default and trial.should_prune():
                    raise optuna.TrialPruned

        try:
            return self.objective(values, report)
        except UnusableSettings as failure:
            trial.set_user_attr(_UNUSABLE, str(failure))
            raise optuna.TrialPruned from failure


_WORKERS = ".workers"


@contextmanager
def _presence(folder: Path) -> Iterator[str]:
    """Hold the lock of a file as long as this process is at work; yields its name."""
    name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    file = folder / _WORKERS / name
    claim = take(file, name)
    try:
        yield name
    finally:
        if claim is not None and not isinstance(claim, str):
            claim.done()
        file.unlink(missing_ok=True)


def _is_gone(file: Path) -> bool:
    """Return whether a process let go of its file; one without a file here is of a machine that shares no folder."""
    if not file.exists():
        return False
    claim = take(file, "")
    if claim is None:
        return False
    if not isinstance(claim, str):
        claim.done()
    file.unlink(missing_ok=True)
    return True


def _is_old(trial: FrozenTrial) -> bool:
    """Return whether a trial, which does not say who runs it, ought to have said so long ago."""
    started = trial.datetime_start or datetime.datetime.min
    return datetime.datetime.now() - started > datetime.timedelta(seconds=GRACE_S)


def _counted(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that count towards the total: all but the failed."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state != TrialState.FAIL]


def _free_place(others: Series[FrozenTrial], number: int) -> int:
    """Return the place of a trial in the sequence of seeds: the first that no other trial which counts has.

    A failed trial gives back its own place and no other: two workers never propose from the same seed, and the trial
    that replaces it is the one that it would have been. Earlier trials that are about to take a place, on machines
    that share no lock, are left the first ones.

    Args:
        others: those that count.
        number: of the trial.
    """
    taken = {other.user_attrs[_PLACE] for other in others if _PLACE in other.user_attrs}
    undecided = sum(other.number < number and _PLACE not in other.user_attrs for other in others)
    return next(itertools.islice((place for place in itertools.count() if place not in taken), undecided, None))


def _seed_of(seed: int, place: int) -> int:
    """Return the sampler's seed, which is below 2**32 and unlike that of any near seed or place."""
    return int(np.random.SeedSequence((seed, place)).generate_state(1)[0])


def _storage(url: str) -> RDBStorage:
    """Return the database; an SQLite one is waited for while others write."""
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    options = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return RDBStorage(url, options, heartbeat_interval=HEARTBEAT_S, grace_period=GRACE_S)


_DATABASE_ERRORS = (SQLAlchemyError, optuna.exceptions.StorageInternalError)


@contextmanager
def _explained(url: str, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """Turn what a database may object to into one line."""
    try:
        yield
    except errors as failure:
        reason = str(failure).splitlines()[0]
        try:
            shown = without_password(url)
        except SQLAlchemyError:
            shown = url
        raise StudyError(
            f"{shown} cannot be used as a database of studies: {reason}; expected a file, sqlite:///FILE, or a URL "
            "such as postgresql+psycopg://user:password@host/database with its driver installed"
        ) from failure


def _row(trial: FrozenTrial, ranges: Series[Range]) -> dict[str, Any]:
    seconds = trial.duration.total_seconds() if trial.duration else None
    running = trial.intermediate_values.get(trial.last_step) if trial.last_step is not None else None
    return {
        "trial": trial.number,
        "state": trial.state.name.lower(),
        "score": trial.value if trial.state == TrialState.COMPLETE else None,
        "sequences": trial.last_step or 0,
        "running_score": running,
        "seconds": None if seconds is None else round(seconds, 3),
        **{each.key: trial.params.get(each.key) for each in ranges},
        "is_default": _DEFAULT in trial.user_attrs,
        "worker": trial.user_attrs.get(_WORKER, ""),
        "unusable": trial.user_attrs.get(_UNUSABLE, ""),
    }
