"""Running trackers on benchmarks with tools/test.py: results, what survives, what is refused."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import cv2
import pytest
from made_benchmarks import moving, write_benchmark, write_pictures

import pysot
from tools import test as tool

TINY = """\
BACKBONE: {TYPE: alexnetlegacy, KWARGS: {width_mult: 0.1}}
ADJUST: {ADJUST: false}
RPN: {TYPE: DepthwiseRPN, KWARGS: {anchor_num: 5}}
TRACK: {INSTANCE_SIZE: 287, BASE_SIZE: 0}
"""
TRUTHS = {"ant": moving(22), "bee": moving(30, 0.5), "cat": moving(12)}


@pytest.fixture
def made(tmp_path, monkeypatch, repo_root):
    """Return a function that makes a benchmark; the trackers of made_benchmarks can be named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{repo_root / 'tests'}")
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)

    def make(name="OTB100", truths=TRUTHS, **extra):
        monkeypatch.setenv("MADE_TRUTH", str(write_benchmark(tmp_path / "data", name, truths, **extra)))
        return name

    return make


def run(*words, tracker="Oracle"):
    return tool.main(["--dataset-root", "data", "--tracker", f"made_benchmarks:{tracker}", *map(str, words)])


def record(path):
    return json.loads(Path(path, "run.json").read_text())


def contents(folder):
    """Return the result files; times and speeds are those of the day."""
    files = (path for path in sorted(Path(folder).rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if path.name != "run.json" and not path.name.endswith("_time.txt")
    }


# What is written.


def test_a_run_leaves_results_and_their_record(made, capsys):
    assert run("--dataset", made()) == 0
    folder = Path("results/OTB100/Oracle")
    assert sorted(path.name for path in folder.iterdir()) == [".run.lock", "ant.txt", "bee.txt", "cat.txt", "run.json"]
    assert (folder / "cat.txt").read_text().splitlines()[:2] == ["20.5,30.5,20.0,20.0", "21.0,30.0,20.0,20.0"]
    found = record(folder)
    assert found["configuration"] == {"tracker": "made_benchmarks:Oracle"}
    assert (found["seed"], found["dataset"], found["tracker"]) == (0, "OTB100", "Oracle")
    assert set(found["versions"]) == {"pysot", "python", "torch", "numpy", "opencv"}
    sequences = found["protocols"]["one_pass"]["sequences"]
    assert {name: entry["frames"] for name, entry in sequences.items()} == {"ant": 21, "bee": 29, "cat": 11}
    seconds = sum(entry["seconds"] for entry in sequences.values())
    assert found["fps"] == pytest.approx(61 / seconds)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[1:4]] == ["OTB100 [1/3] bee", "OTB100 [2/3] ant", "OTB100 [3/3] cat"]
    assert lines[-1] == "to score it: python tools/eval.py --dataset OTB100 --results results --dataset-root data"


def test_finished_sequences_are_skipped(made, capsys):
    name = made()
    assert run("--dataset", name, "--video", "ant", "cat") == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("--dataset-root data --trackers Oracle")
    assert record("results/OTB100/Oracle")["protocols"]["one_pass"]["videos"] == ["ant", "cat"]
    Path("results/OTB100/Oracle/ant.txt").write_text("mine\n")
    Path("results/OTB100/Oracle/cat.txt").unlink()
    assert run("--dataset", name) == 0
    assert "3 sequences, 1 are done already" in capsys.readouterr().out
    assert Path("results/OTB100/Oracle/ant.txt").read_text() == "mine\n"
    assert len(Path("results/OTB100/Oracle/cat.txt").read_text().splitlines()) == 12
    assert record("results/OTB100/Oracle")["protocols"]["one_pass"]["videos"] is None


def test_versions_stay_those_of_the_results(made, monkeypatch):
    name = made()
    assert run("--dataset", name, "--video", "ant") == 0
    monkeypatch.setattr(tool, "versions", lambda: {"torch": "next"})
    assert run("--dataset", name, "--video", "ant") == 0
    assert set(record("results/OTB100/Oracle")["versions"]) == {"pysot", "python", "torch", "numpy", "opencv"}
    assert run("--dataset", name) == 0
    assert record("results/OTB100/Oracle")["versions"] == {"torch": "next"}


