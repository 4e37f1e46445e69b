"""The study of a search: what is tried, pruned, shared, taken up again and refused."""

from __future__ import annotations

import csv
import io
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


# What is tried.


def test_the_first_trial_is_the_configurations_own_and_the_optimum_is_found(tmp_path):
    search = open_search(tmp_path)
    search.work(objective(), 24)
    assert len(search.finished()) == 24
    first, best = search.finished()[0], search.best()
    assert first.params == DEFAULTS
    assert search.default().value == first.value == score(DEFAULTS)
    assert best.value >= first.value
    assert best.params["size"] == 271
    assert best.params["x"] == pytest.approx(0.3, abs=0.1)
    assert {trial.params["size"] for trial in search.finished()} <= {239, 255, 271, 287, 303}
    assert set(search.importances()) == {"x", "size"}


def test_lower_can_be_better(tmp_path):
    search = open_search(tmp_path, maximize=False)
    search.work(lambda values, report: 1 - score(values), 8)
    assert search.best().value == 1 - max(score(values) for values in values_of(search))


def test_a_median_trial_goes_on_and_one_below_is_stopped_after_the_first_sequences(tmp_path):
    """Trials 0 to 4 run whole, with means 0.1, 0.2 ... 0.5, so the median is 0.3 after every sequence."""
    given = iter([0.1, 0.2, 0.3, 0.4, 0.5, 0.29, 0.3])
    search = open_search(tmp_path)
    ran = []

    def constant(values, report):
        mean = next(given)
        ran.append(0)
        for _ in range(5):
            ran[-1] += 1
            report(mean)
        return mean

    search.work(constant, 7)
    assert ran == [5, 5, 5, 5, 5, 2, 5]  # of five sequences, two are run in any case
    assert [trial.state.name for trial in search.finished()] == ["COMPLETE"] * 5 + ["PRUNED", "COMPLETE"]


def test_an_easy_first_sequence_protects_no_trial(tmp_path):
    """Optuna's own median pruner would compare 0.9, the best so far, and let it run."""
    notes = iter([[0.5, 0.5, 0.5]] * 5 + [[0.9, 0.4, 0.4]])
    search = open_search(tmp_path)

    def noted(values, report):
        for value in (mine := next(notes)):
            report(value)
        return mine[-1]

    search.work(noted, 6)
    last = search.finished()[-1]
    assert (last.state.name, last.intermediate_values) == ("PRUNED", {1: 0.9, 2: 0.4})


def test_settings_that_do_not_fit_together_count_and_say_why(tmp_path):
    search = open_search(tmp_path)

    def picky(values, report):
        if values["size"] > 271:
            raise UnusableSettings("too large")
        return score(values)

    search.work(picky, 8)
    reasons = [row["unusable"] for row in search.rows() if row["size"] > 271]
    assert reasons
    assert set(reasons) == {"too large"}
    assert len(search.finished()) == 8


# Stopped and taken up again.


def test_a_study_that_is_complete_has_nothing_to_do_and_can_be_extended(tmp_path):
    open_search(tmp_path).work(objective(), 6)

    def never(values, report):
        raise AssertionError

    again = open_search(tmp_path)
    again.work(never, 6)
    assert len(again.finished()) == 6
    again.work(objective(), 9)
    assert len(again.finished()) == 9


def test_a_timeout_begins_no_trial(tmp_path):
    search = open_search(tmp_path)
    search.work(objective(), 6, timeout=0)
    assert search.counts() == {}
    assert search.best() is None


def test_an_interrupted_default_is_tried_again(tmp_path):
    search = open_search(tmp_path)

    def interrupted(values, report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search.work(interrupted, 3)
    search.work(objective(), 3)
    assert search.counts() == {"complete": 3, "fail": 1}
    assert values_of(search)[0] == DEFAULTS


def test_killed_and_taken_up_again_it_comes_to_the_same_trials(tmp_path):
    undisturbed = open_search(tmp_path / "whole")
    undisturbed.work(objective(), 8)
    process = start(tmp_path / "killed", tmp_path / "killed/study.db", 8, delay=0.05)
    search = open_search(tmp_path / "killed")
    while search.counts().get("complete", 0) < 2 or "running" not in search.counts():
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert search.counts()["running"] == 1
    search.work(objective(), 8)
    assert search.counts()["fail"] == 1
    assert len(search.finished()) == 8
    assert values_of(search) == values_of(undisturbed)


# Many workers.


class Left(Exception):
    pass


def test_a_failed_trial_gives_back_its_own_settings_and_no_others(tmp_path):
    """Trial 2 dies after another worker's trial 3 is complete; what replaces it is what trial 2 was to be."""
    undisturbed = open_search(tmp_path / "whole")
    undisturbed.work(whole_score, 6)
    search = open_search(tmp_path / "shared")

    def leave():
        raise Left

    def dies_in_the_third(values, report):
        if len(search.finished()) == 2:
            with pytest.raises(Left):
                open_search(tmp_path / "shared").work(whole_score, 6, tick=leave)
            raise KeyboardInterrupt
        return whole_score(values, report)

    with pytest.raises(KeyboardInterrupt):
        search.work(dies_in_the_third, 6)
    search.work(whole_score, 6)
    assert [row["state"] for row in search.rows()] == ["complete"] * 2 + ["fail"] + ["complete"] * 4
    whole = values_of(undisturbed)
    assert values_of(search) == [whole[place] for place in (0, 1, 3, 2, 4, 5)]


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
    search.work(objective(), 3)
    assert len({tuple(values.items()) for values in values_of(search)}) == 3


@pytest.mark.parametrize("folders", [("one", "one"), ("one", "other")], ids=["one machine", "a database alone"])
def test_two_workers_come_to_exactly_as_many_trials_as_were_asked_for(tmp_path, folders):
    database = tmp_path / "study.db"
    search = open_search(tmp_path / "one", study=database)
    workers = [start(tmp_path / folder, database, 8) for folder in folders]
    assert [worker.wait(timeout=60) for worker in workers] == [0, 0]
    assert len(search.finished()) == 8
    assert len({row["worker"] for row in search.rows() if row["state"] != "fail"}) == 2
    assert sum(row["is_default"] and row["state"] == "complete" for row in search.rows()) == 1
    if folders[0] == folders[1]:
        assert search.counts().get("fail", 0) == 0
    assert len({tuple(values.items()) for values in values_of(search)}) == 8


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


def test_table_and_picture(tmp_path):
    import cv2

    search = open_search(tmp_path)
    search.work(objective(), 12)
    rows = list(csv.DictReader(io.StringIO(trials_csv(search.rows()))))
    assert [int(row["trial"]) for row in rows] == list(range(12))
    complete = [row for row in rows if row["state"] == "complete"]
    assert [float(row["score"]) for row in complete] == [
        score({"x": float(row["x"]), "size": int(row["size"])}) for row in complete
    ]
    options = {"title": "made", "label": "score", "maximize": True}
    for keys, importances in ((["x", "size"], search.importances()), (["x"], {})):
        write_picture(tmp_path / "tuning.png", search.rows(), keys, importances, **options)
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
