"""tools/dataset.py end to end, and what it does with 240 malformed inputs."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest

from toolkit.datasets import load_dataset
from tools import dataset as tool


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """Every test finds the built-in benchmark not rendered, and renders into a folder of its own."""
    monkeypatch.setenv("PYSOT_CACHE", str(tmp_path_factory.mktemp("cache")))


def put(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def put_images(folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    for value, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((24, 32, 3), 10 * value, np.uint8))


def lines(count, width=4):
    return "".join(",".join(str(3 + row + 2 * (column > 1)) for column in range(width)) + "\n" for row in range(count))


def polygons(count):
    return "".join(f"{3 + n},4,{13 + n},4,{13 + n},14,{3 + n},14\n" for n in range(count))


def numbered(count, pattern="{:04d}.jpg"):
    return [pattern.format(number) for number in range(1, count + 1)]


def run(capsys, *argv):
    code = tool.main([str(arg) for arg in argv])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, captured.out, captured.err


class TestCommands:
    def test_list(self, tmp_path, capsys):
        put(tmp_path / "mine/cat/groundtruth.txt", lines(3))
        put(tmp_path / "VOT2018/a/groundtruth.txt", "x\n")
        code, out, _ = run(capsys, "list", "--dataset-root", tmp_path)
        assert code == 0
        assert re.search(r"mine +1 sequence, 3 frames, images of 0 sequences, annotations: download", out)
        assert re.search(r"VOT2018 +cannot be read: .*groundtruth.txt line 1", out)
        assert "rendered on first use: Builtin, Builtin-VOT, Builtin-LT" in out
        assert "not installed: OTB100, OTB50, CVPR13, VOT2016" in out
        assert run(capsys, "list", "--dataset-root", tmp_path / "gone")[1].startswith("nothing in ")

    def test_verify(self, tmp_path, capsys):
        put(tmp_path / "mine/cat/groundtruth.txt", lines(3))
        put_images(tmp_path / "mine/cat/img", numbered(3))
        argv = ("verify", "mine", "--dataset-root", tmp_path)
        assert run(capsys, *argv)[:2] == (
            0,
            f"mine ({tmp_path / 'mine'}): 1 sequence, 3 frames, 3 images checked\nnothing is wrong\n",
        )
        (tmp_path / "mine/cat/img/0002.jpg").write_bytes(b"")
        code, out, _ = run(capsys, *argv, "--report", tmp_path / "report.json", "--threads", 2)
        assert code == 1
        assert "cat: " + str(tmp_path / "mine/cat/img/0002.jpg") + " is empty (0 bytes)" in out
        assert out.endswith("1 problem\n")
        report = json.loads((tmp_path / "report.json").read_text())
        assert report["problems"][0]["files"] == [str(tmp_path / "mine/cat/img/0002.jpg")]
        assert (report["sequences"], report["frames"], report["images"]) == (1, 3, 3)

    def test_verify_renders_the_builtin_benchmark(self, tmp_path, capsys, monkeypatch):
        monkeypatch.setattr("toolkit.datasets.builtin.ONE_PASS", (_short_scene(),))
        monkeypatch.setattr("toolkit.datasets.builtin.LONG_TERM", ())
        code, out, _ = run(capsys, "verify", "Builtin", "--dataset-root", tmp_path)
        assert code == 1  # one sequence of ten
        assert "1 sequence, 5 frames, 5 images checked" in out

    def test_many_problems_are_cut_short(self, tmp_path, capsys):
        for number in range(30):
            put(tmp_path / f"mine/s{number}/groundtruth.txt", lines(2))
        code, out, _ = run(capsys, "verify", "mine", "--dataset-root", tmp_path)
        assert code == 1
        assert "and 10 more problems (--report FILE has all)" in out
        assert out.count("no images in") == 20

    def test_convert_a_download(self, tmp_path, capsys):
        put(tmp_path / "LaSOT/cat/cat-1/groundtruth.txt", lines(2))
        put(tmp_path / "LaSOT/cat/cat-1/absent.txt", "0\n1\n")
        put_images(tmp_path / "LaSOT/cat/cat-1/img", numbered(2, "{:08d}.jpg"))
        argv = ("convert", "LaSOT", "--dataset-root", tmp_path)
        code, out, _ = run(capsys, *argv)
        assert (code, out) == (0, f"written: {tmp_path / 'LaSOT/LaSOT.json'}: 1 sequence, 2 frames\n")
        entry = json.loads((tmp_path / "LaSOT/LaSOT.json").read_text())["cat-1"]
        assert entry["img_names"] == ["cat/cat-1/img/00000001.jpg", "cat/cat-1/img/00000002.jpg"]
        assert entry["absent"] == [1, 0]  # 1: present
        assert (entry["width"], entry["height"]) == (32, 24)
        code, _, err = run(capsys, *argv)
        assert (code, err) == (2, f"error: {tmp_path / 'LaSOT/LaSOT.json'} exists; give --force to replace it\n")
        assert run(capsys, *argv, "--force")[0] == 0

    def test_convert_and_use_what_the_demo_wrote(self, tmp_path, capsys, repo_root):
        """The demo's CSV has more columns, among them the target."""
        put_images(tmp_path / "clip", numbered(3))
        rows = [
            "frame,target,x,y,w,h,score,lost,polygon",
            "0,1,5,6,7,8,1.0,0,",
            "1,1,6,6,7,8,0.9,0,6 6 13 6 13 14 6 14",
        ]
        put(tmp_path / "clip.csv", "\n".join(rows))
        argv = ("convert", "own", "--boxes", tmp_path / "clip.csv", "--dataset-root", tmp_path / "data")
        code, out, _ = run(capsys, *argv)
        assert (code, out) == (0, f"written: {tmp_path / 'data/own/own.json'}: 1 sequence, 2 frames\n")
        assert load_dataset("own", tmp_path / "data").sequences[0].frame(1).shape == (24, 32, 3)
        assert run(capsys, "verify", "own", "--dataset-root", tmp_path / "data")[0] == 0

    @pytest.mark.parametrize(
        ("argv", "message"),
        [
            (("verify", "OTB10"), "unknown benchmark 'OTB10'. Did you mean 'OTB100'?"),
            (("verify", "OTB100"), "no OTB100 in "),
            (("convert", "VOT2018", "--boxes", "x.csv"), "'VOT2018': expected a name for the dataset"),
            (("convert", "a/b", "--boxes", "x.csv"), "'a/b': expected a name for the dataset"),
            (("convert", "mine", "--boxes", "gone.csv"), "gone.csv: no such file or folder"),
        ],
    )
    def test_mistakes_of_the_user(self, tmp_path, capsys, argv, message):
        code, _, err = run(capsys, *argv, "--dataset-root", tmp_path)
        assert code == 2
        assert err.startswith("error: ")
        assert message in err
        assert err.count("\n") == 1

    def test_as_a_script_and_as_a_command(self, repo_root, tmp_path):
        for command in (["tools/dataset.py"], ["-m", "pysot", "dataset"]):
            done = subprocess.run([sys.executable, *command, "--help"], cwd=repo_root, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            assert "verify" in done.stdout


def _short_scene():
    from toolkit.datasets.builtin.scenes import Actor, Scene

    return Scene("short", 5, "water", Actor("boat", ((0, 100, 100, 0.5, 0), (4, 120, 110, 0.5, 10))), ())


# ------------------------------------------------------------------------------------------- malformed inputs


def otb_tree(root):
    for name in ("Couple", "Woman"):
        put(root / f"OTB100/{name}/groundtruth_rect.txt", lines(3))
        put_images(root / f"OTB100/{name}/img", numbered(3))
    return root / "OTB100", ("verify", "OTB100")


def vot_tree(root):
    put(root / "VOT2018/list.txt", "a\nb\n")
    for name in ("a", "b"):
        put(root / f"VOT2018/{name}/groundtruth.txt", polygons(3))
        put(root / f"VOT2018/{name}/occlusion.tag", "0\n1\n0\n")
        put_images(root / f"VOT2018/{name}/color", numbered(3, "{:08d}.jpg"))
    return root / "VOT2018", ("verify", "VOT2018")


def lasot_tree(root):
    put(root / "LaSOT/cat/cat-1/groundtruth.txt", lines(3))
    put(root / "LaSOT/cat/cat-1/full_occlusion.txt", "0,0,1")
    put(root / "LaSOT/cat/cat-1/out_of_view.txt", "0,0,0")
    put_images(root / "LaSOT/cat/cat-1/img", numbered(3, "{:08d}.jpg"))
    return root / "LaSOT", ("verify", "LaSOT")


def uav_tree(root):
    for name, folder in (("bird1_1", "bird1"), ("boat1", "boat1")):
        put(root / f"UAV123/anno/UAV123/{name}.txt", lines(3))
        put_images(root / f"UAV123/data_seq/UAV123/{folder}", numbered(3, "{:06d}.jpg"))
    return root / "UAV123", ("verify", "UAV123")


def nfs_tree(root):
    put(root / "NFS/ball/30/ball.txt", "".join(f'0 {n} 2 {n + 10} 22 {n} 0 0 0 "ball"\n' for n in range(3)))
    put_images(root / "NFS/ball/30/ball", numbered(3, "{:05d}.jpg"))
    return root / "NFS", ("verify", "NFS30")


def got_tree(root):
    folder = root / "GOT-10k/val/GOT-10k_Val_000001"
    put(root / "GOT-10k/val/list.txt", "GOT-10k_Val_000001\n")
    put(folder / "groundtruth.txt", lines(3))
    put(folder / "cover.label", "8\n0\n3\n")
    put(folder / "meta_info.ini", "[METAINFO]\nresolution: (32, 24)\n")
    put_images(folder, numbered(3, "{:08d}.jpg"))
    return root / "GOT-10k", ("verify", "GOT-10k-val")


def json_tree(root):
    entry = {"img_names": [f"a/{n}.jpg" for n in (1, 2, 3)], "gt_rect": [[1, 2, 3, 4]] * 3, "attr": ["Occlusion"]}
    entry |= {"absent": [1, 0, 1], "occlusion": [0, 1, 1], "width": 32, "height": 24, "init_rect": [1, 2, 3, 4]}
    put(root / "OTB100/OTB100.json", json.dumps({"a": entry, "b": entry}))
    put_images(root / "OTB100/a", ["1.jpg", "2.jpg", "3.jpg"])
    return root / "OTB100", ("verify", "OTB100")


def csv_boxes(root):
    put_images(root / "in/cat", numbered(3))
    put(root / "in/cat.csv", "frame,x,y,w,h\n0,1,2,3,4\n1,2,2,3,4\n2,3,2,3,4\n")
    return root / "in", ("convert", "own", "--boxes", root / "in/cat.csv")


def coco_boxes(root):
    put_images(root / "in/cat", numbered(3))
    images = [{"id": n, "file_name": f"cat/{n:04d}.jpg", "video_id": 1, "frame_id": n} for n in (1, 2, 3)]
    rows = [{"image_id": n, "bbox": [n, 2, 3, 4], "track_id": 1} for n in (1, 2, 3)]
    table = {"images": images, "annotations": rows, "videos": [{"id": 1, "name": "cat"}]}
    put(root / "in/boxes.json", json.dumps(table))
    return root / "in", ("convert", "own", "--boxes", root / "in/boxes.json")


def mot_boxes(root):
    put(root / "in/gt/gt.txt", "1,1,2,3,4,5,1,1,1\n2,1,2,3,4,5,1,1,1\n3,2,2,3,4,5,1,1,1\n")
    put_images(root / "in/img1", numbered(3, "{:06d}.jpg"))
    return root / "in", ("convert", "own", "--boxes", root / "in")


def yolo_boxes(root):
    for number in range(1, 4):
        put(root / f"in/labels/cat/{number:04d}.txt", "0 0.5 0.5 0.25 0.25\n")
    put_images(root / "in/images/cat", numbered(3))
    return root / "in", ("convert", "own", "--boxes", root / "in")


def own_tree(root):
    put(root / "mine/cat/groundtruth.txt", lines(2) + polygons(1))
    put_images(root / "mine/cat/img", numbered(3, "{:04d}.png"))
    return root / "mine", ("verify", "mine")


JUNK = (
    "",
    "x",
    "nan",
    "inf",
    "-5",
    "1e999",
    "0",
    "99999999999999999999",
    "1.5",
    "\x00",
    "é",
    "[",
    "{}",
    "null",
    '"',
    "-",
)


def corrupt_text(rng, data):
    """Return a text with something lost, doubled or replaced."""
    text = data.decode()
    parts = re.split(r"([,\s:\[\]{}]+)", text)
    lines_ = text.splitlines(keepends=True) or [""]
    place = rng.randrange(len(lines_))
    choice = rng.randrange(6)
    if choice == 0:
        lines_.pop(place)
    elif choice == 1:
        lines_.insert(place, lines_[place])
    elif choice == 2:
        lines_[place] = rng.choice(JUNK) + "\n"
    elif choice == 3:
        return data[: rng.randrange(len(data) + 1)]
    elif choice == 4:
        position = rng.randrange(len(data) + 1)
        return data[:position] + rng.randbytes(5) + data[position:]
    else:
        parts[rng.randrange(0, len(parts), 2)] = rng.choice(JUNK)
        return "".join(parts).encode()
    return "".join(lines_).encode()


def corrupt_json(rng, data):
    """Return JSON with a value somewhere inside replaced or removed."""
    table = json.loads(data)
    places = []

    def walk(node):
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in list(items):
            places.append((node, key))
            if isinstance(value, dict | list):
                walk(value)

    walk(table)
    node, key = rng.choice(places)
    if rng.random() < 0.3:
        del node[key]
    else:
        node[key] = rng.choice([None, "x", "", -1, 1e400, 0, [], {}, [[]], {"a": 1}, [None], True, 1.5])
    return json.dumps(table).encode()


def corrupt_image(rng, data):
    choice = rng.randrange(3)
    if choice == 0:
        return b""
    position = rng.randrange(len(data))
    return data[:position] if choice == 1 else rng.randbytes(len(data))


SOURCES = [otb_tree, vot_tree, lasot_tree, uav_tree, nfs_tree, got_tree, json_tree, own_tree]
SOURCES += [csv_boxes, coco_boxes, mot_boxes, yolo_boxes]


@pytest.mark.parametrize("make", SOURCES)
def test_malformed_inputs_end_in_a_message_that_names_a_file(make, tmp_path, capsys):
    """Each of 20 corruptions of one file: no traceback, and where something is wrong, a path that is there."""
    told = 0
    for seed in range(20):
        rng = random.Random(f"{make.__name__} {seed}")
        root = tmp_path / str(seed)
        folder, argv = make(root)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        images = [path for path in files if path.suffix in (".jpg", ".png")]
        texts = [path for path in files if path not in images]
        victim = rng.choice(images) if argv[0] == "verify" and seed % 4 == 0 else rng.choice(texts)
        data = victim.read_bytes()
        if seed % 10 == 9:
            victim.unlink()
        elif victim in images:
            victim.write_bytes(corrupt_image(rng, data))
        elif victim.suffix == ".json" and seed % 2:
            victim.write_bytes(corrupt_json(rng, data))
        else:
            victim.write_bytes(corrupt_text(rng, data))
        code, out, err = run(capsys, *argv, "--dataset-root", root)
        assert code in (0, 1, 2), seed
        if code == 2 or "->" in out:
            told += 1
            assert str(root) in out + err, (seed, victim, out, err)
        if code == 2:
            assert err.count("\n") == 1, (seed, err)
        assert not list(root.rglob(".*")), seed  # nothing half-made is left
    assert told >= 8
