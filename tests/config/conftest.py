"""What the tests of the configuration share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def _leaves(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        flat.update(_leaves(value, f"{path}.") if isinstance(value, dict) and value else {path: value})
    return flat


@pytest.fixture(scope="session")
def leaves() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Flatten a tree to dotted path -> value; an empty section is a leaf."""
    return _leaves
