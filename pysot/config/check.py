"""Find what cannot work in a configuration whose types are right: ranges first, then keys that contradict each other.

What needs the network itself (names of parts, channels of a backbone) is checked where the network is built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from yacs.config import CfgNode

from pysot.config.head import predicts_points
from pysot.utils import ConfigError

Faults = Iterator[str]

#: What a value may be, and the keys that must be so.
RANGES: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    (
        "positive",
        lambda value: value > 0,
        "ANCHOR.STRIDE ANCHOR.ANCHOR_NUM TRAIN.EXEMPLAR_SIZE TRAIN.SEARCH_SIZE TRAIN.OUTPUT_SIZE TRAIN.POS_NUM "
        "TRAIN.NEG_NUM TRAIN.TOTAL_NUM TRAIN.EPOCH TRAIN.BATCH_SIZE TRAIN.PRINT_FREQ TRAIN.BASE_LR "
        "TRAIN.ACCUMULATE TRAIN.MAX_SKIPPED TRAIN.KEEP_EVERY TRAIN.VALIDATE_PAIRS TRAIN.VALIDATE_SEQUENCES "
        "TRAIN.VALIDATE_FRAMES "
        "DATASET.VIDEOS_PER_EPOCH TRACK.EXEMPLAR_SIZE TRACK.INSTANCE_SIZE TRACK.LOST_INSTANCE_SIZE "
        "TRACK.MASK_OUTPUT_SIZE TRACK.ADAPTIVE.INSTANCE_SIZE TRACK.DISTRACTOR.TOP_K TRACK.LOCAL_TO_GLOBAL.STEP_SIZE "
        "TRACK.LOCAL_TO_GLOBAL.MAX_SIZE TRACK.SIAMFC.SCALE_NUM TRACK.SIAMFC.RESPONSE_UP",
    ),
    (
        "not negative",
        lambda value: value >= 0,
        "TRAIN.BASE_SIZE TRAIN.START_EPOCH TRAIN.NUM_WORKERS TRAIN.WEIGHT_DECAY TRAIN.CLS_WEIGHT TRAIN.LOC_WEIGHT "
        "TRAIN.LOG_IMAGES "
        "TRAIN.MASK_WEIGHT TRAIN.QUALITY_WEIGHT "
        "TRAIN.SEED TRAIN.GRAD_CLIP TRAIN.LABEL_RADIUS TRAIN.LR_WARMUP.EPOCH DATASET.TEMPLATE.SHIFT "
        "DATASET.SEARCH.SHIFT DATASET.TEMPLATE.ASPECT "
        "DATASET.SEARCH.ASPECT DATASET.MAX_FAULTY BACKBONE.LAYERS_LR "
        "BACKBONE.TRAIN_EPOCH TRACK.PENALTY_K TRACK.BASE_SIZE TRACK.CONTEXT_AMOUNT TRACK.DISTRACTOR.ALPHA_HAT "
        "TRACK.DISTRACTOR.ALPHA TRACK.LIKENESS.WEIGHT RPN.LEVELS",
    ),
    (
        "between 0 and 1",
        lambda value: 0 <= value <= 1,
        "TRAIN.THR_HIGH TRAIN.THR_LOW DATASET.NEG DATASET.GRAY DATASET.TEMPLATE.BLUR DATASET.TEMPLATE.FLIP "
        "DATASET.TEMPLATE.COLOR DATASET.SEARCH.BLUR DATASET.SEARCH.FLIP DATASET.SEARCH.COLOR DATASET.TEMPLATE.JPEG "
        "DATASET.SEARCH.JPEG DATASET.SEARCH.CUTOUT DATASET.NEG_SAME_CATEGORY DATASET.NEG_SAME_VIDEO "
        "TRACK.WINDOW_INFLUENCE "
        "TRACK.CONFIDENCE_LOW TRACK.CONFIDENCE_HIGH TRACK.MASK_THERSHOLD TRACK.LOST_SCORE TRACK.ADAPTIVE.AREA_RATIO "
        "TRACK.DISTRACTOR.SCORE_THRESHOLD TRACK.DISTRACTOR.NMS_IOU TRACK.LOCAL_TO_GLOBAL.ENTER "
        "TRACK.LOCAL_TO_GLOBAL.LEAVE TRACK.LIKENESS.RATE",
    ),
    (
        "at least 0 and below 1",
        lambda value: 0 <= value < 1,
        "TRAIN.MOMENTUM TRAIN.LABEL_SMOOTHING TRAIN.EMA DATASET.TEMPLATE.SCALE DATASET.SEARCH.SCALE",
    ),
    (
        "above 0 and at most 1",
        lambda value: 0 < value <= 1,
        "TRACK.LR TRACK.SIAMFC.SCALE_LR TRACK.SIAMFC.SCALE_PENALTY TRAIN.POINT_INNER",
    ),
    ("above 0 and below 1", lambda value: 0 < value < 1, "TRACK.DISTRACTOR.ETA"),
    ("at least 1", lambda value: value >= 1, "TRAIN.POINT_OUTER"),
    ("at least -1", lambda value: value >= -1, "TRAIN.FREEZE_NORM_EPOCH"),
    ("above 1", lambda value: value > 1, "TRACK.SIAMFC.SCALE_STEP"),
    ("odd", lambda value: value % 2 == 1, "TRACK.SIAMFC.SCALE_NUM"),
    ("BGR or RGB", lambda value: value in ("BGR", "RGB"), "INPUT.COLOR"),
    (
        "l1, smooth_l1, iou or giou",
        lambda value: value in ("l1", "smooth_l1", "iou", "giou"),
        "TRAIN.LOC_LOSS",
    ),
    ("positive or inside", lambda value: value in ("positive", "inside"), "TRAIN.MASK_CELLS"),
    ("fp32 or bf16", lambda value: value in ("fp32", "bf16"), "TRAIN.PRECISION"),
    ("mean or sum", lambda value: value in ("mean", "sum"), "TRAIN.GRAD_REDUCE"),
    (
        "parts of the network",
        lambda value: set(value) <= {"backbone", "neck", "rpn_head", "mask_head", "refine_head"},
        "TRAIN.FROZEN",
    ),
    ("pysot or dasiamrpn", lambda value: value in ("pysot", "dasiamrpn"), "TRACK.CONVENTION"),
    ("eager, fused or bf16", lambda value: value in ("eager", "fused", "bf16"), "TRACK.RUNTIME"),
    (
        "a list of positive numbers",
        lambda value: len(value) > 0 and all(item > 0 for item in value),
        "ANCHOR.RATIOS ANCHOR.SCALES",
    ),
)

#: Keys of which the first must not exceed the second.
ORDERED: tuple[tuple[str, str], ...] = (
    ("TRACK.CONFIDENCE_LOW", "TRACK.CONFIDENCE_HIGH"),
    ("TRACK.LOCAL_TO_GLOBAL.ENTER", "TRACK.LOCAL_TO_GLOBAL.LEAVE"),
    ("TRACK.EXEMPLAR_SIZE", "TRACK.INSTANCE_SIZE"),
    ("TRAIN.EXEMPLAR_SIZE", "TRAIN.SEARCH_SIZE"),
    ("TRAIN.POS_NUM", "TRAIN.TOTAL_NUM"),
    ("TRAIN.NEG_NUM", "TRAIN.TOTAL_NUM"),
)


def check_cfg(cfg: CfgNode, source: str = "configuration") -> None:
    """Raise if the values of ``cfg`` cannot work together.

    Raises:
        ConfigError: Lists every fault, each behind ``source``.
    """
    faults = find_faults(cfg)
    if faults:
        raise ConfigError("\n".join(f"{source}: {fault}" for fault in faults))


def find_faults(cfg: CfgNode) -> list[str]:
    """Return one message per fault; none if the configuration can work."""
    return [fault for check in CHECKS for fault in check(cfg)]


def check_ranges(cfg: CfgNode) -> Faults:
    """Yield the values that are out of range by themselves."""
    for phrase, holds, keys in RANGES:
        for key in keys.split():
            if not holds(_at(cfg, key)):
                yield f"{key}: expected {phrase}, got {_at(cfg, key)}"


def check_order(cfg: CfgNode) -> Faults:
    """Yield thresholds and sizes in the wrong order."""
    for low, high in ORDERED:
        if _at(cfg, low) > _at(cfg, high):
            yield f"{low} {_at(cfg, low)} is above {high} {_at(cfg, high)}"
    if cfg.TRAIN.THR_LOW >= cfg.TRAIN.THR_HIGH:
        yield f"TRAIN.THR_LOW {cfg.TRAIN.THR_LOW} is not below TRAIN.THR_HIGH {cfg.TRAIN.THR_HIGH}"


def check_epochs(cfg: CfgNode) -> Faults:
    """Yield a start or a warm-up that leaves no epoch to train."""
    if cfg.TRAIN.START_EPOCH >= cfg.TRAIN.EPOCH:
        yield f"TRAIN.START_EPOCH {cfg.TRAIN.START_EPOCH} is not below TRAIN.EPOCH {cfg.TRAIN.EPOCH}"
    warmup = cfg.TRAIN.LR_WARMUP
    if warmup.WARMUP and warmup.EPOCH >= cfg.TRAIN.EPOCH:
        shorter = "shorten it or set TRAIN.LR_WARMUP.WARMUP False"
        yield f"TRAIN.LR_WARMUP.EPOCH {warmup.EPOCH} is not below TRAIN.EPOCH {cfg.TRAIN.EPOCH}; {shorter}"


def check_anchors(cfg: CfgNode) -> Faults:
    """Yield numbers of anchors that differ from ratios times scales."""
    count = len(cfg.ANCHOR.RATIOS) * len(cfg.ANCHOR.SCALES)
    if count != cfg.ANCHOR.ANCHOR_NUM:
        yield f"ANCHOR gives {count} anchors, ANCHOR.ANCHOR_NUM says {cfg.ANCHOR.ANCHOR_NUM}"
    anchor_num = cfg.RPN.KWARGS.get("anchor_num", count)
    if anchor_num != count:
        yield f"ANCHOR gives {count} anchors, RPN.KWARGS.anchor_num says {anchor_num}"


def check_points(cfg: CfgNode) -> Faults:
    """Yield a box loss that a head without anchors does not have."""
    if predicts_points(cfg) and cfg.TRAIN.LOC_LOSS not in ("iou", "giou"):
        yield f"TRAIN.LOC_LOSS {cfg.TRAIN.LOC_LOSS} is of offsets from anchors: expected iou or giou with PointHead"


def check_score_map(cfg: CfgNode) -> Faults:
    """Yield training labels of another size than the score map."""
    train, stride = cfg.TRAIN, cfg.ANCHOR.STRIDE
    if stride <= 0:  # said by check_ranges
        return
    cells, rest = divmod(train.SEARCH_SIZE - train.EXEMPLAR_SIZE, stride)
    size = cells + 1 + train.BASE_SIZE
    if rest or size != train.OUTPUT_SIZE:
        given = f"({train.SEARCH_SIZE} - {train.EXEMPLAR_SIZE}) / {stride} + 1 + {train.BASE_SIZE}"
        yield f"TRAIN.OUTPUT_SIZE is {train.OUTPUT_SIZE}, TRAIN's crops and BASE_SIZE give {given}"


def check_search_sizes(cfg: CfgNode) -> Faults:
    """Yield search crops that are smaller than the template or whose score map has no whole number of cells."""
    track, stride = cfg.TRACK, cfg.ANCHOR.STRIDE
    if stride <= 0:  # said by check_ranges
        return
    used = {"INSTANCE_SIZE": True, "LOST_INSTANCE_SIZE": track.TYPE == "SiamRPNLTTracker"}
    used["ADAPTIVE.INSTANCE_SIZE"] = track.ADAPTIVE.ENABLED
    used["LOCAL_TO_GLOBAL.MAX_SIZE"] = track.LOCAL_TO_GLOBAL.ENABLED
    for key in (key for key, is_used in used.items() if is_used):
        size = _at(track, key)
        if (size - track.EXEMPLAR_SIZE) % stride:
            exemplar = f"TRACK.EXEMPLAR_SIZE {track.EXEMPLAR_SIZE}"
            yield f"TRACK.{key} {size} is no multiple of ANCHOR.STRIDE {stride} larger than {exemplar}"
        if key != "INSTANCE_SIZE" and size < track.INSTANCE_SIZE:
            yield f"TRACK.{key} {size} is below TRACK.INSTANCE_SIZE {track.INSTANCE_SIZE}"
    step = track.LOCAL_TO_GLOBAL.STEP_SIZE
    if track.LOCAL_TO_GLOBAL.ENABLED and step % stride:
        yield f"TRACK.LOCAL_TO_GLOBAL.STEP_SIZE {step} is no multiple of ANCHOR.STRIDE {stride}"


def check_tracker(cfg: CfgNode) -> Faults:
    """Yield trackers whose network lacks what they read, and modules that the tracker does not have."""
    tracker = cfg.TRACK.TYPE
    if (tracker == "SiamFCTracker") != (cfg.RPN.TYPE == "SiamFCHead"):
        yield f"TRACK.TYPE {tracker} does not go with RPN.TYPE {cfg.RPN.TYPE}: SiamFCTracker reads SiamFCHead alone"
    if tracker == "SiamMaskTracker" and not cfg.MASK.MASK:
        yield "TRACK.TYPE SiamMaskTracker needs MASK.MASK True"
    for module in ("ADAPTIVE", "DISTRACTOR", "LOCAL_TO_GLOBAL"):
        if cfg.TRACK[module].ENABLED and tracker != "DaSiamRPNTracker":
            yield f"TRACK.{module}.ENABLED needs TRACK.TYPE DaSiamRPNTracker, got {tracker}"
    if cfg.TRACK.LIKENESS.WEIGHT and tracker == "SiamFCTracker":
        yield "TRACK.LIKENESS.WEIGHT ranks proposals, which SiamFCTracker has none of"
    if cfg.TRACK.LIKENESS.WEIGHT and cfg.TRACK.DISTRACTOR.ENABLED:
        yield "TRACK.LIKENESS.WEIGHT and TRACK.DISTRACTOR.ENABLED both choose among the proposals: expected one of them"


def check_masks(cfg: CfgNode) -> Faults:
    """Yield refinement without a mask, without the levels it reads, or masks of another size than the network's."""
    if cfg.REFINE.REFINE and not cfg.MASK.MASK:
        yield "REFINE.REFINE needs MASK.MASK True"
    used = cfg.BACKBONE.KWARGS.get("used_layers")
    if cfg.REFINE.REFINE and used is not None and len(used) != 4:
        yield f"REFINE reads levels of stride 2, 4 and 8 and a last one, BACKBONE.KWARGS.used_layers is {used}"
    pixels = cfg.MASK.KWARGS.get("out_channels", 63 * 63)
    refined = cfg.REFINE.REFINE and cfg.REFINE.TYPE == "Refine"
    side = 127 if refined else round(pixels**0.5)
    if cfg.MASK.MASK and side * side != pixels and not refined:
        yield f"MASK.KWARGS.out_channels {pixels} is no square: a mask has as many pixels as the head has outputs"
    elif cfg.TRACK.TYPE == "SiamMaskTracker" and side != cfg.TRACK.MASK_OUTPUT_SIZE:
        which = "with" if refined else "without"
        yield f"TRACK.MASK_OUTPUT_SIZE is {cfg.TRACK.MASK_OUTPUT_SIZE}, masks {which} REFINE are {side} wide"


