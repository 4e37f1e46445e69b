"""Every configuration key with its default, loading and checking. Only the builders read the result."""

from pysot.config.defaults import get_cfg
from pysot.config.load import ConfigWarning, experiment_names, experiments_dir, load_cfg

__all__ = ["ConfigWarning", "experiment_names", "experiments_dir", "get_cfg", "load_cfg"]
