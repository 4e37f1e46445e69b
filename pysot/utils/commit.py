"""Which commit a checkout is at."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit_of(folder: Path) -> str | None:
    """Return the commit of a checkout, with a mark if files were changed; None outside of one, or without git."""
    if not (folder / ".git").exists():
        return None
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
