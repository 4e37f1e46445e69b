"""The training tool: what it validates on and keeps, what it says, writes and refuses."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import pysot
from pysot.config import experiment_names
from pysot.engine.distributed import Group
from pysot.engine.snapshots import read_training_state
from pysot.engine.train_loop import Trainer
from pysot.engine.training_log import read_history
from tests.engine import tiny_training as tiny
from tests.made_benchmarks import Oracle, Static, moving, write_benchmark
from toolkit.errors import ToolkitError
from tools import train

TRACKED = ["TRAIN.VALIDATE_ON", "Builtin", "TRAIN.VALIDATE_SEQUENCES", "2", "TRAIN.VALIDATE_FRAMES", "4"]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_training_set(tmp_path_factory.mktemp("tool") / "set")


def words(data: Path, folder: Path, *changes: object, system: str = "siamrpn++") -> list[str]:
    """Return the command line of a tiny training."""
    places = ["TRAIN.SNAPSHOT_DIR", str(folder / "snapshot"), "TRAIN.LOG_DIR", str(folder / "logs")]
    options = [*tiny.settings(data, *changes, system=system), *places]
    texts = [repr(option) if isinstance(option, list | dict) else str(option) for option in options]
    return ["--cfg", tiny.SYSTEMS[system][0], "--device", "cpu", *texts]


def held_out(data: Path) -> list[object]:
    """Return settings of a data set beside the one that is trained on."""
    entry = {"ROOT": str(data), "ANNO": str(data / "train.json")}
    return ["DATASET.OTHER", entry, "TRAIN.VALIDATE_NAMES", ["OTHER"], "TRAIN.VALIDATE_PAIRS", 8]


def weights(folder: Path, name: str) -> dict[str, torch.Tensor]:
    path = folder / "snapshot" / name
    return torch.load(path, weights_only=True) if name == "best.pth" else read_training_state(path).state_dict


def history(folder: Path, column: str) -> list[float]:
    return [float(row[column]) for row in read_history(folder / "logs" / "history.csv")]


# Validation


def test_a_tracker_chooses_the_best_weights(data, tmp_path):
    assert train.main(words(data, tmp_path, *TRACKED, *held_out(data), "TRAIN.BASE_LR", 0.1)) == 0
    overlaps, losses = history(tmp_path, "validation_overlap"), history(tmp_path, "validation_loss")
    assert len(set(overlaps)) > 1
    assert all(np.isfinite(losses))
    best = f"checkpoint_e{1 + overlaps.index(max(overlaps))}.pth"
    assert tiny.differing(weights(tmp_path, "best.pth"), weights(tmp_path, best)) == []


def test_without_a_benchmark_the_loss_on_held_out_pairs_does(data, tmp_path):
    assert train.main(words(data, tmp_path, *held_out(data))) == 0
    losses = history(tmp_path, "validation_loss")
    best = f"checkpoint_e{1 + losses.index(min(losses))}.pth"
    assert tiny.differing(weights(tmp_path, "best.pth"), weights(tmp_path, best)) == []
    assert "validation_overlap" not in read_history(tmp_path / "logs" / "history.csv")[0]


def test_the_loss_on_held_out_pairs_is_that_of_every_pair(data, tmp_path, monkeypatch):
    # 6 pairs in batches of 4: as many as in one of 6, and each batch weighs what it holds.
    monkeypatch.setattr(Trainer, "losses_of", lambda self, network, batch: {"total": float(len(batch["template"]))})
    arguments = words(data, tmp_path, *held_out(data), "TRAIN.VALIDATE_PAIRS", 6, "TRAIN.EPOCH", 1)
    assert train.main(arguments) == 0
    assert history(tmp_path, "validation_loss") == [pytest.approx((4 * 4 + 2 * 2) / 6)]
    assert "held out: OTHER: 4 videos" in (record := (tmp_path / "logs" / "runs.txt").read_text())
    assert "\n  6 pairs\n" in record


def test_the_average_is_what_is_judged_and_kept(data, tmp_path, monkeypatch):
    build, judged = pysot.build_tracker, []

    def spy(cfg, network, device):
        judged.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
        return build(cfg, network, device)

    monkeypatch.setattr(pysot, "build_tracker", spy)
    options = ["TRAIN.EMA", 0.9, "TRAIN.LOG_IMAGES", 0]
    assert train.main(words(data, tmp_path, *TRACKED, *options)) == 0
    assert len(judged) == 3
    for epoch, network in enumerate(judged, 1):
        state = read_training_state(tmp_path / "snapshot" / f"checkpoint_e{epoch}.pth")
        assert tiny.differing(network, state.averaged["network"]) == []
        assert tiny.differing(network, state.state_dict)
    best = int(np.argmax(history(tmp_path, "validation_overlap")))
    assert tiny.differing(weights(tmp_path, "best.pth"), judged[best]) == []


_SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "system", ["siamrpn++", pytest.param("siamfc", marks=_SLOW), pytest.param("siammask", marks=_SLOW)]
)
def test_looking_on_changes_nothing(data, tmp_path, system):
    """Validation and pictures use neither the training's random numbers nor its network's statistics."""
    for name, options in (("alone", ["TRAIN.LOG_IMAGES", 0]), ("watched", [*TRACKED, *held_out(data)])):
        epochs = ["TRAIN.EPOCH", 2]
        assert train.main(words(data, tmp_path / name, *epochs, *options, system=system)) == 0
    states = [read_training_state(tmp_path / name / "snapshot" / "checkpoint_e2.pth") for name in ("alone", "watched")]
    assert tiny.differing(states[0].state_dict, states[1].state_dict) == []
    assert torch.equal(states[0].rng["cpu"], states[1].rng["cpu"])


# Stop and go on


def stopped_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Make the next runs stop after so many steps."""

    class Stop(train.StopSignals):
        def __enter__(self):
            self.steps = 0
            return self

        def __exit__(self, *error):
            pass

        def __call__(self):
            self.steps += 1
            return self.steps == steps

    monkeypatch.setattr(train, "StopSignals", Stop)


