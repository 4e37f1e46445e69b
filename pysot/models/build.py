"""From a configuration to a network: the only reader of BACKBONE, ADJUST, RPN, MASK and REFINE.

Channel counts are derived from the backbone. A configuration may repeat them, as PySOT's do; then they must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pysot.models.backbone import BACKBONES, Backbone
from pysot.models.head import HEADS, MASK_HEADS, REFINERS, Head, MaskCorr, Refine
from pysot.models.neck import NECKS, Neck
from pysot.models.siamese import SiameseNet, default_head_levels
from pysot.utils import ConfigError

if TYPE_CHECKING:
    from yacs.config import CfgNode

Part = TypeVar("Part")

_NECK_CHANNELS = 256
# The keys under which RPN.KWARGS may repeat the channels of the levels.
_CHANNEL_KEYS = ("in_channels", "feature_in")


def build_model(cfg: CfgNode) -> SiameseNet:
    """Return the network a configuration describes, with fresh weights, in training mode.

    Args:
        cfg: From `pysot.load_cfg`.

    Raises:
        ConfigError: An unknown part, an argument a part does not take, or channel counts that contradict.
    """
    backbone = _call("BACKBONE.KWARGS", BACKBONES[cfg.BACKBONE.TYPE], **_kwargs(cfg.BACKBONE))
    has_mask = cfg.MASK.MASK
    head_levels = cfg.RPN.LEVELS or default_head_levels(backbone, has_mask=has_mask)
    if head_levels > len(backbone.out_channels):
        raise ConfigError(f"RPN.LEVELS is {head_levels}, the backbone hands on {len(backbone.out_channels)} level(s)")
    channels = backbone.out_channels[-head_levels:]
    neck = _build_neck(cfg, channels) if cfg.ADJUST.ADJUST else None
    if neck is not None:
        channels = neck.out_channels
    mask_head = _build_mask_head(cfg, channels) if has_mask else None
    refine_head = _build_refine_head(cfg, mask_head, backbone) if mask_head is not None and cfg.REFINE.REFINE else None
    return SiameseNet(backbone, _build_head(cfg, channels), neck, mask_head, refine_head, head_levels)


def _build_neck(cfg: CfgNode, channels: Sequence[int]) -> Neck:
    kwargs = _kwargs(cfg.ADJUST)
    _agree("ADJUST.KWARGS.in_channels", kwargs.pop("in_channels", None), channels)
    out_channels = kwargs.pop("out_channels", [_NECK_CHANNELS] * len(channels))
    out_channels = [out_channels] if isinstance(out_channels, int) else out_channels
    return _call("ADJUST.KWARGS", NECKS[cfg.ADJUST.TYPE], channels, out_channels, **kwargs)


def _build_head(cfg: CfgNode, channels: Sequence[int]) -> Head:
    kwargs = _kwargs(cfg.RPN)
    for key in _CHANNEL_KEYS:
        _agree(f"RPN.KWARGS.{key}", kwargs.pop(key, None), channels)
    anchor_num = kwargs.pop("anchor_num", cfg.ANCHOR.ANCHOR_NUM)
    return _call("RPN.KWARGS", HEADS[cfg.RPN.TYPE].from_channels, channels, anchor_num, **kwargs)


def _build_mask_head(cfg: CfgNode, channels: Sequence[int]) -> MaskCorr:
    kwargs = _kwargs(cfg.MASK)
    _agree("MASK.KWARGS.in_channels", kwargs.pop("in_channels", None), channels)
    return _call("MASK.KWARGS", MASK_HEADS[cfg.MASK.TYPE], channels[0], **kwargs)


def _build_refine_head(cfg: CfgNode, mask_head: MaskCorr, backbone: Backbone) -> Refine:
    hidden: int = mask_head.head[0].in_channels  # type: ignore[assignment]
    return _call("REFINE", REFINERS[cfg.REFINE.TYPE], hidden, backbone.out_channels[:-1], backbone.grids[:-1])


def _kwargs(node: CfgNode) -> dict[str, Any]:
    return dict(node.KWARGS)


def _agree(key: str, given: object, derived: Sequence[int]) -> None:
    """Raise if a configuration repeats channel counts that are not the derived ones."""
    if given is None:
        return
    counts = [given] if isinstance(given, int) else list(given)  # type: ignore[call-overload]
    if counts != list(derived):
        raise ConfigError(f"{key} says {counts}, the layers before it give {list(derived)}; remove the key or mend it")


def _call(key: str, build: Callable[..., Part], *args: object, **kwargs: object) -> Part:
    """Call a part's constructor; an argument it does not take is the configuration's fault."""
    try:
        return build(*args, **kwargs)
    except TypeError as error:
        raise ConfigError(f"{key}: {error}") from error
