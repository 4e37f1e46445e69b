"""Every fault that the checks find, by the message a user reads; and that nothing published is one."""

from __future__ import annotations

import pytest

from pysot.config import check_cfg, get_cfg, load_cfg
from pysot.config.check import RANGES, find_faults
from pysot.config.defaults import KEYS
from pysot.utils import ConfigError

R50 = "BACKBONE.KWARGS.used_layers [2,3,4]"
MASK = "MASK.MASK True RPN.TYPE DepthwiseRPN TRACK.TYPE SiamMaskTracker"
REFINE = f"{MASK} REFINE.REFINE True BACKBONE.KWARGS.used_layers [0,1,2,3]"
DASIAM = "TRACK.TYPE DaSiamRPNTracker"

FAULTS = [
    # ranges
    ("ANCHOR.STRIDE 0", ["ANCHOR.STRIDE: expected positive, got 0"]),
    ("TRAIN.BATCH_SIZE -1", ["TRAIN.BATCH_SIZE: expected positive, got -1"]),
    ("TRAIN.NUM_WORKERS -1", ["TRAIN.NUM_WORKERS: expected not negative, got -1"]),
    ("DATASET.NEG 1.5", ["DATASET.NEG: expected between 0 and 1, got 1.5"]),
    ("DATASET.SEARCH.FLIP -0.1", ["DATASET.SEARCH.FLIP: expected between 0 and 1, got -0.1"]),
    ("TRACK.WINDOW_INFLUENCE 1.1", ["TRACK.WINDOW_INFLUENCE: expected between 0 and 1, got 1.1"]),
    ("TRACK.LR 0", ["TRACK.LR: expected above 0 and at most 1, got 0.0"]),
    ("TRAIN.MOMENTUM 1", ["TRAIN.MOMENTUM: expected at least 0 and below 1, got 1.0"]),
    ("TRACK.DISTRACTOR.ETA 1", ["TRACK.DISTRACTOR.ETA: expected above 0 and below 1, got 1.0"]),
    ("TRACK.SIAMFC.SCALE_STEP 1", ["TRACK.SIAMFC.SCALE_STEP: expected above 1, got 1.0"]),
    ("TRACK.SIAMFC.SCALE_NUM 4", ["TRACK.SIAMFC.SCALE_NUM: expected odd, got 4"]),
    (
        "TRACK.SIAMFC.SCALE_NUM 0",
        ["TRACK.SIAMFC.SCALE_NUM: expected positive, got 0", "TRACK.SIAMFC.SCALE_NUM: expected odd, got 0"],
    ),
    ("INPUT.COLOR rgb", ["INPUT.COLOR: expected BGR or RGB, got rgb"]),
    ("TRACK.CONVENTION foolwood", ["TRACK.CONVENTION: expected pysot or dasiamrpn, got foolwood"]),
    ("TRACK.RUNTIME onnx", ["TRACK.RUNTIME: expected eager, fused or bf16, got onnx"]),
    ("ANCHOR.SCALES [-8]", ["ANCHOR.SCALES: expected a list of positive numbers, got [-8]"]),
    (
        "ANCHOR.RATIOS []",
        [
            "ANCHOR.RATIOS: expected a list of positive numbers, got []",
            "ANCHOR gives 0 anchors, ANCHOR.ANCHOR_NUM says 5",
        ],
    ),
    # order
    ("TRACK.CONFIDENCE_LOW 0.999", ["TRACK.CONFIDENCE_LOW 0.999 is above TRACK.CONFIDENCE_HIGH 0.998"]),
    (
        "TRACK.LOCAL_TO_GLOBAL.ENTER 0.96",
        ["TRACK.LOCAL_TO_GLOBAL.ENTER 0.96 is above TRACK.LOCAL_TO_GLOBAL.LEAVE 0.95"],
    ),
    ("TRACK.INSTANCE_SIZE 119", ["TRACK.EXEMPLAR_SIZE 127 is above TRACK.INSTANCE_SIZE 119"]),
    ("TRAIN.POS_NUM 65", ["TRAIN.POS_NUM 65 is above TRAIN.TOTAL_NUM 64"]),
    ("TRAIN.NEG_NUM 65", ["TRAIN.NEG_NUM 65 is above TRAIN.TOTAL_NUM 64"]),
    ("TRAIN.THR_LOW 0.6", ["TRAIN.THR_LOW 0.6 is not below TRAIN.THR_HIGH 0.6"]),
    # epochs
    ("TRAIN.START_EPOCH 20", ["TRAIN.START_EPOCH 20 is not below TRAIN.EPOCH 20"]),
    (
        "TRAIN.EPOCH 5",
        ["TRAIN.LR_WARMUP.EPOCH 5 is not below TRAIN.EPOCH 5; shorten it or set TRAIN.LR_WARMUP.WARMUP False"],
    ),
    ("TRAIN.EPOCH 5 TRAIN.LR_WARMUP.WARMUP False", []),
    # anchors
    ("RPN.KWARGS.anchor_num 3", ["ANCHOR gives 5 anchors, RPN.KWARGS.anchor_num says 3"]),
    ("ANCHOR.ANCHOR_NUM 10 ANCHOR.SCALES [8,16] RPN.KWARGS.anchor_num 10", []),
    (
        "ANCHOR.SCALES [8,16] RPN.KWARGS.anchor_num 5",
        [
            "ANCHOR gives 10 anchors, ANCHOR.ANCHOR_NUM says 5",
            "ANCHOR gives 10 anchors, RPN.KWARGS.anchor_num says 5",
        ],
    ),
    # points
    (
        "RPN.TYPE PointHead",
        ["TRAIN.LOC_LOSS l1 is of offsets from anchors: expected iou or giou with PointHead"],
    ),
    (
        "RPN.KWARGS.branch PointHead TRAIN.LOC_LOSS smooth_l1",
        ["TRAIN.LOC_LOSS smooth_l1 is of offsets from anchors: expected iou or giou with PointHead"],
    ),
    ("RPN.TYPE PointHead TRAIN.LOC_LOSS giou", []),
    ("TRAIN.POINT_INNER 0", ["TRAIN.POINT_INNER: expected above 0 and at most 1, got 0.0"]),
    ("TRAIN.FREEZE_NORM_EPOCH -2", ["TRAIN.FREEZE_NORM_EPOCH: expected at least -1, got -2"]),
    ("TRAIN.POINT_OUTER 0.9", ["TRAIN.POINT_OUTER: expected at least 1, got 0.9"]),
    # score maps
    ("TRAIN.BASE_SIZE 0 TRAIN.OUTPUT_SIZE 17", []),
    ("TRAIN.SEARCH_SIZE 287 TRAIN.OUTPUT_SIZE 29", []),
    (
        "TRAIN.OUTPUT_SIZE 17",
        ["TRAIN.OUTPUT_SIZE is 17, TRAIN's crops and BASE_SIZE give (255 - 127) / 8 + 1 + 8"],
    ),
    (
        "TRAIN.SEARCH_SIZE 256",
        ["TRAIN.OUTPUT_SIZE is 25, TRAIN's crops and BASE_SIZE give (256 - 127) / 8 + 1 + 8"],
    ),
    (
        "TRACK.INSTANCE_SIZE 256",
        ["TRACK.INSTANCE_SIZE 256 is no multiple of ANCHOR.STRIDE 8 larger than TRACK.EXEMPLAR_SIZE 127"],
    ),
    ("TRACK.LOST_INSTANCE_SIZE 832", []),  # read by the long-term tracker alone
    (
        "TRACK.TYPE SiamRPNLTTracker TRACK.LOST_INSTANCE_SIZE 832",
        ["TRACK.LOST_INSTANCE_SIZE 832 is no multiple of ANCHOR.STRIDE 8 larger than TRACK.EXEMPLAR_SIZE 127"],
    ),
    (
        "TRACK.TYPE SiamRPNLTTracker TRACK.LOST_INSTANCE_SIZE 247",
        ["TRACK.LOST_INSTANCE_SIZE 247 is below TRACK.INSTANCE_SIZE 255"],
    ),
    (
        f"{DASIAM} TRACK.ADAPTIVE.ENABLED True TRACK.ADAPTIVE.INSTANCE_SIZE 288",
        ["TRACK.ADAPTIVE.INSTANCE_SIZE 288 is no multiple of ANCHOR.STRIDE 8 larger than TRACK.EXEMPLAR_SIZE 127"],
    ),
    (
        f"{DASIAM} TRACK.LOCAL_TO_GLOBAL.ENABLED True TRACK.LOCAL_TO_GLOBAL.STEP_SIZE 60",
        ["TRACK.LOCAL_TO_GLOBAL.STEP_SIZE 60 is no multiple of ANCHOR.STRIDE 8"],
    ),
    (
        f"{DASIAM} TRACK.LOCAL_TO_GLOBAL.ENABLED True TRACK.LOCAL_TO_GLOBAL.MAX_SIZE 768",
        ["TRACK.LOCAL_TO_GLOBAL.MAX_SIZE 768 is no multiple of ANCHOR.STRIDE 8 larger than TRACK.EXEMPLAR_SIZE 127"],
    ),
    # trackers
    (
        "TRACK.TYPE SiamFCTracker",
        ["TRACK.TYPE SiamFCTracker does not go with RPN.TYPE MultiRPN: SiamFCTracker reads SiamFCHead alone"],
    ),
    (
        "RPN.TYPE SiamFCHead",
        ["TRACK.TYPE SiamRPNTracker does not go with RPN.TYPE SiamFCHead: SiamFCTracker reads SiamFCHead alone"],
    ),
    ("RPN.TYPE SiamFCHead TRACK.TYPE SiamFCTracker", []),
    ("TRACK.TYPE SiamMaskTracker TRACK.MASK_OUTPUT_SIZE 63", ["TRACK.TYPE SiamMaskTracker needs MASK.MASK True"]),
    (
        "TRACK.DISTRACTOR.ENABLED True",
        ["TRACK.DISTRACTOR.ENABLED needs TRACK.TYPE DaSiamRPNTracker, got SiamRPNTracker"],
    ),
    (f"{DASIAM} TRACK.DISTRACTOR.ENABLED True TRACK.ADAPTIVE.ENABLED True TRACK.LOCAL_TO_GLOBAL.ENABLED True", []),
    ("TRACK.LIKENESS.WEIGHT -1", ["TRACK.LIKENESS.WEIGHT: expected not negative, got -1.0"]),
    ("TRACK.LIKENESS.RATE 1.5", ["TRACK.LIKENESS.RATE: expected between 0 and 1, got 1.5"]),
    (
        "RPN.TYPE SiamFCHead TRACK.TYPE SiamFCTracker TRACK.LIKENESS.WEIGHT 1.0",
        ["TRACK.LIKENESS.WEIGHT ranks proposals, which SiamFCTracker has none of"],
    ),
    (f"{DASIAM} TRACK.LIKENESS.WEIGHT 1.0", []),
    (
        f"{DASIAM} TRACK.DISTRACTOR.ENABLED True TRACK.LIKENESS.WEIGHT 1.0",
        ["TRACK.LIKENESS.WEIGHT and TRACK.DISTRACTOR.ENABLED both choose among the proposals: expected one of them"],
    ),
    # masks
    (REFINE, []),
    (f"{MASK} TRACK.MASK_OUTPUT_SIZE 63", []),
    ("REFINE.REFINE True", ["REFINE.REFINE needs MASK.MASK True"]),
    (
        f"{REFINE} BACKBONE.KWARGS.used_layers [2,3]",
        ["REFINE reads levels of stride 2, 4 and 8 and a last one, BACKBONE.KWARGS.used_layers is [2, 3]"],
    ),
    (MASK, ["TRACK.MASK_OUTPUT_SIZE is 127, masks without REFINE are 63 wide"]),
    (f"{REFINE} TRACK.MASK_OUTPUT_SIZE 63", ["TRACK.MASK_OUTPUT_SIZE is 63, masks with REFINE are 127 wide"]),
    (
        f"{MASK} MASK.KWARGS.out_channels 4000",
        ["MASK.KWARGS.out_channels 4000 is no square: a mask has as many pixels as the head has outputs"],
    ),
    # levels and channels
    (f"{R50} ADJUST.KWARGS.out_channels [256,256,256] RPN.KWARGS.in_channels [256,256,256]", []),
    (
        f"{R50} ADJUST.KWARGS.in_channels [512,1024]",
        ["BACKBONE.KWARGS.used_layers [2, 3, 4] gives 3 level(s), ADJUST.KWARGS.in_channels has 2"],
    ),
    (
        f"{R50} RPN.KWARGS.in_channels 256",
        ["BACKBONE.KWARGS.used_layers [2, 3, 4] gives 3 level(s), RPN.KWARGS.in_channels has 1"],
    ),
    (f"{R50} ADJUST.ADJUST False ADJUST.KWARGS.in_channels [512]", []),
    (
        f"{R50} RPN.TYPE DepthwiseRPN",
        [
            "BACKBONE.KWARGS.used_layers [2, 3, 4] gives 3 levels, RPN.TYPE DepthwiseRPN reads one: "
            "use MultiRPN or one layer"
        ],
    ),
    ("BACKBONE.KWARGS.used_layers [2,3] RPN.LEVELS 1 RPN.TYPE DepthwiseRPN", []),
    ("RPN.LEVELS 1", ["RPN.LEVELS 1 gives 1 level, RPN.TYPE MultiRPN reads several: use DepthwiseRPN"]),
    ("RPN.LEVELS -1", ["RPN.LEVELS: expected not negative, got -1"]),
    (
        "BACKBONE.KWARGS.used_layers [2,3] RPN.LEVELS 3",
        ["RPN.LEVELS 3 exceeds the 2 level(s) of BACKBONE.KWARGS.used_layers [2, 3]"],
    ),
    (f"{REFINE} RPN.LEVELS 2", ["RPN.LEVELS is 2: with MASK.MASK True, expected 0 or 1"]),
    (
        "MASK.MASK True",
        ["MASK.MASK True gives 1 level, RPN.TYPE MultiRPN reads several: use DepthwiseRPN"],
    ),
    (
        f"{R50} ADJUST.KWARGS.out_channels [256,256,256] RPN.KWARGS.in_channels [128,256,512]",
        ["ADJUST.KWARGS.out_channels gives [256, 256, 256] channels, RPN.KWARGS.in_channels reads [128, 256, 512]"],
    ),
    (
        f"{REFINE} ADJUST.KWARGS.out_channels [256] MASK.KWARGS.in_channels 128",
        ["ADJUST.KWARGS.out_channels gives [256] channels, MASK.KWARGS.in_channels reads [128]"],
    ),
    # data sets
    (
        "DATASET.NAMES [VID,GOT10K]",
        ["DATASET.NAMES has 'GOT10K', which DATASET does not describe: it has VID, YOUTUBEBB, COCO, DET"],
    ),
    (
        "TRAIN.VALIDATE_NAMES [MINE_VAL]",
        ["TRAIN.VALIDATE_NAMES has 'MINE_VAL', which DATASET does not describe: it has VID, YOUTUBEBB, COCO, DET"],
    ),
    (
        "DATASET.NAMES [SEARCH]",
        ["DATASET.NAMES has 'SEARCH', which DATASET does not describe: it has VID, YOUTUBEBB, COCO, DET"],
    ),
    ("DATASET.VID.ANNO '' DATASET.DET.ROOT '' DATASET.NAMES [VID]", ["DATASET.VID.ANNO is empty: expected a path"]),
    ("DATASET.COCO.NUM_USE 0", ["DATASET.COCO.NUM_USE: expected positive or -1, got 0"]),
    ("DATASET.COCO.FRAME_RANGE -1", ["DATASET.COCO.FRAME_RANGE: expected not negative, got -1"]),
    (
        "DATASET.DET.WEIGHT 0",
        ["DATASET.DET.WEIGHT: expected positive, got 0.0; leave it out of DATASET.NAMES"],
    ),
    (
        "DATASET.NEG_SAME_CATEGORY 0.6 DATASET.NEG_SAME_VIDEO 0.5",
        ["DATASET.NEG_SAME_CATEGORY and DATASET.NEG_SAME_VIDEO: expected a sum of at most 1"],
    ),
    (
        "DATASET.DEVICE_AUGMENT True DATASET.SEARCH.JPEG 0.1",
        ["DATASET.DEVICE_AUGMENT: compression noise (JPEG) is made in the workers only; set one of them to 0"],
    ),
]


