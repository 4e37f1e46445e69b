"""The table of keys, against the values recorded from PySOT, and the page generated from it."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pysot.config import get_cfg
from pysot.config.defaults import KEYS, OPTIONAL, RETIRED
from pysot.config.document import markdown

Leaves = Callable[[dict[str, Any]], dict[str, Any]]

# Typed from PySOT's documentation of its defaults (behaviour of d04028f), section by section.
PUBLISHED_DEFAULTS = """
META_ARC: siamrpn_r50_l234_dwxcorr
CUDA: true
TRAIN: {THR_HIGH: .6, THR_LOW: .3, NEG_NUM: 16, POS_NUM: 16, TOTAL_NUM: 64, EXEMPLAR_SIZE: 127, SEARCH_SIZE: 255,
  BASE_SIZE: 8, OUTPUT_SIZE: 25, RESUME: '', PRETRAINED: '', LOG_DIR: ./logs, SNAPSHOT_DIR: ./snapshot, EPOCH: 20,
  START_EPOCH: 0, BATCH_SIZE: 32, NUM_WORKERS: 1, MOMENTUM: .9, WEIGHT_DECAY: 0.0001, CLS_WEIGHT: 1.0,
  LOC_WEIGHT: 1.2, MASK_WEIGHT: 1, PRINT_FREQ: 20, LOG_GRADS: false, GRAD_CLIP: 10.0, BASE_LR: .005,
  LR: {TYPE: log, KWARGS: {}}, LR_WARMUP: {WARMUP: true, TYPE: step, EPOCH: 5, KWARGS: {}}}
DATASET: {TEMPLATE: {SHIFT: 4, SCALE: .05, BLUR: 0, FLIP: 0, COLOR: 1.0},
  SEARCH: {SHIFT: 64, SCALE: .18, BLUR: 0, FLIP: 0, COLOR: 1.0}, NEG: .2, GRAY: 0,
  NAMES: [VID, COCO, DET, YOUTUBEBB], VIDEOS_PER_EPOCH: 600000,
  VID: {ROOT: training_dataset/vid/crop511, ANNO: training_dataset/vid/train.json, FRAME_RANGE: 100, NUM_USE: 100000},
  YOUTUBEBB: {ROOT: training_dataset/yt_bb/crop511, ANNO: training_dataset/yt_bb/train.json, FRAME_RANGE: 3,
    NUM_USE: -1},
  COCO: {ROOT: training_dataset/coco/crop511, ANNO: training_dataset/coco/train2017.json, FRAME_RANGE: 1, NUM_USE: -1},
  DET: {ROOT: training_dataset/det/crop511, ANNO: training_dataset/det/train.json, FRAME_RANGE: 1, NUM_USE: -1}}
BACKBONE: {TYPE: resnet50, KWARGS: {}, PRETRAINED: '', TRAIN_LAYERS: [layer2, layer3, layer4], LAYERS_LR: .1,
  TRAIN_EPOCH: 10}
ADJUST: {ADJUST: true, KWARGS: {}, TYPE: AdjustAllLayer}
RPN: {TYPE: MultiRPN, KWARGS: {}}
MASK: {MASK: false, TYPE: MaskCorr, KWARGS: {}}
REFINE: {REFINE: false, TYPE: Refine}
ANCHOR: {STRIDE: 8, RATIOS: [.33, .5, 1, 2, 3], SCALES: [8], ANCHOR_NUM: 5}
TRACK: {TYPE: SiamRPNTracker, PENALTY_K: .04, WINDOW_INFLUENCE: .44, LR: .4, EXEMPLAR_SIZE: 127, INSTANCE_SIZE: 255,
  BASE_SIZE: 8, CONTEXT_AMOUNT: .5, LOST_INSTANCE_SIZE: 831, CONFIDENCE_LOW: .85, CONFIDENCE_HIGH: .998,
  MASK_THERSHOLD: .30, MASK_OUTPUT_SIZE: 127}
"""

OUR_DEFAULTS = """
INPUT: {COLOR: BGR}
DATASET: {TEMPLATE: {ASPECT: .0, JPEG: .0}, SEARCH: {ASPECT: .0, JPEG: .0, CUTOUT: .0},
  NEG_SAME_CATEGORY: .0, NEG_SAME_VIDEO: .0, DEVICE_AUGMENT: false, MAX_FAULTY: 100,
  VID: &crops {WEIGHT: 1.0, CROPPED: true, IMAGES: "{video}/{frame:06d}.{track}.x.jpg", MASKS: ""},
  YOUTUBEBB: *crops, COCO: *crops, DET: *crops}
