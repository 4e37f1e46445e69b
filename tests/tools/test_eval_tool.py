"""Scoring with tools/eval.py what tools/test.py has written, against values derived by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_benchmarks import moving, write_benchmark

from toolkit.regions import box_corners
from toolkit.results import write_boxes
from tools import eval as tool
from tools import test as test_tool

TRUTHS = {"ant": moving(31), "bee": moving(31, 0.5), "cat": moving(31)}
OUTSIDE = [0.0, 0.0, 1.0, 1.0]


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Return a function that makes a benchmark and runs trackers on it."""
    monkeypatch.chdir(tmp_path)
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)

    def make(*trackers, name="OTB100", truths=TRUTHS, options=(), **extra):
        monkeypatch.setenv("MADE_TRUTH", str(write_benchmark(tmp_path / "data", name, truths, **extra)))
        for tracker in trackers:
            words = ["--dataset", name, "--tracker", f"made_benchmarks:{tracker}", *options]
            assert test_tool.main(["--dataset-root", "data", *words]) == 0
        return name

    return make


@pytest.fixture
def run(capsys):
    """Return a function that scores: exit code, output, errors."""

    def call(*words):
        capsys.readouterr()
        code = tool.main(["--dataset-root", "data", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def scores(run, *words):
    code, out, _ = run("--json", *words)
    assert code == 0
    return json.loads(out)


# Trackers whose scores are known.


def static_success(frames, step, size=20.0):
    """Return the success AUC of a box that stays, half a pixel right and down of the start, by the definition."""
    overlaps = []
    for index in range(frames):
        common = max(0.0, size - abs(step * index - 0.5)) * (size - 0.5)
        overlaps.append(common / (2 * size**2 - common))
    return np.mean([[overlap > threshold for threshold in np.linspace(0, 1, 21)] for overlap in overlaps])


def test_oracle_and_static_tracker_in_one_pass(made, run):
    made("Oracle", "Static")
    found = scores(run)["OTB100"]
    oracle, static = found["Oracle"], found["Static"]
    assert (oracle["precision"], oracle["normalized_precision"]) == (1, 1)
    # Half a pixel off on the first frame: IoU 19.5^2 / (800 - 19.5^2) = 0.906 reaches 19 of 21 thresholds.
    assert oracle["success_auc"] == pytest.approx((30 * 20 + 19) / 31 / 21)
    assert scores(run, "--convention", "first_box=given")["OTB100"]["Oracle"]["success_auc"] == pytest.approx(20 / 21)
    expected = [static_success(31, step) for step in (1, 0.5, 1)]
    assert static["success_auc"] == pytest.approx(np.mean(expected))
    # The centre is (i - 0.5, -0.5) away: within 20 pixels for i up to 20, of 31; or always.
    assert static["precision"] == pytest.approx((21 / 31 + 1 + 21 / 31) / 3)
    assert static["fps"] > 0


def test_oracle_and_failing_tracker_on_vot(made, run):
    polygons = {name: box_corners(boxes).tolist() for name, boxes in TRUTHS.items()}
    made("Oracle", "Loses", name="VOT2018", truths=polygons, width=160, height=120, occlusion=[1] * 31)
    found = scores(run)["VOT2018"]
    oracle, loses = found["Oracle"], found["Loses"]
    assert (oracle["accuracy"], oracle["robustness"], oracle["lost_number"]) == (1, 0, 0)
    assert loses["lost_number"] == 6  # on frames 7 and 15 of each; 16 is among those that are skipped
    assert loses["robustness"] == pytest.approx(100 * 6 / 93)
    assert loses["accuracy"] == 1


def test_oracle_on_the_other_kinds(made, run):
    made("Oracle", name="GOT-10k-val", width=160, height=120)
    assert scores(run, "--dataset", "GOT-10k-val")["GOT-10k-val"]["Oracle"]["ao"] == 1
    made("Oracle", name="VOT2018-LT", width=160, height=120)
    oracle = scores(run, "--dataset", "VOT2018-LT")["VOT2018-LT"]["Oracle"]
    # The first frame is given and never counts as found.
    assert (oracle["precision"], oracle["recall"]) == (1, pytest.approx(30 / 31))


def test_a_metric_that_does_not_apply_is_a_dash(made, run):
    # EAO averages over fragments of 100 frames and more.
    made("Oracle", "Static", name="VOT2018", width=160, height=120)
    _, out, _ = run()
    assert out.splitlines()[-3:] == ["  Oracle: -", "  Static: -", ""]


def test_realtime_results_are_scored_where_they_lie(made, run):
    made("Oracle", name="VOT2018", width=160, height=120, options=["--protocol", "realtime"])
    code, _, error = run()
    assert code == 2
    assert "baseline/ant/ant_001.txt: no such file" in error
    assert scores(run, "--protocol", "realtime")["VOT2018"]["Oracle"]["lost_number"] == 0


def test_without_restarts_there_is_only_accuracy(made, run):
    made("Static", name="VOT2018", width=160, height=120, options=["--protocol", "unsupervised"])
    static = scores(run, "--protocol", "unsupervised")["VOT2018"]["Static"]
    assert set(static) == {"accuracy", "fps"}
    # From the 11th frame on. A box x, y, w, h ends on x + w: 21 columns of pixels, of which 21 - i or none are common.
    common = np.array([21 - index for index in range(10, 20)] + [0] * 11)
    found = scores(run, "--protocol", "unsupervised", "--video", "ant")["VOT2018"]["Static"]["accuracy"]
    assert found == pytest.approx(np.mean(common / (42 - common)), abs=1e-6)


# What is shown and written.


def test_no_arguments_score_everything(made, run, monkeypatch):
    made("Oracle", "Static")
    made("Oracle", name="VOT2018", width=160, height=120)
    Path("data").rename("testing_dataset")
    monkeypatch.setenv("COLUMNS", "200")
    assert tool.main([]) == 0
    code, out, _ = run("--dataset-root", "testing_dataset")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "OTB100"
    assert lines[1].split("  ")[0] == "Tracker"
    assert lines[3].startswith("Oracle")
    assert "VOT2018" in lines
    assert any(line.startswith("  Static: 0.") and " behind Oracle (" in line for line in lines)
    assert any("95 % interval" in line for line in lines)


def test_per_sequence_and_per_attribute(made, run):
    made("Oracle", "Static", attr=["Blur"])
    _, out, _ = run("--per-sequence", "--per-attribute")
    assert "OTB100: Success AUC per sequence" in out
    rows = dict(line.split(maxsplit=1) for line in out.splitlines() if line[:3] in TRUTHS)
    assert list(rows) == ["ant", "bee", "cat"]
    assert rows["ant"] == f"{(30 * 20 + 19) / 31 / 21:.3f}   {static_success(31, 1):.3f}"
    assert "Blur" in out


def test_report_and_json_file(made, run):
    made("Oracle", "Static")
    code, out, err = run("--report", "report", "--json", "numbers.json")
    assert code == 0
    assert "Oracle" in out
    assert err.endswith("report: report/index.html\n")
    assert Path("report/index.html").stat().st_size > 10_000
    assert Path("report/scores.json").read_text() == Path("numbers.json").read_text()
    assert set(json.loads(Path("numbers.json").read_text())["OTB100"]) == {"Oracle", "Static"}


def test_plots_need_matplotlib_and_tables_do_not(made, run, monkeypatch):
    made("Oracle")
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in ("toolkit.report", "toolkit.draw"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    code, out, err = run("--report", "report")
    assert code == 2
    assert "Oracle" in out
    assert err.splitlines()[-1] == "error: --report needs matplotlib: pip install matplotlib; tables do not"


def test_chosen_trackers_and_sequences(made, run):
    made("Oracle", "Static")
    found = scores(run, "--trackers", "Static", "--video", "bee")["OTB100"]
    assert list(found) == ["Static"]
    assert found["Static"]["success_auc"] == pytest.approx(static_success(31, 0.5))


# Runs on some sequences.


def test_a_run_on_some_sequences_is_scored_on_these(made, run):
    made("Oracle", options=["--video", "bee", "cat"])
    code, out, err = run("--per-sequence")
    assert code == 0
    assert "OTB100: run on 2 of 3 sequences and scored on these; ant is missing" in err
    assert [line.split()[0] for line in out.splitlines() if line[:3] in TRUTHS] == ["bee", "cat"]


def test_it_is_not_compared_with_runs_on_all(made, run):
    made("Oracle", options=["--video", "bee", "cat"])
    made("Static")
    code, out, err = run()
    assert code == 1
    assert "results/OTB100/Oracle: run on 2 sequences only, others on 3; score it with --trackers Oracle" in err
    assert "Static" in out
    assert set(scores(run, "--video", "bee", "cat")["OTB100"]) == {"Oracle", "Static"}
    assert set(scores(run, "--trackers", "Oracle")["OTB100"]) == {"Oracle"}


def test_an_unfinished_run_is_not_taken_for_one_on_some_sequences(made, run):
    made("Oracle", "Static")
    Path("results/OTB100/Oracle/bee.txt").unlink()
    code, out, err = run()
    assert code == 1
    assert "error: results/OTB100/Oracle/bee.txt: no such file" in err
    assert "Static" in out


# Bad files.


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda rows: rows[:-1], "bee.txt: 30 boxes, the sequence has 31 frames (the file ends after line 30)"),
        (lambda rows: [*rows, rows[0]], "bee.txt: 32 boxes, the sequence has 31 frames (line 32 is too many)"),
        (lambda rows: [*rows[:4], "nan,1,1,1", *rows[5:]], "bee.txt line 5: expected finite numbers, got 'nan 1 1 1'"),
        (lambda rows: [*rows[:4], "a,1,1,1", *rows[5:]], "bee.txt line 5: expected finite numbers, got 'a 1 1 1'"),
        (lambda rows: [*rows[:4], "1,1,1", *rows[5:]], "bee.txt line 5: expected 4 numbers x, y, w, h, got 3"),
    ],
)
def test_a_bad_file_is_named_and_the_others_are_scored(made, run, spoil, message):
    made("Oracle", "Static")
    file = Path("results/OTB100/Oracle/bee.txt")
    file.write_text("\n".join(spoil(file.read_text().splitlines())) + "\n")
    code, out, err = run()
    assert code == 1
    assert f"error: results/OTB100/Oracle/{message}" in err
    assert "Static" in out
    assert "Oracle" not in out


