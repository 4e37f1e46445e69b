"""Several processes, and the training tool as a process: what a run computes is the same however it is run."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny_training as tiny
import torch
from torch import nn

from pysot.engine.distributed import Group, join_group
from pysot.engine.snapshots import Snapshots, read_training_state
from pysot.utils import ConfigError
from tools import train

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_training_set(tmp_path_factory.mktemp("processes") / "set")


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", **variables}


def start(*command: str, start_new_session: bool = False, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=start_new_session,
    )


def finish(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    return out, err


# Two processes

_RUN = """
import json, sys
sys.path[:0] = [{tests!r}, {root!r}]
import torch
import tiny_training as tiny
from pathlib import Path
from pysot.engine.distributed import join_group
from pysot.engine.snapshots import Snapshots
from pysot.engine.train_loop import TrainingError

torch.set_num_threads(1)
jobs = json.loads(Path(sys.argv[1]).read_text())
with join_group(torch.device("cpu")) as group:
    for job in jobs:
        # Without normalisation over a batch, only sums over pairs are left.
        frozen = lambda self, mode=True: torch.nn.Module.train(self, mode and not job["frozen"])
        torch.nn.BatchNorm2d.train = frozen
        steps = []
        trainer = tiny.small_trainer(
            Path(job["data"]), *job["options"], system=job["system"], group=group, on_step=steps.append, pairs=8
        )
        poison = job["poison"]
        if group.rank == 1 and poison:
            forward, calls = trainer._module.forward, iter(range(1000))
            def poisoned(*inputs):
                losses = forward(*inputs)
                if next(calls) in poison:
                    losses["total"] = losses["total"] * torch.nan
                return losses
            trainer._module.forward = poisoned
        try:
            trainer.run()
            error = ""
        except TrainingError as found:
            error = str(found)
        torch.save(
            {{
                "weights": trainer.network.state_dict(),
                "losses": [step.losses for step in steps],
                "skipped": [list(step.skipped) for step in steps],
                "error": error,
            }},
            f"{{job['out']}}.{{group.rank}}.pth",
        )
