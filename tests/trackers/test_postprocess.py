"""Decoding, penalty and window against values worked out by hand, and against a plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pysot.datasets.targets import PointTargets
from pysot.geometry import point_grid
from pysot.trackers.postprocess import (
    RankingWeights,
    change_penalty,
    decode_boxes,
    decode_distances,
    rank_proposals,
    target_probability,
)


def test_decode_one_anchor_by_hand():
    loc = torch.tensor([0.5, -0.25, math.log(2), math.log(0.5)]).reshape(1, 4, 1, 1)
    anchor = torch.tensor([[8.0], [-16.0], [40.0], [80.0]])
    assert decode_boxes(loc, anchor)[0, :, 0].tolist() == pytest.approx([28, -36, 80, 40])


@pytest.mark.parametrize("offset", [1e6, -1e6])
def test_decode_gives_neither_infinities_nor_sizes_of_zero(offset):
    boxes = decode_boxes(torch.full((1, 4, 1, 1), offset), torch.ones(4, 1))
    assert torch.isfinite(boxes).all()
    assert (boxes[:, 2:] > 0).all()


def test_decode_distances_from_a_point_by_hand():
    # Left 8, top 16, right 24, bottom 8 pixels from (16, -8): x from 8 to 40, y from -24 to 0.
    loc = torch.tensor([1.0, 2.0, 3.0, 1.0]).log().reshape(1, 4, 1, 1)
    boxes = decode_distances(loc, torch.tensor([[16.0], [-8.0]]), 8)
    assert boxes[0, :, 0].tolist() == pytest.approx([24, -12, 32, 24])


def test_distances_of_the_labels_decode_to_the_target():
    box = [60.0, 90.0, 171.0, 143.0]
    labels = PointTargets(25, 255, 8)(box, np.random.default_rng(0))
    loc = torch.from_numpy(labels["loc"]).clamp(min=1e-3).log().reshape(1, 4, 25, 25)
    boxes = decode_distances(loc, torch.from_numpy(point_grid(8, 25).T), 8)[0]
    positive = torch.from_numpy(labels["cls"].ravel() == 1)
    assert int(positive.sum()) == 16
    expected = torch.tensor([(60 + 171) / 2 - 127, (90 + 143) / 2 - 127, 111, 53])
    torch.testing.assert_close(boxes[:, positive], expected[:, None].expand(4, 16))


@pytest.mark.parametrize("offset", [1e6, -1e6])
def test_decode_distances_gives_neither_infinities_nor_sizes_of_zero(offset):
    boxes = decode_distances(torch.full((1, 4, 1, 1), offset), torch.ones(2, 1), 8)
    assert torch.isfinite(boxes).all()
    assert (boxes[:, 2:] > 0).all()


def test_quality_is_a_factor_on_the_probability():
    cls = torch.zeros(1, 2, 1, 2)
    cls[0, 1] = math.log(3)
    quality = torch.tensor([0.0, math.log(4)]).reshape(1, 1, 1, 2)
    assert target_probability(cls, quality)[0].tolist() == pytest.approx([0.75 * 0.5, 0.75 * 0.8])


def test_probability_takes_the_second_class():
    cls = torch.zeros(1, 4, 1, 1)  # two anchors: channels 0, 1 background, 2, 3 target
    cls[0, 3] = math.log(3)
    assert target_probability(cls)[0].tolist() == pytest.approx([0.5, 0.75])


@pytest.mark.parametrize(
    ("proposed", "expected"),
    [
        ((40, 40), 1.0),  # unchanged
        ((80, 80), math.exp(-(2 - 1) * 0.1)),  # twice as large, same ratio
        ((20, 20), math.exp(-(2 - 1) * 0.1)),  # half as large
    ],
)
def test_penalty_by_hand(proposed, expected):
    sizes = torch.tensor(proposed, dtype=torch.float32).reshape(1, 2, 1)
    penalty = change_penalty(sizes, torch.tensor([[40.0, 40.0]]), 0.1)
    assert float(penalty) == pytest.approx(expected, rel=1e-6)


def test_penalty_of_another_ratio_by_hand():
    # 80 x 20 against 40 x 40: p = 50, size sqrt(130 * 70) against 80; ratio changes by 4.
    size_change = math.sqrt(130 * 70) / 80
    penalty = change_penalty(torch.tensor([[[80.0], [20.0]]]), torch.tensor([[40.0, 40.0]]), 0.04)
    assert float(penalty) == pytest.approx(math.exp(-(4 * size_change - 1) * 0.04), rel=1e-6)


def test_ranking_against_a_plain_loop():
    rng = np.random.default_rng(0)
    anchors = rng.uniform(20, 100, (4, 18)).astype(np.float32)
    cls = rng.normal(0, 1, (2, 4, 3, 3)).astype(np.float32)
    loc = rng.normal(0, 0.3, (2, 8, 3, 3)).astype(np.float32)
    window = rng.uniform(0, 1, 18)
    target = np.array([[50, 60], [30, 90]], dtype=np.float32)
    influence = np.array([[0.4], [0.001]])
    got = rank_proposals(
        decode_boxes(torch.from_numpy(loc), torch.from_numpy(anchors)),
        target_probability(torch.from_numpy(cls)),
        torch.from_numpy(window),
        torch.from_numpy(target),
        RankingWeights(0.1, torch.from_numpy(influence)),
    )

    def context(width, height):
        padding = (width + height) / 2
        return math.sqrt((width + padding) * (height + padding))

    for b in range(2):
        for n in range(18):
            anchor, row, column = n // 9, n % 9 // 3, n % 3
            logits = cls[b, [anchor, 2 + anchor], row, column].astype(float)
            score = math.exp(logits[1]) / np.exp(logits).sum()
            dx, dy, dw, dh = (float(loc[b, 2 * k + anchor, row, column]) for k in range(4))
            cx, cy, w, h = (float(value) for value in anchors[:, n])
            width, height = math.exp(dw) * w, math.exp(dh) * h
            s = context(width, height) / context(*map(float, target[b]))
            r = (target[b, 0] / target[b, 1]) / (width / height)
            penalty = math.exp(-(max(r, 1 / r) * max(s, 1 / s) - 1) * 0.1)
            rank = penalty * score * (1 - influence[b, 0]) + window[n] * influence[b, 0]
            assert got.boxes_cxcywh[b, :, n].tolist() == pytest.approx(
                [dx * w + cx, dy * h + cy, width, height], rel=1e-5
            )
            assert float(got.score[b, n]) == pytest.approx(score, rel=1e-5)
            assert float(got.penalty[b, n]) == pytest.approx(penalty, rel=1e-5)
            assert float(got.rank[b, n]) == pytest.approx(rank, rel=1e-5)
