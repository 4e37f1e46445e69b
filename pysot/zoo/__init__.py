"""Public checkpoints: what they are, where they come from, and how they are fetched and checked.

Light on purpose: nothing here imports torch or a network.
"""

from pysot.zoo.cache import CacheReport, FileState, cache_folder, cached_path, check
from pysot.zoo.fetch import add_file, fetch
from pysot.zoo.table import DEFAULT, DEFAULT_MODEL, DriveFolder, LocalFile, WheelMember, ZooEntry, entries, get_entry

__all__ = [
    "DEFAULT",
    "DEFAULT_MODEL",
    "CacheReport",
    "DriveFolder",
    "FileState",
    "LocalFile",
    "WheelMember",
    "ZooEntry",
    "add_file",
    "cache_folder",
    "cached_path",
    "check",
    "entries",
    "fetch",
    "get_entry",
]