"""


def train_in_groups(tmp_path: Path, jobs: dict[str, tuple[int, dict]]) -> dict[str, list[dict]]:
    """Run every job in a group of so many processes, and return what each of them ended with."""
    script = tmp_path / "run.py"
    script.write_text(_RUN.format(tests=str(Path(__file__).parent), root=str(ROOT)))
    started = []
    for size in sorted({size for size, _ in jobs.values()}):
        own = [{**job, "out": str(tmp_path / name)} for name, (processes, job) in jobs.items() if processes == size]
        listed = tmp_path / f"jobs{size}.json"
        listed.write_text(json.dumps(own))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        for rank in range(size):
            place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size)}
            started.append(start(str(script), str(listed), MASTER_ADDR="127.0.0.1", MASTER_PORT=port, **place))
    for process in started:
        finish(process)
    return {
        name: [torch.load(tmp_path / f"{name}.{rank}.pth", weights_only=True) for rank in range(size)]
        for name, (size, _) in jobs.items()
    }


def largest_difference(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
    assert first.keys() == second.keys()
    return max(float((first[name].double() - second[name].double()).abs().max()) for name in first)


def test_two_processes_make_the_steps_of_one_with_the_joined_batch(data, tmp_path):
    def job(*options, system="siamrpn++", frozen=True, poison=()):
        # 2 steps an epoch of 4 pairs, the backbone joins in the second: the wrapper is made anew.
        return {"options": options, "system": system, "frozen": frozen, "poison": poison, "data": str(data)}

    one, two = ["TRAIN.BATCH_SIZE", 4], ["TRAIN.BATCH_SIZE", 2]
    plain = ["TRAIN.WEIGHT_DECAY", 0.0, "TRAIN.GRAD_CLIP", 0.0]
    found = train_in_groups(
        tmp_path,
        {
            "one": (1, job(*one)),
            "two": (2, job(*two)),
            "two_accumulated": (2, job("TRAIN.BATCH_SIZE", 1, "TRAIN.ACCUMULATE", 2)),
            "one_up_channel": (1, job(*one, system="siamrpn")),
            "two_up_channel": (2, job(*two, system="siamrpn")),
            "mean_twice_the_rate": (2, job(*two, *plain, "TRAIN.BASE_LR", 0.01)),
            "sum": (2, job(*two, *plain, "TRAIN.BASE_LR", 0.005, "TRAIN.GRAD_REDUCE", "sum")),
            "normalised": (2, job(*two, frozen=False)),
            "one_skips": (2, job(*two, poison=[1])),
            "all_stop": (2, job(*two, "TRAIN.MAX_SKIPPED", 1, poison=[1, 2, 3])),
        },
    )
    weights = {name: ranks[0]["weights"] for name, ranks in found.items()}
    for name, ranks in found.items():
        assert all(largest_difference(rank["weights"], weights[name]) == 0 for rank in ranks), name
    for single, several in (("one", "two"), ("one", "two_accumulated"), ("one_up_channel", "two_up_channel")):
        assert largest_difference(weights[single], weights[several]) < 1e-5, several
        for expected, losses in zip(found[single][0]["losses"], found[several][0]["losses"], strict=True):
            assert losses == pytest.approx(expected, rel=1e-4)
    assert largest_difference(weights["sum"], weights["mean_twice_the_rate"]) < 1e-5
    assert largest_difference(weights["sum"], weights["two"]) > 1e-4
    # A loss that is not finite in one process makes all skip, and all know whose it was.
    for rank in found["one_skips"]:
        assert [len(names) for names in rank["skipped"]] == [0, 2, 0, 0, 0, 0]
    assert found["one_skips"][0]["skipped"] == found["one_skips"][1]["skipped"]
    for rank in found["all_stop"]:
        assert "2 steps in a row" in rank["error"]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK is 2, WORLD_SIZE 2: expected a rank from 0"),
        ({"RANK": "first"}, "RANK is 'first': expected a number"),
    ],
)
def test_a_place_that_cannot_be_is_refused(monkeypatch, variables, message):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=message), join_group(torch.device("cpu")):
        pass


def test_several_processes_on_one_gpu_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="2 processes on one GPU cuda:0: use --device cuda"):
        join_group(torch.device("cuda:0")).__enter__()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(ConfigError, match=r"process 1 of this machine has no GPU of its own.*--nproc-per-node 1"):
        join_group(torch.device("cuda")).__enter__()


# The tool


def tool(data: Path, folder: Path, *arguments: str, pairs: int = 40, launcher: tuple[str, ...] = ()) -> list[str]:
    options = [
        *tiny.settings(data, pairs=pairs),
        *["TRAIN.SNAPSHOT_DIR", str(folder / "snapshot"), "TRAIN.LOG_DIR", str(folder / "logs")],
    ]
    texts = [repr(option) if isinstance(option, list) else str(option) for option in options]
    return [*launcher, "tools/train.py", "--cfg", tiny.SYSTEMS["siamrpn++"][0], "--device", "cpu", *arguments, *texts]


def last_weights(folder: Path) -> dict[str, torch.Tensor]:
    latest = Snapshots(folder / "snapshot").latest()
    assert latest is not None
    assert latest.name == "checkpoint_e3.pth"
    return read_training_state(latest).state_dict


def wait_for(condition, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_killed_and_a_terminated_run_end_in_the_same_weights(data, tmp_path, capsys):
    whole, killed, stopped = (tmp_path / name for name in ("whole", "killed", "stopped"))
    processes = {folder: start(*tool(data, folder)) for folder in (killed, stopped)}
    wait_for((killed / "snapshot" / "checkpoint_e1.pth").exists, processes[killed])
    time.sleep(random.Random(os.getpid()).uniform(0, 0.3))
    processes[killed].kill()
    processes[killed].communicate()
    wait_for((stopped / "snapshot" / "checkpoint_e1.pth").exists, processes[stopped])
    processes[stopped].send_signal(signal.SIGTERM)
    out, _ = finish(processes[stopped], 130)
    assert "go on with --resume auto" in out

    assert train.main(tool(data, whole)[1:]) == 0
    assert "test it: python tools/test.py" in capsys.readouterr().out
    assert {path.name for path in (whole / "logs").iterdir()} >= {"history.csv", "curves.png"}
    for folder in (killed, stopped):
        assert train.main(tool(data, folder, "--resume", "auto")[1:]) == 0
        assert "resumed: " in capsys.readouterr().out
        assert tiny.differing(last_weights(whole), last_weights(folder)) == []
        assert (folder / "logs" / "history.csv").read_text().count("\n") == 4
    # A new run does not mix its checkpoints with theirs.
    assert train.main(tool(data, whole)[1:]) == 2
    assert "holds a run that got farther" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "sigwaitinfo"), reason="needs POSIX real-time signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_processes_of_a_run_with_workers_saves_it(data, tmp_path, number):
    process = start(*tool(data, tmp_path, pairs=400), "TRAIN.NUM_WORKERS", "2", start_new_session=True)
    wait_for((tmp_path / "snapshot" / "checkpoint_e1.pth").exists, process)
    os.killpg(process.pid, number)
    out, _ = finish(process, 130)
    assert "go on with --resume auto" in out


@pytest.mark.slow
def test_torchrun_starts_and_terminates_it(data, tmp_path):
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    process = start(*tool(data, tmp_path, launcher=launcher, pairs=400))
    wait_for((tmp_path / "snapshot" / "checkpoint_e1.pth").exists, process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    latest = Snapshots(tmp_path / "snapshot").latest()
    assert latest is not None
    place = read_training_state(latest)
    assert place.epoch >= 1
    assert place.step > 0
    finish(start(*tool(data, tmp_path, "--resume", "auto", launcher=launcher, pairs=400)))
    assert last_weights(tmp_path)
    recorded = (tmp_path / "logs" / "runs.txt").read_text()
    assert recorded.count("command: torchrun --nproc-per-node 2 tools/train.py --cfg ") == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["DATASET.VID.ANNO", "nowhere.json"], "nowhere.json"),
        (["BACKBONE.TRAIN_LAYERS", "['layer9']"], "BACKBONE.TRAIN_LAYERS ['layer9']"),
        (["--resume", "nowhere.pth"], "nowhere.pth"),
        (["--device", "cuda"], "finds no CUDA device"),
    ],
)
def test_mistakes_are_one_line(data, tmp_path, change, message, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    arguments = tool(data, tmp_path)[1:]
    arguments = arguments[:4] + change + arguments[4:] if change[0].startswith("--") else arguments + change
    assert train.main(arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.startswith("error: ")


class _FarAway(Group):
    """A group whose other processes have statistics of 100, whatever this one has."""

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        return values + 100 * (self.size - 1)


def test_only_statistics_that_still_change_are_shared():
    network = nn.Sequential(nn.BatchNorm2d(1), nn.BatchNorm2d(1))
    network[1].eval()
    group = _FarAway(0, 3, torch.device("cpu"))
    group.share_statistics(network)
    assert network[0].running_mean.item() == pytest.approx(200 / 3)
    assert network[0].running_var.item() == pytest.approx(201 / 3)
    assert (network[1].running_mean.item(), network[1].running_var.item()) == (0, 1)
    network.eval()
    group.share_statistics(network)  # nothing to share: not even a message
    assert network[0].running_mean.item() == pytest.approx(200 / 3)
