"""Fixtures of the demo's tests."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from demo_material import FakeMultiTracker

import pysot
from pysot.demo import sources


@pytest.fixture(autouse=True)
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    sources.quiet_opencv()


@pytest.fixture(scope="session")
def tool(repo_root: Path) -> ModuleType:
    """tools/demo.py as a module."""
    spec = importlib.util.spec_from_file_location("demo_tool", repo_root / "tools" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple, dict]]:
    """Put the fake tracker in place of the real one; the list notes each call of load_tracker."""
    calls: list[tuple[tuple, dict]] = []

    def load_tracker(*args: object, **kwargs: object) -> object:
        calls.append((args, kwargs))
        return object()

    monkeypatch.setattr(pysot, "load_tracker", load_tracker, raising=False)
    monkeypatch.setattr(pysot, "MultiTracker", FakeMultiTracker, raising=False)
    return calls


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, loaded: list) -> Callable[[int, BaseException], None]:
    """Return a function that makes the fake tracker raise at a frame."""

    def install(frame: int, failure: BaseException) -> None:
        def make(tracker: object) -> FakeMultiTracker:
            targets = FakeMultiTracker(tracker)
            targets.fail_at, targets.failure = frame, failure
            return targets

        monkeypatch.setattr(pysot, "MultiTracker", make, raising=False)

    return install
