"""Searching settings with tools/tune.py: from the command line to files that the other tools take."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import shlex
import sys
from pathlib import Path

import cv2
import pytest
from made_benchmarks import moving, write_benchmark

import pysot
import toolkit.tuning
from tools import eval as eval_tool
from tools import test as test_tool
from tools import tune as tool

torch = pytest.importorskip("torch")
TINY = """\
BACKBONE: {TYPE: alexnetlegacy, KWARGS: {width_mult: 0.05}}
ADJUST: {ADJUST: false}
RPN: {TYPE: DepthwiseRPN, KWARGS: {anchor_num: 5, out_channels: 8}}
TRACK: {INSTANCE_SIZE: 255, BASE_SIZE: 0}
"""
TRUTHS = {name: moving(4, step) for name, step in zip("abcde", (0.5, 1.0, 1.5, 2.0, 2.5), strict=True)}
MODEL = ["--cfg", "tiny.yaml", "--snapshot", "tiny.pth", "--device", "cpu", "--dataset-root", "data"]


def write_model():
    Path("tiny.yaml").write_text(TINY)
    torch.manual_seed(0)
    torch.save(pysot.build_model(pysot.load_cfg("tiny.yaml")).state_dict(), "tiny.pth")


@pytest.fixture
def alone(monkeypatch):
    """Be one process of no launch."""
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def made(tmp_path, monkeypatch, alone):
    """Make a benchmark and a model in the current folder; return what names them."""
    monkeypatch.chdir(tmp_path)
    write_model()

    def make(name="OTB100", truths=TRUTHS):
        write_benchmark(tmp_path / "data", name, truths)
        return [*MODEL, "--dataset", name]

    return make


def tune(made, *words):
    return tool.main([str(word) for word in (*made, *words)])


def result(name="OTB100_tiny_tiny"):
    return json.loads(Path("tuning", name, "result.json").read_text())


SEARCH = [*MODEL, "--dataset", "OTB100", "--trials", 2, "TRACK.LR", 0.35]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Search in a folder of its own; return the folder and what was printed."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as out:
        patch.chdir(folder)
        write_model()
        write_benchmark(folder / "data", "OTB100", TRUTHS)
        assert tune(SEARCH) == 0
    return folder, out.getvalue()


@pytest.fixture
def searched(finished, monkeypatch, alone):
    """Stand in the folder of a finished search; return what it printed."""
    monkeypatch.chdir(finished[0])
    return finished[1]


def test_what_a_search_leaves(searched):
    folder = Path("tuning/OTB100_tiny_tiny")
    found = result()
    assert found["trials"] == {"complete": 2}
    assert found["default"]["TRACK.LR"] == 0.35
    assert {*found["split"]["tuning"], *found["split"]["testing"]} == set(TRUTHS)
    assert json.loads((folder / "split.json").read_text()) == found["split"]
    assert f"tuning on {len(found['split']['tuning'])}: {' '.join(found['split']['tuning'])}\n" in searched
    assert found["scores"]["tuning"]["gain"]["difference"] >= 0
    trials = rows("OTB100")
    assert len(trials) == 2
    # The first trial is the configuration's own, and scores what its result files do.
    assert trials[0]["is_default"] == "True"
    assert float(trials[0]["score"]) == pytest.approx(found["scores"]["tuning"]["score"]["default"], abs=1e-12)
    assert cv2.imread(str(folder / "tuning.png")).std() > 10
    assert set(found["versions"]) == {"pysot", "python", "torch", "numpy", "opencv", "optuna"}


def test_the_command_printed_at_the_end_tests_the_setting_and_scores_what_the_search_says(searched):
    command = shlex.split(searched.splitlines()[-1].partition("to test it: python tools/test.py ")[2])
    assert test_tool.main([*command, "--device", "cpu"]) == 0
    found = result()
    scores = eval_scores("OTB100", "tiny_tiny_tuned", found["split"]["testing"])
    assert scores["success_auc"] == pytest.approx(found["scores"]["testing"]["score"]["tuned"], abs=1e-12)


def test_a_search_that_is_complete_only_says_again_what_came_of_it(searched):
    before = result()
    assert tune(SEARCH) == 0
    assert result()["tuned"] == before["tuned"]
    assert result()["trials"] == {"complete": 2}


def rows(name):
    return list(csv.DictReader(Path(f"tuning/{name}_tiny_tiny/trials.csv").read_text().splitlines()))


def eval_scores(name, tracker, videos):
    words = ["--dataset", name, "--dataset-root", "data", "--trackers", tracker, "--json", "scores.json"]
    assert eval_tool.main([*words, "--video", *videos]) == 0
    return json.loads(Path("scores.json").read_text())[name][tracker]


@pytest.mark.parametrize(
    ("name", "frames", "metric"),
    [
        ("Builtin-VOT", 21, "eao"),
        pytest.param("VOT2018-LT", 7, "f1", marks=pytest.mark.slow),
        pytest.param("GOT-10k-val", 7, "ao", marks=pytest.mark.slow),
    ],
)
def test_the_first_trial_scores_what_test_and_eval_say(made, name, frames, metric):
    words = made(name, {each: moving(frames, 0.2 * step) for step, each in enumerate("abc")})
    Path("split.json").write_text('{"tuning": ["c", "a"], "testing": ["b"]}')
    assert tune(words, "--trials", 1, "--split", "split.json") == 0
    assert test_tool.main([*words, "--video", "a", "c"]) == 0
    scores = eval_scores(name, "tiny_tiny", ["a", "c"])
    expected = scores["eao"]["all"] if metric == "eao" else scores[metric]
    assert float(rows(name)[0]["score"]) == pytest.approx(expected, abs=1e-12)
    assert expected > 0


def test_studies_of_something_else_are_refused(searched, capsys):
    write_benchmark(Path("data"), "UAV123", TRUTHS)
    Path("other.pth").write_bytes(Path("tiny.pth").read_bytes() + b" ")
    for more, difference in (
        (["--split-seed", 1], "split."),
        (["--dataset", "UAV123"], "dataset: 'OTB100' there, 'UAV123' here"),
        (["--snapshot", "other.pth"], "checkpoint_sha256"),
        (["TRACK.CONTEXT_AMOUNT", 0.4], "configuration.TRACK.CONTEXT_AMOUNT: 0.5 there, 0.4 here"),
        (["--range", "TRACK.LR", 0.2, 0.7], "ranges.TRACK.LR: [0.05, 0.8, None] there, [0.2, 0.7, None] here"),
    ):
        assert tune(SEARCH[:-2], "--study-name", "OTB100_tiny_tiny", *more, *SEARCH[-2:]) == 2
        error = capsys.readouterr().err
        assert "study 'OTB100_tiny_tiny'" in error
        assert difference in error
        assert "--study-name" in error


def test_results_of_something_else_are_refused_before_the_trials(searched, capsys):
    Path("other.pth").write_bytes(Path("tiny.pth").read_bytes() + b" ")
    words = [*SEARCH[:-2], "--snapshot", "other.pth", "--output", "tuning/OTB100_tiny_tiny", *SEARCH[-2:]]
    assert tune(words) == 2
    captured = capsys.readouterr()
    assert "results/OTB100/default holds results of another configuration (checkpoint_sha256" in captured.err
    assert captured.err.endswith("give another --output, or remove them\n")
    assert "trials:" not in captured.out


def test_a_checkpoint_that_cannot_be_used_leaves_no_study(made, capsys):
    words, whole = made(), Path("tiny.pth").read_bytes()
    Path("tiny.pth").write_bytes(whole[: len(whole) // 2])
    assert tune([*words, "--trials", 1]) == 2
    assert "tiny.pth: not a checkpoint" in capsys.readouterr().err
    assert not Path("tuning").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--split", "1.5"], "--split 1.5: expected a share between 0 and 1, or a file"),
        (["--split", "nothing.json"], "nothing.json: cannot be read as JSON"),
        (["--metric", "eao"], "unknown metric of OTB100 'eao'"),
        (["--fix", "TRACK.LRR"], "--fix TRACK.LRR: expected one of the searched keys"),
        (["--study-name", "../x"], "expected a name for a folder"),
        (["--study", "nodb://x"], "cannot be used as a database"),
        (["--timeout", "0"], "no trial of OTB100_tiny_tiny is complete"),
    ],
)
def test_mistakes_are_said_in_one_line(made, capsys, more, message):
    assert tune(made(), *more) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert message in error


def test_without_optuna_it_names_the_extra(made, monkeypatch, capsys):
    monkeypatch.delattr(toolkit.tuning, "study", raising=False)
    monkeypatch.delitem(sys.modules, "toolkit.tuning.study", raising=False)
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert tune(made(), "--trials", 1) == 2
    assert 'tuning needs optuna: pip install "pysot[tune]"' in capsys.readouterr().err


def test_words_behind_a_range_are_configuration_keys():
    args = tool.parse_args(["--range", "TRACK.LR", "0.1", "0.5", "TRACK.PENALTY_K", "0.1"])
    assert (args.range, args.opts) == ([["TRACK.LR", "0.1", "0.5"]], ["TRACK.PENALTY_K", "0.1"])


@pytest.mark.parametrize("seed", ["-1", str(2**32)])
def test_seeds_that_a_source_of_random_numbers_does_not_take(capsys, seed):
    with pytest.raises(SystemExit):
        tool.parse_args(["--seed", seed])
    assert f"argument --seed: expected 0 to 4294967295, got {seed}" in capsys.readouterr().err


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        tool.parse_args(["--help"])
    out = capsys.readouterr().out
    assert all(word in out for word in ("--range", "--split", "postgresql", "KEY VALUE", "held back"))


def test_commands_in_the_documentation_are_understood(repo_root):
    text = (repo_root / "docs/tuning.md").read_text(encoding="utf-8") + tool.EXAMPLES
    commands = [line.split("#")[0] for line in text.splitlines() if line.strip().startswith("python tools/tune.py")]
    assert len(commands) >= 8
    for command in commands:
        tool.parse_args(shlex.split(command)[2:])


@pytest.mark.slow
def test_worker_processes(made):
    assert tune(made(), "--trials", 5, "--workers", 2) == 0
    assert result()["trials"] == {"complete": 5}


def test_the_runtime_asked_for_is_that_of_trials_and_of_what_is_found(made):
    assert tune(made(), "--trials", 1, "--runtime", "fused") == 0
    run = json.loads(Path("tuning/OTB100_tiny_tiny/results/OTB100/default/run.json").read_text())
    assert run["configuration"]["TRACK"]["RUNTIME"] == "fused"
    assert pysot.load_cfg("tuning/OTB100_tiny_tiny/best.yaml").TRACK.RUNTIME == "fused"
