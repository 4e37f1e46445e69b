"""Every configuration key: default, unit, meaning, source. Tree and documentation come from this table."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

from yacs.config import CfgNode

PYSOT = "PySOT"  # key and default of STVIR/pysot at d04028f
SIAMFC = "SiamFC"  # huanglianghua/siamfc-pytorch, siamfc/siamfc.py
SIAMMASK = "SiamMask"  # arXiv:1812.05050 and foolwood/SiamMask
DASIAMRPN = "DaSiamRPN"  # arXiv:1808.06048 and foolwood/DaSiamRPN
SIAMBAN = "SiamBAN"  # arXiv:2003.06761
OURS = "this project"

CROP_NAMES = "{video}/{frame:06d}.{track}.x.jpg"  # how PySOT's cropping scripts name their files


class Key(NamedTuple):
    """One key: its dotted path, default, unit ("" for none), meaning, and where key and default come from."""

    path: str
    default: Any
    unit: str
    meaning: str
    source: str = PYSOT


class Optional(NamedTuple):
    """A key of some KWARGS, absent unless given; ``kinds`` are those of ``pysot.config.coerce``."""

    path: str
    kinds: tuple[str, ...]
    meaning: str


KEYS: tuple[Key, ...] = (
    Key("META_ARC", "siamrpn_r50_l234_dwxcorr", "", "name of the architecture, used in logs and file names"),
    Key("CUDA", True, "", "use a GPU where one is present; off: always the CPU"),
    Key(
        "INPUT.COLOR",
        "BGR",
        "",
        "channel order of the network: BGR, or RGB (siamfc-pytorch)",
        OURS,
    ),
    # Training: labels of the anchors
    Key("TRAIN.THR_HIGH", 0.6, "iou", "an anchor above this overlap with the target is positive"),
    Key("TRAIN.THR_LOW", 0.3, "iou", "an anchor below this overlap with the target is negative"),
    Key("TRAIN.NEG_NUM", 16, "anchors", "negatives taken from a negative pair"),
    Key("TRAIN.POS_NUM", 16, "anchors", "most positives taken from a pair"),
    Key("TRAIN.TOTAL_NUM", 64, "anchors", "positives and negatives taken from a pair, together"),
    Key("TRAIN.FILL_NEGATIVES", False, "", "fill up to TOTAL_NUM with negatives where positives are few", SIAMMASK),
    Key("TRAIN.LABEL_RADIUS", 16, "px", "SiamFCHead: cells within this distance of the target are positive", SIAMFC),
    Key("TRAIN.POINT_INNER", 0.5, "", "PointHead: cells within this share of the box's ellipse are positive", SIAMBAN),
    Key("TRAIN.POINT_OUTER", 1.0, "", "PointHead: cells beyond this share of it are negative, others ignored", SIAMBAN),
    # Training: geometry
    Key("TRAIN.EXEMPLAR_SIZE", 127, "px", "side of the template crop"),
    Key("TRAIN.SEARCH_SIZE", 255, "px", "side of the search crop"),
    Key(
        "TRAIN.BASE_SIZE",
        8,
        "cells",
        "cells beyond (SEARCH - EXEMPLAR) / STRIDE + 1: 8 padded, 0 not",
    ),
    Key("TRAIN.OUTPUT_SIZE", 25, "cells", "side of the score map that the labels are made for"),
    # Training: files
    Key("TRAIN.RESUME", "", "path", "checkpoint to continue from"),
    Key("TRAIN.PRETRAINED", "", "path", "whole-network weights to start from"),
    Key("TRAIN.LOG_DIR", "./logs", "path", "folder of the log files"),
    Key("TRAIN.SNAPSHOT_DIR", "./snapshot", "path", "folder of the checkpoints"),
    # Training: optimisation
    Key("TRAIN.EPOCH", 20, "epochs", "length of the training"),
    Key("TRAIN.START_EPOCH", 0, "epochs", "first epoch"),
    Key("TRAIN.BATCH_SIZE", 32, "pairs", "batch size per GPU"),
    Key("TRAIN.NUM_WORKERS", 1, "processes", "data loading processes per GPU; 0: none but the training's"),
    Key("TRAIN.MOMENTUM", 0.9, "", "momentum of SGD"),
    Key("TRAIN.WEIGHT_DECAY", 1e-4, "", "weight decay of SGD"),
    Key("TRAIN.CLS_WEIGHT", 1.0, "", "weight of the classification loss"),
    Key("TRAIN.LOC_WEIGHT", 1.2, "", "weight of the box regression loss"),
    Key("TRAIN.MASK_WEIGHT", 1.0, "", "weight of the mask loss; the SiamMask recipe uses 36"),
    Key("TRAIN.QUALITY_WEIGHT", 1.0, "", "PointHead: weight of the loss of the predicted overlap", OURS),
    Key("TRAIN.LOC_LOSS", "l1", "", "box regression loss: l1, smooth_l1, iou or giou; PointHead: iou or giou", OURS),
    Key("TRAIN.LABEL_SMOOTHING", 0.0, "", "share of the labels' certainty that is given to the other class", OURS),
    Key(
        "TRAIN.MASK_CELLS",
        "positive",
        "",
        "cells whose masks are trained: positive, or inside the crop (refinement)",
        SIAMMASK,
    ),
    Key("TRAIN.FROZEN", [], "", "parts never trained: of backbone, neck, rpn_head, mask_head, refine_head", OURS),
    Key("TRAIN.PRINT_FREQ", 20, "steps", "steps between two log lines"),
    Key("TRAIN.LOG_GRADS", False, "", "log the norms of the gradients"),
    Key("TRAIN.LOG_IMAGES", 4, "pairs", "drawn after each epoch with what the network answers; 0: none", OURS),
    Key("TRAIN.GRAD_CLIP", 10.0, "", "largest norm of the whole gradient; 0: any"),
    Key("TRAIN.GRAD_REDUCE", "mean", "", "gradients of several processes: their mean, or their sum as PySOT's", OURS),
    Key("TRAIN.ACCUMULATE", 1, "batches", "batches whose gradients make a step", OURS),
    Key("TRAIN.PRECISION", "fp32", "", "of the forward pass: fp32, or bf16 where that is safe (autocast)", OURS),
    Key("TRAIN.CHANNELS_LAST", False, "", "keep channels last in memory", OURS),
    Key("TRAIN.COMPILE", False, "", "compile the network", OURS),
    Key("TRAIN.SYNC_BN", False, "", "normalise over the pairs of all processes", OURS),
    Key(
        "TRAIN.FREEZE_NORM_EPOCH",
        -1,
        "epochs",
        "epoch from which normalisations keep their statistics and use them, as a tracker does; -1: none",
        OURS,
    ),
    Key("TRAIN.MAX_SKIPPED", 10, "steps", "steps in a row whose losses may not be finite", OURS),
    Key("TRAIN.KEEP_EVERY", 1, "epochs", "epochs between checkpoints that stay; the last one always does", OURS),
    Key("TRAIN.SEED", 0, "", "seed of weights, pairs and augmentation", OURS),
    Key("TRAIN.VALIDATE_NAMES", [], "", "data sets of held-out videos, for a loss after each epoch", OURS),
    Key("TRAIN.VALIDATE_PAIRS", 1000, "pairs", "of them", OURS),
    Key("TRAIN.VALIDATE_ON", "Builtin", "", "benchmark tracked after each epoch, for the best weights; '': none", OURS),
    Key("TRAIN.VALIDATE_SEQUENCES", 10, "sequences", "of it, the first ones", OURS),
    Key("TRAIN.VALIDATE_FRAMES", 40, "frames", "of each, the first ones", OURS),
    Key("TRAIN.EMA", 0.0, "", "decay per step of the averaged weights that are validated and saved; 0: none", OURS),
    Key("TRAIN.BASE_LR", 0.005, "", "learning rate of neck and heads that the schedule scales"),
    Key("TRAIN.LR.TYPE", "log", "", "schedule after the warm-up: log, step, multi-step, linear or cos"),
    Key("TRAIN.LR.KWARGS", {}, "", "arguments of the schedule (start_lr, end_lr, ...)"),
    Key("TRAIN.LR_PER_STEP", False, "", "follow the schedule within an epoch, not from epoch to epoch", OURS),
    Key("TRAIN.LR_WARMUP.WARMUP", True, "", "warm up"),
    Key("TRAIN.LR_WARMUP.TYPE", "step", "", "schedule of the warm-up"),
    Key("TRAIN.LR_WARMUP.EPOCH", 5, "epochs", "length of the warm-up"),
    Key("TRAIN.LR_WARMUP.KWARGS", {}, "", "arguments of that schedule (start_lr, end_lr, step, ...)"),
    # Training data; DATASET takes further data sets by name, with the keys of DATASET_ENTRY
    Key("DATASET.TEMPLATE.SHIFT", 4, "px", "template crop: largest shift to either side"),
    Key("DATASET.TEMPLATE.SCALE", 0.05, "", "template crop: largest relative change of scale"),
    Key("DATASET.TEMPLATE.BLUR", 0.0, "probability", "template crop: motion blur"),
    Key("DATASET.TEMPLATE.FLIP", 0.0, "probability", "template crop: mirrored left to right"),
    Key("DATASET.TEMPLATE.COLOR", 1.0, "probability", "template crop: colour offset"),
    Key("DATASET.TEMPLATE.ASPECT", 0.0, "", "template crop: largest relative change of width / height", OURS),
    Key("DATASET.TEMPLATE.JPEG", 0.0, "probability", "template crop: noise of a second compression", OURS),
    Key("DATASET.SEARCH.SHIFT", 64, "px", "search crop: largest shift to either side"),
    Key("DATASET.SEARCH.SCALE", 0.18, "", "search crop: largest relative change of scale"),
    Key("DATASET.SEARCH.BLUR", 0.0, "probability", "search crop: motion blur"),
    Key("DATASET.SEARCH.FLIP", 0.0, "probability", "search crop: mirrored left to right"),
    Key("DATASET.SEARCH.COLOR", 1.0, "probability", "search crop: colour offset"),
    Key("DATASET.SEARCH.ASPECT", 0.0, "", "search crop: largest relative change of width / height", OURS),
    Key("DATASET.SEARCH.JPEG", 0.0, "probability", "search crop: noise of a second compression", OURS),
    Key("DATASET.SEARCH.CUTOUT", 0.0, "probability", "search crop: a patch hides a part of the target", OURS),
    Key("DATASET.NEG", 0.2, "probability", "template and search show different targets"),
    Key(
        "DATASET.NEG_SAME_CATEGORY",
        0.0,
        "",
        "share of those whose targets are of one category, in different videos",
        DASIAMRPN,
    ),
    Key("DATASET.NEG_SAME_VIDEO", 0.0, "", "share of those whose targets are neighbours in one video", OURS),
    Key("DATASET.GRAY", 0.0, "probability", "both crops of a pair are grey"),
    Key(
        "DATASET.NAMES",
        ["VID", "COCO", "DET", "YOUTUBEBB"],
        "",
        "data sets to train on, keys of DATASET",
    ),
    Key("DATASET.VID.ROOT", "training_dataset/vid/crop511", "path", "ImageNet VID: folder of crops"),
    Key("DATASET.VID.ANNO", "training_dataset/vid/train.json", "path", "ImageNet VID: annotations"),
    Key("DATASET.VID.FRAME_RANGE", 100, "frames", "ImageNet VID: farthest template from search"),
    Key("DATASET.VID.NUM_USE", 100000, "videos", "ImageNet VID: drawn per epoch; -1: each once"),
    Key("DATASET.YOUTUBEBB.ROOT", "training_dataset/yt_bb/crop511", "path", "YouTube-BB: folder of crops"),
    Key("DATASET.YOUTUBEBB.ANNO", "training_dataset/yt_bb/train.json", "path", "YouTube-BB: annotations"),
    Key(
        "DATASET.YOUTUBEBB.FRAME_RANGE",
        3,
        "frames",
        "YouTube-BB: the same (one frame a second)",
    ),
    Key("DATASET.YOUTUBEBB.NUM_USE", -1, "videos", "YouTube-BB: drawn per epoch; -1: each once"),
    Key("DATASET.COCO.ROOT", "training_dataset/coco/crop511", "path", "COCO: folder of crops"),
    Key("DATASET.COCO.ANNO", "training_dataset/coco/train2017.json", "path", "COCO: annotations"),
    Key("DATASET.COCO.FRAME_RANGE", 1, "frames", "COCO (still images)"),
    Key("DATASET.COCO.NUM_USE", -1, "images", "COCO: drawn per epoch; -1: each once"),
    Key("DATASET.DET.ROOT", "training_dataset/det/crop511", "path", "ImageNet DET: folder of crops"),
    Key("DATASET.DET.ANNO", "training_dataset/det/train.json", "path", "ImageNet DET: annotations"),
    Key("DATASET.DET.FRAME_RANGE", 1, "frames", "ImageNet DET (still images)"),
    Key("DATASET.DET.NUM_USE", -1, "images", "ImageNet DET: drawn per epoch; -1: each once"),
    *(
        Key(f"DATASET.{name}.{key}", default, unit, meaning, OURS)
        for name in ("VID", "YOUTUBEBB", "COCO", "DET")
        for key, default, unit, meaning in (
            ("WEIGHT", 1.0, "", "factor on the share of the pairs that NUM_USE gives"),
            ("CROPPED", True, "", "crops with the target in the middle (crop511); off: whole frames"),
            ("IMAGES", CROP_NAMES, "", "name of an image in ROOT, from video, frame and track"),
            ("MASKS", "", "", "name of a mask in ROOT, alike; empty: there are none"),
        )
    ),
    Key("DATASET.VIDEOS_PER_EPOCH", 600000, "pairs", "length of an epoch"),
    Key("DATASET.DEVICE_AUGMENT", False, "", "augment on the training's device, not in the workers", OURS),
    Key("DATASET.MAX_FAULTY", 100, "files", "stop when more images than this cannot be read", OURS),
    # Network. PySOT's default backbone 'res50' names no backbone; resnet50 is what its files mean.
    Key("BACKBONE.TYPE", "resnet50", "", "name of the backbone", OURS),
    Key("BACKBONE.KWARGS", {}, "", "arguments of the backbone"),
    Key("BACKBONE.PRETRAINED", "", "path", "backbone weights to start the training from"),
    Key("BACKBONE.TRAIN_LAYERS", ["layer2", "layer3", "layer4"], "", "layers, or blocks (layer4.3), that are trained"),
    Key("BACKBONE.LAYERS_LR", 0.1, "", "their learning rate as a share of BASE_LR"),
    Key("BACKBONE.TRAIN_EPOCH", 10, "epochs", "epoch from which they are trained; frozen before"),
    Key("ADJUST.ADJUST", True, "", "the network has a neck"),
    Key("ADJUST.KWARGS", {}, "", "arguments of the neck"),
    Key("ADJUST.TYPE", "AdjustAllLayer", "", "name of the neck"),
    Key("RPN.TYPE", "MultiRPN", "", "name of the head that scores and locates the target"),
    Key("RPN.KWARGS", {}, "", "arguments of that head"),
    Key(
        "RPN.LEVELS", 0, "levels", "last levels of the backbone that neck and heads read; 0: all, one with masks", OURS
    ),
    Key("MASK.MASK", False, "", "the network has a mask head"),
    Key("MASK.TYPE", "MaskCorr", "", "name of the mask head"),
    Key("MASK.KWARGS", {}, "", "arguments of the mask head"),
    Key("REFINE.REFINE", False, "", "the network has a refinement of the mask"),
    Key("REFINE.TYPE", "Refine", "", "name of the refinement"),
    Key("ANCHOR.STRIDE", 8, "px", "search pixels per score-map cell"),
    Key("ANCHOR.RATIOS", [0.33, 0.5, 1, 2, 3], "", "height / width of the anchors"),
    Key("ANCHOR.SCALES", [8], "strides", "side of a square anchor"),
    Key("ANCHOR.ANCHOR_NUM", 5, "anchors", "anchors per cell: ratios times scales"),
    # Tracking
    Key("TRACK.TYPE", "SiamRPNTracker", "", "name of the tracker"),
    Key("TRACK.PENALTY_K", 0.04, "", "strength of the penalty on changes of size and shape"),
    Key("TRACK.WINDOW_INFLUENCE", 0.44, "", "share of the cosine window in the final score"),
    Key("TRACK.LR", 0.4, "", "share of the new size taken over per frame, times penalty and score"),
    Key("TRACK.EXEMPLAR_SIZE", 127, "px", "side of the template crop"),
    Key("TRACK.INSTANCE_SIZE", 255, "px", "side of the search crop"),
    Key("TRACK.BASE_SIZE", 8, "cells", "as TRAIN.BASE_SIZE, while tracking"),
    Key("TRACK.CONTEXT_AMOUNT", 0.5, "", "border around the target, as a share of width + height"),
    Key("TRACK.LOST_INSTANCE_SIZE", 831, "px", "SiamRPNLTTracker: side of the search crop when lost"),
    Key("TRACK.CONFIDENCE_LOW", 0.85, "score", "SiamRPNLTTracker: lost below this"),
    Key("TRACK.CONFIDENCE_HIGH", 0.998, "score", "SiamRPNLTTracker: found again above this"),
    Key("TRACK.MASK_THERSHOLD", 0.30, "probability", "SiamMaskTracker: a pixel above this is target (sic)"),
    Key("TRACK.MASK_OUTPUT_SIZE", 127, "px", "SiamMaskTracker: side of the mask: 127 refined, 63 not"),
    Key("TRACK.CONVENTION", "pysot", "", "anchor grid and crop rounding of pysot or dasiamrpn weights", OURS),
    Key("TRACK.LOST_SCORE", 0.5, "score", "a prediction below this is marked lost", OURS),
    Key("TRACK.RUNTIME", "eager", "", "eager, fused (faster, equal to rounding) or bf16 (fastest, coarser)", OURS),
    Key("TRACK.LIKENESS.WEIGHT", 0.0, "", "rank added to a proposal that looks just like the target", OURS),
    Key("TRACK.LIKENESS.RATE", 0.03, "", "share of the new look taken over per frame, times the score", OURS),
    Key(
        "TRACK.ADAPTIVE.ENABLED",
        False,
        "",
        "search farther for targets small in the frame",
        DASIAMRPN,
    ),
    Key("TRACK.ADAPTIVE.AREA_RATIO", 0.004, "", "a target below this share of the frame is small", DASIAMRPN),
    Key("TRACK.ADAPTIVE.INSTANCE_SIZE", 287, "px", "search crop for a small target", DASIAMRPN),
    Key("TRACK.DISTRACTOR.ENABLED", False, "", "re-rank proposals against distractors", DASIAMRPN),
    Key(
        "TRACK.DISTRACTOR.SCORE_THRESHOLD",
        0.5,
        "score",
        "proposals above this may distract",
        DASIAMRPN,
    ),
    Key("TRACK.DISTRACTOR.NMS_IOU", 0.5, "iou", "proposals that overlap more are one object", DASIAMRPN),
    Key("TRACK.DISTRACTOR.TOP_K", 16, "proposals", "proposals that are re-ranked", DASIAMRPN),
    Key("TRACK.DISTRACTOR.ALPHA_HAT", 0.5, "", "weight of all distractors against the target", DASIAMRPN),
    Key("TRACK.DISTRACTOR.ALPHA", 1.0, "", "weight of one distractor", DASIAMRPN),
    Key("TRACK.DISTRACTOR.ETA", 0.01, "", "rate at which the running template learns", DASIAMRPN),
    Key(
        "TRACK.LOCAL_TO_GLOBAL.ENABLED",
        False,
        "",
        "grow the search region while lost",
        DASIAMRPN,
    ),
    Key("TRACK.LOCAL_TO_GLOBAL.STEP_SIZE", 64, "px", "search crop grows by this per lost frame", OURS),
    Key("TRACK.LOCAL_TO_GLOBAL.MAX_SIZE", 767, "px", "largest search crop", DASIAMRPN),
    Key("TRACK.LOCAL_TO_GLOBAL.ENTER", 0.8, "score", "lost below this", DASIAMRPN),
    Key("TRACK.LOCAL_TO_GLOBAL.LEAVE", 0.95, "score", "found again above this", DASIAMRPN),
    Key("TRACK.SIAMFC.SCALE_NUM", 3, "crops", "sizes searched per frame; odd", SIAMFC),
    Key("TRACK.SIAMFC.SCALE_STEP", 1.0375, "", "ratio of neighbouring sizes", SIAMFC),
    Key("TRACK.SIAMFC.SCALE_LR", 0.59, "", "share of the new size taken over per frame", SIAMFC),
    Key("TRACK.SIAMFC.SCALE_PENALTY", 0.9745, "", "factor on the response of every changed size", SIAMFC),
    Key("TRACK.SIAMFC.RESPONSE_UP", 16, "", "upsampling of the response before its peak is taken", SIAMFC),
)

#: What a data set under DATASET starts from where its configuration says nothing.
DATASET_ENTRY: dict[str, Any] = {
    "ROOT": "",
    "ANNO": "",
    "FRAME_RANGE": 1,
    "NUM_USE": -1,
    "WEIGHT": 1.0,
    "CROPPED": True,
    "IMAGES": CROP_NAMES,
    "MASKS": "",
}

OPTIONAL: tuple[Optional, ...] = (
    Optional("TRAIN.LR.KWARGS.start_lr", ("float",), "learning rate of the first epoch"),
    Optional("TRAIN.LR.KWARGS.end_lr", ("float",), "learning rate of the last epoch (cos, step: the one after)"),
    Optional("TRAIN.LR.KWARGS.step", ("int",), "step: epochs between two changes"),
    Optional("TRAIN.LR.KWARGS.steps", ("ints",), "multi-step: epochs of the changes"),
    Optional("TRAIN.LR.KWARGS.mult", ("float",), "step, multi-step: factor of a change; derived where end_lr is given"),
    Optional("BACKBONE.KWARGS.used_layers", ("ints",), "levels handed on; 0 is the first convolution"),
    Optional("BACKBONE.KWARGS.width_mult", ("float",), "factor on the number of channels"),
    Optional("ADJUST.KWARGS.in_channels", ("int", "ints"), "channels per level; derived when absent"),
    Optional("ADJUST.KWARGS.out_channels", ("int", "ints"), "channels per level after the neck"),
    Optional("ADJUST.KWARGS.center_size", ("int",), "cells that are left of the template's feature map"),
    Optional("RPN.KWARGS.anchor_num", ("int",), "anchors per cell; derived when absent"),
    Optional("RPN.KWARGS.in_channels", ("int", "ints"), "channels per level; derived when absent"),
    Optional("RPN.KWARGS.out_channels", ("int",), "DepthwiseRPN, PointHead: channels of the correlation"),
    Optional("RPN.KWARGS.feature_in", ("int",), "UPChannelRPN: channels it reads; derived when absent"),
    Optional("RPN.KWARGS.weighted", ("bool",), "MultiRPN: learned weights of the levels, not their mean"),
    Optional("RPN.KWARGS.branch", ("str",), "MultiRPN: head of each level, DepthwiseRPN"),
    Optional("RPN.KWARGS.tower", ("int",), "PointHead: convolutions after each correlation, 2"),
    Optional("RPN.KWARGS.quality", ("bool",), "PointHead: predict each box's overlap as well, true"),
    Optional("RPN.KWARGS.out_scale", ("float",), "SiamFCHead: factor on the response, 0.001"),
    Optional("RPN.KWARGS.bias", ("bool",), "SiamFCHead: learn an offset of the response, false"),
    Optional("MASK.KWARGS.in_channels", ("int",), "channels it reads; derived when absent"),
    Optional("MASK.KWARGS.hidden", ("int",), "channels of the correlation"),
    Optional("MASK.KWARGS.out_channels", ("int",), "pixels of a mask: 3969 = 63 * 63"),
)

#: Keys of PySOT's early files, which later versions dropped, and what says the same today.
RETIRED: dict[str, str] = {
    "BACKBONE.LAYERS": "BACKBONE.KWARGS.used_layers",
    "BACKBONE.WIDTH_MULT": "BACKBONE.KWARGS.width_mult",
    "BACKBONE.CHANNELS": "ADJUST.KWARGS.in_channels",
    "ADJUST.ADJUST_CHANNEL": "ADJUST.KWARGS.out_channels",
    "RPN.WEIGHTED": "RPN.KWARGS.weighted",
}


def get_cfg() -> CfgNode:
    """Return a fresh configuration tree with every key at its default.

    Two calls share nothing: two configurations live in one process.

    Example:
        >>> get_cfg().TRACK.INSTANCE_SIZE
        255
    """
    root = CfgNode()
    for key in KEYS:
        *sections, name = key.path.split(".")
        node = root
        for section in sections:
            if section not in node:
                node[section] = CfgNode(new_allowed=section == "DATASET")
            node = node[section]
        node[name] = CfgNode(new_allowed=True) if key.default == {} else copy.deepcopy(key.default)
    return root