def test_several_benchmarks_at_once(made):
    made("OTB100")
    made("VOT2018")
    assert run("--dataset", "OTB100", "VOT2018") == 0
    assert Path("results/OTB100/Oracle/bee.txt").is_file()
    assert Path("results/VOT2018/Oracle/baseline/bee/bee_001.txt").is_file()


def test_failures_are_counted_as_they_happen(made, capsys):
    assert run("--dataset", made("VOT2018"), tracker="Loses") == 0
    assert "ant: 22 frames" in (out := capsys.readouterr().out)
    assert "lost 2" in next(line for line in out.splitlines() if " ant:" in line)
    assert "lost 1" in next(line for line in out.splitlines() if " cat:" in line)


@pytest.mark.parametrize(
    ("name", "options", "files"),
    [
        ("VOT2018", ["--protocol", "realtime"], ["realtime/cat/cat_001.txt"]),
        ("VOT2018", ["--protocol", "unsupervised"], ["unsupervised/cat/cat_001.txt"]),
        ("VOT2018", ["--repetitions", "2"], ["baseline/cat/cat_001.txt", "baseline/cat/cat_002.txt"]),
        (
            "VOT2018-LT",
            [],
            ["longterm/cat/cat_001.txt", "longterm/cat/cat_001_confidence.value", "longterm/cat/cat_time.txt"],
        ),
        ("GOT-10k-val", [], ["cat/cat_001.txt", "cat/cat_002.txt", "cat/cat_003.txt", "cat/cat_time.txt"]),
    ],
)
def test_each_protocol_has_its_files(made, name, options, files):
    assert run("--dataset", made(name), "--video", "cat", *options) == 0
    folder = Path("results") / name / "Oracle"
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert found == sorted([*files, ".run.lock", "run.json"])


def test_protocols_of_one_tracker_lie_side_by_side(made):
    name = made("VOT2018")
    assert run("--dataset", name) == 0
    assert run("--dataset", name, "--protocol", "unsupervised") == 0
    assert set(record("results/VOT2018/Oracle")["protocols"]) == {"supervised", "unsupervised"}


def test_random_numbers_depend_on_the_seed_and_repetition_alone(made):
    name = made("GOT-10k-val")
    assert run("--dataset", name, tracker="Slow") == 0
    assert run("--dataset", name, "--tracker-name", "again", "--video", "cat", tracker="Slow") == 0
    assert run("--dataset", name, "--tracker-name", "other", "--video", "cat", "--seed", 7, tracker="Slow") == 0
    first, again, other = (contents(f"results/{name}/{tracker}/cat") for tracker in ("Slow", "again", "other"))
    assert first == again
    assert first != other
    assert len(set(first.values())) == 3


def test_a_video_per_sequence(made):
    assert run("--dataset", made(), "--video", "ant", "cat") == 0
    assert run("--dataset", "OTB100", "--video", "cat", "--vis") == 0
    assert [path.name for path in Path("results/OTB100/Oracle/videos").iterdir()] == ["cat.mp4"]
    capture = cv2.VideoCapture("results/OTB100/Oracle/videos/cat.mp4")
    frames = [frame for _ in range(13) for ok, frame in [capture.read()] if ok]
    assert len(frames) == 12
    # The tracker's red lies over the ground truth's green: frame 4, left edge at 20 + 4, middle height.
    blue, green, red = frames[4][40, 24].astype(int)
    assert red > green + 60
    assert red > blue + 60


# Own data and own trackers.


def test_a_folder_of_own_sequences(made, tmp_path, monkeypatch):
    made()
    write_pictures(tmp_path / "mine/one/img", 0, 5, [f"{index}.png" for index in range(8, 13)])
    (tmp_path / "mine/one/groundtruth_rect.txt").write_text("20,30,20,20\n" * 5)
    assert run("--dataset", "mine", tracker="Static") == 0
    assert Path("results/mine/Static/one.txt").read_text() == "20.5,30.5,20.0,20.0\n" * 5


