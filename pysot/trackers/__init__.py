"""Trackers: a network plus a small state value per target."""

from pysot.trackers.base import TRACKERS, Prediction, TargetState, Tracker
from pysot.trackers.build import build_tracker
from pysot.trackers.dasiamrpn import DaSiamRPNTracker
from pysot.trackers.long_term import LongTermTracker, SiamRPNLTTracker
from pysot.trackers.multi import MultiTracker
from pysot.trackers.siamfc import SiamFCTracker
from pysot.trackers.siammask import SiamMaskTracker
from pysot.trackers.siamrpn import SiamRPNState, SiamRPNTracker

__all__ = [
    "TRACKERS",
    "DaSiamRPNTracker",
    "LongTermTracker",
    "MultiTracker",
    "Prediction",
    "SiamFCTracker",
    "SiamMaskTracker",
    "SiamRPNLTTracker",
    "SiamRPNState",
    "SiamRPNTracker",
    "TargetState",
    "Tracker",
    "build_tracker",
]
