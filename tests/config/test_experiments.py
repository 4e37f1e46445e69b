"""Every configuration under experiments/: it loads silently, says only what differs, and has the published values."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pysot.config import experiment_names, experiments_dir, get_cfg, load_cfg
from pysot.utils import ConfigError

Leaves = Callable[[dict[str, Any]], dict[str, Any]]

NAMES = experiment_names()

# Typed from PySOT's experiments and MODEL_ZOO.md:
# backbone, levels, neck channels, head, weighted, tracker, PENALTY_K, WINDOW_INFLUENCE, LR, INSTANCE_SIZE, BASE_SIZE
DEPTHWISE, MULTI, PLAIN = "DepthwiseRPN", "MultiRPN", "SiamRPNTracker"
PUBLISHED: dict[str, tuple[Any, ...]] = {
    "siamrpn_alex_dwxcorr": ("alexnetlegacy", None, None, DEPTHWISE, None, PLAIN, 0.16, 0.40, 0.30, 287, 0),
    "siamrpn_alex_dwxcorr_otb": ("alexnetlegacy", None, None, DEPTHWISE, None, PLAIN, 0.16, 0.40, 0.30, 287, 0),
    "siamrpn_r50_l234_dwxcorr": ("resnet50", [2, 3, 4], [256] * 3, MULTI, True, PLAIN, 0.05, 0.42, 0.38, 255, 8),
    "siamrpn_r50_l234_dwxcorr_otb": ("resnet50", [2, 3, 4], [256] * 3, MULTI, False, PLAIN, 0.24, 0.5, 0.25, 255, 8),
    "siamrpn_mobilev2_l234_dwxcorr": ("mobilenetv2", [3, 5, 7], [256] * 3, MULTI, False, PLAIN, 0.04, 0.4, 0.5, 255, 8),
    "siammask_r50_l3": ("resnet50", [0, 1, 2, 3], [256], DEPTHWISE, None, "SiamMaskTracker", 0.1, 0.41, 0.32, 255, 8),
    "siamrpn_r50_l234_dwxcorr_lt": (
        *("resnet50", [2, 3, 4], [128, 256, 512], MULTI, True),
        *("SiamRPNLTTracker", 0.05, 0.28, 0.22, 255, 8),
    ),
    "siamrpn_alex_dwxcorr_16gpu": ("alexnet", None, None, DEPTHWISE, None, PLAIN, 0.16, 0.40, 0.30, 287, 0),
    "siamrpn_r50_l234_dwxcorr_8gpu": ("resnet50", [2, 3, 4], [256] * 3, MULTI, True, PLAIN, 0.04, 0.44, 0.33, 255, 8),
    "siamrpn_r50_l234_dwxcorr_16gpu": ("resnet50", [2, 3, 4], [256] * 3, MULTI, True, PLAIN, 0.01, 0.4, 0.38, 255, 8),
    "siamrpn_r50_l234_dwxcorr_otb_8gpu": (
        *("resnet50", [2, 3, 4], [256] * 3, MULTI, False),
        *(PLAIN, 0.24, 0.5, 0.25, 255, 8),
    ),
}

# Batch per GPU, epochs, trained layers, their share of the learning rate, warm-up from / to, schedule from / to,
# OUTPUT_SIZE, NEG, GRAY
TRAINED: dict[str, tuple[Any, ...]] = {
    "siamrpn_alex_dwxcorr_16gpu": (128, 50, "45", 1.0, 0.005, 0.01, 0.01, 0.0005, 17, 0.05, 0.0),
    "siamrpn_r50_l234_dwxcorr_8gpu": (28, 20, "234", 0.1, 0.001, 0.005, 0.005, 0.0005, 25, 0.2, 0.0),
    "siamrpn_r50_l234_dwxcorr_16gpu": (24, 20, "234", 0.1, 0.001, 0.005, 0.005, 0.0005, 25, 0.2, 0.0),
    "siamrpn_r50_l234_dwxcorr_otb_8gpu": (16, 20, "1234", 0.1, 0.001, 0.005, 0.005, 0.0025, 25, 0.2, 0.2),
    "siamrpn_r50": (28, 20, "234", 0.1, 0.001, 0.005, 0.005, 0.0005, 25, 0.2, 0.0),
}

# foolwood/DaSiamRPN, code/net.py: width, PENALTY_K, WINDOW_INFLUENCE, LR, adaptive
DASIAMRPN = {
    "dasiamrpn_vot": (1.0, 0.04, 0.44, 0.45, False),
    "dasiamrpn_otb": (1.0, 0.22, 0.40, 0.30, False),
    "dasiamrpn_big": (2.0, 0.055, 0.42, 0.295, True),
}


def text_of(name: str) -> str:
    return (experiments_dir() / name / "config.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_it_loads_without_a_warning(name: str):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_cfg(name).is_frozen()


@pytest.mark.parametrize("name", NAMES)
def test_it_says_only_what_differs_from_the_defaults_and_its_backbone(name: str, leaves: Leaves):
    defaults = leaves(get_cfg())
    written = leaves(yaml.safe_load(text_of(name)))
    assert "BACKBONE.TYPE" in written
    repeated = [path for path, value in written.items() if path in defaults and defaults[path] == value]
    assert [path for path in repeated if path != "BACKBONE.TYPE"] == []


@pytest.mark.parametrize("name", NAMES)
def test_its_header_names_paper_result_and_command(name: str):
    header = text_of(name).split("\n\n")[0]
    assert all(line.startswith("#") for line in header.splitlines())
    assert "et al., " in header
    assert any(word in header for word in ("Published", "Expected", "is published", "not published"))
    assert f" --config {name}" in header.splitlines()[-1]


def test_the_readme_lists_every_experiment(repo_root: Path):
    text = (repo_root / "experiments" / "README.md").read_text(encoding="utf-8")
    listed = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert sorted(listed) == NAMES
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_published_network_and_tracking_values(name: str):
    cfg = load_cfg(name)
    found = (
        cfg.BACKBONE.TYPE,
        cfg.BACKBONE.KWARGS.get("used_layers"),
        cfg.ADJUST.KWARGS.out_channels if cfg.ADJUST.ADJUST else None,
        cfg.RPN.TYPE,
        cfg.RPN.KWARGS.get("weighted"),
        *(cfg.TRACK[key] for key in ("TYPE", "PENALTY_K", "WINDOW_INFLUENCE", "LR", "INSTANCE_SIZE", "BASE_SIZE")),
    )
    assert found == PUBLISHED[name]
    assert (cfg.INPUT.COLOR, cfg.TRACK.CONVENTION, cfg.TRACK.EXEMPLAR_SIZE) == ("BGR", "pysot", 127)


def test_published_values_of_single_configurations():
    long_term, mask = load_cfg("siamrpn_r50_l234_dwxcorr_lt").TRACK, load_cfg("siammask_r50_l3")
    assert (long_term.CONFIDENCE_LOW, long_term.CONFIDENCE_HIGH, long_term.LOST_INSTANCE_SIZE) == (0.8, 0.998, 831)
    assert (mask.TRACK.MASK_THERSHOLD, mask.TRACK.MASK_OUTPUT_SIZE, mask.REFINE.REFINE) == (0.15, 127, True)
    assert load_cfg("siamrpn_mobilev2_l234_dwxcorr").BACKBONE.KWARGS.width_mult == 1.4


@pytest.mark.parametrize("name", sorted(TRAINED))
def test_published_training_values(name: str):
    cfg = load_cfg(name)
    batch, epochs, layers, share, warm_from, warm_to, start, end, output, neg, gray = TRAINED[name]
    assert (batch, epochs, output) == (cfg.TRAIN.BATCH_SIZE, cfg.TRAIN.EPOCH, cfg.TRAIN.OUTPUT_SIZE)
    assert [f"layer{number}" for number in layers] == cfg.BACKBONE.TRAIN_LAYERS
    assert (share, 10, 0.005) == (cfg.BACKBONE.LAYERS_LR, cfg.BACKBONE.TRAIN_EPOCH, cfg.TRAIN.BASE_LR)
    assert {"TYPE": "log", "KWARGS": {"start_lr": start, "end_lr": end}} == cfg.TRAIN.LR
    warm_up = {"start_lr": warm_from, "end_lr": warm_to, "step": 1}
    assert {"WARMUP": True, "TYPE": "step", "EPOCH": 5, "KWARGS": warm_up} == cfg.TRAIN.LR_WARMUP
    assert (neg, gray, 0.2) == (cfg.DATASET.NEG, cfg.DATASET.GRAY, cfg.DATASET.SEARCH.BLUR)
    assert cfg.DATASET.NAMES == ["VID", "YOUTUBEBB", "COCO", "DET"]


def test_siamrpn_r50_trains_as_the_8_gpu_recipe_and_tracks_as_published():
    ours, recipe, published = map(
        load_cfg, ("siamrpn_r50", "siamrpn_r50_l234_dwxcorr_8gpu", "siamrpn_r50_l234_dwxcorr")
    )
    sections = ("TRAIN", "DATASET", "BACKBONE", "ADJUST", "RPN", "MASK", "REFINE", "ANCHOR")
    assert [ours[name] for name in sections] == [recipe[name] for name in sections]
    assert ours.TRACK == published.TRACK


@pytest.mark.parametrize("name", sorted(DASIAMRPN))
def test_dasiamrpn_values_are_those_of_its_networks(name: str):
    cfg = load_cfg(name)
    width, penalty, window, rate, adaptive = DASIAMRPN[name]
    assert (cfg.BACKBONE.KWARGS.width_mult, cfg.RPN.KWARGS.feature_in) == (width, 256 * width)
    assert (penalty, window, rate) == (cfg.TRACK.PENALTY_K, cfg.TRACK.WINDOW_INFLUENCE, cfg.TRACK.LR)
    assert (cfg.TRACK.INSTANCE_SIZE, cfg.TRACK.BASE_SIZE, cfg.TRACK.CONVENTION) == (271, 0, "dasiamrpn")
    assert (cfg.BACKBONE.TYPE, cfg.RPN.TYPE, cfg.ADJUST.ADJUST) == ("alexnetlegacy", "UPChannelRPN", False)
    modules = (cfg.TRACK.ADAPTIVE.ENABLED, cfg.TRACK.DISTRACTOR.ENABLED, cfg.TRACK.LOCAL_TO_GLOBAL.ENABLED)
    assert modules == (adaptive, False, False)


@pytest.mark.parametrize(
    ("name", "module", "instance"),
    [("dasiamrpn_lt", "LOCAL_TO_GLOBAL", 255), ("dasiamrpn_distractor", "DISTRACTOR", 271)],
)
def test_a_module_is_added_to_the_network_for_vot(name: str, module: str, instance: int):
    cfg, base = load_cfg(name), load_cfg("dasiamrpn_vot").clone()
    base.defrost()
    base.META_ARC = name
    base.TRACK[module].ENABLED = True
    base.TRACK.INSTANCE_SIZE = instance
    assert cfg == base


def test_siamfc_values():
    three, five = load_cfg("siamfc_alex"), load_cfg("siamfc_alex_5s")
    assert (three.INPUT.COLOR, three.BACKBONE.TYPE, three.RPN.TYPE) == ("RGB", "alexnetsiamfc", "SiamFCHead")
    assert (three.TRACK.TYPE, three.TRACK.WINDOW_INFLUENCE, three.TRACK.INSTANCE_SIZE) == ("SiamFCTracker", 0.176, 255)
    assert three.TRACK.SIAMFC == get_cfg().TRACK.SIAMFC
    keys = ("SCALE_NUM", "SCALE_STEP", "SCALE_LR", "SCALE_PENALTY", "RESPONSE_UP")
    assert [five.TRACK.SIAMFC[key] for key in keys] == [5, 1.0255, 0.34, 0.962, 16]
    assert five.TRACK.WINDOW_INFLUENCE == 0.168
    assert (five.TRAIN, five.BACKBONE, five.RPN) == (three.TRAIN, three.BACKBONE, three.RPN)


def test_siammask_base_follows_its_recipe():
    cfg = load_cfg("siammask_r50_base")
    assert (cfg.MASK.MASK, cfg.REFINE.REFINE, cfg.TRACK.MASK_OUTPUT_SIZE) == (True, False, 63)
    assert (cfg.TRAIN.CLS_WEIGHT, cfg.TRAIN.LOC_WEIGHT, cfg.TRAIN.MASK_WEIGHT) == (1.0, 1.2, 36.0)
    assert (cfg.TRAIN.LR.KWARGS.start_lr, cfg.TRAIN.LR.KWARGS.end_lr, cfg.TRAIN.EPOCH) == (0.005, 0.0025, 20)
    assert (cfg.DATASET.SEARCH.BLUR, cfg.DATASET.GRAY, cfg.DATASET.NEG) == (0.18, 0.25, 0.2)
    uses = {name: cfg.DATASET[name].NUM_USE for name in cfg.DATASET.NAMES}
    assert uses == {"YTB_VOS": 200000, "VID": 200000, "COCO": -1, "DET": 100000}


@pytest.mark.shared
@pytest.mark.parametrize(
    ("recorded", "name"),
    [
        ("siamrpn_alex_dwxcorr", "siamrpn_alex_dwxcorr"),
        ("siamrpn_alex_upchannel", "siamrpn_alex_upchannel"),
        ("siamrpn_mobilev2_l234_dwxcorr", "siamrpn_mobilev2_l234_dwxcorr"),
        ("siamrpn_r18", "siamrpn_r18_l234_dwxcorr"),
        ("siamrpn_r34", "siamrpn_r34_l234_dwxcorr"),
        ("siamrpn_r50_l234_dwxcorr", "siamrpn_r50_l234_dwxcorr"),
        ("siamrpn_r50_l234_dwxcorr_lt", "siamrpn_r50_l234_dwxcorr_lt"),
        ("siammask_r50_l3", "siammask_r50_l3"),
    ],
)
def test_the_reference_ran_with_the_same_configuration(
    shared: Path, tmp_path: Path, recorded: str, name: str, leaves: Leaves
):
    text = json.loads(str(np.load(shared / "parity" / f"{recorded}.npz")["meta"]))["config"]
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        theirs, ours = leaves(load_cfg(file)), leaves(load_cfg(name))
    different = {path for path in theirs.keys() | ours.keys() if theirs.get(path) != ours.get(path)}
    assert different <= {"CUDA", "META_ARC"}


def test_an_installed_package_carries_its_experiments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = tmp_path / "site-packages" / "pysot"
    for folder in (package.parent / "experiments" / "of_somebody_else", package / "experiments" / "ours"):
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text("META_ARC: x\n")
    monkeypatch.setattr("pysot.config.load._PACKAGE", package)
    assert experiments_dir() == package / "experiments"
    assert experiment_names() == ["ours"]


def test_a_package_without_experiments_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pysot.config.load._PACKAGE", tmp_path / "pysot")
    with pytest.raises(ConfigError, match=r"^no experiments folder in .*; give the path of a YAML file$"):
        load_cfg("siamrpn_r50")
