"""Every configuration key with its default, loading and checking. Only the builders read the result."""

from pysot.config.check import check_cfg
from pysot.config.cli import add_config_arguments, cfg_from_args
from pysot.config.defaults import get_cfg
from pysot.config.head import predicts_points
from pysot.config.load import ConfigWarning, experiment_names, experiments_dir, find_config, load_cfg

__all__ = [
    "ConfigWarning",
    "add_config_arguments",
    "cfg_from_args",
    "check_cfg",
    "experiment_names",
    "experiments_dir",
    "find_config",
    "get_cfg",
    "load_cfg",
    "predicts_points",
]
