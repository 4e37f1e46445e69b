"""What the first lines of the configurations say: their commands work, and what is said to be as elsewhere is."""

from __future__ import annotations

import re
import shlex

import pytest

from pysot.config import cfg_from_args, experiment_names, experiments_dir, load_cfg
from pysot.zoo import get_entry
from tests.documented import called, commands

NAMES = experiment_names()


def header_of(name: str) -> str:
    """Return the header without its marks; commands and settings stay indented by two."""
    text = (experiments_dir() / name / "config.yaml").read_text(encoding="utf-8").split("\n\n")[0]
    return "".join(f"{line.removeprefix('#').removeprefix(' ')}\n" for line in text.splitlines())


def understand(words: list[str]) -> str:
    """Make the script of a line, and those within it, read their arguments; return the script's name."""
    for word in words:
        for inner in re.findall(r"\$\((.*?)\)", word):
            understand(shlex.split(inner))
    call = called(words)
    assert call is not None, words
    script, arguments = call
    if script.__name__.startswith("training_dataset."):
        return script.__name__
    args = script.parse_args(arguments)
    if getattr(args, "config", None):
        cfg_from_args(args)
    if script.__name__ == "tools.zoo":
        get_entry(args.name)
    return script.__name__


@pytest.mark.parametrize("name", NAMES)
def test_its_commands_are_understood_and_its_settings_load(name: str):
    header = header_of(name)
    indented = "\n".join(line.strip() for line in header.splitlines() if line.startswith("  "))
    scripts = []
    for words in commands(indented):
        if re.fullmatch(r"[A-Z]+\.[A-Z_.]+", words[0]):
            load_cfg(name, words)
        else:
            scripts.append(understand(words))
    assert {"tools.train", "tools.test", "benchmarks.recipe"} & set(scripts)
    prose = " ".join(line for line in header.splitlines() if not line.startswith("  "))
    for line in re.findall(r"python \S+\.py[^:;,()]*", prose):
        understand(shlex.split(line))


@pytest.mark.parametrize("name", NAMES)
def test_what_it_says_to_share_with_another_it_shares(name: str):
    header = " ".join(header_of(name).split())
    network = ["BACKBONE", "ADJUST", "RPN", "MASK", "REFINE", "ANCHOR", "INPUT"]
    claims = [
        (r"\. (\w+) otherwise\.", [*network, "TRACK"]),
        (r"[Tt]racking(?: as|:) (\w+)\.", ["TRACK"]),
        (r"[Nn]etwork(?: and tracking)?: (\w+)\.", network[1:]),  # the backbone's section is also of its training
        (r"[Tt]raining as (\w+) ", ["TRAIN", "DATASET"]),
    ]
    own = load_cfg(name)
    for pattern, sections in claims:
        for other in re.findall(pattern, header):
            if other in NAMES:
                theirs = load_cfg(other)
                differing = [section for section in sections if own[section] != theirs[section]]
                assert differing == [], f"{pattern}: {other}"
