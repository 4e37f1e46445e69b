"""docs/checkpoints.md: its layouts are those of the code, its commands and outputs are real."""

from __future__ import annotations

import re
import shlex

import pytest
import torch
from foreign_layouts import dasiamrpn_names, fill, shapes_of, tiny

import pysot
from pysot.engine.checkpoint import LoadReport
from pysot.engine.legacy import LAYOUTS
from pysot.utils import CheckpointError
from tools import convert


@pytest.fixture
def page(repo_root):
    return (repo_root / "docs/checkpoints.md").read_text(encoding="utf-8")


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The files that the page's examples read, in the current folder."""
    monkeypatch.chdir(tmp_path)
    torch.save(fill(dasiamrpn_names(shapes_of(tiny(up_channel=True)))), "SiamRPNVOT.model")
    with torch.device("meta"):
        shapes = shapes_of(pysot.build_model(pysot.load_cfg("siamrpn_alex_dwxcorr")))
    state = {f"module.{name}": tensor for name, tensor in fill(shapes).items()}
    torch.save({"epoch": 20, "state_dict": state, "optimizer": {}}, "checkpoint_e20.pth")


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


def test_the_table_lists_every_layout(page):
    rows = re.findall(r"^\| ([^|]+?) \|", page.split("## What loads")[1].split("Beside")[0], flags=re.MULTILINE)
    assert sorted(rows[1:]) == sorted(layout.name for layout in LAYOUTS)


def test_the_fields_are_those_of_the_report(page):
    rows = re.findall(r"^\| (`[^|]+) \|", page.split("## What is reported")[1], flags=re.MULTILINE)
    fields = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert fields == {*LoadReport.__dataclass_fields__, "fits"} - {"path"}


def test_the_first_example_prints_what_the_page_says(page, files, capsys):
    (example,) = blocks(page, "python")
    exec(example, {})  # noqa: S102
    assert capsys.readouterr().out == blocks(page, "text")[0]


def test_the_commands_work(page, files):
    (commands,) = blocks(page, "bash")
    for line in commands.splitlines():
        python, tool, *argv = shlex.split(line)
        assert (python, tool) == ("python", "tools/convert.py")
        assert convert.main(argv) == 0
    model = pysot.build_model(pysot.load_cfg("siamrpn_alex_dwxcorr"))
    assert pysot.load_checkpoint(model, "model.pth").fits
    assert "rpn_head.template_cls_conv.weight" in torch.load("dasiamrpn_vot.pth")


def test_the_messages_are_real(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    posix = pytest.importorskip("posix")

    class Command:
        def __reduce__(self):
            return posix.system, ("true",)

    state = tiny().state_dict()
    del state["rpn_head.cls.head.3.bias"]
    for content, shown in zip((state, {"state_dict": state, "x": Command()}), blocks(page, "text")[1:], strict=True):
        torch.save(content, "model.pth")
        with pytest.raises(CheckpointError) as caught:
            pysot.load_checkpoint(tiny(), "model.pth")
        assert f"CheckpointError: {caught.value}\n" == shown
