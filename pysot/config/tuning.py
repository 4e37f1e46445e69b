"""What of a configuration is searched by default, over which values, and the file of what was found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import yaml
from yacs.config import CfgNode

from pysot.config.load import find_config, load_cfg, read_yaml
from pysot.utils import ConfigError

_SMALLER, _LARGER = 2, 4
"""Search sizes, in steps of two cells, below and above the configuration's own."""


class KeyRange(NamedTuple):
    """Values to search: whole numbers if the bounds are; ``step`` None for any between."""

    low: int | float
    high: int | float
    step: int | float | None


_SIAMRPN = {
    "TRACK.PENALTY_K": KeyRange(0.0, 0.6, None),
    "TRACK.LR": KeyRange(0.05, 0.8, None),
    "TRACK.WINDOW_INFLUENCE": KeyRange(0.0, 0.7, None),
}
_SIAMFC = {
    "TRACK.SIAMFC.SCALE_PENALTY": KeyRange(0.9, 1.0, None),
    "TRACK.SIAMFC.SCALE_LR": KeyRange(0.1, 1.0, None),
    "TRACK.SIAMFC.SCALE_STEP": KeyRange(1.01, 1.1, None),
    "TRACK.WINDOW_INFLUENCE": KeyRange(0.0, 0.5, None),
}
_BY_HEAD = {"SiamFCHead": _SIAMFC}
"""What trackers search, by RPN.TYPE; all others are of the SiamRPN family."""


def default_ranges(cfg: CfgNode) -> dict[str, KeyRange]:
    """Return what is searched unless asked otherwise; every range holds the configuration's own value.

    Search sizes go in steps of two cells: the score map then keeps its middle cell, on which the target is centred.

    Example:
        >>> default_ranges(load_cfg("siamrpn_r50"))["TRACK.INSTANCE_SIZE"]
        KeyRange(low=223, high=319, step=16)
    """
    ranges = {}
    for key, usual in _BY_HEAD.get(cfg.RPN.TYPE, _SIAMRPN).items():
        own = value_at(cfg, key)
        ranges[key] = usual._replace(low=min(usual.low, own), high=max(usual.high, own))
    return ranges | {"TRACK.INSTANCE_SIZE": _search_sizes(cfg)}


def _search_sizes(cfg: CfgNode) -> KeyRange:
    """Return the sizes around the configuration's own that check_search_sizes accepts."""
    track, step = cfg.TRACK, 2 * cfg.ANCHOR.STRIDE
    limits = [track.INSTANCE_SIZE + _LARGER * step]
    limits += [track.ADAPTIVE.INSTANCE_SIZE] if track.ADAPTIVE.ENABLED else []
    limits += [track.LOCAL_TO_GLOBAL.MAX_SIZE] if track.LOCAL_TO_GLOBAL.ENABLED else []
    limits += [track.LOST_INSTANCE_SIZE] if track.TYPE == "SiamRPNLTTracker" else []
    below = min(_SMALLER, (track.INSTANCE_SIZE - track.EXEMPLAR_SIZE) // step)
    above = (min(limits) - track.INSTANCE_SIZE) // step
    return KeyRange(track.INSTANCE_SIZE - below * step, track.INSTANCE_SIZE + above * step, step)


def read_range(config: str, overrides: Sequence[Any], words: Sequence[str]) -> tuple[str, KeyRange]:
    """Read KEY LOW HIGH [STEP] for a configuration.

    Args:
        config: An experiment or a YAML file.
        overrides: KEY, VALUE, ...
        words: What was given.

    Raises:
        ConfigError: Another number of words, an unknown key or one that holds no number, values that the key cannot
            have, or a range without the configuration's own value.
    """
    where = f"--range {' '.join(words)}"
    if len(words) not in (3, 4):
        raise ConfigError(f"{where}: expected KEY LOW HIGH [STEP]")
    key = words[0]
    low, high = (value_at(load_cfg(config, [*overrides, key, word]), key) for word in words[1:3])
    own = value_at(load_cfg(config, overrides), key)
    if not isinstance(own, int | float) or isinstance(own, bool):
        raise ConfigError(f"{where}: expected a key with a number, {key} is {own!r}")
    step: int | float | None = 1 if isinstance(own, int) else None
    if len(words) == 4:
        try:
            step = type(own)(words[3])
        except ValueError:
            step = 0
    elif key == "TRACK.INSTANCE_SIZE":
        step = _search_sizes(load_cfg(config, overrides)).step
    if not low <= own <= high or low == high:
        raise ConfigError(f"{where}: expected LOW < HIGH around the configuration's own {own}, the first trial")
    if step is not None:
        if not step > 0 or abs((own - low) / step - round((own - low) / step)) > 1e-9:
            raise ConfigError(f"{where}: expected a STEP that leads from LOW to the configuration's own {own}")
        high = low + math.floor((high - low) / step + 1e-9) * step
        load_cfg(config, [*overrides, key, min(low + step, high)])
    return key, KeyRange(low, high, step)


def value_at(cfg: CfgNode, key: str) -> Any:
    """Return the value of a dotted key."""
    value: Any = cfg
    for part in key.split("."):
        value = value[part]
    return value


def changed_yaml(config: str, overrides: Sequence[Any], values: Mapping[str, int | float]) -> str:
    """Return a configuration file's keys with some changed, as YAML that ``load_cfg`` reads to the same.

    Args:
        config: An experiment or a YAML file.
        overrides: KEY, VALUE, ... on top of it.
        values: What was found.

    Raises:
        ConfigError: As ``load_cfg``.
    """
    words = [*overrides, *(word for item in values.items() for word in item)]
    cfg = load_cfg(config, words)
    content = read_yaml(find_config(config))
    for key in words[::2]:
        *sections, name = str(key).split(".")
        node = content
        for section in sections:
            node[section] = node.get(section) or {}  # a heading may have nothing under it
            node = node[section]
        value = value_at(cfg, key)
        node[name] = yaml.safe_load(value.dump()) if isinstance(value, CfgNode) else value
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100)
