"""The study of a search: what is tried, pruned, shared, taken up again and refused."""

from __future__ import annotations

import csv
import io
import itertools
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import made_search
import pytest
from made_search import DEFAULTS, objective, open_search, score

from toolkit.errors import ToolkitError
from toolkit.tuning.picture import write_picture
from toolkit.tuning.report import trials_csv, verdict
from toolkit.tuning.study import StudyError, UnusableSettings, _free_place, database_url, without_password


def values_of(search):
    return [trial.params for trial in search.finished()]


def start(folder, study, total, delay=0.02):
    words = [sys.executable, made_search.__file__, *map(str, (folder, study, total, delay))]
    return subprocess.Popen(words, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})


def whole_score(values, report):
    """Score without saying anything on the way: no trial is pruned."""
    return score(values)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A search of one process from its first trial to its last, past the first ten, which are random."""
    search = open_search(tmp_path_factory.mktemp("undisturbed"))
    search.work(whole_score, 13)
    return search


# What is tried.


def test_the_first_trial_is_the_configurations_own_and_the_optimum_is_found(undisturbed):
    assert len(undisturbed.finished()) == 13
    first, best = undisturbed.finished()[0], undisturbed.best()
    assert first.params == DEFAULTS
    assert undisturbed.default().value == first.value == score(DEFAULTS)
    assert best.value >= first.value
    assert best.params["size"] == 271
    assert best.params["x"] == pytest.approx(0.3, abs=0.1)
    assert {trial.params["size"] for trial in undisturbed.finished()} <= {239, 255, 271, 287, 303}
    assert set(undisturbed.importances()) == {"x", "size"}


def test_lower_can_be_better(tmp_path):
    search = open_search(tmp_path, maximize=False)
    search.work(lambda values, report: 1 - score(values), 4)
    assert search.best().value == 1 - max(score(values) for values in values_of(search))


def test_trials_below_the_median_are_stopped_after_the_first_sequences(tmp_path):
    """Trials 0 to 4 run whole, with means 0.1, 0.2 ... 0.5, so the median is 0.3 after every sequence.

    Optuna's own median pruner would compare 0.9, the best so far, and let the last run: an easy first sequence
    protects no trial.
    """
    notes = [[mean] * 3 for mean in (0.1, 0.2, 0.3, 0.4, 0.5, 0.29, 0.3)] + [[0.9, 0.25, 0.25]]
    search = open_search(tmp_path)
    ran = []

    def noted(values, report):
        mine = notes[len(ran)]
        ran.append(0)
        for value in mine:
            ran[-1] += 1
            report(value)
        return mine[-1]

    search.work(noted, 8)
    assert ran == [3, 3, 3, 3, 3, 2, 3, 2]  # two are run in any case
    states = [trial.state.name for trial in search.finished()]
    assert states == ["COMPLETE"] * 5 + ["PRUNED", "COMPLETE", "PRUNED"]
    assert search.finished()[-1].intermediate_values == {1: 0.9, 2: 0.25}


def test_settings_that_do_not_fit_together_count_and_say_why(tmp_path):
    search = open_search(tmp_path)

    def picky(values, report):
        if values["size"] > 271:
            raise UnusableSettings("too large")
        return score(values)

    search.work(picky, 5)
    reasons = [row["unusable"] for row in search.rows() if row["size"] > 271]
    assert reasons
    assert set(reasons) == {"too large"}
    assert len(search.finished()) == 5


# Stopped and taken up again.


def test_a_study_that_is_complete_has_nothing_to_do_and_can_be_extended(tmp_path):
    open_search(tmp_path).work(whole_score, 2)

    def never(values, report):
        raise AssertionError

    again = open_search(tmp_path)
    again.work(never, 2)
    assert len(again.finished()) == 2
    again.work(whole_score, 3)
    assert len(again.finished()) == 3


def test_a_timeout_begins_no_trial(tmp_path):
    search = open_search(tmp_path)
    search.work(objective(), 6, timeout=0)
    assert search.counts() == {}
    assert search.best() is None


def test_interrupted_again_and_again_it_comes_to_the_same_trials(tmp_path, undisturbed):
    """In the first trial, in a random one, and in one that follows from the trials before it."""
    search = open_search(tmp_path)
    calls = itertools.count()

    def interrupted(values, report):
        if next(calls) in (0, 3, 12):
            raise KeyboardInterrupt
        return score(values)

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            search.work(interrupted, 12)
    search.work(interrupted, 12)
    assert search.counts() == {"complete": 12, "fail": 3}
    assert values_of(search) == values_of(undisturbed)[:12]


@pytest.mark.slow
def test_killed_and_taken_up_again_it_comes_to_the_same_trials(tmp_path, undisturbed):
    process = start(tmp_path, tmp_path / "study.db", 3, delay=0.5)
    search = open_search(tmp_path)
    while search.counts().get("complete", 0) < 1 or "running" not in search.counts():
        assert process.poll() is None
        time.sleep(0.1)
    process.kill()
    process.wait()
    assert search.counts()["running"] == 1
    search.work(whole_score, 3)
    assert search.counts() == {"complete": 3, "fail": 1}
    assert values_of(search) == values_of(undisturbed)[:3]


# Many workers.


class Left(Exception):
    pass


def test_a_failed_trial_gives_back_its_own_settings_and_no_others(tmp_path, undisturbed):
    """Trial 2 dies after another worker's trial 3 is complete; what replaces it is what trial 2 was to be."""
    search = open_search(tmp_path)

    def leave():
        raise Left

    def dies_in_the_third(values, report):
        if len(search.finished()) == 2:
            with pytest.raises(Left):
                open_search(tmp_path).work(whole_score, 5, tick=leave)
            raise KeyboardInterrupt
        return whole_score(values, report)

    with pytest.raises(KeyboardInterrupt):
        search.work(dies_in_the_third, 5)
    search.work(whole_score, 5)
    assert [row["state"] for row in search.rows()] == ["complete"] * 2 + ["fail"] + ["complete"] * 3
    whole = values_of(undisturbed)
    assert values_of(search) == [whole[place] for place in (0, 1, 3, 2, 4)]


