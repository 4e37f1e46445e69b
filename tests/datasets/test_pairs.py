"""Pairs are functions of (seed, epoch, index), visit all videos alike, and are what they say they are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pysot.datasets.pairs import NegativeShares, Pair, PairSampler, pair_rng, permuted
from tests.drawn_crops import Videos, small_set, source_of

POSITIVE = NegativeShares(0.0)


def draw(sampler: PairSampler, count: int, epoch: int = 0) -> list[Pair]:
    return [sampler.pair(epoch, index, pair_rng(sampler.seed, epoch, index)) for index in range(count)]


@pytest.mark.parametrize("size", [*range(1, 20), 63, 64, 65, 1000])
def test_permutations(size: int):
    orders = [[permuted(position, size, key) for position in range(size)] for key in range(5)]
    assert all(sorted(order) == list(range(size)) for order in orders)
    if size > 60:
        assert len({tuple(order) for order in orders}) == 5
        correlation = np.corrcoef(orders)[np.triu_indices(5, 1)]
        assert np.abs(correlation).max() < 4 / np.sqrt(size)


def test_generators_are_independent():
    keys = [
        (seed, epoch, index, attempt)
        for seed in (0, 1)
        for epoch in (0, 1)
        for index in range(50)
        for attempt in (0, 1)
    ]
    draws = np.array([pair_rng(*key).random(40) for key in keys])
    assert len(np.unique(draws)) == draws.size  # no stream overlaps another
    assert abs(draws.mean() - 0.5) < 5 / np.sqrt(12 * draws.size)
    correlation = np.corrcoef(draws)[np.triu_indices(len(keys), 1)]
    assert np.abs(correlation).max() < 0.75  # of 20,000 pairs of 40 numbers


def test_a_pair_depends_on_its_key_alone(tmp_path: Path):
    one, other = (PairSampler([source_of(tmp_path, small_set())], NegativeShares(0.5), 100, 7) for _ in range(2))
    backwards = [other.pair(3, index, pair_rng(7, 3, index)) for index in reversed(range(100))]
    assert draw(one, 100, epoch=3) == backwards[::-1]
    assert draw(one, 100, epoch=3) != draw(one, 100, epoch=4)
    different = PairSampler(one.sources, NegativeShares(0.5), 100, 8)
    assert draw(one, 100) != draw(different, 100)


def test_every_video_is_visited_in_turn(tmp_path: Path):
    source = source_of(tmp_path, small_set(videos=7))
    sampler = PairSampler([source], POSITIVE, pairs_per_epoch=10, seed=0)
    videos = [
        source.index.video_of(source.index.track_of(pair.template.row))
        for epoch in range(7)
        for pair in draw(sampler, 10, epoch)
    ]
    for start in range(0, 70, 7):  # passes run on over the ends of epochs
        assert sorted(videos[start : start + 7]) == list(range(7))
    assert len({tuple(videos[start : start + 7]) for start in range(0, 70, 7)}) > 5


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({}, {}, (4, 8)),  # as many as there are videos
        ({"NUM_USE": 24}, {}, (24, 8)),
        ({"NUM_USE": 2}, {}, (2, 8)),
        ({"WEIGHT": 3.0}, {"WEIGHT": 0.5}, (12, 4)),
        ({"NUM_USE": 10, "WEIGHT": 2.0}, {}, (20, 8)),
    ],
)
def test_sources_are_mixed_by_their_numbers(tmp_path: Path, first: dict, second: dict, expected: tuple[int, int]):
    sources = [source_of(tmp_path / "a", small_set(4), **first), source_of(tmp_path / "b", small_set(8), **second)]
    sampler = PairSampler(sources, POSITIVE, sum(expected), seed=1)
    for epoch in range(3):
        counts = Counter(pair.template.source for pair in draw(sampler, sum(expected), epoch))
        assert (counts[0], counts[1]) == expected
    # Where a pass takes few of a source's videos, the next one takes others.
    seen = {pair.template.row for epoch in range(12) for pair in draw(sampler, sum(expected), epoch)}
    assert len(seen) == sources[0].index.boxes_xyxy.shape[0] or len(seen) > 20


def frames_of(source, pair: Pair) -> tuple[int, int]:
    index = source.index
    assert index.track_of(pair.template.row) == index.track_of(pair.search.row)
    return int(index.frames[pair.template.row]), int(index.frames[pair.search.row])


def track(numbers: list[int]) -> Videos:
    return {"v": {"00": {f"{number:06d}": [0, 0, 10, 10] for number in numbers}}}


def test_search_frames_are_other_frames_within_the_range_of_numbers(tmp_path: Path):
    source = source_of(tmp_path, track([0, 1, 2, 10, 11, 30, 200, 290]), FRAME_RANGE=20)
    pairs = draw(PairSampler([source], POSITIVE, 1000, 0), 1000)
    met = Counter(frames_of(source, pair) for pair in pairs)
    assert all(pair.positive and one != other for pair in pairs for one, other in [frames_of(source, pair)])
    near = {(one, other) for one in (0, 1, 2, 10, 11) for other in (0, 1, 2, 10, 11) if one != other}
    near |= {(10, 30), (30, 10), (11, 30), (30, 11)}
    near |= {(200, 30), (200, 290), (290, 200)}  # nothing within 20: the neighbours
    assert set(met) == near
    # Every frame is a template as often, and its partners are taken alike.
    assert all(90 < sum(count for (one, _), count in met.items() if one == frame) < 165 for frame in (0, 30, 200, 290))
    assert 1 / 2 < met[10, 0] / met[10, 30] < 2


def test_a_still_image_is_paired_with_itself(tmp_path: Path):
    source = source_of(tmp_path, track([0]))
    assert all(frames_of(source, pair) == (0, 0) for pair in draw(PairSampler([source], POSITIVE, 20, 0), 20))


def categories_of(videos: Videos) -> dict[str, dict[str, str]]:
    return {video: {"00": "even" if int(video[1:]) % 2 == 0 else "odd"} for video in videos}


def test_negatives_show_another_video_as_often_as_asked(tmp_path: Path):
    source = source_of(tmp_path, small_set(5))
    pairs = draw(PairSampler([source], NegativeShares(0.3), 2000, 0), 2000)
    negatives = [pair for pair in pairs if not pair.positive]
    assert abs(len(negatives) / 2000 - 0.3) < 0.04
    videos = [
        [source.index.video_of(source.index.track_of(row)) for _, row in (pair.template, pair.search)]
        for pair in negatives
    ]
    assert all(one != other for one, other in videos)
    assert len({tuple(pair) for pair in videos}) == 20


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_negatives_of_the_same_category_as_often_as_asked(tmp_path: Path, share: float):
    sources = []
    for name in ("a", "b"):
        videos = small_set(6)
        sources.append(source_of(tmp_path / name, videos, categories=categories_of(videos)))
    pairs = draw(PairSampler(sources, NegativeShares(1.0, same_category=share), 1000, 0), 1000)
    same = 0
    for pair in pairs:
        assert not pair.positive
        shown = []
        for number, row in (pair.template, pair.search):
            index = sources[number].index
            shown.append((number, index.video_of(index.track_of(row)), index.categories[index.track_of(row)]))
        assert shown[0][:2] != shown[1][:2]
        same += shown[0][2] == shown[1][2]
    assert abs(same / 1000 - share) < 0.06  # otherwise, of another category
    assert {pair.search.source for pair in pairs} == {0, 1}


def test_neighbours_serve_as_negatives_where_the_target_is_out_of_view(tmp_path: Path):
    near, far = [100, 100, 140, 140], [1000, 100, 1040, 140]
    target = {f"{frame:06d}": [120, 100, 160, 140] for frame in range(4)}
    videos: Videos = {
        "v0": {"00": target, "01": {"000000": near, "000001": far, "000009": far}},
        "v1": {"00": {"000000": far}},
    }
    source = source_of(tmp_path, videos)
    pairs = draw(PairSampler([source], NegativeShares(1.0, same_video=1.0), 400, 0), 400)
    rows = {pair.search.row for pair in pairs if pair.template.row < 4}
    index = source.index
    found = {(index.track_of(row), int(index.frames[row])) for row in rows}
    # Frame 0: both in view of one another. Frame 9: nobody knows where the target is.
    assert (1, 1) in found
    assert not found & {(1, 0), (1, 9), (0, 0)}


def test_one_video_alone_gives_positive_pairs(tmp_path: Path):
    source = source_of(tmp_path, track([0, 1, 2]))
    assert all(pair.positive for pair in draw(PairSampler([source], NegativeShares(1.0), 20, 0), 20))


def test_sources_are_described(tmp_path: Path):
    videos = small_set(4)
    videos["v0"]["00"]["000010"] = [5.0, 5.0, 5.0, 9.0]
    sources = [
        source_of(tmp_path / "a", videos, name="A"),
        source_of(tmp_path / "b", small_set(2), name="B", WEIGHT=2.0),
    ]
    assert PairSampler(sources, POSITIVE, 10, 0).describe().splitlines() == [
        "A: 4 videos, 4 targets, 11 boxes; 50.0 % of the pairs; 1 boxes without area left out",
        "B: 2 videos, 2 targets, 6 boxes; 50.0 % of the pairs",
    ]