@pytest.mark.parametrize("steps", [2, 4, 5], ids=["within an epoch", "after its last step", "within the next"])
def test_a_run_that_was_stopped_leaves_the_record_of_one_that_was_not(data, tmp_path, monkeypatch, steps):
    options = [*held_out(data), "TRAIN.LR_PER_STEP", True, "TRAIN.EPOCH", 2]
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert train.main(words(data, whole, *options)) == 0
    with monkeypatch.context() as patch:
        stopped_after(patch, steps)
        assert train.main(words(data, stopped, *options)) == 130
    assert train.main(["--resume", "auto", *words(data, stopped, *options)]) == 0
    time_or_memory = {"pairs_per_second", "data_wait_share", "memory_gib"}
    rows = [read_history(folder / "logs" / "history.csv") for folder in (whole, stopped)]
    assert rows[0][0].keys() == rows[1][0].keys()
    assert len(rows[0]) == len(rows[1]) == 2
    for one, other in zip(*rows, strict=True):
        assert float(other["pairs_per_second"]) > 0
        for name in one.keys() - time_or_memory:
            assert one[name] == other[name], name
    pictures = [{path.name: path.read_bytes() for path in (f / "logs").glob("answers_*.png")} for f in (whole, stopped)]
    assert sorted(pictures[0]) == ["answers_e0.png", "answers_e1.png", "answers_e2.png"]
    assert pictures[0] == pictures[1]


def test_a_record_is_not_replaced_by_that_of_another_run(data, tmp_path, capsys):
    places = ["TRAIN.EPOCH", 1, "TRAIN.LOG_DIR", str(tmp_path / "logs"), "TRAIN.LOG_IMAGES", 0]
    assert train.main([*words(data, tmp_path / "one"), *map(str, places)]) == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "logs").iterdir()}
    capsys.readouterr()
    assert train.main([*words(data, tmp_path / "two"), *map(str, places)]) == 2
    assert re.fullmatch(
        r"error: TRAIN.LOG_DIR .*logs holds the record of a run .* choose another TRAIN.LOG_DIR, .*\n",
        capsys.readouterr().err,
    )
    assert {path.name: path.read_bytes() for path in (tmp_path / "logs").iterdir()} == before
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize(
    ("program", "variables", "size", "line"),
    [
        ("tools/train.py", (), 1, "python tools/train.py --cfg x"),
        ("pysot train", (), 1, "pysot train --cfg x"),
        ("tools/train.py", (2, 1), 2, "torchrun --nproc-per-node 2 tools/train.py --cfg x"),
        ("pysot train", (8, 2), 16, "torchrun --nnodes 2 --nproc-per-node 8 -m pysot train --cfg x"),
        ("tools/train.py", (), 4, "WORLD_SIZE=4 python tools/train.py --cfg x"),
    ],
)
def test_the_recorded_command_is_the_one_that_was_given(monkeypatch, program, variables, size, line):
    monkeypatch.setattr(sys, "argv", [program])
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    if variables:
        for name, value in zip(("LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE"), variables, strict=True):
            monkeypatch.setenv(name, str(value))
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert train.launch_command(["--cfg", "x"], Group(0, size, torch.device("cpu"))) == line