@pytest.mark.parametrize(
    ("places", "expected"),
    [([], 0), ([0, 1, 2], 3), ([0, 2, 3], 1), ([0, None], 2), ([1, None, None], 3), ([0, 1, 2, "later"], 3)],
)
def test_places_of_workers_that_share_no_lock(places, expected):
    """Trial 10 leaves the first free places to earlier trials that have none yet (None); later ones see its own."""
    attributes = [{} if place in (None, "later") else {"place": place} for place in places]
    numbers = [11 if place == "later" else number for number, place in enumerate(places)]
    others = [SimpleNamespace(number=n, user_attrs=a) for n, a in zip(numbers, attributes, strict=True)]
    assert _free_place(others, 10) == expected


def test_of_two_first_trials_the_later_gives_way(tmp_path):
    """Two machines that share no lock have each queued the configuration's own values."""
    search = open_search(tmp_path)
    for _ in range(2):
        search.study.enqueue_trial(DEFAULTS, user_attrs={"default": True})
    search.work(whole_score, 3)
    assert [(row["state"], row["is_default"]) for row in search.rows()] == [
        ("complete", True), ("fail", True), ("complete", False), ("complete", False),
    ]  # fmt: skip


def test_the_greatest_seed_is_one(tmp_path):
    search = open_search(tmp_path, seed=2**32 - 1)
    search.work(whole_score, 2)
    assert len(search.finished()) == 2


def test_a_process_takes_over_from_another_that_is_killed_beside_it(tmp_path, undisturbed):
    """The other is killed in its first trial, while this one is in the second."""
    other = start(tmp_path, tmp_path / "study.db", 4, delay=60)
    search = open_search(tmp_path)
    while "running" not in search.counts():
        assert other.poll() is None
        time.sleep(0.1)

    def kills(values, report):
        if other.poll() is None:
            assert search.counts() == {"running": 2}
            other.kill()
            other.wait()
        return score(values)

    search.work(kills, 4)
    assert search.counts() == {"complete": 4, "fail": 1}
    whole = values_of(undisturbed)
    assert values_of(search) == [whole[place] for place in (1, 0, 2, 3)]


