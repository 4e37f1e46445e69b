"""Files, overrides, coercions, warnings and errors of loading."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pysot.config import ConfigWarning, experiments_dir, find_config, get_cfg, load_cfg
from pysot.config.defaults import DATASET_ENTRY
from pysot.utils import ConfigError

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a configuration into the working folder and return its path, relative as a user gives it."""
    monkeypatch.chdir(tmp_path)

    def to_file(text: str) -> Path:
        file = tmp_path / "config.yaml"
        file.write_text(text, encoding="utf-8")
        return Path("config.yaml")

    return to_file


def test_without_arguments_the_defaults_are_returned_frozen():
    cfg = load_cfg()
    assert cfg == get_cfg()
    with pytest.raises(AttributeError, match="immutable"):
        cfg.TRACK.LR = 0.1
    with pytest.raises(AttributeError, match="immutable"):
        cfg.RPN.KWARGS.weighted = True


def test_a_file_changes_defaults_and_overrides_change_the_file(write: Write):
    file = write("TRACK: {LR: 0.3, PENALTY_K: 0.1}\nRPN: {KWARGS: {weighted: true}}\n")
    cfg = load_cfg(file, ["TRACK.PENALTY_K", "0.2", "RPN.KWARGS.weighted", "False", "BACKBONE.KWARGS.width_mult", "2"])
    assert (cfg.TRACK.LR, cfg.TRACK.PENALTY_K) == (0.3, 0.2)
    assert cfg.RPN.KWARGS == {"weighted": False}
    assert cfg.BACKBONE.KWARGS == {"width_mult": 2.0}
    assert cfg.TRACK.WINDOW_INFLUENCE == 0.44


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("TRAIN: {BASE_LR: 1e-4}", "TRAIN.BASE_LR", 1e-4),  # text to YAML 1.1
        ("TRAIN: {WEIGHT_DECAY: 5E-4}", "TRAIN.WEIGHT_DECAY", 5e-4),
        ("TRAIN: {LR: {KWARGS: {start_lr: 1e-2, step: 1}}}", "TRAIN.LR.KWARGS", {"start_lr": 0.01, "step": 1}),
        ("TRAIN: {MASK_WEIGHT: 36}", "TRAIN.MASK_WEIGHT", 36.0),
        ("TRAIN: {BATCH_SIZE: 28.0}", "TRAIN.BATCH_SIZE", 28),
        ("DATASET: {VIDEOS_PER_EPOCH: 1e5}", "DATASET.VIDEOS_PER_EPOCH", 100000),
        ("DATASET: {SEARCH: {BLUR: 0}}", "DATASET.SEARCH.BLUR", 0.0),
        ("DATASET: {GOT10K: {ROOT: r, ANNO: a, NUM_USE: 1e3}}", "DATASET.GOT10K.NUM_USE", 1000),
        ("DATASET: {NAMES: '(''VID'', ''COCO'')'}", "DATASET.NAMES", ["VID", "COCO"]),
        ("TRAIN: {RESUME: null}", "TRAIN.RESUME", ""),
        ("TRAIN: {RESUME: }", "TRAIN.RESUME", ""),
        ("RPN: {KWARGS: }", "RPN.KWARGS", {}),
        ("CUDA: 'False'", "CUDA", False),
        ("CUDA: off", "CUDA", False),
        ("MASK: {KWARGS: {name: plain, nested: {a: [1e-3, x]}}}", "MASK.KWARGS.nested", {"a": [0.001, "x"]}),
    ],
)
def test_what_a_user_meant_is_taken(write: Write, text: str, path: str, expected: Any):
    value: Any = load_cfg(write(text))
    for part in path.split("."):
        value = value[part]
    assert value == expected
    assert type(value) is type(expected) or isinstance(expected, dict)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["TRAIN.BASE_LR", "1e-4"], 1e-4),
        (["TRAIN.BASE_LR", 1], 1.0),
        (["DATASET.NAMES", "[VID, COCO]"], ["VID", "COCO"]),
        (["DATASET.NAMES", "('VID', 'COCO')"], ["VID", "COCO"]),
        (["DATASET.NAMES", ("VID",)], ["VID"]),
        (["CUDA", "false"], False),
        (["META_ARC", "5"], "5"),
        (["META_ARC", "'quoted'"], "quoted"),
        (["TRAIN.SNAPSHOT_DIR", "runs/a #3: b"], "runs/a #3: b"),
        (["TRAIN.RESUME", "None"], ""),
        (["TRAIN.RESUME", ""], ""),
        (["TRAIN.LR.KWARGS", "{'end_lr': 1e-3}"], {"end_lr": 0.001}),
        (["TRAIN.LR.KWARGS.end_lr", "1e-3"], 0.001),
        (["DATASET.VID.NUM_USE", "-1"], -1),
        (["DATASET.GOT10K", "{'ROOT': 'r', 'ANNO': 'a'}"], DATASET_ENTRY | {"ROOT": "r", "ANNO": "a"}),
    ],
)
def test_overrides_are_read_as_a_shell_user_means_them(words: list[Any], expected: Any):
    value: Any = load_cfg(None, words)
    for part in words[0].split("."):
        value = value[part]
    assert value == expected
    assert type(value) is type(expected) or isinstance(expected, dict)


