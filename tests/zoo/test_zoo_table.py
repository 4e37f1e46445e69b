"""The table of checkpoints: complete, and equal to what was published."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from pysot.utils import ConfigError
from pysot.zoo import DEFAULT_MODEL, DriveFolder, LocalFile, WheelMember, ZooEntry, entries, get_entry


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown checkpoint 'siamask_r50'\. Did you mean 'siammask_r50_l3'"):
        get_entry("siamask_r50")


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)
def test_entry_is_complete(entry: ZooEntry):
    assert entry.sources
    assert entry.licence
    assert (entry.config is None) == (entry.kind == "backbone")
    assert bool(entry.published) == bool(entry.published_source)
    if entry.sha256 is None:
        assert "No hash is published" in entry.note
    else:
        assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
    for source in entry.sources:
        assert isinstance(source, WheelMember | DriveFolder | LocalFile)
        if isinstance(source, WheelMember):
            assert source.version, "an unpinned wheel could change under its hash"
            assert entry.sha256
            assert entry.size_bytes


def _published_in(row: str) -> dict[str, tuple[float, ...]]:
    names = {"VOT16": "VOT2016", "VOT18": "VOT2018", "VOT19": "VOT2019", "OTB15": "OTB100"}
    found = {
        names[short]: tuple(float(value) for value in values.split("/"))
        for short, values in re.findall(r"(VOT1[689]|OTB15) ([.\d/]+)", row)
    }
    long_term = re.search(r"VOT18-LT F1 (\.\d+) \(P (\.\d+) R (\.\d+)", row)
    if long_term:
        found["VOT2018-LT"] = tuple(float(value) for value in long_term.groups())
    return found


@pytest.mark.shared
def test_published_figures_and_sources_are_those_of_the_reference(shared: Path):
    text = (shared / "reference" / "behaviour.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| siam")}
    compared = 0
    for entry in entries():
        if entry.kind == "tracker" and entry.local is None:
            expected = _published_in(rows[entry.name])
            assert expected
            assert {name: tuple(metrics.values()) for name, metrics in entry.published.items()} == expected
            compared += 1
        for source in entry.sources:
            if isinstance(source, DriveFolder):
                assert re.search(rf"\b{entry.name}\s+{re.escape(source.folder_id)}\b", text)
            elif isinstance(source, WheelMember):
                stated = f"{source.project}=={source.version}"
                row = next(line for line in text.splitlines() if stated in line)
                assert f"| {source.member} | {entry.size_bytes:,} | {entry.sha256} |" in row
    assert compared == 7


def test_metric_names_follow_the_kind_of_benchmark():
    for entry in entries():
        for benchmark, metrics in entry.published.items():
            if benchmark == "VOT2018-LT":
                assert list(metrics) == ["f1", "precision", "recall"]
            elif benchmark.startswith("VOT"):
                assert list(metrics) == ["eao", "accuracy", "robustness"]
            else:
                assert list(metrics) == ["success", "precision"]


def test_zoo_imports_nothing_heavy(repo_root: Path):
    allowed = {*sys.stdlib_module_names, "tqdm"}
    for file in (repo_root / "pysot" / "zoo").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            for module in modules:
                inside = module.startswith(("pysot.utils", "pysot.zoo"))
                assert inside or module.split(".")[0] in allowed, f"{file.name} imports {module}"


def test_the_page_in_docs_lists_exactly_the_table(repo_root: Path):
    text = (repo_root / "docs" / "zoo.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line[:3] == "| `"]
    assert [row[0].strip("`") for row in rows] == [entry.name for entry in entries()]
    for entry, (_, _, origin, hash_known, licence) in zip(entries(), rows, strict=True):
        kinds = {WheelMember: "package index", DriveFolder: "Google Drive", LocalFile: "this repository"}
        assert origin == ", ".join(kinds[type(source)] for source in entry.sources)
        assert hash_known == ("yes" if entry.sha256 else "no")
        assert entry.licence.startswith(licence)


def test_default_is_another_name_of_the_tools_own_choice():
    assert get_entry("default") is get_entry(DEFAULT_MODEL)
    assert [entry.name for entry in entries()].count(DEFAULT_MODEL) == 1
    with pytest.raises(ConfigError, match=r"'defualt'\. Did you mean 'default'"):
        get_entry("defualt")