def test_only_bad_files_are_a_failure(made, run):
    made("Oracle")
    Path("results/OTB100/Oracle/bee.txt").write_text("")
    assert run()[0] == 2


def test_one_benchmark_that_is_not_there_does_not_stop_the_others(made, run):
    made("Oracle")
    write_boxes(Path("results/LaSOT/Oracle/a.txt"), [OUTSIDE])
    code, out, err = run()
    assert code == 1
    assert err.splitlines()[0].startswith("error: no LaSOT in data")
    assert "Oracle" in out


def test_withheld_benchmarks_are_left_to_their_server(made, run):
    made("Oracle")
    made("Oracle", name="TrackingNet")
    code, _, err = run()
    assert code == 0
    assert "note: TrackingNet: its server scores it" in err
    code, _, err = run("--dataset", "TrackingNet")
    assert code == 2
    assert "ground truth is withheld" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no results in results: expected results/<benchmark>/<tracker>/; run tools/test.py first"),
        (["--results", "elsewhere"], "no results in elsewhere"),
        (["--dataset", "OTB10"], "unknown benchmark 'OTB10'. Did you mean 'OTB100'?"),
        (["--dataset", "OTB100"], "no results in results/OTB100"),
        (
            ["--convention", "absent=maybe"],
            "convention 'absent': expected one of missed, ignored, counted, got 'maybe'",
        ),
        (["--convention", "absend=missed"], "unknown convention 'absend'. Did you mean 'absent'?"),
        (["--dataset", "OTB100", "--trackers", "Nobody"], "no results in results/OTB100/Nobody"),
    ],
)
def test_mistakes_are_one_line(made, run, words, message):
    made()
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    lines = [line for line in err.splitlines() if not line.startswith("note")]
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert message in lines[0]


def test_runs_as_a_file_where_there_is_no_torch(made, repo_root):
    """Scoring is possible on a machine that cannot run the trackers."""
    made("Oracle")
    words = ["eval.py", "--dataset-root", "data"]
    blocked = f"import sys; sys.argv = {words}; sys.modules.update(torch=None, pysot=None, yacs=None)"
    script = f"{blocked}; import runpy; runpy.run_path({tool.__file__!r}, run_name='__main__')"
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", script], env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("OTB100\n")


@pytest.mark.shared
def test_published_tables(shared, capsys):
    data = shared / "data/vot"
    assert tool.main(["--dataset-root", str(data), "--results", str(data / "results")]) == 0
    out = capsys.readouterr().out
    assert next(line for line in out.splitlines() if line.startswith("SiamRPN++_r50")).split()[1:5] == [
        "0.601",
        "0.234",
        "50",
        "0.415",
    ]