def test_unknown_keys_of_a_pysot_file_warn_and_name_the_nearest_known(write: Write):
    file = write(
        "BACKBONE: {TYPE: resnet50, KWARGS: {used_layers: [2, 3, 4]}, CHANNELS: [512, 1024, 2048]}\n"
        "ADJUST: {ADJUST_CHANNEL: [128, 256, 512], KWARGS: {out_channels: [128, 256, 512]}}\n"
        "RPN: {WEIGHTED: True, KWARGS: {in_channels: [128, 256, 512], weighted: true}}\n"
        "TRACK: {TYPE: SiamRPNLTTracker, CONFIDENCE_LOW: 0.8, MASK_THRESHOLD: 0.1, INSTANCE_SIZES: 255}\n"
        "TRAIN: {INSTANCE_SIZE: 255}\n"
        "TRAK: {LR: 1}\nDATASET: {NAME: [VID]}\n5: five\nxylophone: 1\n"
    )
    with pytest.warns(ConfigWarning) as record:
        cfg = load_cfg(file)
    assert [str(warning.message) for warning in record] == [
        "config.yaml: unknown key BACKBONE.CHANNELS ignored; the nearest known key is ADJUST.KWARGS.in_channels",
        "config.yaml: unknown key ADJUST.ADJUST_CHANNEL ignored; the nearest known key is ADJUST.KWARGS.out_channels",
        "config.yaml: unknown key RPN.WEIGHTED ignored; the nearest known key is RPN.KWARGS.weighted",
        "config.yaml: unknown key TRACK.MASK_THRESHOLD ignored; the nearest known key is TRACK.MASK_THERSHOLD",
        "config.yaml: unknown key TRACK.INSTANCE_SIZES ignored; the nearest known key is TRACK.INSTANCE_SIZE",
        "config.yaml: unknown key TRAIN.INSTANCE_SIZE ignored; the nearest known key is TRACK.INSTANCE_SIZE",
        "config.yaml: unknown key TRAK ignored; the nearest known key is TRACK",
        "config.yaml: unknown key DATASET.NAME ignored; the nearest known key is DATASET.NAMES",
        "config.yaml: unknown key 5 ignored; no known key resembles it",
        "config.yaml: unknown key xylophone ignored; no known key resembles it",
    ]
    assert {Path(warning.filename).name for warning in record} == {"test_load.py"}
    assert (cfg.TRACK.TYPE, cfg.TRACK.CONFIDENCE_LOW) == ("SiamRPNLTTracker", 0.8)


def test_a_repeated_section_warns_because_yaml_drops_the_first(write: Write):
    file = write("TRACK:\n  LR: 0.3\nTRAIN:\n  EPOCH: 30\n  EPOCH: 40\nTRACK:\n  PENALTY_K: 0.1\n")
    with pytest.warns(ConfigWarning) as record:
        cfg = load_cfg(file)
    assert [str(warning.message) for warning in record] == [
        "config.yaml:5: TRAIN.EPOCH repeats line 4, which has no effect",
        "config.yaml:6: TRACK repeats line 1, which has no effect",
    ]
    assert (cfg.TRACK.LR, cfg.TRAIN.EPOCH) == (0.4, 40)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("TRACK: {LR: fast}", "TRACK.LR: expected a number, got 'fast' (str)"),
        ("TRACK: {LR: true}", "TRACK.LR: expected a number, got True (bool)"),
        ("TRACK: {LR: .nan}", "TRACK.LR: expected a number, got nan (float)"),
        ("TRACK: {LR: 1e999}", "TRACK.LR: expected a number, got '1e999' (str)"),
        ("TRACK: {LR: null}", "TRACK.LR: expected a number, got nothing (null)"),
        ("TRACK: {LR: 1" + "0" * 400 + "}", "TRACK.LR: expected a number, got 1" + "0" * 56 + "... (int)"),
        ("TRAIN: {EPOCH: 2.5}", "TRAIN.EPOCH: expected a whole number, got 2.5 (float)"),
        ("CUDA: 1", "CUDA: expected true or false, got 1 (int)"),
        ("META_ARC: 5", "META_ARC: expected text, got 5 (int) (put it in quotes)"),
        ("ANCHOR: {SCALES: 8}", "ANCHOR.SCALES: expected a list of numbers, got 8 (int)"),
        ("ANCHOR: {SCALES: [8, a]}", "ANCHOR.SCALES: expected a list of numbers, got [8, 'a'] (list)"),
        ("DATASET: {NAMES: VID}", "DATASET.NAMES: expected a list of names, got 'VID' (str)"),
        ("TRACK: 5", "TRACK: expected a section with TYPE, PENALTY_K,"),
        ("RPN: {KWARGS: [5]}", "RPN.KWARGS: expected a section with its arguments, got [5] (list)"),
        ("RPN: {KWARGS: {anchor_num: five}}", "RPN.KWARGS.anchor_num: expected a whole number, got 'five' (str)"),
        ("RPN: {KWARGS: {day: 2020-01-01}}", "RPN.KWARGS.day: expected a number, text, list or section, got"),
        (
            "BACKBONE: {KWARGS: {used_layers: 3}}",
            "BACKBONE.KWARGS.used_layers: expected a list of whole numbers, got 3 (int)",
        ),
        ("RPN: {KWARGS: &k {again: *k}}", "RPN.KWARGS.again: nested too deeply to be a configuration"),
    ],
)
def test_wrong_types_are_errors_that_name_key_and_value(write: Write, text: str, fault: str):
    with pytest.raises(ConfigError) as error:
        load_cfg(write(text))
    assert str(error.value).startswith(f"config.yaml: {fault}")