def check_levels(cfg: CfgNode) -> Faults:
    """Yield neck and head arguments for another number of levels than the backbone hands on."""
    used = cfg.BACKBONE.KWARGS.get("used_layers")
    if cfg.MASK.MASK:  # a network with masks correlates on the last level alone
        levels, name = 1, "MASK.MASK True"
        if cfg.RPN.LEVELS > 1:
            yield f"RPN.LEVELS is {cfg.RPN.LEVELS}: with MASK.MASK True, expected 0 or 1"
    elif cfg.RPN.LEVELS:
        levels, name = cfg.RPN.LEVELS, f"RPN.LEVELS {cfg.RPN.LEVELS}"
        if used is not None and levels > len(used):
            yield f"{name} exceeds the {len(used)} level(s) of BACKBONE.KWARGS.used_layers {used}"
    elif used is not None:
        levels, name = len(used), f"BACKBONE.KWARGS.used_layers {used}"
    else:
        return
    if levels > 1 and cfg.RPN.TYPE in ("DepthwiseRPN", "UPChannelRPN", "SiamFCHead", "PointHead"):
        yield f"{name} gives {levels} levels, RPN.TYPE {cfg.RPN.TYPE} reads one: use MultiRPN or one layer"
    if levels == 1 and cfg.RPN.TYPE == "MultiRPN":
        yield f"{name} gives 1 level, RPN.TYPE MultiRPN reads several: use DepthwiseRPN"
    sections = {"ADJUST.KWARGS": ("in_channels", "out_channels"), "RPN.KWARGS": ("in_channels",)}
    if not cfg.ADJUST.ADJUST:
        del sections["ADJUST.KWARGS"]
    for section, keys in sections.items():
        for key in keys:
            given = _channels(cfg, f"{section}.{key}")
            if given and len(given) != levels:
                yield f"{name} gives {levels} level(s), {section}.{key} has {len(given)}"


