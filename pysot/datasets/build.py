"""Training data as a configuration describes it: the only reader of its keys in this package."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from yacs.config import CfgNode

from pysot.config import predicts_points
from pysot.datasets.augment import CROP_TEMPLATE, Augment
from pysot.datasets.device import DeviceAugment, RawPairDataset
from pysot.datasets.loading import PairLoader
from pysot.datasets.pairs import NegativeShares, PairSampler
from pysot.datasets.samples import Crop, PairDataset, TargetMaker
from pysot.datasets.sources import open_source
from pysot.datasets.targets import AnchorTargets, PairTargets, PointTargets, ScoreTargets
from pysot.geometry import anchor_grid, base_anchors_wh


def build_pair_loader(
    cfg: CfgNode,
    seed: int,
    *,
    rank: int = 0,
    world_size: int = 1,
    names: Sequence[str] | None = None,
    pairs_per_epoch: int | None = None,
    pin_memory: bool = False,
    every_pair: bool = False,
) -> PairLoader:
    """Return the loader of a configuration's training pairs.

    With DATASET.DEVICE_AUGMENT, its batches go through `build_device_augment` before they are used.

    Args:
        cfg: DATASET, TRAIN, ANCHOR, RPN.TYPE, MASK and INPUT are read.
        seed: Of the whole training.
        rank: Of this process.
        world_size: How many processes there are.
        names: Entries of DATASET to use instead of DATASET.NAMES, such as held-out videos.
        pairs_per_epoch: Instead of DATASET.VIDEOS_PER_EPOCH.
        pin_memory: Page-lock the batches.
        every_pair: Let the last batch be smaller instead of leaving pairs out; for one process.

    Raises:
        ConfigError: Keys cannot be used together.
        InputError: Annotations or images are not there or cannot be read.
    """
    return PairLoader(
        build_pair_dataset(cfg, seed, names=names, pairs_per_epoch=pairs_per_epoch),
        cfg.TRAIN.BATCH_SIZE,
        rank=rank,
        world_size=world_size,
        workers=cfg.TRAIN.NUM_WORKERS,
        max_faulty=cfg.DATASET.MAX_FAULTY,
        pin_memory=pin_memory,
        every_pair=every_pair,
    )


def build_pair_dataset(
    cfg: CfgNode, seed: int, *, names: Sequence[str] | None = None, pairs_per_epoch: int | None = None
) -> PairDataset:
    """Return the pairs that `build_pair_loader` loads."""
    data = cfg.DATASET
    template, search = _crops(cfg)
    sampler = PairSampler(
        [open_source(name, data[name]) for name in (data.NAMES if names is None else names)],
        NegativeShares(data.NEG, data.NEG_SAME_CATEGORY, data.NEG_SAME_VIDEO),
        pairs_per_epoch or data.VIDEOS_PER_EPOCH,
        seed,
        search_reach=search.augment.reach(search.side) / 2 / CROP_TEMPLATE,
    )
    kind = RawPairDataset if data.DEVICE_AUGMENT else PairDataset
    targets = build_targets(cfg)
    return kind(sampler, template, search, targets, gray=data.GRAY, masks=cfg.MASK.MASK, order=cfg.INPUT.COLOR)


def build_device_augment(cfg: CfgNode) -> DeviceAugment:
    """Return what makes training batches of those that DATASET.DEVICE_AUGMENT gives."""
    template, search = _crops(cfg)
    return DeviceAugment(template.size, search.size, order=cfg.INPUT.COLOR)


def build_targets(cfg: CfgNode) -> TargetMaker:
    """Return what says what the network of a configuration should answer."""
    train, anchor = cfg.TRAIN, cfg.ANCHOR
    if cfg.RPN.TYPE == "SiamFCHead":
        return ScoreTargets(train.OUTPUT_SIZE, train.SEARCH_SIZE, anchor.STRIDE, train.LABEL_RADIUS)
    numbers = {
        "most_positives": train.POS_NUM,
        "total": train.TOTAL_NUM,
        "unrelated_negatives": train.NEG_NUM,
        "fill_negatives": train.FILL_NEGATIVES,
    }
    boxes: AnchorTargets | PointTargets
    if predicts_points(cfg):
        ellipses = {"inner": train.POINT_INNER, "outer": train.POINT_OUTER}
        boxes = PointTargets(train.OUTPUT_SIZE, train.SEARCH_SIZE, anchor.STRIDE, **ellipses, **numbers)
    else:
        grid = anchor_grid(
            base_anchors_wh(anchor.STRIDE, anchor.RATIOS, anchor.SCALES), anchor.STRIDE, train.OUTPUT_SIZE
        )
        thresholds = {"threshold_high": train.THR_HIGH, "threshold_low": train.THR_LOW}
        boxes = AnchorTargets(grid, train.SEARCH_SIZE, anchor.STRIDE, **thresholds, **numbers)
    return PairTargets(boxes) if cfg.MASK.MASK else boxes


def labelled_anchors(cfg: CfgNode) -> NDArray[np.float32] | None:
    """Return the sizes (K, 2) of the anchors that are labelled, network pixels; None where cells are."""
    if cfg.RPN.TYPE == "SiamFCHead" or predicts_points(cfg):
        return None
    return base_anchors_wh(cfg.ANCHOR.STRIDE, cfg.ANCHOR.RATIOS, cfg.ANCHOR.SCALES)


def _crops(cfg: CfgNode) -> tuple[Crop, Crop]:
    """Return how template and search crops are made."""
    crops = []
    sizes = cfg.TRAIN.EXEMPLAR_SIZE, cfg.TRAIN.SEARCH_SIZE
    for section, size in zip((cfg.DATASET.TEMPLATE, cfg.DATASET.SEARCH), sizes, strict=True):
        augment = Augment(
            shift=section.SHIFT,
            scale=section.SCALE,
            aspect=section.ASPECT,
            blur=section.BLUR,
            flip=section.FLIP,
            color=section.COLOR,
            jpeg=section.JPEG,
            cutout=section.get("CUTOUT", 0.0),
        )
        crops.append(Crop(size, size * CROP_TEMPLATE / cfg.TRAIN.EXEMPLAR_SIZE, augment))
    return crops[0], crops[1]