def test_all_faults_are_reported_together(write: Write):
    file = write("TRACK: {LR: fast, WINDOW_INFLUENCE: 2}\nRPN: {KWARGS: {anchor_num: 3}}\nTRAIN: {EPOCH: [1]}\n")
    with pytest.raises(ConfigError) as error:
        load_cfg(file, ["TRACK.PENALTY", "1", "CUDA", "maybe"])
    assert str(error.value).splitlines() == [
        "config.yaml: TRACK.LR: expected a number, got 'fast' (str)",
        "config.yaml: TRAIN.EPOCH: expected a whole number, got [1] (list)",
        "override TRACK.PENALTY: unknown key; the nearest known key is TRACK.PENALTY_K",
        "override: CUDA: expected true or false, got 'maybe' (str)",
        "config.yaml: TRACK.WINDOW_INFLUENCE: expected between 0 and 1, got 2.0",
        "config.yaml: ANCHOR gives 5 anchors, RPN.KWARGS.anchor_num says 3",
    ]


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["TRACK.LR"], "overrides: expected pairs KEY VALUE, got 1 words: TRACK.LR"),
        (["TRACK.LR=0.3", "x"], "override TRACK.LR=0.3: unknown key; the nearest known key is TRACK.LR"),
        (["BACKBONE.CHANNELS", "3"], "override BACKBONE.CHANNELS: unknown key; the nearest known key is ADJUST.KWARGS"),
        (["TRACK.LR.X", "3"], "override TRACK.LR.X: unknown key"),
        (["LR", "3"], "override LR: unknown key; the nearest known key is TRA"),
        (["TRACK", "{'LRR': 1}"], "override: unknown key TRACK.LRR ignored; the nearest known key is TRACK.LR"),
        (["", "3"], "override : unknown key"),
    ],
)
def test_unusable_overrides_are_errors(words: list[str], fault: str):
    with pytest.raises(ConfigError) as error:
        load_cfg(None, words)
    assert str(error.value).startswith(fault)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TRACK:\n  LR: 0.3\n WINDOW: [\n", "config.yaml:3: not valid YAML: "),
        ("TRACK: {LR: 0.3\nTRAIN: 1", "config.yaml:2: not valid YAML: "),
        ("TRACK:\n\tLR: 0.3\n", "config.yaml:2: not valid YAML: found character '\\t' that cannot start any token"),
        ("- TRACK\n- TRAIN\n", "config.yaml: expected sections such as TRACK: ..., got a list"),
        ("just words\n", "config.yaml: expected sections such as TRACK: ..., got a str"),
        ("a: 1\n---\nb: 2\n", "config.yaml:2: not valid YAML: but found another document"),
        ("a: !!python/object/apply:os.getcwd []\n", "config.yaml:1: not valid YAML: could not determine a constructor"),
        ("a: 2020-13-45\n", "config.yaml: not valid YAML: month must be in 1..12"),
        ("a: \x07\n", "config.yaml: not valid YAML: unacceptable character"),
        ("[" * 5000, "config.yaml: nested too deeply to be a configuration"),
    ],
)
def test_what_is_no_configuration_is_an_error_with_its_line(write: Write, text: str, message: str):
    with pytest.raises(ConfigError) as error:
        load_cfg(write(text))
    assert str(error.value).startswith(message)