def check_channels(cfg: CfgNode) -> Faults:
    """Yield heads that read other channels than the neck gives."""
    if not cfg.ADJUST.ADJUST:
        return
    out = _channels(cfg, "ADJUST.KWARGS.out_channels")
    for key in ("RPN.KWARGS.in_channels", "RPN.KWARGS.feature_in", "MASK.KWARGS.in_channels"):
        reads = _channels(cfg, key)
        if out and reads and len(out) == len(reads) and out != reads:
            yield f"ADJUST.KWARGS.out_channels gives {out} channels, {key} reads {reads}"


def check_datasets(cfg: CfgNode) -> Faults:
    """Yield data sets to train or validate on that are not described, and descriptions that cannot be used."""
    known = [name for name, node in cfg.DATASET.items() if isinstance(node, CfgNode) and "ROOT" in node]
    used = {"DATASET.NAMES": cfg.DATASET.NAMES, "TRAIN.VALIDATE_NAMES": cfg.TRAIN.VALIDATE_NAMES}
    for key, names in used.items():
        for name in names:
            if name not in known:
                yield f"{key} has {name!r}, which DATASET does not describe: it has {', '.join(known)}"
    for name in known:
        entry = cfg.DATASET[name]
        for key in ("ROOT", "ANNO"):
            if any(name in names for names in used.values()) and not entry[key]:
                yield f"DATASET.{name}.{key} is empty: expected a path"
        if entry.FRAME_RANGE < 0:
            yield f"DATASET.{name}.FRAME_RANGE: expected not negative, got {entry.FRAME_RANGE}"
        if entry.NUM_USE < 1 and entry.NUM_USE != -1:
            yield f"DATASET.{name}.NUM_USE: expected positive or -1, got {entry.NUM_USE}"
        if not entry.WEIGHT > 0:
            yield f"DATASET.{name}.WEIGHT: expected positive, got {entry.WEIGHT}; leave it out of DATASET.NAMES"
    if cfg.DATASET.NEG_SAME_CATEGORY + cfg.DATASET.NEG_SAME_VIDEO > 1:
        yield "DATASET.NEG_SAME_CATEGORY and DATASET.NEG_SAME_VIDEO: expected a sum of at most 1"
    if cfg.DATASET.DEVICE_AUGMENT and (cfg.DATASET.TEMPLATE.JPEG or cfg.DATASET.SEARCH.JPEG):
        yield "DATASET.DEVICE_AUGMENT: compression noise (JPEG) is made in the workers only; set one of them to 0"


CHECKS: tuple[Callable[[CfgNode], Faults], ...] = (
    check_ranges,
    check_order,
    check_epochs,
    check_anchors,
    check_points,
    check_score_map,
    check_search_sizes,
    check_tracker,
    check_masks,
    check_levels,
    check_channels,
    check_datasets,
)


def _at(cfg: CfgNode, path: str) -> Any:
    """Return the value at a dotted path."""
    value: Any = cfg
    for part in path.split("."):
        value = value[part]
    return value


def _channels(cfg: CfgNode, path: str) -> list[int] | None:
    """Return channel counts per level, where a configuration gives them."""
    section, _, name = path.rpartition(".")
    given = _at(cfg, section).get(name)
    return [given] if isinstance(given, int) else given
