"""Small trackers of every kind, and a little world for them to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import pysot
from pysot.trackers import Tracker

_SMALL_ALEXNET = ["BACKBONE.KWARGS.width_mult", 0.1]
_DEPTHWISE = [*_SMALL_ALEXNET, "RPN.KWARGS.in_channels", 25, "RPN.KWARGS.out_channels", 16]
_UP_CHANNEL = [*_SMALL_ALEXNET, "RPN.KWARGS.feature_in", 25]
_POINTS = ["RPN.TYPE", "PointHead", "TRAIN.LOC_LOSS", "iou"]
_MASK = [
    *["BACKBONE.TYPE", "resnet18", "ADJUST.KWARGS.in_channels", [256], "ADJUST.KWARGS.out_channels", [32]],
    *["RPN.KWARGS.in_channels", 32, "RPN.KWARGS.out_channels", 32, "MASK.KWARGS.in_channels", 32],
    *["MASK.KWARGS.hidden", 32],
]

# Experiment and the overrides that make it small.
KINDS: dict[str, tuple[str, list[Any]]] = {
    "siamfc": ("siamfc_alex", []),
    "siamfc_5s": ("siamfc_alex_5s", []),
    "siamrpn": ("siamrpn_alex_dwxcorr", _DEPTHWISE),
    "siamrpn_up": ("siamrpn_alex_upchannel", _UP_CHANNEL),
    "siamrpn_likeness": ("siamrpn_alex_dwxcorr", [*_DEPTHWISE, "TRACK.LIKENESS.WEIGHT", 1.0]),
    "long_term": (
        "siamrpn_alex_dwxcorr",
        [*_DEPTHWISE, "TRACK.TYPE", "SiamRPNLTTracker", "TRACK.LOST_INSTANCE_SIZE", 415],
    ),
    "dasiamrpn": ("dasiamrpn_vot", _UP_CHANNEL),
    "dasiamrpn_distractor": ("dasiamrpn_distractor", _UP_CHANNEL),
    "dasiamrpn_lt": ("dasiamrpn_lt", [*_UP_CHANNEL, "TRACK.LOCAL_TO_GLOBAL.MAX_SIZE", 383]),
    "points": ("siamrpn_alex_dwxcorr", [*_DEPTHWISE, *_POINTS]),
    "points_likeness": ("siamrpn_alex_dwxcorr", [*_DEPTHWISE, *_POINTS, "TRACK.LIKENESS.WEIGHT", 0.5]),
    "long_term_likeness": (
        "siamrpn_alex_dwxcorr",
        [
            *[*_DEPTHWISE, "TRACK.TYPE", "SiamRPNLTTracker", "TRACK.LOST_INSTANCE_SIZE", 415],
            *["TRACK.LIKENESS.WEIGHT", 0.5],
        ],
    ),
    "dasiamrpn_likeness": ("dasiamrpn_vot", [*_UP_CHANNEL, "TRACK.LIKENESS.WEIGHT", 0.5]),
    "points_unrated": ("siamrpn_alex_dwxcorr", [*_DEPTHWISE, *_POINTS, "RPN.KWARGS.quality", False]),
    "points_long_term": (
        "siamrpn_alex_dwxcorr",
        [*_DEPTHWISE, *_POINTS, "TRACK.TYPE", "SiamRPNLTTracker", "TRACK.LOST_INSTANCE_SIZE", 415],
    ),
    "points_distractor": ("dasiamrpn_distractor", [*_SMALL_ALEXNET, *_POINTS, "RPN.KWARGS.feature_in", 25]),
    "siammask": ("siammask_r50_l3", _MASK),
    "siammask_likeness": ("siammask_r50_l3", [*_MASK, "TRACK.LIKENESS.WEIGHT", 1.0]),
    "siammask_base": ("siammask_r50_base", _MASK),
}


@pytest.fixture(scope="session")
def small_tracker() -> Callable[..., Tracker[Any]]:
    """Build a small tracker of a kind, with seeded weights and calibrated normalisation; built once per arguments."""
    built: dict[str, Tracker[Any]] = {}

    def build(kind: str, *more: Any) -> Tracker[Any]:
        key = f"{kind} {more}"
        if key not in built:
            experiment, overrides = KINDS[kind]
            cfg = pysot.load_cfg(experiment, [*overrides, *more])
            torch.manual_seed(0)
            model = pysot.build_model(cfg)
            # A few forward passes in training mode give the normalisations the statistics of real activations.
            crops = torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (4, 3, 127, 127)).astype(np.float32))
            search = torch.nn.functional.interpolate(crops, size=cfg.TRACK.INSTANCE_SIZE)
            with torch.no_grad():
                for _ in range(5):
                    model(model.encode_template(crops), search)
            built[key] = pysot.build_tracker(cfg, model.eval(), device="cpu")
        return built[key]

    return build


@pytest.fixture(scope="session")
def frames() -> list[np.ndarray]:
    """Six frames of 160 x 120 with a textured square that moves right over a textured background."""
    rng = np.random.default_rng(1)
    background = rng.integers(0, 255, (120, 160, 3), dtype=np.uint8)
    target = rng.integers(0, 255, (30, 24, 3), dtype=np.uint8)
    pictures = []
    for step in range(6):
        picture = background.copy()
        picture[40:70, 60 + 3 * step : 84 + 3 * step] = target
        pictures.append(picture)
    return pictures


BOX = (60.0, 40.0, 24.0, 30.0)
