"""Which two images make pair number ``index`` of an epoch: computed when asked, the same wherever it is asked.

Every pair has its own random generator, a function of (seed, epoch, index). Which videos an epoch visits is a
permutation that is computed entry by entry, so there is no list of picks to keep, to copy or to shuffle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pysot.datasets.index import UNKNOWN, IntArray
from pysot.datasets.sources import Source
from pysot.geometry import context_side, iou_xywh, xyxy_to_xywh

_MASK = (1 << 64) - 1
_ODD = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio
# Draws of a target that must differ from the template's in video or category, before any other video will do.
_TRIES = 16


class Target(NamedTuple):
    """One target in one image: a source, by its position among the sources, and a row of its index."""

    source: int
    row: int


class Pair(NamedTuple):
    """The targets that template and search crop show; ``positive`` if they are one and the same."""

    template: Target
    search: Target
    positive: bool


def pair_rng(seed: int, epoch: int, index: int, attempt: int = 0) -> np.random.Generator:
    """Return the generator of one pair; those of different pairs are independent.

    Args:
        seed: Of the whole training.
        epoch: From 0.
        index: The pair's number in the epoch.
        attempt: 0, or how many pairs drawn for this place before had images that cannot be read.

    Example:
        >>> float(pair_rng(0, 1, 2).random()) == float(pair_rng(0, 1, 2).random()) != float(pair_rng(0, 2, 1).random())
        True
    """
    # Philox turns (key, counter) into random numbers; a generator advances the counter's lowest word.
    return np.random.Generator(np.random.Philox(key=[seed & _MASK, epoch], counter=[0, 0, attempt, index]))


def permuted(position: int, size: int, key: int) -> int:
    """Return entry ``position`` of a random permutation of ``range(size)`` that ``key`` stands for.

    A Feistel network over the next power of four, walked until it is back inside.

    Source: Black and Rogaway, "Ciphers with arbitrary finite domains", 2002, section 4.

    Example:
        >>> sorted(permuted(position, 10, key=7) for position in range(10)) == list(range(10))
        True
    """
    half_bits = max(1, ((size - 1).bit_length() + 1) // 2)
    low = (1 << half_bits) - 1
    round_keys = [_scramble(key + turn) for turn in range(4)]
    while True:
        left, right = position >> half_bits, position & low
        for round_key in round_keys:
            left, right = right, left ^ ((right ^ round_key) * _ODD >> 32 & low)
        position = left << half_bits | right
        if position < size:
            return position


def _scramble(value: int) -> int:
    """Return 64 bits that depend on every bit of ``value``: the finaliser of SplitMix64."""
    value = (value + _ODD) & _MASK
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & _MASK
    return value ^ value >> 31


@dataclass(frozen=True)
class NegativeShares:
    """How often template and search crop show different targets, and which.

    Attributes:
        negative: Share of the pairs that are negative.
        same_category: Share of those whose targets are of one category, in different videos. Where the category is
            not known or nobody else is of it, any other video is taken.
        same_video: Share of those whose targets stand near each other in one image. Where there is no such
            neighbour, another of the same category is taken.
    """

    negative: float = 0.2
    same_category: float = 0.0
    same_video: float = 0.0


class PairSampler:
    """Draws pairs from sources.

    In one pass over the sources each gives its number of draws, shuffled among the others'; its videos come in turn, in
    an order that changes from round to round, so that none is left out or preferred. A video's track and the frames are
    random. The template is any frame of the track, the search frame another one within the source's frame range
    (the nearest where the range holds none); a track of one frame, such as a still image, is paired with itself.

    Args:
        sources: In the order that `Target.source` counts.
        shares: Of the negative pairs.
        pairs_per_epoch: Pairs of an epoch: a pass ends where it ends, not with the epoch.
        seed: Of the whole training.
        search_reach: Half the side of a search crop with the farthest shift, in template sides: neighbours in one
            video do not serve as negatives if the template's target may be in view.

    Source: DaSiamRPN, section 3.2, for negatives of the same and of other categories.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        shares: NegativeShares,
        pairs_per_epoch: int,
        seed: int,
        search_reach: float = 1.5,
    ) -> None:
        self.sources = list(sources)
        self.shares = shares
        self.pairs_per_epoch = pairs_per_epoch
        self.seed = seed
        self.search_reach = search_reach
        self._draw_ends = np.cumsum([source.draws for source in sources])
        self._category_targets, self._category_ends, self._categories = _by_category(sources)

    def pair(self, epoch: int, index: int, rng: np.random.Generator, *, any_video: bool = False) -> Pair:
        """Return pair ``index`` of ``epoch``.

        Args:
            epoch: From 0.
            index: From 0, below ``pairs_per_epoch``.
            rng: The pair's generator.
            any_video: Not the video that is due, whose images cannot be read, but one that ``rng`` picks.
        """
        if any_video:
            index = int(rng.integers(self.pairs_per_epoch))
        number, video = self._video(epoch, index)
        draws = rng.random(4)
        source = self.sources[number]
        tracks = source.index.tracks_of(video)
        track = tracks[int(draws[0] * len(tracks))]
        rows = source.index.rows_of(track)
        template = Target(number, rows[int(draws[1] * len(rows))])
        if draws[2] < self.shares.negative:
            negative = self._negative(template, track, float(draws[3]), rng)
            if negative is not None:  # there may be one video alone
                return Pair(template, negative, False)
        return Pair(template, Target(number, self._other_frame(source, rows, template.row, float(draws[3]))), True)

    def describe(self) -> str:
        """Return a line per source: what is in it, and its share of the pairs."""
        lines = []
        for source in self.sources:
            index = source.index
            counts = f"{len(index.videos):,} videos, {len(index.tracks):,} targets, {len(index.frames):,} boxes"
            share = f"{100 * source.draws / int(self._draw_ends[-1]):.1f} % of the pairs"
            dropped = f"; {index.dropped:,} boxes without area left out" if index.dropped else ""
            lines.append(f"{source.name}: {counts}; {share}{dropped}")
        return "\n".join(lines)

    def _video(self, epoch: int, index: int) -> tuple[int, int]:
        """Return the source and the video that are due."""
        per_pass = int(self._draw_ends[-1])
        passed, position = divmod(epoch * self.pairs_per_epoch + index, per_pass)
        slot = permuted(position, per_pass, _scramble(self.seed) ^ passed)
        number = int(np.searchsorted(self._draw_ends, slot, side="right"))
        source = self.sources[number]
        drawn = passed * source.draws + slot - (int(self._draw_ends[number]) - source.draws)
        turn, place = divmod(drawn, len(source.index.videos))
        return number, permuted(place, len(source.index.videos), _scramble(self.seed + 1 + number) ^ turn)

    def _other_frame(self, source: Source, rows: range, row: int, draw: float) -> int:
        """Return the row of another frame of the same track."""
        if len(rows) == 1:
            return row
        frames = source.index.frames[rows.start : rows.stop]
        frame, place = frames[row - rows.start], row - rows.start
        first = int(np.searchsorted(frames, frame - source.frame_range, side="left"))
        last = int(np.searchsorted(frames, frame + source.frame_range, side="right"))
        if last - first == 1:  # sparser than the range: the frames next to this one
            first, last = max(place - 1, 0), min(place + 2, len(rows))
        other = first + int(draw * (last - first - 1))
        return rows.start + other + (other >= place)

    def _negative(self, template: Target, track: int, kind: float, rng: np.random.Generator) -> Target | None:
        """Return a target that is not the template's, if there is one."""
        shares = self.shares
        if kind < shares.same_video:
            neighbour = self._neighbour(template, track, rng)
            if neighbour is not None:
                return neighbour
        category = self._categories[template.source][track]
        if kind < shares.same_video + shares.same_category:
            alike = self._alike(template, track, int(category), rng)
            if alike is not None:
                return alike
        return self._stranger(template, track, int(category), rng)

    def _neighbour(self, template: Target, track: int, rng: np.random.Generator) -> Target | None:
        """Return another target of the same video, in a frame where the template's target is not in view of it."""
        source = self.sources[template.source]
        index = source.index
        others = [other for other in index.tracks_of(index.video_of(track)) if other != track]
        if not others or not index.has_positions:
            return None
        own = index.rows_of(track)
        for _ in range(_TRIES):
            rows = index.rows_of(others[int(rng.integers(len(others)))])
            row = rows[int(rng.integers(len(rows)))]
            at = own.start + int(np.searchsorted(index.frames[own.start : own.stop], index.frames[row]))
            here = at < own.stop and index.frames[at] == index.frames[row]
            # Without a box of the target in this frame, nobody knows whether it is in view.
            if here and not self._in_view(index.boxes_xyxy[row], index.boxes_xyxy[at]):
                return Target(template.source, row)
        return None

    def _in_view(self, box_xyxy: np.ndarray, other_xyxy: np.ndarray) -> bool:
        """Return whether a search crop around a box may show a part of the other box."""
        centre, size = (box_xyxy[:2] + box_xyxy[2:]) / 2, box_xyxy[2:] - box_xyxy[:2]
        reach = self.search_reach * context_side(size, 0.5)
        view_xywh = [*(centre - reach), 2 * reach, 2 * reach]
        return bool(iou_xywh(view_xywh, xyxy_to_xywh(other_xyxy)) > 0)

    def _alike(self, template: Target, track: int, category: int, rng: np.random.Generator) -> Target | None:
        """Return a target of the same category in another video, if there is one."""
        if category == UNKNOWN:
            return None
        first, last = self._category_ends[category], self._category_ends[category + 1]
        for _ in range(_TRIES):
            number, other = self._category_targets[int(rng.integers(first, last))]
            if not self._same_video(template, track, int(number), int(other)):
                return self._any_row(int(number), int(other), rng)
        return None

    def _stranger(self, template: Target, track: int, category: int, rng: np.random.Generator) -> Target | None:
        """Return a target of another video, and of another category where both are known, if there is one."""
        fallback = None
        for _ in range(_TRIES):
            draw = int(rng.integers(self._draw_ends[-1]))
            number = int(np.searchsorted(self._draw_ends, draw, side="right"))
            index = self.sources[number].index
            tracks = index.tracks_of(int(rng.integers(len(index.videos))))
            other = tracks[int(rng.integers(len(tracks)))]
            if not self._same_video(template, track, number, other):
                fallback = self._any_row(number, other, rng)
                if category == UNKNOWN or self._categories[number][other] != category:
                    return fallback
        return fallback

    def _same_video(self, template: Target, track: int, number: int, other: int) -> bool:
        index = self.sources[number].index
        return number == template.source and index.video_of(other) == index.video_of(track)

    def _any_row(self, number: int, track: int, rng: np.random.Generator) -> Target:
        rows = self.sources[number].index.rows_of(track)
        return Target(number, rows[int(rng.integers(len(rows)))])


def _by_category(sources: Sequence[Source]) -> tuple[IntArray, IntArray, list[IntArray]]:
    """Return the targets in the order of their categories, where each category ends, and the categories by track.

    Sources name a category alike, or not: spelling is compared without case.
    """
    names = sorted({name.lower() for source in sources for name in source.index.category_names})
    number = {name: position for position, name in enumerate(names)}
    categories = []
    for source in sources:
        translation = np.array([*(number[name.lower()] for name in source.index.category_names), UNKNOWN])
        categories.append(translation[source.index.categories])  # UNKNOWN, -1, is the last entry
    targets = np.concatenate(
        [np.stack([np.full(len(own), place), np.arange(len(own))], axis=1) for place, own in enumerate(categories)]
    )
    joined = np.concatenate(categories)
    order = np.argsort(joined, kind="stable")
    order = order[joined[order] != UNKNOWN]
    ends = np.searchsorted(joined[order], np.arange(len(names) + 1))
    return targets[order], ends, categories
