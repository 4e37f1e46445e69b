"""The errors a user of the toolkit can cause and mend; tools print them as one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ToolkitError(Exception):
    """Base of every error that names a mistake in what the user gave, and what to do about it."""


class DatasetError(ToolkitError, ValueError):
    """A benchmark is unknown, absent, incomplete or malformed."""


class ResultError(ToolkitError, ValueError):
    """A tracker's result file is missing, too short, too long or holds something that is no region."""


class RegionError(ToolkitError, ValueError):
    """Numbers that describe no region: neither a code, nor a box, nor a polygon of four points."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the message for a name that is not in a table, with the nearest known one.

    Example:
        >>> unknown_name("benchmark", "VOT18", ["OTB100", "VOT2018"])
        "unknown benchmark 'VOT18'. Did you mean 'VOT2018'? Available: ['OTB100', 'VOT2018']"
    """
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    hint = f" Did you mean {by_lower[close[0]]!r}?" if close else ""
    return f"unknown {kind} {name!r}.{hint} Available: {sorted(by_lower.values())}"
