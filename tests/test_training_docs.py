"""docs/training.md: its commands lead from nothing to a score, its lines and keys are ones that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import torch
import yaml

from pysot.config import cfg_from_args, load_cfg
from pysot.config.defaults import DATASET_ENTRY, KEYS, OPTIONAL
from tests.documented import called, commands

# What makes each step of the first block small enough for a test: options, and settings.
SMALL = {
    "prepare": (
        "--videos 2 --frames 3 --val-videos 1 --test-videos 1 --test-frames 4 --workers 1 "
        "--output training_dataset/synthetic",
        "",
    ),
    "show_pairs": ("--pairs 2", ""),
    "train": (
        "--device cpu",
        "DATASET.VIDEOS_PER_EPOCH 4 TRAIN.BATCH_SIZE 2 TRAIN.EPOCH 1 TRAIN.NUM_WORKERS 0 TRAIN.VALIDATE_SEQUENCES 1 "
        "TRAIN.VALIDATE_FRAMES 2 TRAIN.LOG_IMAGES 1 TRAIN.SEARCH_SIZE 143 TRAIN.OUTPUT_SIZE 3",
    ),
    "test": ("--device cpu", ""),
    "eval": ("", ""),
}


@pytest.fixture(scope="module")
def text(repo_root: Path) -> str:
    return (repo_root / "docs" / "training.md").read_text(encoding="utf-8")


def blocks(text: str) -> list[str]:
    """Return the blocks of shell lines."""
    return [block for language, block in re.findall(r"```(\w*)\n(.*?)```", text, re.DOTALL) if language in ("", "bash")]


def test_the_first_block_leads_from_nothing_to_a_score(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    done = []
    for call in map(called, commands(blocks(text)[0])):
        if call is not None:
            script, arguments = call
            name = script.__name__.rpartition(".")[2]
            options, settings = map(shlex.split, SMALL[name])  # settings must stand together, the last of a key counts
            assert script.main([*options, *arguments, *settings]) == 0, capsys.readouterr().err
            done.append(name)
    torch.set_num_threads(threads)
    assert done == list(SMALL)
    assert {path.name for path in Path("logs").iterdir()} >= {"pairs_e0.png", "answers_e1.png", "history.csv"}
    assert re.search(r"siamfc_alex_best.* 0?\.\d+", capsys.readouterr().out)


def test_every_command_is_understood(text):
    understood = []
    for words in commands("\n".join(blocks(text))):
        call = called(words)
        if call is not None:
            script, arguments = call
            understood.append(script.__name__)
            if script.__name__.startswith("tools.") and script.__name__ != "tools.zoo":
                args = script.parse_args(arguments)
                if hasattr(args, "opts"):
                    cfg_from_args(args)
    assert understood.count("tools.train") >= 4
    assert set(understood) >= {"tools.test", "tools.eval", "tools.show_pairs", "training_dataset.coco.prepare"}


def test_every_key_exists_and_takes_its_value(text):
    known = {key.path for key in (*KEYS, *OPTIONAL)}
    sections = {path.rpartition(".")[0] for path in known}
    named = {key.rstrip(".") for key in re.findall(r"\b(?:TRAIN|DATASET|BACKBONE|TRACK)\.[A-Z0-9_.]+", text)}
    assert len(named) > 30
    entries = {key for key in named if re.fullmatch(rf"DATASET\.\w+\.({'|'.join(DATASET_ENTRY)})", key)}
    assert named - known - sections - entries == set()
    for key, value in re.findall(r"^\| `([A-Z_.]+) (\S+)` \|", text, re.MULTILINE):
        load_cfg(None, [key, value])


def test_the_configuration_of_ones_own_data_loads(text, tmp_path):
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    content = yaml.safe_load(block)
    assert set(content["DATASET"]["MINE"]) < set(DATASET_ENTRY)
    # "An entry like MINE" is left to the reader.
    content["DATASET"]["MINE_VAL"] = content["DATASET"]["MINE"]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    cfg = load_cfg(tmp_path / "config.yaml")
    assert cfg.TRAIN.VALIDATE_NAMES == ["MINE_VAL"]