# The clips a tracker is judged by

ABSENT = [float("nan")] * 4


@pytest.fixture
def made(tmp_path, monkeypatch):
    def make(truths, name="OTB100", **extra):
        monkeypatch.setenv("MADE_TRUTH", str(write_benchmark(tmp_path / "data", name, truths, **extra)))
        return tmp_path / "data"

    return make


def test_frames_without_target_count_for_nothing(made):
    box = moving(6)
    truths = {
        "ends": [*box[:3], ABSENT, ABSENT, ABSENT],
        "begins": [box[0], ABSENT, *box[2:]],
        "away": [box[0], ABSENT, ABSENT, ABSENT, ABSENT, box[5]],
    }
    root = made(truths)
    annotations = root / "OTB100" / "OTB100.json"
    entries = json.loads(annotations.read_text())
    entries["begins"]["gt_rect"][0] = ABSENT  # first seen in the third frame
    annotations.write_text(json.dumps(entries))
    clips = train.find_clips("OTB100", root, sequences=10, frames=4)
    # Of the third, nothing is seen within four frames.
    assert [(clip.sequence.name, clip.first, len(clip.truth)) for clip in clips] == [("ends", 0, 4), ("begins", 2, 4)]
    oracle = Oracle()
    assert [clip.overlap(oracle) for clip in clips] == pytest.approx([1, 1])
    assert oracle.starts == [(0, 0, box[0]), (1, 2, box[2])]
    # 20 wide, a pixel farther each frame: 19 / 21, 18 / 22, ...
    assert [clip.overlap(Static()) for clip in clips] == pytest.approx(
        [np.mean([19 / 21, 18 / 22]), np.mean([19 / 21, 18 / 22, 17 / 23])]
    )


def test_only_so_many_sequences_and_frames_are_used(made):
    root = made({"ant": moving(5), "bee": moving(9), "cat": moving(9)})
    clips = train.find_clips("OTB100", root, sequences=2, frames=7)
    assert [(clip.sequence.name, len(clip.truth)) for clip in clips] == [("ant", 5), ("bee", 7)]


def test_missing_images_are_found_before_the_training(made):
    root = made({"ant": moving(9)})
    (root / "OTB100" / "ant" / "0004.png").unlink()
    assert train.find_clips("OTB100", root, sequences=1, frames=3)
    with pytest.raises(ToolkitError, match=r"0004\.png"):
        train.find_clips("OTB100", root, sequences=1, frames=4)


def test_a_benchmark_that_keeps_its_truth_is_refused_before_the_training(data, made, tmp_path, capsys):
    root = made({"ant": [moving(1)[0], ABSENT, ABSENT]})
    command = ["--dataset-root", str(root), *words(data, tmp_path, "TRAIN.VALIDATE_ON", "OTB100")]
    assert train.main(command) == 2
    assert re.search(r"error: TRAIN.VALIDATE_ON OTB100: .* name another benchmark", capsys.readouterr().err)
    assert not (tmp_path / "snapshot").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["TRAIN.VALIDATE_ON", "OTB10"], "unknown benchmark 'OTB10'"),
        (["TRAIN.VALIDATE_ON", "VOT2018"], "no VOT2018 in "),
        (["TRAIN.VALIDATE_NAMES", ["ABSENT"]], "ABSENT"),
        (["DATASET.ABSENT", {"ROOT": "nowhere", "ANNO": "no.json"}, "TRAIN.VALIDATE_NAMES", ["ABSENT"]], "nowhere"),
        (["TRAIN.VALIDATE_FRAMES", 0], "TRAIN.VALIDATE_FRAMES: expected positive, got 0"),
        (["TRAIN.LOG_IMAGES", -1], "TRAIN.LOG_IMAGES: expected not negative, got -1"),
    ],
)
def test_what_cannot_be_validated_on_is_said_before_the_training(data, tmp_path, capsys, changes, message):
    command = ["--dataset-root", str(tmp_path), *words(data, tmp_path, *changes)]
    assert train.main(command) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "snapshot").exists()


