"""The configuration arguments that all tools share."""

from __future__ import annotations

import argparse
import os

from yacs.config import CfgNode

from pysot.config.defaults import KEYS
from pysot.config.load import load_cfg


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--config`` (also ``--cfg``, as in PySOT) and trailing ``KEY VALUE`` overrides to a parser.

    Overrides are the parser's positional arguments and must stand together, after or before the options.
    """
    parser.add_argument(
        "--config",
        "--cfg",
        dest="config",
        metavar="NAME_OR_YAML",
        help="an experiment (a folder of experiments/) or the path of a YAML file",
    )
    parser.add_argument(
        "opts",
        nargs="*",
        metavar="KEY VALUE",
        help="configuration keys to change, such as: TRACK.LR 0.3 TRACK.PENALTY_K 0.1",
    )


def cfg_from_args(args: argparse.Namespace, default: str | os.PathLike[str] | None = None) -> CfgNode:
    """Return the configuration that parsed arguments ask for; ``default`` stands in for a missing ``--config``.

    Raises:
        ConfigError: As ``load_cfg``.
    """
    return load_cfg(args.config if args.config is not None else default, args.opts)


def at_least_one(text: str) -> int:
    """Read a count from the command line, as the ``type`` of an option.

    Raises:
        argparse.ArgumentTypeError: It is no whole number from 1 up.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {text}")
    return int(text)


def split_overrides(values: list[str]) -> tuple[list[str], list[str]]:
    """Divide the values of an option that takes several from the configuration keys behind them.

    Example:
        >>> split_overrides(["VOT2018", "TRACK.LR", "0.3"])
        (['VOT2018'], ['TRACK.LR', '0.3'])
    """
    sections = {key.path.split(".")[0] for key in KEYS}
    keys = (index for index, value in enumerate(values) if "." in value and value.split(".")[0] in sections)
    first = next(keys, len(values))
    return values[:first], values[first:]
