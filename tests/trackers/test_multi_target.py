"""Targets that come and go while others are tracked."""

from __future__ import annotations

import numpy as np
import pytest

from pysot import MultiTracker
from pysot.utils import InputError
from tests.trackers.conftest import BOX


def test_targets_are_added_and_removed_while_running(small_tracker, frames):
    tracker = small_tracker("siamrpn")
    targets = MultiTracker(tracker)
    assert targets.track(frames[0]) == {}
    first = targets.add(frames[0], BOX)
    assert set(targets.track(frames[1])) == {first}
    second = targets.add(frames[1], (10, 10, 20, 16))
    assert set(targets.track(frames[2])) == {first, second}
    targets.remove(first)
    assert set(targets.track(frames[3])) == {second}
    third = targets.add(frames[3], BOX)
    assert third not in (first, second)
    assert (len(targets), list(targets)) == (2, [second, third])


def test_targets_do_not_disturb_each_other(small_tracker, frames):
    tracker = small_tracker("siamrpn")
    targets = MultiTracker(tracker)
    first = targets.add(frames[0], BOX)
    targets.add(frames[0], (100, 60, 40, 40))
    alone = MultiTracker(tracker)
    only = alone.add(frames[0], BOX)
    for frame in frames[1:]:
        np.testing.assert_allclose(targets.track(frame)[first].bbox, alone.track(frame)[only].bbox, atol=1e-2)


def test_unknown_target_is_named(small_tracker, frames):
    targets = MultiTracker(small_tracker("siamrpn"))
    targets.add(frames[0], BOX)
    with pytest.raises(InputError, match=r"no target 7; the targets are \[0\]"):
        targets.remove(7)


def test_a_bad_box_leaves_the_others_alone(small_tracker, frames):
    targets = MultiTracker(small_tracker("siamrpn"))
    first = targets.add(frames[0], BOX)
    with pytest.raises(InputError):
        targets.add(frames[0], (0, 0, 0, 0))
    assert set(targets.track(frames[1])) == {first}


def test_all_targets_share_one_forward_pass(small_tracker, frames, monkeypatch):
    tracker = small_tracker("siamrpn")
    targets = MultiTracker(tracker)
    for offset in range(4):
        targets.add(frames[0], (60 + offset, 40, 24, 30))
    batches = []
    search = tracker.executor.search
    monkeypatch.setattr(
        tracker.executor, "search", lambda template, crops: batches.append(len(crops)) or search(template, crops)
    )
    targets.track(frames[1])
    assert batches == [4]
