"""Searching settings with tools/tune.py: from the command line to files that the other tools take."""

from __future__ import annotations

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
TRUTHS = {name: moving(7, step) for name, step in zip("abcde", (0.5, 1.0, 1.5, 2.0, 2.5), strict=True)}
MODEL = ["--cfg", "tiny.yaml", "--snapshot", "tiny.pth", "--device", "cpu", "--dataset-root", "data"]


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Make a benchmark and a model in the current folder; return what names them."""
    monkeypatch.chdir(tmp_path)
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    Path("tiny.yaml").write_text(TINY)
    torch.manual_seed(0)
    torch.save(pysot.build_model(pysot.load_cfg("tiny.yaml")).state_dict(), "tiny.pth")

    def make(name="OTB100", truths=TRUTHS):
        write_benchmark(tmp_path / "data", name, truths)
        return [*MODEL, "--dataset", name]

    return make


def tune(made, *words):
    return tool.main([*made, *map(str, words)])


def result(name="OTB100_tiny_tiny"):
    return json.loads(Path("tuning", name, "result.json").read_text())


def test_a_search_leaves_files_that_the_other_tools_take(made, capsys):
    words = made()
    assert tune(words, "--trials", 3, "TRACK.LR", 0.35) == 0
    folder = Path("tuning/OTB100_tiny_tiny")
    out = capsys.readouterr().out
    found = result()
    assert found["trials"] == {"complete": 3}
    assert found["default"]["TRACK.LR"] == 0.35
    assert {*found["split"]["tuning"], *found["split"]["testing"]} == set(TRUTHS)
    assert json.loads((folder / "split.json").read_text()) == found["split"]
    assert f"tuning on {len(found['split']['tuning'])}: {' '.join(found['split']['tuning'])}\n" in out
    assert found["scores"]["tuning"]["gain"]["difference"] >= 0
    assert len((folder / "trials.csv").read_text().splitlines()) == 4
    assert cv2.imread(str(folder / "tuning.png")).std() > 10
    assert set(found["versions"]) == {"pysot", "python", "torch", "numpy", "opencv", "optuna"}
    # The command that is printed at the end tests the setting on all sequences, and it scores what the search says.
    command = shlex.split(out.splitlines()[-1].partition("to test it: python tools/test.py ")[2])
    assert test_tool.main([*command, "--device", "cpu"]) == 0
    scores = eval_scores("OTB100", "tiny_tiny_tuned", found["split"]["testing"])
    assert scores["success_auc"] == pytest.approx(found["scores"]["testing"]["score"]["tuned"], abs=1e-12)
    # A search that is complete only says again what came of it.
    assert tune(words, "--trials", 3, "TRACK.LR", 0.35) == 0
    assert result()["tuned"] == found["tuned"]
    assert result()["trials"] == {"complete": 3}


def eval_scores(name, tracker, videos):
    words = ["--dataset", name, "--dataset-root", "data", "--trackers", tracker, "--json", "scores.json"]
    assert eval_tool.main([*words, "--video", *videos]) == 0
    return json.loads(Path("scores.json").read_text())[name][tracker]


@pytest.mark.parametrize(
    ("name", "frames", "metric"),
    [("OTB100", 7, "success_auc"), ("Builtin-VOT", 24, "eao"), ("VOT2018-LT", 7, "f1"), ("GOT-10k-val", 7, "ao")],
)
def test_the_first_trial_scores_what_test_and_eval_say(made, name, frames, metric):
    words = made(name, {each: moving(frames, 0.2 * step) for step, each in enumerate("abc")})
    Path("split.json").write_text('{"tuning": ["c", "a"], "testing": ["b"]}')
    assert tune(words, "--trials", 1, "--split", "split.json") == 0
    assert test_tool.main([*words, "--video", "a", "c"]) == 0
    scores = eval_scores(name, "tiny_tiny", ["a", "c"])
    expected = scores["eao"]["all"] if metric == "eao" else scores[metric]
    table = Path(f"tuning/{name}_tiny_tiny/trials.csv").read_text().splitlines()
    row = dict(zip(table[0].split(","), table[1].split(","), strict=True))
    assert float(row["score"]) == pytest.approx(expected, abs=1e-12)
    assert expected > 0
    assert row["is_default"] == "True"


def test_studies_of_something_else_are_refused(made, tmp_path, capsys):
    words = [*made(), "--study-name", "one"]
    assert tune(words, "--trials", 1) == 0
    capsys.readouterr()
    made("UAV123")
    Path("other.pth").write_bytes(Path("tiny.pth").read_bytes() + b" ")
    for more, difference in (
        (["--split-seed", 1], "split."),
        (["--dataset", "UAV123"], "dataset: 'OTB100' there, 'UAV123' here"),
        (["--snapshot", "other.pth"], "checkpoint_sha256"),
        (["TRACK.CONTEXT_AMOUNT", 0.4], "configuration.TRACK.CONTEXT_AMOUNT: 0.5 there, 0.4 here"),
        (["--range", "TRACK.LR", 0.2, 0.7], "ranges.TRACK.LR: [0.05, 0.8, None] there, [0.2, 0.7, None] here"),
    ):
        assert tune(words, "--trials", 1, *more) == 2
        error = capsys.readouterr().err
        assert "study 'one'" in error
        assert difference in error
        assert "--study-name" in error
    assert tune(words, "--trials", 1) == 0


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
