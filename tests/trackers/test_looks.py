"""How much proposals look like the target: by hand, by properties, and through the trackers."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

import pysot
from pysot.models import NetworkOutput
from pysot.models.neck import central_cells
from pysot.trackers.dasiamrpn import DaSiamRPNTracker
from pysot.trackers.looks import LikenessParams, Look, most_alike, sample_proposals
from pysot.trackers.postprocess import Proposals
from pysot.utils import ConfigError
from tests.trackers.conftest import BOX, KINDS

CROPS = {"template_size": 127, "stride": 8, "context_amount": 0.5}
# A box whose context square is as large as the template crop: its cells lie one stride apart, as in a template.
SIDE = 63.5


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).float()


def proposals_of(boxes, scores, ranks) -> Proposals:
    count = len(boxes)
    return Proposals(
        torch.tensor(boxes, dtype=torch.float32).T[None],
        torch.tensor([scores], dtype=torch.float32),
        torch.ones(1, count),
        torch.tensor([ranks], dtype=torch.float64),
    )


def test_sampling_the_middle_of_a_template_sized_proposal_gives_the_features_there():
    features = torch.arange(2 * 13 * 13, dtype=torch.float32).reshape(1, 2, 13, 13)
    sampled = sample_proposals(features, np.array([[0.0, 0.0, SIDE, SIDE], [8.0, -16.0, SIDE, SIDE]]), 5, **CROPS)
    torch.testing.assert_close(sampled[0], features[0, :, 4:9, 4:9])
    torch.testing.assert_close(sampled[1], features[0, :, 2:7, 5:10])


def test_the_central_cells():
    cells = torch.arange(16.0).expand(1, 1, 16, 16)
    assert central_cells(cells, 7)[0, 0, 0].tolist() == [4, 5, 6, 7, 8, 9, 10]
    assert central_cells(cells[..., :15, :15], 7)[0, 0, 0].tolist() == [4, 5, 6, 7, 8, 9, 10]


def test_likeness_by_hand():
    # Two channels of 1 x 2 cells; without their means (1, -1) and (2, -2), of length sqrt(10).
    look = Look.of_template(torch.tensor([[[[3.0, 1.0]], [[4.0, 0.0]]]]))
    expected = torch.tensor([[[1.0, -1.0]], [[2.0, -2.0]]]) / math.sqrt(10)
    torch.testing.assert_close(look.first, expected)
    # Half of the way to its mirror image in the first channel: (0, 0) and (2, -2), of length sqrt(8).
    mirrored = torch.tensor([[[-1.0, 1.0]], [[2.0, -2.0]]]) / math.sqrt(10)
    learned = look.learned(mirrored, 0.5)
    torch.testing.assert_close(learned.recent, torch.tensor([[[0.0, 0.0]], [[2.0, -2.0]]]) / math.sqrt(8))
    assert learned.first is look.first
    # Cosines with the mirror image: (-2 + 8) / 10 of the first look, 8 / sqrt(80) of the recent one.
    torch.testing.assert_close(learned.likeness(mirrored[None]), torch.tensor([(0.6 + 8 / math.sqrt(80)) / 2]))


def test_likeness_ignores_contrast_and_the_level_of_a_channel():
    features = random(1, 5, 7, 7)
    look = Look.of_template(features)
    seen = Look.of_template(features * 3 + random(1, 5, 1, 1, seed=1))
    torch.testing.assert_close(look.likeness(torch.stack([seen.first, -seen.first])), torch.tensor([1.0, -1.0]))


@pytest.mark.parametrize("seed", range(5))
def test_looks_stay_of_length_1_and_likeness_within_1(seed: int):
    look, rng = Look.of_template(random(1, 4, 6, 6, seed=seed)), np.random.default_rng(seed)
    for step in range(20):
        seen = Look.of_template(random(1, 4, 6, 6, seed=100 * seed + step)).first
        assert -1 <= float(look.likeness(seen[None])) <= 1
        look = look.learned(seen, float(rng.uniform()))
        assert float(look.recent.norm()) == pytest.approx(1, abs=1e-5)


def test_a_look_of_nothing_is_like_nothing():
    look = Look.of_template(torch.full((1, 3, 5, 5), 7.0))
    assert look.likeness(random(2, 3, 5, 5)).tolist() == [0.0, 0.0]


def two_objects(target: torch.Tensor, ranks: list[float]) -> tuple[Proposals, torch.Tensor]:
    """Return proposals at (-48, 0) and (48, 0), and features that show the target (1, C, 7, 7) at the first of them."""
    features = random(1, target.shape[1], 31, 31, seed=3)
    # The crop's centre is cell 15: six cells to its left is 9, around which the target's seven lie.
    features[..., 12:19, 6:13] = target
    return proposals_of([[-48, 0, SIDE, SIDE], [48, 0, SIDE, SIDE]], [0.8, 0.85], ranks), features


def test_likeness_outweighs_rank_as_far_as_its_weight_goes():
    target = random(1, 6, 7, 7, seed=4)
    look = Look.of_template(target)
    proposals, features = two_objects(target, [0.5, 0.9])
    chosen = [
        int(most_alike(proposals, 0, look, features, LikenessParams(weight, 0.0), **CROPS)[0]) for weight in (0.2, 1.0)
    ]
    assert chosen == [1, 0]


def test_the_look_of_what_was_taken_is_learned_by_its_score():
    target = random(1, 6, 7, 7, seed=4)
    look = Look.of_template(random(1, 6, 7, 7, seed=5))
    proposals, features = two_objects(target, [0.9, 0.1])
    index, learned = most_alike(proposals, 0, look, features, LikenessParams(0.5, 0.25), **CROPS)
    assert int(index) == 0
    torch.testing.assert_close(learned.recent, look.learned(Look.of_template(target).first, 0.25 * 0.8).recent)


def test_a_tracker_takes_what_looks_like_its_target(small_tracker, frames):
    tracker = small_tracker("siamrpn_likeness")
    state = tracker.start(frames[0], BOX)
    cells = state.template.features[0].shape[-1]
    features = random(1, state.template.features[0].shape[1], 26, 26, seed=6)
    features[..., 10 : 10 + cells, 4 : 4 + cells] = state.template.features[0]
    center = (4 + (cells - 1) / 2 - 12.5) * 8, (10 + (cells - 1) / 2 - 12.5) * 8
    proposals = proposals_of([[*center, SIDE, SIDE], [60, 60, SIDE, SIDE]], [0.8, 0.9], [0.4, 0.9])
    crops = tracker.crop([frames[1]], [state])[0]
    output = NetworkOutput(torch.empty(0), None, (features,), (), ())
    choice, states = tracker._choose(proposals, crops, output)
    assert choice.indices.tolist() == [0]
    assert states[0].look.first is state.look.first
    choice, states = small_tracker("siamrpn")._choose(proposals, crops, output)
    assert choice.indices.tolist() == [1]


def test_refined_masks_have_early_features_to_look_at(small_tracker, frames):
    state = small_tracker("siammask_likeness").start(frames[0], BOX)
    # ResNet-18's layer 2 has 128 channels, the neck's level 32; both are cut to the template's cells.
    cells = state.template.features[-1].shape[-1]
    assert state.look.first.shape == (128, cells, cells)
    assert state.template.early_features == ()
    assert small_tracker("siamrpn_likeness").start(frames[0], BOX).look.first.shape[0] == 25
    assert small_tracker("siammask").start(frames[0], BOX).look is None


def test_looks_are_compared_at_the_stride_of_the_score_map(small_tracker):
    """ResNet's first layer has a stride of 4: it cannot be sampled as the head's level is."""
    with pytest.raises(ConfigError, match=r"features of stride 8 .* has stride 4: mend BACKBONE\.KWARGS\.used_layers"):
        small_tracker("siammask_base", "TRACK.LIKENESS.WEIGHT", 1.0, "BACKBONE.KWARGS.used_layers", [1, 3])


@pytest.mark.parametrize("kind", ["siamrpn_likeness", "siammask_likeness"])
def test_looks_of_a_network_in_bfloat16(kind, small_tracker, frames):
    """Early features stay in the network's precision, looks do not."""
    experiment, overrides = KINDS[kind]
    network = small_tracker(kind).executor.network
    tracker = pysot.build_tracker(pysot.load_cfg(experiment, overrides), network, device="cpu", runtime="bf16")
    state = tracker.start(frames[0], BOX)
    ((after, _),) = tracker.step([frames[1]], [state])
    assert after.look.recent.dtype == torch.float32
    torch.testing.assert_close(
        state.look.first, small_tracker(kind).start(frames[0], BOX).look.first, atol=0.02, rtol=0.2
    )