def test_a_file_that_is_no_text_is_an_error(write: Write, tmp_path: Path):
    file = write("")
    (tmp_path / "config.yaml").write_bytes(b"META_ARC: \xff\n")
    with pytest.raises(ConfigError, match=r"^config.yaml: expected UTF-8 text, byte 10 is not$"):
        load_cfg(file)


def test_an_empty_file_means_the_defaults(write: Write):
    assert load_cfg(write("# nothing yet\n")) == get_cfg()


def test_a_configuration_is_found_by_file_folder_or_name(write: Write, tmp_path: Path):
    write("META_ARC: here\n")
    assert load_cfg(tmp_path).META_ARC == "here"
    assert load_cfg(str(tmp_path / "config.yaml")).META_ARC == "here"
    named = experiments_dir() / "siamrpn_r50" / "config.yaml"
    assert find_config("siamrpn_r50") == named
    assert load_cfg("siamrpn_r50") == load_cfg(named)


@pytest.mark.parametrize("given", ["siamrpn_r5", "experiments/siamrpn_r5/config.yaml", "experiments/siamrpn_r5"])
def test_a_missing_configuration_is_an_error_that_suggests_a_name(write: Write, given: str):
    write("")
    with pytest.raises(ConfigError) as error:
        load_cfg(given)
    expected = f"no configuration '{given}': neither a file nor an experiment. Did you mean 'siamrpn_r50'? Available: ["
    assert str(error.value).startswith(expected)


def test_faults_name_the_experiment_as_a_path(write: Write):
    write("")
    with pytest.raises(ConfigError) as error:
        load_cfg("siamrpn_r50", ["RPN.KWARGS.anchor_num", "3"])
    fault = "experiments/siamrpn_r50/config.yaml: ANCHOR gives 5 anchors, RPN.KWARGS.anchor_num says 3"
    assert str(error.value) == fault


NASTY_TEXT = ["None", "1e-4", "yes", "it's #1: x", "[a", "überall/日本", "- x", " lead", '"half', "~", "0x1F", "a\\b"]


def _random_values(rng: random.Random) -> dict[str, Any]:
    """Draw a few keys and values that are valid whatever the others are."""
    choices: dict[str, Any] = {
        "TRACK.LR": rng.uniform(0.01, 1),
        "TRACK.WINDOW_INFLUENCE": rng.choice([0, 1, rng.random()]),
        "TRACK.INSTANCE_SIZE": 127 + 8 * rng.randrange(60),
        "TRAIN.BASE_LR": 10.0 ** -rng.randrange(1, 9),
        "TRAIN.EPOCH": rng.randrange(6, 100),
        "TRAIN.LOG_GRADS": rng.random() < 0.5,
        "TRAIN.LR.KWARGS": {"end_lr": rng.random(), "steps": [rng.randrange(9) for _ in range(3)], "x": {"y": "z"}},
        "BACKBONE.TRAIN_LAYERS": [f"layer{rng.randrange(5)}" for _ in range(rng.randrange(4))],
        "BACKBONE.KWARGS.width_mult": rng.uniform(0.1, 2),
        "ANCHOR.RATIOS": [rng.uniform(0.1, 9) for _ in range(5)],
        "DATASET.NAMES": rng.sample(["VID", "COCO", "DET", "YOUTUBEBB"], rng.randrange(1, 5)),
        "DATASET.VID.NUM_USE": rng.choice([-1, 1, 10**6]),
        "META_ARC": rng.choice(NASTY_TEXT),
        "TRAIN.SNAPSHOT_DIR": rng.choice(NASTY_TEXT) + "/x",
    }
    return {key: choices[key] for key in rng.sample(sorted(choices), rng.randrange(1, len(choices)))}


@pytest.mark.parametrize("seed", range(25))
def test_dumping_and_loading_changes_nothing(write: Write, seed: int):
    values = _random_values(random.Random(seed))
    cfg = load_cfg(None, [word for key, value in values.items() for word in (key, repr(value))])
    for path, value in values.items():
        node: Any = cfg
        for part in path.split("."):
            node = node[part]
        assert node == value, path
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_cfg(write(cfg.dump(allow_unicode=bool(seed % 2)))) == cfg


def test_nothing_in_a_loaded_tree_is_shared_with_the_next():
    load_cfg().DATASET.NAMES.append("X")
    assert load_cfg() == get_cfg()


def test_yaml_written_by_hand_and_its_dump_agree():
    cfg = load_cfg("siammask_r50_l3")
    assert yaml.safe_load(cfg.dump())["MASK"] == {
        "MASK": True,
        "TYPE": "MaskCorr",
        "KWARGS": {"in_channels": 256, "hidden": 256, "out_channels": 3969},
    }
