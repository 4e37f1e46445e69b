"""From a configuration and a network to a tracker: the only reader of TRACK."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from pysot.config import predicts_points
from pysot.models import SiameseNet
from pysot.runtime import Executor, Runtime, choose_device
from pysot.trackers.base import TRACKERS, Tracker
from pysot.trackers.dasiamrpn import AdaptiveSearch, DaSiamRPNTracker, DistractorParams
from pysot.trackers.long_term import SearchGrowth, SiamRPNLTTracker
from pysot.trackers.looks import LikenessParams
from pysot.trackers.siamfc import SiamFCParams, SiamFCTracker
from pysot.trackers.siammask import SiamMaskTracker
from pysot.trackers.siamrpn import SiamRPNParams, SiamRPNTracker
from pysot.utils import ConfigError

if TYPE_CHECKING:
    from yacs.config import CfgNode


def build_tracker(
    cfg: CfgNode, model: SiameseNet, device: str | torch.device = "auto", runtime: Runtime | None = None
) -> Tracker[Any]:
    """Return the tracker a configuration describes.

    Args:
        cfg: From `pysot.load_cfg`.
        model: The network; the tracker works on a copy of it in evaluation mode.
        device: ``auto`` (CUDA where there is one and the key CUDA is not off), ``cpu``, ``cuda`` or ``cuda:N``.
        runtime: ``eager`` (layer by layer, as the published trackers), ``fused`` (faster, equal to rounding) or
            ``bf16`` (faster still, coarser); by default the key TRACK.RUNTIME.

    Raises:
        ConfigError: An unknown tracker, or one that does not fit the network.
        InputError: No such device or runtime.
    """
    kind = TRACKERS[cfg.TRACK.TYPE]
    if device == "auto" and not cfg.CUDA:
        device = "cpu"
    executor = Executor(model, choose_device(device), cfg.INPUT.COLOR, runtime or cfg.TRACK.RUNTIME)
    base = next((base for base in kind.__mro__ if base in _ARGUMENTS), None)
    if base is None:
        known = [each.__name__ for each in _ARGUMENTS]
        raise ConfigError(f"TRACK.TYPE {cfg.TRACK.TYPE}: expected a subclass of {known}, got {kind.__name__}")
    return kind(executor, **_ARGUMENTS[base](cfg, executor))


def _siamrpn_params(cfg: CfgNode) -> SiamRPNParams:
    track, anchor = cfg.TRACK, cfg.ANCHOR
    return SiamRPNParams(
        penalty_k=track.PENALTY_K,
        window_influence=track.WINDOW_INFLUENCE,
        lr=track.LR,
        template_size=track.EXEMPLAR_SIZE,
        search_size=track.INSTANCE_SIZE,
        base_size=track.BASE_SIZE,
        context_amount=track.CONTEXT_AMOUNT,
        stride=anchor.STRIDE,
        ratios=tuple(anchor.RATIOS),
        scales=tuple(anchor.SCALES),
        lost_score=track.LOST_SCORE,
        dasiamrpn_convention=track.CONVENTION == "dasiamrpn",
        points=predicts_points(cfg),
        likeness=LikenessParams(track.LIKENESS.WEIGHT, track.LIKENESS.RATE) if track.LIKENESS.WEIGHT else None,
    )


def _siamrpn(cfg: CfgNode, executor: Executor) -> dict[str, Any]:
    return {"params": _siamrpn_params(cfg)}


def _siammask(cfg: CfgNode, executor: Executor) -> dict[str, Any]:
    size = executor.network.mask_size
    if size is not None and size != cfg.TRACK.MASK_OUTPUT_SIZE:
        raise ConfigError(
            f"TRACK.MASK_OUTPUT_SIZE is {cfg.TRACK.MASK_OUTPUT_SIZE}, the network's masks are {size} wide"
        )
    return {"params": _siamrpn_params(cfg), "mask_threshold": cfg.TRACK.MASK_THERSHOLD}


def _siamrpn_long_term(cfg: CfgNode, executor: Executor) -> dict[str, Any]:
    track = cfg.TRACK
    growth = SearchGrowth(
        enter=track.CONFIDENCE_LOW,
        leave=track.CONFIDENCE_HIGH,
        step=track.LOST_INSTANCE_SIZE - track.INSTANCE_SIZE,
        largest=track.LOST_INSTANCE_SIZE,
    )
    return {"params": _siamrpn_params(cfg), "growth": growth}


def _dasiamrpn(cfg: CfgNode, executor: Executor) -> dict[str, Any]:
    additions: dict[str, Any] = {}
    adaptive, distractor, growth = cfg.TRACK.ADAPTIVE, cfg.TRACK.DISTRACTOR, cfg.TRACK.LOCAL_TO_GLOBAL
    if adaptive.ENABLED:
        additions["adaptive"] = AdaptiveSearch(adaptive.AREA_RATIO, adaptive.INSTANCE_SIZE)
    if distractor.ENABLED:
        additions["distractor"] = DistractorParams(
            score_threshold=distractor.SCORE_THRESHOLD,
            nms_iou=distractor.NMS_IOU,
            top_k=distractor.TOP_K,
            alpha_hat=distractor.ALPHA_HAT,
            alpha=distractor.ALPHA,
            eta=distractor.ETA,
        )
    if growth.ENABLED:
        additions["growth"] = SearchGrowth(growth.ENTER, growth.LEAVE, growth.STEP_SIZE, growth.MAX_SIZE)
    return {"params": _siamrpn_params(cfg), **additions}


def _siamfc(cfg: CfgNode, executor: Executor) -> dict[str, Any]:
    track, scale = cfg.TRACK, cfg.TRACK.SIAMFC
    return {
        "params": SiamFCParams(
            scale_num=scale.SCALE_NUM,
            scale_step=scale.SCALE_STEP,
            scale_lr=scale.SCALE_LR,
            scale_penalty=scale.SCALE_PENALTY,
            window_influence=track.WINDOW_INFLUENCE,
            response_up=scale.RESPONSE_UP,
            template_size=track.EXEMPLAR_SIZE,
            search_size=track.INSTANCE_SIZE,
            context_amount=track.CONTEXT_AMOUNT,
            stride=cfg.ANCHOR.STRIDE,
            lost_score=track.LOST_SCORE,
        )
    }


# What a tracker takes beside the executor; a registered subclass takes what its base does.
_ARGUMENTS: dict[type[Any], Callable[[CfgNode, Executor], dict[str, Any]]] = {
    SiamRPNTracker: _siamrpn,
    SiamRPNLTTracker: _siamrpn_long_term,
    SiamMaskTracker: _siammask,
    DaSiamRPNTracker: _dasiamrpn,
    SiamFCTracker: _siamfc,
}
