"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The top of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the reference material; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("PYSOT_SHARED", ROOT.parent / "shared"))
    if not (folder / "parity").is_dir():
        pytest.skip(f"no reference material at {folder} (set PYSOT_SHARED)")
    return folder