@pytest.mark.parametrize(
    ("tracker", "message"),
    [
        ("nothing_like_this:build", "no module 'nothing_like_this' in this folder or installed"),
        ("made_benchmarks:Orakel", "expected MODULE:FACTORY, made_benchmarks has no function 'Orakel'"),
        ("made_benchmarks", "made_benchmarks has no function ''"),
    ],
)
def test_a_tracker_that_is_not_there(made, capsys, tracker, message):
    made()
    assert tool.main(["--dataset-root", "data", "--dataset", "OTB100", "--tracker", tracker]) == 2
    assert message in capsys.readouterr().err


def test_a_tracker_in_the_current_folder(made, tmp_path):
    made()
    (tmp_path / "box_keeper.py").write_text("from made_benchmarks import Static\n\ndef build():\n    return Static()\n")
    words = ["--dataset-root", "data", "--dataset", "OTB100", "--tracker", "box_keeper:build"]
    assert tool.main(words) == 0
    assert Path("results/OTB100/build/ant.txt").is_file()
    assert len(record("results/OTB100/build")["source_sha256"]) == 64
    del sys.modules["box_keeper"]


# Refusals.


def test_results_of_another_configuration_are_refused_unless_overwritten(made, capsys):
    assert run("--dataset", made(), "--tracker-name", "mine") == 0
    before = contents("results/OTB100/mine")
    assert run("--dataset", "OTB100", "--tracker-name", "mine", tracker="Static") == 2
    error = capsys.readouterr().err
    assert "holds results of another configuration" in error
    assert "configuration.tracker: 'made_benchmarks:Oracle' there, 'made_benchmarks:Static' here" in error
    assert contents("results/OTB100/mine") == before
    words = ["--dataset", "OTB100", "--tracker-name", "mine", "--video", "cat", "--overwrite"]
    assert run(*words, tracker="Static") == 0
    assert set(contents("results/OTB100/mine")) == {"cat.txt", ".run.lock"}
    assert Path("results/OTB100/mine/cat.txt").read_text() == "20.5,30.5,20.0,20.0\n" * 12
    assert "note: results/OTB100/mine: results of another configuration were removed" in capsys.readouterr().err


def test_nothing_is_removed_on_one_benchmark_where_another_is_refused(made, capsys):
    assert run("--dataset", made("UAV123"), made("OTB100"), "--tracker-name", "mine") == 0
    before = contents("results")
    Path("results/UAV123/mine/run.json").write_text("{")
    assert run("--dataset", "OTB100", "UAV123", "--tracker-name", "mine", "--overwrite", "--seed", 3) == 2
    assert "UAV123/mine/run.json: cannot be read as JSON" in capsys.readouterr().err
    assert contents("results") == before


@pytest.mark.parametrize("workers", [1, 2])
def test_a_checkpoint_that_cannot_be_used_removes_nothing_and_leaves_nothing(made, capsys, workers):
    torch = pytest.importorskip("torch")
    assert run("--dataset", made(), "--tracker-name", "mine") == 0
    before = contents("results/OTB100/mine")
    Path("tiny.yaml").write_text(TINY)
    Path("tiny.pth").write_bytes(b"no checkpoint")
    words = ["--dataset-root", "data", "--dataset", "OTB100", "--cfg", "tiny.yaml", "--snapshot", "tiny.pth"]
    words += ["--device", "cpu", "--workers", str(workers), "--video", "cat"]
    assert tool.main([*words, "--tracker-name", "mine", "--overwrite"]) == 2
    assert "tiny.pth: not a checkpoint" in capsys.readouterr().err
    assert contents("results/OTB100/mine") == before
    assert tool.main(words) == 2
    assert not Path("results/OTB100/tiny_tiny").exists()
    # The whole file under the same name: nothing stands in its way.
    torch.save(pysot.build_model(pysot.load_cfg("tiny.yaml")).state_dict(), "tiny.pth")
    assert tool.main(words) == 0
    assert Path("results/OTB100/tiny_tiny/cat.txt").is_file()


def test_a_function_that_makes_no_tracker_is_refused(made, capsys):
    words = ["--dataset-root", "data", "--dataset", made()]
    assert tool.main([*words, "--tracker", "os:getcwd"]) == 2
    assert "--tracker os:getcwd: expected an object with init and track, got str" in capsys.readouterr().err
    assert not Path("results").exists()


