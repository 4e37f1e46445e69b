"""The errors a user can cause and mend. The tools print them as one line; anything else keeps its traceback."""

from __future__ import annotations


class PysotError(Exception):
    """Base of every error that names a mistake in what the user gave, and what to do about it."""


class ConfigError(PysotError, ValueError):
    """A configuration has unusable values; the message lists every fault found."""


class CheckpointError(PysotError, ValueError):
    """A checkpoint cannot be read safely or does not fit the network."""


class InputError(PysotError, ValueError):
    """A frame, box, video or path that cannot be used."""


class DownloadError(PysotError, OSError):
    """A file could not be fetched, or what arrived is not the file that was asked for."""
