"""Siamese single-object tracking: train, run and evaluate.

    import pysot

    tracker = pysot.load_tracker("default")
    tracker.init(frame, (x, y, w, h))
    result = tracker.track(next_frame)  # .bbox .score .lost; SiamMask: .mask .polygon

The names below are imported when they are first used, so that ``import pysot`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pysot.api import load_tracker
    from pysot.config import get_cfg, load_cfg
    from pysot.engine import load_checkpoint
    from pysot.models import build_model
    from pysot.trackers import MultiTracker, Prediction, Tracker, build_tracker
    from pysot.utils import PysotError

__version__ = "0.1.0"

__all__ = [
    "MultiTracker",
    "Prediction",
    "PysotError",
    "Tracker",
    "build_model",
    "build_tracker",
    "get_cfg",
    "load_cfg",
    "load_checkpoint",
    "load_tracker",
]

_HOMES = {
    "MultiTracker": "pysot.trackers",
    "Prediction": "pysot.trackers",
    "PysotError": "pysot.utils",
    "Tracker": "pysot.trackers",
    "build_model": "pysot.models",
    "build_tracker": "pysot.trackers",
    "get_cfg": "pysot.config",
    "load_cfg": "pysot.config",
    "load_checkpoint": "pysot.engine",
    "load_tracker": "pysot.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pysot' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
