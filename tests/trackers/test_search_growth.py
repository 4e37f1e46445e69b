"""Losing the target and finding it again: phases and sizes of the search region."""

from __future__ import annotations

import numpy as np
import pytest

import pysot
from pysot.trackers.long_term import SearchGrowth
from tests.trackers.conftest import BOX, KINDS


def phases(growth, scores, smallest=255):
    lost, size, seen = False, smallest, []
    for score in scores:
        lost = growth.next_phase(lost, score)
        size = growth.next_size(lost, size, smallest)
        seen.append((lost, size))
    return seen


def test_published_long_term_tracker_jumps_in_one_step():
    growth = SearchGrowth(enter=0.8, leave=0.998, step=831 - 255, largest=831)
    assert phases(growth, [0.9, 0.79, 0.95, 0.998, 0.9981, 0.81]) == [
        (False, 255),
        (True, 831),
        (True, 831),
        (True, 831),  # equal to the threshold does not leave
        (False, 255),
        (False, 255),  # below leave, above enter: nothing changes
    ]


def test_local_to_global_grows_by_constant_steps_up_to_the_bound():
    growth = SearchGrowth(enter=0.8, leave=0.95, step=64, largest=767)
    sizes = [size for _, size in phases(growth, [0.1] * 10)]
    assert sizes == [319, 383, 447, 511, 575, 639, 703, 767, 767, 767]
    assert phases(growth, [0.1, 0.1, 0.96]) == [(True, 319), (True, 383), (False, 255)]


@pytest.mark.parametrize("kind", ["long_term", "dasiamrpn_lt"])
def test_trackers_follow_the_phases_and_hold_the_box(kind, small_tracker, frames, monkeypatch):
    tracker = small_tracker(kind)
    growth = SearchGrowth(enter=1.1, leave=1.2, step=64, largest=415)  # no score is ever enough
    monkeypatch.setattr(tracker, "growth", growth)
    state = tracker.start(frames[0], BOX)
    base = state.search_size
    for index, frame in enumerate(frames[1:], 1):
        ((state, prediction),) = tracker.step([frame], [state])
        assert prediction.lost
        assert state.search_size == min(base + 64 * index, 415)
        np.testing.assert_allclose(prediction.bbox[2:], BOX[2:])
    monkeypatch.setattr(tracker, "growth", SearchGrowth(enter=0.0, leave=0.0, step=64, largest=415))
    ((state, prediction),) = tracker.step([frames[-1]], [state])
    assert not prediction.lost
    assert state.search_size == base


def test_targets_with_different_search_sizes_share_a_step(small_tracker, frames, monkeypatch):
    tracker = small_tracker("long_term")
    seen = tracker.start(frames[0], BOX)
    monkeypatch.setattr(tracker, "growth", SearchGrowth(enter=1.1, leave=1.2, step=128, largest=415))
    ((lost, _),) = tracker.step([frames[1]], [seen])
    monkeypatch.undo()
    batches = []
    search = tracker.executor.search
    monkeypatch.setattr(
        tracker.executor, "search", lambda template, crops: batches.append(crops[0].shape[0]) or search(template, crops)
    )
    results = tracker.step([frames[2]], [lost, seen, lost])
    assert batches == [287, 415]
    np.testing.assert_allclose(results[0][1].bbox, results[2][1].bbox, atol=1e-3)


def test_published_constants_reach_the_trackers():
    cfg = pysot.load_cfg(KINDS["long_term"][0], [*KINDS["long_term"][1], "TRACK.CONFIDENCE_LOW", 0.8])
    growth = pysot.build_tracker(cfg, pysot.build_model(cfg), "cpu").growth
    assert growth == SearchGrowth(enter=0.8, leave=0.998, step=415 - 287, largest=415)
