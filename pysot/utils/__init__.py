"""Small things every part of pysot may use: errors, the registry, seeding. Imports nothing of pysot."""

from pysot.utils.commit import commit_of
from pysot.utils.errors import (
    CheckpointError,
    ConfigError,
    DownloadError,
    InputError,
    PysotError,
)
from pysot.utils.files import atomic_path, hash_file
from pysot.utils.registry import Registry, nearest_name

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DownloadError",
    "InputError",
    "PysotError",
    "Registry",
    "atomic_path",
    "commit_of",
    "hash_file",
    "nearest_name",
]