def test_files_of_unknown_origin_are_refused(made, capsys):
    made()
    Path("results/OTB100/Oracle").mkdir(parents=True)
    Path("results/OTB100/Oracle/ant.txt").write_text("1,2,3,4\n")
    assert run("--dataset", "OTB100") == 2
    assert "files without run.json: ant.txt" in capsys.readouterr().err
    assert run("--dataset", "OTB100", "--overwrite") == 0
    assert "results of another configuration were removed" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", ".."])
def test_a_name_that_leads_elsewhere_is_refused(made, capsys, name):
    assert run("--dataset", made(), "--tracker-name", name, "--overwrite") == 2
    assert "expected a name for a folder" in capsys.readouterr().err


def test_unknown_sequence_suggests_the_nearest(made, capsys):
    assert run("--dataset", made(), "--video", "Bea") == 2
    assert capsys.readouterr().err == "error: OTB100 has no sequence 'Bea'; did you mean 'bee'?\n"


def test_a_benchmark_that_is_not_there_says_where_to_get_it(made, capsys):
    made()
    assert run("--dataset", "VOT2018") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "no VOT2018 in data" in error
    assert "testing_dataset/README.md" in error
    assert "Builtin" in error


def test_configuration_without_weights(made, capsys):
    made()
    assert tool.main(["--dataset-root", "data", "--dataset", "OTB100", "--cfg", "siamfc_alex"]) == 2
    assert "--cfg siamfc_alex needs --snapshot FILE" in capsys.readouterr().err
    assert tool.main(["--dataset-root", "data", "--dataset", "OTB100", "--cfg", "siamfc_alexx"]) == 2
    assert "Did you mean 'siamfc_alex'?" in capsys.readouterr().err


def test_the_name_of_results_is_that_of_the_configuration(made, tmp_path, monkeypatch, repo_root):
    torch = pytest.importorskip("torch")
    made()
    folder = tmp_path / "experiments/mine"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(TINY)
    model = pysot.build_model(pysot.load_cfg(folder / "config.yaml"))
    monkeypatch.chdir(folder)
    for file, name in (("model.pth", "mine"), ("checkpoint_e3.pth", "mine_checkpoint_e3")):
        torch.save(model.state_dict(), file)
        words = [
            "--dataset-root",
            tmp_path / "data",
            "--dataset",
            "OTB100",
            "--config",
            "config.yaml",
            "--video",
            "cat",
        ]
        words += ["--snapshot", file, "--device", "cpu", "TRACK.LR", 0.25]
        assert tool.main(list(map(str, words))) == 0
        assert len(Path(f"results/OTB100/{name}/cat.txt").read_text().splitlines()) == 12
        found = record(f"results/OTB100/{name}")
        assert found["configuration"]["TRACK"]["LR"] == 0.25
        assert found["checkpoint"] == file
        assert found["checkpoint_sha256"] == hashlib.sha256(Path(file).read_bytes()).hexdigest()
        assert found["device"].startswith("cpu")


def test_an_unknown_device_is_refused_before_anything_is_run(made, tmp_path, capsys):
    made()
    (tmp_path / "tiny.yaml").write_text(TINY)
    (tmp_path / "tiny.pth").write_bytes(b"never looked into")
    words = ["--dataset-root", "data", "--dataset", "OTB100", "--cfg", "tiny.yaml", "--snapshot", "tiny.pth"]
    assert tool.main([*words, "--device", "gpu"]) == 2
    assert "unknown device 'gpu'" in capsys.readouterr().err
    assert not Path("results").exists()


def test_one_sequence_that_cannot_be_run_does_not_stop_the_others(made, capsys):
    made()
    Path("data/OTB100/bee/0004.png").write_bytes(b"no picture")
    assert run("--dataset", "OTB100") == 1
    captured = capsys.readouterr()
    assert "no result: OTB100 bee: data/OTB100/bee/0004.png: cannot be decoded" in captured.err
    assert "2 of 3 sequences" in captured.out
    assert set(contents("results/OTB100/Oracle")) >= {"ant.txt", "cat.txt"}
    assert not Path("results/OTB100/Oracle/bee.txt").exists()


def test_an_image_that_is_cut_off_is_not_tracked_as_the_gray_it_decodes_to(made, capsys):
    made()
    file = Path("data/OTB100/bee/0004.png")
    file.write_bytes(file.read_bytes()[:-20])
    assert run("--dataset", "OTB100") == 1
    error = capsys.readouterr().err
    assert "no result: OTB100 bee: data/OTB100/bee/0004.png: is cut off (frame 4 of bee)" in error


