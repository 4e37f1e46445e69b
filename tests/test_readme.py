"""The README: its Python runs as it stands, its numbers fit the files beside it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

import pysot
from pysot.demo.start import read_ground_truth
from pysot.geometry import iou_xywh


@pytest.fixture(scope="module")
def readme(repo_root: Path) -> str:
    return (repo_root / "README.md").read_text(encoding="utf-8")


def blocks(readme: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", readme, re.DOTALL)


def test_the_python_runs(readme, repo_root, monkeypatch):
    """With a small network in place of the fetched one."""
    torch.manual_seed(0)
    small = ["BACKBONE.KWARGS.width_mult", 0.1, "RPN.KWARGS.in_channels", 25, "RPN.KWARGS.out_channels", 8]
    cfg = pysot.load_cfg("siamrpn_alex_dwxcorr", small)
    asked = []

    def load_tracker(name):
        asked.append(name)
        return pysot.build_tracker(cfg, pysot.build_model(cfg), device="cpu")

    monkeypatch.setattr(pysot, "load_tracker", load_tracker)
    monkeypatch.chdir(repo_root)
    names: dict[str, object] = {}
    for block in blocks(readme, "python"):
        exec(block, names)  # noqa: S102  # the text is this repository's own
    assert asked == ["default"]
    assert isinstance(names["result"], pysot.Prediction)
    assert list(names["targets"]) == [names["yellow"]]


def test_the_start_box_is_the_ground_truths(readme, repo_root):
    truth = read_ground_truth(repo_root / "demo" / "bag.txt")[0]
    given = re.findall(r"(?:init\(.*?|yellow = .*?), \((\d+), (\d+), (\d+), (\d+)\)\)", readme)
    assert len(given) == 2
    for box in given:
        assert iou_xywh(np.array(box, dtype=float), truth) > 0.97


def test_the_commands_name_what_is_there(readme, repo_root):
    lines = [line for block in blocks(readme, "sh") for line in block.splitlines()]
    commands = [shlex.split(part, comments=True) for line in lines for part in line.split("&&")]
    files = {word for words in commands for word in words if word.endswith((".py", ".txt", ".yaml"))}
    assert {"requirements.txt", "tools/demo.py", "tools/test.py", "tools/eval.py", "tools/train.py"} <= files
    assert all((repo_root / file).is_file() for file in files)


def test_links_and_folders_are_there(readme, repo_root):
    links = re.findall(r"\]\(([^):]+)\)", readme)
    folders = re.findall(r"^(\w+/) ", readme, re.MULTILINE)
    assert len(links) > 3
    assert len(folders) > 6
    assert [path for path in [*links, *folders] if not (repo_root / path).exists()] == []


@pytest.mark.parametrize("folder", ["tools", "benchmarks"])
def test_it_lists_every_command(readme, repo_root, folder):
    (listed,) = re.findall(rf"^{folder}/ (.*?)^\w", readme, re.DOTALL | re.MULTILINE)
    there = {path.name for path in (repo_root / folder).glob("[a-z]*.py")}
    assert set(re.findall(r"\w+\.py", listed)) == there