@pytest.mark.parametrize(("changes", "faults"), FAULTS)
def test_each_fault_is_found_and_no_other(changes: str, faults: list[str]):
    if not faults:
        assert find_faults(load_cfg(None, changes.split())) == []
        return
    with pytest.raises(ConfigError) as error:
        load_cfg(None, changes.split())
    assert str(error.value).splitlines() == [f"configuration: {fault}" for fault in faults]


def test_faults_of_several_checks_come_together():
    changes = "ANCHOR.STRIDE 0 TRACK.LR 2 RPN.KWARGS.anchor_num 3 REFINE.REFINE True DATASET.NAMES [X]"
    with pytest.raises(ConfigError) as error:
        load_cfg(None, changes.split())
    starts = [line.removeprefix("configuration: ").split(" ")[0] for line in str(error.value).splitlines()]
    assert starts == ["ANCHOR.STRIDE:", "TRACK.LR:", "ANCHOR", "REFINE.REFINE", "DATASET.NAMES"]


def test_every_range_names_keys_that_exist_and_covers_every_number():
    paths = {key.path for key in KEYS}
    ranged = {key for _, _, keys in RANGES for key in keys.split()}
    assert ranged <= paths
    numbers = {key.path for key in KEYS if type(key.default) in (int, float)}
    own_check = {path for path in numbers if path.endswith((".FRAME_RANGE", ".NUM_USE", ".WEIGHT"))}
    assert numbers - own_check <= ranged


def test_a_tree_changed_in_a_program_can_be_checked():
    cfg = get_cfg()
    check_cfg(cfg)
    cfg.TRACK.INSTANCE_SIZE = 100
    with pytest.raises(ConfigError, match=r"^search: TRACK.EXEMPLAR_SIZE 127 is above TRACK.INSTANCE_SIZE 100\n"):
        check_cfg(cfg, "search")