def test_a_tracker_that_returns_no_box_is_reported_with_the_frame(made, capsys):
    assert run("--dataset", made(), tracker="NotFinite") == 1
    assert "no result: OTB100 bee: bee frame 2: the tracker's bbox is [nan, nan, nan, nan]" in capsys.readouterr().err
    assert Path("results/OTB100/NotFinite/ant.txt").is_file()


# Configuration keys behind names.


def test_overrides_may_stand_behind_several_names():
    args = tool.parse_args(
        ["--dataset", "VOT2018", "VOT2018-LT", "TRACK.LR", "0.3", "--video", "a", "ANCHOR.STRIDE", "8"]
    )
    assert (args.dataset, args.video) == (["VOT2018", "VOT2018-LT"], ["a"])
    assert args.opts == ["TRACK.LR", "0.3", "ANCHOR.STRIDE", "8"]
    assert tool.parse_args([]).dataset == ["Builtin"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tracker", "a:b", "TRACK.LR", "0.3"], "--tracker is a tracker of your own"),
        (["--workers", "0"], "expected 1 or more, got 0"),
    ],
)
def test_options_that_make_no_sense(capsys, words, message):
    with pytest.raises(SystemExit):
        tool.parse_args(words)
    assert message in capsys.readouterr().err


# Submissions.


def test_got10k_archive_has_the_sequences_at_its_top(made, capsys):
    assert run("--dataset", made("GOT-10k-test", {"one": moving(4), "two": moving(3)})) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "to submit: results/GOT-10k-test/Oracle.zip"
    with zipfile.ZipFile("results/GOT-10k-test/Oracle.zip") as archive:
        names = {f"{each}/{each}_{number}.txt" for each in ("one", "two") for number in ("001", "002", "003", "time")}
        assert set(archive.namelist()) == names
        assert archive.read("one/one_002.txt").decode().splitlines()[1] == "21.0,30.0,20.0,20.0"


def test_trackingnet_archive_has_a_file_per_sequence_and_is_complete_or_not_there(made):
    made("TrackingNet", {"one": moving(4), "two": moving(3)})
    assert run("--dataset", "TrackingNet", "--video", "one") == 0
    assert not Path("results/TrackingNet/Oracle.zip").exists()
    assert run("--dataset", "TrackingNet") == 0
    with zipfile.ZipFile("results/TrackingNet/Oracle.zip") as archive:
        assert archive.namelist() == ["one.txt", "two.txt"]
        assert archive.read("two.txt") == Path("results/TrackingNet/Oracle/two.txt").read_bytes()


# Several processes, and processes that die.