@pytest.mark.parametrize(
    ("kind", "key"), [("siamrpn_likeness", "LOST_SCORE"), ("long_term_likeness", "CONFIDENCE_LOW")]
)
def test_nothing_is_learned_while_the_target_is_lost(kind, key, small_tracker, frames):
    """Of the scores of a random network, all are above 0 and none is above 1."""
    for threshold, lost in (("0.0", False), ("1.0", True)):
        keys = ["TRACK.CONFIDENCE_HIGH", 1.0] if key == "CONFIDENCE_LOW" else []
        tracker = small_tracker(kind, *keys, f"TRACK.{key}", float(threshold))
        state = tracker.start(frames[0], BOX)
        ((after, prediction),) = tracker.step([frames[1]], [state])
        assert prediction.lost == lost
        assert torch.equal(after.look.recent, state.look.recent) == lost
        assert torch.equal(after.look.first, state.look.first)


def test_two_ways_to_choose_are_refused(small_tracker):
    tracker = small_tracker("dasiamrpn_distractor")
    params = dataclasses.replace(tracker.params, likeness=LikenessParams(1.0, 0.03))
    with pytest.raises(ConfigError, match=r"distractor and params\.likeness both choose: expected one of them"):
        DaSiamRPNTracker(tracker.executor, params, distractor=tracker.distractor)


def test_a_look_is_of_the_target_alone(small_tracker, frames):
    """Two targets in one batch do not learn each other's look."""
    tracker = small_tracker("siammask_likeness")
    states = [tracker.start(frames[0], box) for box in (BOX, (100, 60, 40, 40))]
    together = [state.look.recent for state, _ in tracker.step([frames[1]], states)]
    alone = [tracker.step([frames[1]], [state])[0][0].look.recent for state in states]
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(together[0], states[0].look.recent)