def test_everything_that_is_missing_is_named_at_once(data, tmp_path, capsys):
    absent = tmp_path / "absent"
    changes = ["BACKBONE.PRETRAINED", absent / "backbone.pth", "TRAIN.PRETRAINED", data / "train.json"]
    changes += ["DATASET.VID.ROOT", absent, "DATASET.OTHER", {"ROOT": str(data), "ANNO": f"{absent}.json"}]
    assert train.main(words(data, tmp_path, *changes, "TRAIN.VALIDATE_NAMES", ["OTHER"])) == 2
    err = capsys.readouterr().err
    named = f"BACKBONE.PRETRAINED {absent}/backbone.pth, DATASET.VID.ROOT {absent}, DATASET.OTHER.ANNO {absent}.json"
    assert err.startswith(f"error: not there: {named}. ")
    assert [part for part in ("docs/training.md", "training_dataset/README.md") if part not in err] == []
    assert err.count("\n") == 1


# What is said and written


def test_a_run_tells_what_it_is_made_of(data, tmp_path, capsys):
    assert train.main(words(data, tmp_path, *TRACKED, *held_out(data), "TRAIN.EPOCH", 1, "TRAIN.SEED", 3)) == 0
    out = capsys.readouterr().out
    described = ["VID: 4 videos, 4 targets, 12 boxes; 100.0 % of the pairs", "an epoch: 4 steps of 4 pairs"]
    assert out.splitlines()[:2] == described
    logs = tmp_path / "logs"
    expected = {"answers_e0.png", "answers_e1.png", "curves.png", "history.csv", "pairs_e0.png"}
    assert expected | {"runs.txt"} <= {path.name for path in logs.iterdir()}
    lines = (logs / "runs.txt").read_text().replace("\n  ", " / ").split("\n")
    facts = dict(line.split(": ", 1) for line in lines if line)
    assert facts["data"] == " / ".join(described)
    assert facts["held out"].startswith("OTHER: 4 videos")
    assert facts["tracked"] == "Builtin: 2 sequences, 8 frames"
    assert (facts["seed"], facts["place"], facts["processes"]) == ("3", "epoch 0, step 0", "1 on cpu (1 threads)")
    assert f"torch {torch.__version__}" in facts["versions"]
    assert shlex.split(facts["command"])[:4] == ["python", "tools/train.py", "--cfg", tiny.SYSTEMS["siamrpn++"][0]]
    sheets = [cv2.imread(str(logs / name)) for name in ("pairs_e0.png", "answers_e0.png", "answers_e1.png")]
    assert len({sheet.shape for sheet in sheets}) == 1
    assert (sheets[1] != sheets[2]).any()


def test_pictures_can_be_had_of_any_number_of_pairs_or_none(data, tmp_path):
    for number in (0, 1):
        folder = tmp_path / str(number)
        options = ["TRAIN.LOG_IMAGES", number, "TRAIN.EPOCH", 1, "DATASET.DEVICE_AUGMENT", True]
        assert train.main(words(data, folder, *options)) == 0
        assert len(list((folder / "logs").glob("*_e*.png"))) == 3 * number


def test_the_saved_configuration_is_the_one_that_was_trained(data, tmp_path):
    command = words(data, tmp_path, "TRAIN.EPOCH", 1, *held_out(data), system="siammask")
    assert train.main(command) == 0
    args = train.parse_args(command)
    assert pysot.load_cfg(tmp_path / "snapshot" / "config.yaml") == pysot.load_cfg(args.config, args.opts)


@pytest.mark.parametrize("name", experiment_names())
@pytest.mark.filterwarnings("error::pysot.config.ConfigWarning")
def test_every_configuration_can_be_saved_and_read(tmp_path, name):
    cfg = pysot.load_cfg(name)
    (tmp_path / "config.yaml").write_text(cfg.dump())
    assert pysot.load_cfg(tmp_path / "config.yaml") == cfg


def test_the_closing_line_tests_the_result_as_it_stands(data, tmp_path, repo_root, capsys):
    folder = tmp_path / "a folder"
    assert train.main(words(data, folder, "TRAIN.EPOCH", 1)) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("test it: "))
    (tmp_path / "tools").symlink_to(repo_root / "tools")
    command = shlex.split(line.removeprefix("test it: "))
    assert command[:2] == ["python", "tools/test.py"]
    done = subprocess.run(
        [sys.executable, *command[1:], "--device", "cpu", "--video", "bounce"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results" / "Builtin" / f"{tiny.SYSTEMS['siamrpn++'][0]}_best" / "run.json").is_file()