def start(*words, tracker="Slow"):
    program = [sys.executable, str(Path(tool.__file__))]
    words = ["--dataset-root", "data", "--tracker", f"made_benchmarks:{tracker}", *map(str, words)]
    return subprocess.Popen(program + words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(*words, tracker="Slow"):
    process = start(*words, tracker=tracker)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def test_killed_at_random_moments_and_run_again_gives_the_same(made):
    truths = {f"s{number}": moving(40 + 5 * number) for number in range(12)}
    assert run("--dataset", made("VOT2018-LT", truths), tracker="Slow") == 0
    undisturbed = contents("results/VOT2018-LT/Slow")
    rng = random.Random(3)
    finished = []
    while len(finished) < 3 or not finished[-1]:  # a busy machine may finish none in the first three
        process = start("--dataset", "VOT2018-LT", "--results", "killed")
        while not any(str(process.pid) in file.read_text() for file in Path("killed").glob("*/*/.claims/*")):
            time.sleep(0.01)
        time.sleep(rng.uniform(0.1, 0.9))  # undisturbed, it works for three seconds
        process.kill()
        process.wait()
        finished.append(len(list(Path("killed").rglob("*_001.txt"))))
    code, out, _ = finish("--dataset", "VOT2018-LT", "--results", "killed")
    assert code == 0
    assert 0 < finished[-1] < 12
    assert f"{finished[-1]} are done already" in out or f"{finished[-1] - 1} are done already" in out
    assert contents("killed/VOT2018-LT/Slow") == undisturbed
    assert set(record("killed/VOT2018-LT/Slow")["protocols"]["long_term"]["sequences"]) == set(truths)


def test_workers_share_the_sequences_and_give_the_same_results(made):
    truths = {f"s{number}": moving(30 + 5 * number) for number in range(8)}
    assert run("--dataset", made("VOT2018", truths), tracker="Slow") == 0
    code, out, err = finish("--dataset", "VOT2018", "--results", "shared", "--workers", 2)
    assert code == 0
    assert "error" not in err
    assert "ended" not in err
    assert contents("shared/VOT2018/Slow") == contents("results/VOT2018/Slow")
    done = [line for line in out.splitlines() if "fps" in line and "[" in line]
    assert len(done) == 8
    assert out.splitlines()[-2].startswith("shared/VOT2018/Slow: 8 of 8 sequences")


def test_ranks_of_a_launcher_share_the_sequences(made, monkeypatch):
    truths = {f"s{number}": moving(60) for number in range(6)}
    made("OTB100", truths)
    monkeypatch.setenv("WORLD_SIZE", "2")
    ranks = []
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        ranks.append(start("--dataset", "OTB100"))
    outs = [rank.communicate(timeout=120)[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0]
    counts = [sum("[" in line for line in out.splitlines()) for out in outs]
    assert sum(counts) == 6
    assert all(counts)
    assert "6 of 6 sequences" in outs[0]
    assert "of 6 sequences" not in outs[1]


@pytest.mark.parametrize(("deaths", "code"), [(1, 0), (2, 1)])
def test_a_dead_workers_sequence_is_taken_over_or_reported(made, tmp_path, monkeypatch, deaths, code):
    made()
    monkeypatch.setenv("MADE_DEATHS", str(tmp_path))
    for number in range(deaths):
        (tmp_path / f"die{number}").touch()
    ended, out, err = finish("--dataset", "OTB100", "--workers", 3, tracker="Dies")
    assert ended == code
    assert "ended with -9" in err
    assert "bee: begun by" in err
    assert Path("results/OTB100/Dies/bee.txt").exists() == (code == 0)
    if code:
        assert "no result: OTB100 bee: 2 processes died on it" in err
        assert "2 of 3 sequences" in out
        assert finish("--dataset", "OTB100", tracker="Dies")[0] == 0


def test_workers_end_with_the_process_that_started_them(made):
    made("OTB100", {f"s{number}": moving(250) for number in range(6)})
    process = start("--dataset", "OTB100", "--workers", 2)
    while len(claims := list(Path("results/OTB100/Slow/.claims").glob("*"))) < 2:
        time.sleep(0.01)
    time.sleep(0.3)
    pids = [int(json.loads(text)["holder"].split(":")[1]) for file in claims if (text := file.read_text())]
    process.kill()
    process.wait()
    assert len(pids) == 2
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() and "Z" not in state(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


# The real thing.


@pytest.mark.slow
@pytest.mark.shared
def test_siammask_on_otb_matches_the_reference(shared, tmp_path):
    """The reference's per-sequence AUC, with the weights of the zoo; several minutes on a CPU."""
    from toolkit.datasets import load_dataset
    from toolkit.evaluate import evaluate
    from toolkit.runner import narrowed

    expected = {"Couple": 0.7456, "Crossing": 0.7984, "Football1": 0.7619, "Jumping": 0.6936}
    words = ["--dataset", "OTB100", "--dataset-root", shared / "data/otb", "--results", tmp_path, "--device", "cpu"]
    assert tool.main([*map(str, words), "--cfg", "siammask_r50_l3", "--video", *expected]) == 0
    dataset = narrowed(load_dataset("OTB100", shared / "data/otb"), list(expected))
    scores = evaluate(dataset, tmp_path).scores["siammask_r50_l3"]
    found = dict(zip(scores.sequences, scores.per_sequence("success_auc"), strict=True))
    assert found == pytest.approx(expected, abs=0.003)


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        tool.parse_args(["--help"])
    out = capsys.readouterr().out
    assert "torchrun --nproc-per-node 8" in out
    assert all(word in out for word in ("--cfg", "--overwrite", "KEY VALUE"))