TRAIN: {FILL_NEGATIVES: false, LABEL_RADIUS: 16, LOC_LOSS: l1, POINT_INNER: .5, POINT_OUTER: 1.0,
  QUALITY_WEIGHT: 1.0, LABEL_SMOOTHING: 0.0, MASK_CELLS: positive, FROZEN: [],
  GRAD_REDUCE: mean, EMA: 0.0, LR_PER_STEP: false, ACCUMULATE: 1, PRECISION: fp32, CHANNELS_LAST: false,
  COMPILE: false, SYNC_BN: false, FREEZE_NORM_EPOCH: -1, MAX_SKIPPED: 10,
  KEEP_EVERY: 1, SEED: 0, VALIDATE_NAMES: [], VALIDATE_PAIRS: 1000,
  VALIDATE_ON: Builtin, VALIDATE_SEQUENCES: 10, VALIDATE_FRAMES: 40, LOG_IMAGES: 4}
RPN: {LEVELS: 0}
TRACK: {CONVENTION: pysot, LOST_SCORE: .5, RUNTIME: eager,
  LIKENESS: {WEIGHT: .0, RATE: .03},
  ADAPTIVE: {ENABLED: false, AREA_RATIO: .004, INSTANCE_SIZE: 287},
  DISTRACTOR: {ENABLED: false, SCORE_THRESHOLD: .5, NMS_IOU: .5, TOP_K: 16, ALPHA_HAT: .5, ALPHA: 1.0, ETA: .01},
  LOCAL_TO_GLOBAL: {ENABLED: false, STEP_SIZE: 64, MAX_SIZE: 767, ENTER: .8, LEAVE: .95},
  SIAMFC: {SCALE_NUM: 3, SCALE_STEP: 1.0375, SCALE_LR: .59, SCALE_PENALTY: .9745, RESPONSE_UP: 16}}
"""


def test_every_key_has_its_published_default(leaves: Leaves):
    expected = leaves(yaml.safe_load(PUBLISHED_DEFAULTS)) | leaves(yaml.safe_load(OUR_DEFAULTS))
    assert leaves(get_cfg()) == expected


@pytest.mark.shared
def test_the_recorded_configurations_know_no_other_key_and_no_other_default(shared: Path, leaves: Leaves):
    cfg = leaves(get_cfg())
    varying = ("META_ARC", "CUDA", "BACKBONE.", "ADJUST.", "RPN.", "MASK.", "REFINE.", "TRACK.")
    files = [file for file in sorted((shared / "parity").glob("*.npz")) if "meta" in np.load(file)]
    recorded = [json.loads(str(np.load(file)["meta"])) for file in files]
    texts = [meta["config"] for meta in recorded if "config" in meta]
    assert len(texts) == 8
    for text in texts:
        for path, value in leaves(yaml.safe_load(text)).items():
            assert path in cfg or ".KWARGS." in path, path
            if not path.startswith(varying):
                assert cfg[path] == value, path


def test_two_trees_are_independent():
    one, other = get_cfg(), get_cfg()
    one.TRACK.LR = 0.9
    one.ANCHOR.RATIOS.append(4)
    one.RPN.KWARGS.weighted = True
    one.DATASET.NAMES.clear()
    assert other == get_cfg()
    assert other.TRACK.LR == 0.4
    assert other.ANCHOR.RATIOS == [0.33, 0.5, 1, 2, 3]


def test_every_key_is_described_once():
    paths = [key.path for key in KEYS]
    assert len(paths) == len(set(paths))
    assert all(key.meaning and key.source for key in KEYS)
    assert set(RETIRED.values()) <= {key.path for key in OPTIONAL}
    assert not set(RETIRED) & set(paths)


def test_yacs_itself_merges_a_pysot_file(tmp_path: Path):
    file = tmp_path / "config.yaml"
    file.write_text("TRACK: {LR: 0.3}\nRPN: {KWARGS: {anchor_num: 5}}\nDATASET: {GOT10K: {ROOT: x}}\n")
    cfg = get_cfg()
    cfg.merge_from_file(str(file))
    assert (cfg.TRACK.LR, cfg.RPN.KWARGS.anchor_num, cfg.DATASET.GOT10K.ROOT) == (0.3, 5, "x")


def test_the_page_of_the_documentation_is_what_the_table_gives(repo_root: Path):
    page = (repo_root / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == markdown(), "run: python -m pysot.config.document > docs/configuration.md"
    assert all(f"`{key.path}`" in page for key in (*KEYS, *OPTIONAL))


def test_the_configuration_imports_little(repo_root: Path):
    allowed = {*sys.stdlib_module_names, "yacs", "yaml", "pysot.config", "pysot.utils"}
    for file in sorted((repo_root / "pysot" / "config").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            for module in modules:
                parts = module.split(".")
                top = ".".join(parts[: 2 if parts[0] == "pysot" else 1])
                assert top in allowed, f"{file.name} imports {module}"
