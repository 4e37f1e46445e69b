"""What every tracker promises, whatever network it uses."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch

import pysot
from pysot.trackers import TRACKERS, SiamRPNTracker, Tracker
from pysot.trackers.base import TargetState
from pysot.utils import CheckpointError, ConfigError, InputError
from tests.trackers.conftest import BOX, KINDS

ALL_KINDS = pytest.mark.parametrize("kind", KINDS)


def same(first, second, tolerance=1e-4):
    assert first.lost == second.lost
    assert first.score == pytest.approx(second.score, abs=tolerance)
    np.testing.assert_allclose(first.bbox, second.bbox, atol=tolerance)
    if first.polygon is not None:
        np.testing.assert_allclose(first.polygon, second.polygon, atol=0.51)
        assert (first.mask != second.mask).mean() < 1e-3


def test_every_registered_tracker_is_under_contract():
    assert {pysot.load_cfg(name, more).TRACK.TYPE for name, more in KINDS.values()} == set(TRACKERS)


@ALL_KINDS
def test_prediction_has_the_promised_form(kind, small_tracker, frames):
    tracker = small_tracker(kind)
    tracker.init(frames[0], BOX)
    for frame in frames[1:]:
        result = tracker.track(frame)
        assert result.bbox.shape == (4,)
        assert result.bbox.dtype == np.float64
        assert np.isfinite(result.bbox).all()
        assert (result.bbox[2:] > 0).all()
        assert 0 <= result.score <= 1
        assert isinstance(result.score, float)
        assert isinstance(result.lost, bool)
        if kind.startswith("siammask"):
            assert result.polygon.shape == (8,)
            assert result.mask.shape == frame.shape[:2]
            assert result.mask.dtype == np.bool_
        else:
            assert result.polygon is None
            assert result.mask is None


@ALL_KINDS
def test_state_is_a_value(kind, small_tracker, frames):
    tracker = small_tracker(kind)
    state = tracker.start(frames[0], BOX)
    before = {
        field.name: np.copy(getattr(state, field.name))
        for field in dataclasses.fields(state)
        if field.name[-3:] == "_xy"
    }
    first = tracker.step([frames[1]], [state])[0][1]
    second = tracker.step([frames[1]], [state])[0][1]
    same(first, second, tolerance=0)
    for name, value in before.items():
        np.testing.assert_array_equal(getattr(state, name), value)
    with pytest.raises(dataclasses.FrozenInstanceError):
        state.lost = True


@ALL_KINDS
def test_many_targets_in_one_batch_are_the_same_as_one_by_one(kind, small_tracker, frames):
    tracker = small_tracker(kind)
    boxes = [BOX, (10, 10, 20, 16), (100, 60, 40, 40)]
    together: list[TargetState] = [tracker.start(frames[0], box) for box in boxes]
    alone = list(together)
    for frame in frames[1:4]:
        results = tracker.step([frame], together)
        together = [state for state, _ in results]
        for index, (_, prediction) in enumerate(results):
            ((alone[index], expected),) = tracker.step([frame], [alone[index]])
            same(prediction, expected, tolerance=1e-2)


@ALL_KINDS
def test_sequences_in_step_take_a_frame_each(kind, small_tracker, frames):
    tracker = small_tracker(kind)
    states = [tracker.start(frames[0], BOX), tracker.start(frames[2], (66, 40, 24, 30))]
    results = tracker.step([frames[1], frames[3]], states)
    for frame, state, (_, prediction) in zip([frames[1], frames[3]], states, results, strict=True):
        same(prediction, tracker.step([frame], [state])[0][1], tolerance=1e-2)


@ALL_KINDS
def test_gray_bgra_and_16_bit_frames_are_converted(kind, small_tracker, frames):
    tracker = small_tracker(kind)
    gray = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames[:2]]
    forms = {
        "gray": (gray, [cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR) for frame in gray]),
        "gray with a channel": (
            [frame[..., None] for frame in gray],
            [cv2.cvtColor(f, cv2.COLOR_GRAY2BGR) for f in gray],
        ),
        "bgra": ([np.dstack([frame, frame[..., 0]]) for frame in frames[:2]], frames[:2]),
        "16 bit": ([frame.astype(np.uint16) * 256 + 7 for frame in frames[:2]], frames[:2]),
    }
    for odd, plain in forms.values():
        tracker.init(plain[0], BOX)
        expected = tracker.track(plain[1])
        tracker.init(odd[0], BOX)
        same(tracker.track(odd[1]), expected, tolerance=0)


@ALL_KINDS
@pytest.mark.parametrize(
    "box",
    [
        (-15, -10, 40, 40),
        (140, 100, 60, 60),
        (80.25, 60.5, 1, 1),
        (0, 0, 160, 120),
        (-500, -400, 1200, 1000),
        (-4e8, -4e8, 9e8, 9e8),
    ],
    ids=["top left", "bottom right", "one pixel", "whole frame", "larger than the frame", "immense"],
)
def test_unusual_boxes_are_tracked(kind, box, small_tracker, frames):
    tracker = small_tracker(kind)
    tracker.init(frames[0], box)
    for frame in frames[1:4]:
        assert np.isfinite(tracker.track(frame).bbox).all()


@ALL_KINDS
def test_frames_may_change_size_and_targets_may_leave(kind, small_tracker, frames):
    tracker = small_tracker(kind)
    tracker.init(frames[0], BOX)
    others = [cv2.resize(frames[1], (80, 60)), cv2.resize(frames[2], (333, 211)), np.zeros((50, 70, 3), np.uint8)]
    for frame in [*others, *others]:
        result = tracker.track(frame)
        assert np.isfinite(result.bbox).all()
        if result.mask is not None:
            assert result.mask.shape == frame.shape[:2]


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((10, 10, 0, 20), "is empty: width and height must be at least 1 pixel"),
        ((10, 10, 20, 0.5), "is empty"),
        ((10, 10, -5, 20), "is empty"),
        ((10, float("nan"), 5, 20), "not finite"),
        ((10, 10, float("inf"), 20), "not finite"),
        ((-1e300, 10, 2e300, 20), "reaches beyond any frame"),
        ((10, 10, 5), "four numbers x, y, w, h"),
        ("10,10,5,5", "four numbers x, y, w, h"),
        (None, "four numbers x, y, w, h|not finite"),
        ((200, 10, 20, 20), "outside the frame, which is 160 x 120"),
        ((-50, 10, 20, 20), "outside the frame"),
    ],
)
def test_unusable_boxes_are_refused(box, message, small_tracker, frames):
    with pytest.raises(InputError, match=message):
        small_tracker("siamrpn").init(frames[0], box)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (None, "the image could not be read"),
        ("frame.jpg", "NumPy array .* got str"),
        (np.zeros((10, 10, 2), np.uint8), r"got \(10, 10, 2\)"),
        (np.zeros((10,), np.uint8), r"got \(10,\)"),
        (np.zeros((0, 10, 3), np.uint8), "the frame is empty"),
        (np.zeros((10, 10, 3), np.float32), "got float32"),
    ],
)
def test_unusable_frames_are_refused(frame, message, small_tracker, frames):
    tracker = small_tracker("siamrpn")
    with pytest.raises(InputError, match=message):
        tracker.init(frame, (1, 1, 5, 5))
    tracker.init(frames[0], BOX)
    with pytest.raises(InputError, match=message):
        tracker.track(frame)


def test_track_before_init_is_refused(frames):
    cfg = pysot.load_cfg(*KINDS["siamrpn"])
    tracker = pysot.build_tracker(cfg, pysot.build_model(cfg), device="cpu")
    with pytest.raises(InputError, match=r"before init\(frame, box\)"):
        tracker.track(frames[0])


def test_step_refuses_another_number_of_frames(small_tracker, frames):
    tracker = small_tracker("siamrpn")
    state = tracker.start(frames[0], BOX)
    with pytest.raises(InputError, match="got 2 for 3 targets"):
        tracker.step(frames[:2], [state] * 3)


@ALL_KINDS
def test_init_forgets_the_target_before(kind, small_tracker, frames):
    tracker = small_tracker(kind)
    tracker.init(frames[0], BOX)
    expected = [tracker.track(frame) for frame in frames[1:3]]
    tracker.init(frames[3], (5, 5, 40, 30))
    for frame in [np.zeros_like(frames[0])] * 3:
        tracker.track(frame)
    tracker.init(frames[0], BOX)
    for result, before in zip([tracker.track(frame) for frame in frames[1:3]], expected, strict=True):
        same(result, before, tolerance=0)


def test_training_the_network_does_not_change_a_tracker(frames):
    cfg = pysot.load_cfg(*KINDS["siamrpn"])
    model = pysot.build_model(cfg)
    tracker = pysot.build_tracker(cfg, model, device="cpu")
    tracker.init(frames[0], BOX)
    expected = tracker.track(frames[1])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0)
    tracker.init(frames[0], BOX)
    same(tracker.track(frames[1]), expected, tolerance=0)
    assert model.training


@pytest.mark.parametrize("kind", ["siamfc", "siamrpn", "dasiamrpn", "siammask"])
def test_fused_runtime_tracks_the_same(kind, small_tracker, frames):
    eager = small_tracker(kind)
    cfg = pysot.load_cfg(*KINDS[kind])
    fused = pysot.build_tracker(cfg, eager.executor.network, device="cpu", runtime="fused")
    for tracker in (eager, fused):
        tracker.init(frames[0], BOX)
    for frame in frames[1:]:
        same(fused.track(frame), eager.track(frame), tolerance=0.05)


@pytest.mark.gpu
@ALL_KINDS
def test_cuda_tracks_the_same(kind, small_tracker, frames):
    on_cpu = small_tracker(kind)
    on_gpu = pysot.build_tracker(pysot.load_cfg(*KINDS[kind]), on_cpu.executor.network, device="cuda")
    for tracker in (on_cpu, on_gpu):
        tracker.init(frames[0], BOX)
    for frame in frames[1:]:
        np.testing.assert_allclose(on_gpu.track(frame).bbox, on_cpu.track(frame).bbox, atol=0.2)


def test_a_registered_subclass_is_built_from_the_configuration(monkeypatch, frames):
    class Watched(SiamRPNTracker):
        pass

    class Other(Tracker):
        pass

    for name, kind in (("Watched", Watched), ("Other", Other)):
        monkeypatch.setitem(TRACKERS._parts, name, kind)
    experiment, overrides = KINDS["siamrpn"]
    cfg = pysot.load_cfg(experiment, [*overrides, "TRACK.TYPE", "Watched"])
    tracker = pysot.build_tracker(cfg, pysot.build_model(cfg), device="cpu")
    assert type(tracker) is Watched
    assert tracker.params.search_size == cfg.TRACK.INSTANCE_SIZE
    cfg = pysot.load_cfg(experiment, [*overrides, "TRACK.TYPE", "Other"])
    with pytest.raises(ConfigError, match=r"TRACK\.TYPE Other: expected a subclass of \['SiamRPNTracker'"):
        pysot.build_tracker(cfg, pysot.build_model(cfg), device="cpu")


def test_auto_stays_on_the_cpu_where_the_configuration_says_so(monkeypatch):
    experiment, overrides = KINDS["siamrpn"]
    cfg = pysot.load_cfg(experiment, [*overrides, "CUDA", False])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pysot.build_tracker(cfg, pysot.build_model(cfg)).executor.device == torch.device("cpu")


def test_a_score_map_of_another_size_is_named(frames):
    experiment, overrides = KINDS["siamrpn"]
    cfg = pysot.load_cfg(experiment, [*overrides, "TRACK.BASE_SIZE", 8])
    tracker = pysot.build_tracker(cfg, pysot.build_model(cfg), device="cpu")
    tracker.init(frames[0], BOX)
    answer = r"\(5, 21, 21\), the tracker expects \(5, 29, 29\); mend ANCHOR, or TRACK\.BASE_SIZE"
    with pytest.raises(ConfigError, match=answer):
        tracker.track(frames[1])


@pytest.mark.parametrize("runtime", ["eager", "fused"])
def test_a_single_weight_that_is_not_a_number_is_named(runtime, frames):
    cfg = pysot.load_cfg("siamrpn_nano")
    model = pysot.build_model(cfg)
    with torch.no_grad():
        model.backbone.layer2[0].conv[0].weight[0] = float("nan")
    tracker = pysot.build_tracker(cfg, model, device="cpu", runtime=runtime)
    tracker.init(frames[0], BOX)
    with pytest.raises(CheckpointError, match="values that are not finite: its weights are unusable"):
        tracker.track(frames[1])


@pytest.mark.parametrize("kind", ["siamrpn", "siamrpn_likeness"])
def test_a_network_of_not_a_numbers_is_named(kind, frames):
    cfg = pysot.load_cfg(*KINDS[kind])
    model = pysot.build_model(cfg)
    with torch.no_grad():
        model.rpn_head.cls.head[3].bias.fill_(float("nan"))
    tracker = pysot.build_tracker(cfg, model, device="cpu")
    tracker.init(frames[0], BOX)
    with pytest.raises(CheckpointError, match="values that are not finite: its weights are unusable"):
        tracker.track(frames[1])


@ALL_KINDS
def test_a_network_with_wild_answers_gives_finite_boxes(kind, small_tracker, frames):
    """Untrained heads answer with thousands: sizes vanish or explode, the state must not."""
    cfg = pysot.load_cfg(*KINDS[kind])
    model = copy.deepcopy(small_tracker(kind).executor.network)
    with torch.no_grad():
        for parameter in model.rpn_head.parameters():
            parameter.mul_(30)
    tracker = pysot.build_tracker(cfg, model, device="cpu")
    tracker.init(frames[0], BOX)
    for frame in frames[1:4]:
        assert np.isfinite(tracker.track(frame).bbox).all()


@ALL_KINDS
def test_trackers_can_be_copied_while_they_follow(kind, small_tracker, frames):
    tracker = small_tracker(kind)
    tracker.init(frames[0], BOX)
    tracker.track(frames[1])
    twins = [copy.deepcopy(tracker), pickle.loads(pickle.dumps(tracker))]
    expected = tracker.track(frames[2])
    for twin in twins:
        same(twin.track(frames[2]), expected, tolerance=0)


def test_threads_share_a_tracker(small_tracker, frames):
    tracker = small_tracker("siamrpn")
    boxes = [BOX, (10, 10, 20, 16), (100, 60, 40, 40)]

    def follow(box):
        state, found = tracker.start(frames[0], box), []
        for frame in frames[1:]:
            ((state, prediction),) = tracker.step([frame], [state])
            found.append(prediction.bbox)
        return np.stack(found)

    expected = [follow(box) for box in boxes]
    with ThreadPoolExecutor(len(boxes)) as pool:
        for found, wanted in zip(pool.map(follow, boxes), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)
