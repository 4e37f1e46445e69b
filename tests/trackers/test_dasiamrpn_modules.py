"""DaSiamRPN's additions against the paper's equations and on made-up score maps."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import pysot
from pysot.geometry import cxcywh_to_xywh
from pysot.models import NetworkOutput
from pysot.trackers.dasiamrpn import DistractorMemory, DistractorParams
from pysot.trackers.postprocess import Proposals
from tests.trackers.conftest import BOX, KINDS

PARAMS = DistractorParams(score_threshold=0.5, nms_iou=0.5, top_k=8, alpha_hat=0.5, alpha=1.0, eta=0.01)


def test_frame_weights_are_the_geometric_sums_of_the_paper():
    ratio = 0.01 / 0.99
    for t in range(1, 6):
        assert PARAMS.frame_weight(t) == pytest.approx(sum(ratio**i for i in range(t)), rel=1e-12)


def test_incremental_template_is_equation_4():
    rng = np.random.default_rng(0)
    params = dataclasses.replace(PARAMS, alpha=0.7, eta=0.3)
    targets = [torch.from_numpy(rng.normal(size=(3, 2, 2))) for _ in range(4)]
    distractors = [torch.from_numpy(rng.normal(size=(count, 3, 2, 2))) for count in (0, 2, 1, 3)]
    memory = DistractorMemory.of_template(targets[0], params.frame_weight(1))
    for target, others in zip(targets[1:], distractors[1:], strict=True):
        memory = memory.learned(target, others, params)

    beta = [sum((0.3 / 0.7) ** i for i in range(t)) for t in range(1, 5)]
    positive = sum(b * z for b, z in zip(beta, targets, strict=True)) / sum(beta)
    weighted = [(b * 0.7, d) for b, group in zip(beta, distractors, strict=True) for d in group]
    negative = sum(weight * d for weight, d in weighted) / sum(weight for weight, _ in weighted)
    torch.testing.assert_close(memory.template(0.5), positive - 0.5 * negative)


def test_adaptive_search_is_for_targets_under_the_area_ratio(small_tracker):
    tracker = small_tracker("dasiamrpn", "TRACK.ADAPTIVE.ENABLED", True)
    frame = np.zeros((100, 100, 3), np.uint8)
    assert tracker.start(frame, (10, 10, 6, 6)).search_size == 287  # 36 of 10,000 pixels: 0.36 %
    assert tracker.start(frame, (10, 10, 8, 5)).search_size == 271  # exactly 0.4 %
    assert small_tracker("dasiamrpn").start(frame, (10, 10, 6, 6)).search_size == 271


def test_published_networks_have_the_additions_as_published():
    for name, adaptive in [("dasiamrpn_vot", False), ("dasiamrpn_otb", False), ("dasiamrpn_big", True)]:
        track = pysot.load_cfg(name).TRACK
        assert adaptive == track.ADAPTIVE.ENABLED
        assert not track.DISTRACTOR.ENABLED
        assert not track.LOCAL_TO_GLOBAL.ENABLED


def look_alikes(tracker, frames, scores, ranks):
    """A state, and an answer of the network with two objects at (-48, 0) and (48, 0) of the given scores and ranks.

    The first looks like the template, the second does not.
    """
    state = tracker.start(frames[0], BOX)
    template = state.template.features[-1]
    cells = template.shape[-1]
    map_size = 26
    features = torch.zeros(1, template.shape[1], map_size, map_size)
    rng = np.random.default_rng(0)
    features[..., 10 - 3 : 10 - 3 + cells, 4:10] = template[0]
    features[..., 10 - 3 : 10 - 3 + cells, 16:22] = torch.from_numpy(rng.normal(0, 1, template[0].shape)).float()
    boxes = torch.tensor([[-48.0, -24.0, 63.5, 63.5], [48.0, -24.0, 63.5, 63.5]]).T[None]
    proposals = Proposals(boxes, torch.tensor([scores]), torch.ones(1, 2), torch.tensor([ranks], dtype=torch.float64))
    output = NetworkOutput(torch.empty(0), None, (features,), (), ())
    crops = tracker.crop([frames[1]], [state])[0]
    return proposals, crops, output


def test_the_one_like_the_target_wins_against_a_better_ranked_distractor(small_tracker, frames):
    tracker = small_tracker("dasiamrpn_distractor")
    choice, states = tracker._choose(*look_alikes(tracker, frames, scores=[0.9, 0.95], ranks=[0.6, 0.9]))
    assert choice.indices.tolist() == [0]
    assert states[0].memory.frame_index == 2
    assert states[0].memory.distractor_weight == pytest.approx(PARAMS.frame_weight(2))
    plain, _ = small_tracker("dasiamrpn")._choose(*look_alikes(tracker, frames, scores=[0.9, 0.95], ranks=[0.6, 0.9]))
    assert plain.indices.tolist() == [1]


def test_what_scores_too_little_is_neither_target_nor_distractor(small_tracker, frames):
    tracker = small_tracker("dasiamrpn_distractor")
    choice, states = tracker._choose(*look_alikes(tracker, frames, scores=[0.4, 0.95], ranks=[0.6, 0.9]))
    assert choice.indices.tolist() == [1]
    assert states[0].memory.distractor_weight == 0
    choice, states = tracker._choose(*look_alikes(tracker, frames, scores=[0.4, 0.3], ranks=[0.6, 0.5]))
    assert choice.indices.tolist() == [0]
    assert states[0].memory.frame_index == 1


def test_one_object_has_no_distractors_among_its_own_proposals(small_tracker, frames):
    tracker = small_tracker("dasiamrpn_distractor")
    proposals, crops, output = look_alikes(tracker, frames, scores=[0.9, 0.95], ranks=[0.9, 0.8])
    boxes = torch.tensor([[-48.0, -24.0, 63.5, 63.5], [-46.0, -22.0, 63.5, 66.0]]).T[None]
    _, states = tracker._choose(proposals._replace(boxes_cxcywh=boxes), crops, output)
    assert cxcywh_to_xywh(boxes[0].T.numpy()).shape == (2, 4)
    assert states[0].memory.distractor_weight == 0


def test_switches_are_independent():
    name, small = KINDS["dasiamrpn"]
    for key, attribute in [("ADAPTIVE", "adaptive"), ("DISTRACTOR", "distractor"), ("LOCAL_TO_GLOBAL", "growth")]:
        more = ["TRACK.LOCAL_TO_GLOBAL.STEP_SIZE", 64, "TRACK.LOCAL_TO_GLOBAL.MAX_SIZE", 767]
        cfg = pysot.load_cfg(name, [*small, *more, f"TRACK.{key}.ENABLED", True])
        tracker = pysot.build_tracker(cfg, pysot.build_model(cfg), device="cpu")
        on = {part for part in ("adaptive", "distractor", "growth") if getattr(tracker, part) is not None}
        assert on == {attribute}