@pytest.mark.slow
@pytest.mark.parametrize("folders", [("one", "one"), ("one", "other")], ids=["one machine", "a database alone"])
def test_two_processes_come_to_exactly_as_many_trials_as_were_asked_for(tmp_path, folders):
    database = tmp_path / "study.db"
    here, there = (tmp_path / folder for folder in folders)
    other = start(there, database, 4, delay=0.05)
    search = open_search(here, study=database)
    while not search.rows():
        assert other.poll() is None
        time.sleep(0.1)
    search.work(objective(0.05), 4)
    assert other.wait(timeout=60) == 0
    assert len(search.finished()) == 4
    assert len({row["worker"] for row in search.rows() if row["state"] != "fail"}) == 2
    assert sum(row["is_default"] and row["state"] == "complete" for row in search.rows()) == 1
    if here == there:
        assert search.counts().get("fail", 0) == 0
    assert len({tuple(values.items()) for values in values_of(search)}) == 4


# Refused.


def test_a_study_of_something_else_is_refused_with_the_difference(tmp_path):
    open_search(tmp_path, identity={"dataset": "OTB100", "split": {"Couple": "tuning"}})
    with pytest.raises(StudyError, match=r"split.Couple: 'tuning' there, 'testing' here.*give --study-name"):
        open_search(tmp_path, identity={"dataset": "OTB100", "split": {"Couple": "testing"}})
    open_search(tmp_path, name="another", identity={"dataset": "UAV123"})


@pytest.mark.parametrize("url", ["nodatabase://x", "postgresql+nodriver://tuner:secret@nowhere/x"])
def test_a_database_that_cannot_be_used_is_a_users_error_without_the_password(tmp_path, url):
    with pytest.raises(ToolkitError, match="cannot be used as a database of studies") as caught:
        open_search(tmp_path, study=url)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "study.db").write_text("no database, but text that is long enough to be taken for one\n" * 50)
    with pytest.raises(StudyError, match="cannot be used as a database of studies"):
        open_search(tmp_path)


def test_urls(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert database_url("a.db") == f"sqlite:///{tmp_path}/a.db"
    assert database_url("mysql://u:p@h/d") == "mysql://u:p@h/d"
    assert without_password("mysql://u:p@h/d") == "mysql://u:***@h/d"


# Written.


def test_table_and_picture(tmp_path, undisturbed):
    import cv2

    rows = list(csv.DictReader(io.StringIO(trials_csv(undisturbed.rows()))))
    assert [int(row["trial"]) for row in rows] == list(range(13))
    complete = [row for row in rows if row["state"] == "complete"]
    assert [float(row["score"]) for row in complete] == [
        score({"x": float(row["x"]), "size": int(row["size"])}) for row in complete
    ]
    options = {"title": "made", "label": "score", "maximize": True}
    for keys, importances in ((["x", "size"], undisturbed.importances()), (["x"], {})):
        write_picture(tmp_path / "tuning.png", undisturbed.rows(), keys, importances, **options)
        picture = cv2.imread(str(tmp_path / "tuning.png"))
        assert picture.shape[1] > 1000
        assert picture.std() > 10


@pytest.mark.parametrize(
    ("tuning", "testing", "low", "sequences", "words"),
    [
        (0.0, 0.0, 0.0, 50, "nothing better"),
        (0.1, -0.01, -0.1, 50, "over-fitted"),
        (0.1, 0.01, -0.01, 50, "no more than chance"),
        (0.1, 0.05, 0.01, 1, "no more than chance"),
        (0.1, 0.05, 0.01, 50, "better on the held-back sequences too"),
    ],
)
def test_the_verdict_goes_by_the_held_back_sequences(tuning, testing, low, sequences, words):
    gains = {"tuning": {"difference": tuning, "low": 0.0}, "testing": {"difference": testing, "low": low}}
    assert words in verdict({side: {"gain": gain, "sequences": sequences} for side, gain in gains.items()})
