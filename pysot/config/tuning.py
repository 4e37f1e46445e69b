"""What of a configuration is searched by default, over which values, and the file of what was found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import yaml
from yacs.config import CfgNode

from pysot.config.load import find_config, load_cfg, read_yaml
from pysot.utils import ConfigError, nearest_name

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

_ANY_READS = "WINDOW_INFLUENCE EXEMPLAR_SIZE INSTANCE_SIZE CONTEXT_AMOUNT"
_SIAMRPN_READS = f"{_ANY_READS} PENALTY_K LR LIKENESS"
_READS = {
    "SiamRPNTracker": _SIAMRPN_READS,
    "SiamRPNLTTracker": f"{_SIAMRPN_READS} LOST_INSTANCE_SIZE CONFIDENCE_LOW CONFIDENCE_HIGH",
    "SiamMaskTracker": f"{_SIAMRPN_READS} MASK_THERSHOLD",
    "DaSiamRPNTracker": f"{_SIAMRPN_READS} ADAPTIVE DISTRACTOR LOCAL_TO_GLOBAL",
    "SiamFCTracker": f"{_ANY_READS} SIAMFC",
}
"""Keys and sections of TRACK that where a tracker looks depends on, by TRACK.TYPE."""
_UNSUITED = {
    "TRACK.BASE_SIZE": "is given by the network",
    "TRACK.MASK_OUTPUT_SIZE": "is given by the network",
    "TRACK.LOST_SCORE": "says what counts as lost, not where the target is",
    **dict.fromkeys(("ANCHOR", "BACKBONE", "ADJUST", "RPN", "MASK", "REFINE"), "is what the network was trained with"),
    **dict.fromkeys(("TRAIN", "DATASET"), "is read by training alone"),
}
"""Keys and sections that cannot be searched with a trained network."""


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


def choose_ranges(
    config: str, overrides: Sequence[Any], given: Sequence[Sequence[str]], fixed: Sequence[str]
) -> dict[str, KeyRange]:
    """Return what is searched: the usual, with what ``--range`` and ``--fix`` change.

    Args:
        config: An experiment or a YAML file.
        overrides: KEY, VALUE, ...
        given: As :func:`read_range` takes them.
        fixed: Keys that are not searched.

    Raises:
        ConfigError: A faulty range, nothing is left to search, or a fixed key was not searched.
    """
    ranges = default_ranges(load_cfg(config, overrides))
    ranges |= dict(read_range(config, overrides, words) for words in given)
    for key in fixed:
        if ranges.pop(key, None) is None:
            raise ConfigError(f"--fix {key}: expected one of the searched keys {', '.join(ranges)}")
    ranges = {key: found for key, found in ranges.items() if found.low < found.high}
    if not ranges:
        raise ConfigError("nothing is left to search: give --range KEY LOW HIGH, or less --fix")
    return ranges


def searchable_keys(cfg: CfgNode) -> list[str]:
    """Return the keys with a number on which depends where the tracker of a configuration looks.

    Of a tracker that is registered elsewhere, which may read anything, all of TRACK but what the network gives.

    Example:
        >>> searchable_keys(load_cfg("siamrpn_r50"))[:3]
        ['TRACK.PENALTY_K', 'TRACK.WINDOW_INFLUENCE', 'TRACK.LR']
    """
    read = _READS.get(cfg.TRACK.TYPE, " ".join(cfg.TRACK)).split()
    found = []
    for name in (name for name in cfg.TRACK if name in read):
        node = cfg.TRACK[name]
        if not isinstance(node, CfgNode):
            found.append((f"TRACK.{name}", node))
        elif node.get("ENABLED", True):
            found += [(f"TRACK.{name}.{leaf}", value) for leaf, value in node.items()]
    unused = {"TRACK.LIKENESS.RATE"} if not cfg.TRACK.LIKENESS.WEIGHT else set()
    if cfg.TRACK.DISTRACTOR.ENABLED:  # chooses among the proposals itself
        unused |= {"TRACK.LIKENESS.WEIGHT"}
    return [key for key, value in found if _is_number(value) and key not in _UNSUITED and key not in unused]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def read_range(config: str, overrides: Sequence[Any], words: Sequence[str]) -> tuple[str, KeyRange]:
    """Read KEY LOW HIGH [STEP] for a configuration.

    Args:
        config: An experiment or a YAML file.
        overrides: KEY, VALUE, ...
        words: What was given.

    Raises:
        ConfigError: Another number of words, a key that is unknown, holds no number or does not change what the
            tracker does, values that the key cannot have, or a range without the configuration's own value.
    """
    where = f"--range {' '.join(words)}"
    if len(words) not in (3, 4):
        raise ConfigError(f"{where}: expected KEY LOW HIGH [STEP]")
    key, cfg = words[0], load_cfg(config, overrides)
    _check_searchable(cfg, key, where)
    own = value_at(cfg, key)
    low, high = (value_at(load_cfg(config, [*overrides, key, word]), key) for word in words[1:3])
    step: int | float | None = 1 if isinstance(own, int) else None
    if len(words) == 4:
        try:
            step = type(own)(words[3])
        except ValueError:
            step = 0
    elif key == "TRACK.INSTANCE_SIZE":
        step = _search_sizes(cfg).step
    if not low <= own <= high or low == high:
        raise ConfigError(f"{where}: expected LOW < HIGH around the configuration's own {own}, the first trial")
    if step is not None:
        if not step > 0 or abs((own - low) / step - round((own - low) / step)) > 1e-9:
            raise ConfigError(f"{where}: expected a STEP that leads from LOW to the configuration's own {own}")
        high = low + math.floor((high - low) / step + 1e-9) * step
        load_cfg(config, [*overrides, key, min(low + step, high)])
    return key, KeyRange(low, high, step)


def _check_searchable(cfg: CfgNode, key: str, where: str) -> None:
    """Raise where all values of a key would score the same, or could not be scored."""
    known = searchable_keys(cfg)
    if key in known:
        return
    value: Any = cfg
    for part in key.split("."):
        value = value.get(part) if isinstance(value, CfgNode) else None
    unsuited = key if key in _UNSUITED else key.partition(".")[0]
    if unsuited in _UNSUITED:
        problem = f"{unsuited} {_UNSUITED[unsuited]}"
    elif value is None:
        near = nearest_name(key, known)
        problem = f"unknown key{f'; the nearest is {near}' if near else ''}"
    elif not _is_number(value):
        problem = f"{key} is {'a section' if isinstance(value, CfgNode) else repr(value)}, no number"
    else:
        problem = f"{cfg.TRACK.TYPE}, as it is configured, does not read {key}"
    raise ConfigError(f"{where}: {problem}; expected one of {', '.join(known)}")


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
