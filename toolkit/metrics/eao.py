"""Expected average overlap (EAO) of the VOT supervised protocol, for the whole benchmark and per frame tag.

Every run is cut at its restarts into fragments. A fragment that ended in a failure goes on with overlap zero, one
that ended with the sequence is unknown from there on. The expected overlap of length n is the weighted mean, over
the fragments known at n, of the mean overlap of their first n frames; EAO is its mean over a range of lengths
that is typical of the benchmark.

Source: Kristan et al., "The Visual Object Tracking VOT2015 Challenge Results", ICCVW 2015. Weights and the range's
ends are those of the published tables, pinned in tests/toolkit/test_metrics_vot.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.metrics import FloatArray, Statistic

SKIPPED_AFTER_FAILURE = 5
"""Frames from a failure to the restart."""

FRAME_TAGS = ("camera_motion", "illum_change", "motion_change", "size_change", "occlusion")
EAO_TAGS = ("all", *FRAME_TAGS, "empty")


@dataclass(frozen=True)
class ExpectedOverlap:
    """Fragments of all runs of a tracker on a benchmark.

    Attributes:
        means: (K, L) mean overlap of each fragment's first n + 1 frames after its start; 0 where unknown.
        known: (K, L) whether the fragment reaches that far.
        weights: per tag, (K,) share of the fragment that has the tag, over the number of repetitions.
        sequence: (K,) the sequence that the fragment is from.
        lengths: (first, last) frame counts that EAO is averaged over.
    """

    means: FloatArray
    known: NDArray[np.bool_]
    weights: Mapping[str, FloatArray]
    sequence: NDArray[np.int64]
    lengths: tuple[int, int]

    def curve(self, weights: FloatArray, tag: str = "all") -> FloatArray:
        """Return (B, L + 1) expected overlap of 1, 2, ... frames, for sequence weights (B, S)."""
        shares = weights[:, self.sequence] * self.weights[tag]
        below = shares @ self.known
        some = self.known.any(axis=0) & (below != 0)
        expected = np.divide(shares @ self.means, below, out=np.full(below.shape, np.nan), where=some)
        expected[:, ~self.known.any(axis=0)] = 0
        return np.concatenate([np.ones((len(weights), 1)), expected], axis=1)

    def statistics(self) -> dict[str, Statistic]:
        """Return EAO per tag."""
        return {tag: self._eao(tag) for tag in self.weights}

    def _eao(self, tag: str) -> Statistic:
        first, last = self.lengths

        def eao(weights: FloatArray) -> FloatArray:
            expected = self.curve(weights, tag)[:, first - 1 : last]
            known = ~np.isnan(expected)
            count = known.sum(axis=1)
            total = np.where(known, expected, 0).sum(axis=1)
            return np.divide(total, count, out=np.full(len(weights), np.nan), where=count > 0)

        return eao


def expected_overlap(
    overlaps: Sequence[Sequence[FloatArray]],
    failures: Sequence[Sequence[NDArray[np.int64]]],
    tags: Sequence[Mapping[str, NDArray[np.bool_]]],
    lengths: tuple[int, int],
    empty_tag: str = "published",
) -> ExpectedOverlap:
    """Cut the runs of a tracker into fragments.

    Args:
        overlaps: for each sequence its repetitions, each (N,) overlaps, NaN where not tracked.
        failures: likewise, the frames on which the tracker failed.
        tags: for each sequence (N,) masks by the names of :data:`FRAME_TAGS`; a tag may be missing.
        lengths: first and last frame count that EAO is averaged over.
        empty_tag: see :class:`toolkit.conventions.Conventions`.
    """
    longest = max(len(run) for repetitions in overlaps for run in repetitions)
    fragments, owners, shares = [], [], []
    for number, (repetitions, lost, marks) in enumerate(zip(overlaps, failures, tags, strict=True)):
        for run, run_failures in zip(repetitions, lost, strict=True):
            cuts = [0, *(int(frame) + SKIPPED_AFTER_FAILURE for frame in run_failures)]
            cuts = [cut for cut in cuts if cut <= len(run)]
            for start, restart in zip(cuts, [*cuts[1:], None], strict=True):
                if start == len(run):
                    continue
                fragments.append(_fragment(run, start, restart, longest))
                owners.append(number)
                stop = len(run) if restart is None else restart + 1
                share = _tag_shares(marks, start, stop, len(run), empty_tag)
                shares.append([value / len(repetitions) for value in share])
    table = np.stack(fragments)[:, 1 : lengths[1]]
    known = ~np.isnan(table)
    means = np.where(known, table, 0).cumsum(axis=1) / np.arange(1, table.shape[1] + 1)
    weights = dict(zip(EAO_TAGS, np.array(shares).T, strict=True))
    return ExpectedOverlap(np.where(known, means, 0), known, weights, np.array(owners), lengths)


def _fragment(run: FloatArray, start: int, restart: int | None, length: int) -> FloatArray:
    """Return (length,) overlaps from ``start`` on: zeros after a failure, NaN after the end of the sequence."""
    piece = np.nan_to_num(run[start : None if restart is None else restart + 1], nan=0.0)
    fragment = np.full(length, np.nan if restart is None else 0.0)
    fragment[: len(piece)] = piece
    return fragment


def _tag_shares(
    tags: Mapping[str, NDArray[np.bool_]], start: int, stop: int, frames: int, empty_tag: str
) -> list[float]:
    """Return for every one of :data:`EAO_TAGS` the share of frames ``start`` to ``stop`` that has it.

    A fragment may nominally stop one frame after the sequence, which has ``frames``.
    """
    inside = min(stop, frames) - start
    given = {tag: tags[tag] for tag in FRAME_TAGS if tag in tags}
    counts = {tag: int(np.count_nonzero(mask[start:stop])) for tag, mask in given.items()}
    if empty_tag == "published":
        counts["empty"] = sum(not mask.any() for mask in given.values())
    else:
        tagged = np.zeros(frames, dtype=bool)
        for mask in given.values():
            tagged |= mask
        counts["empty"] = inside - int(np.count_nonzero(tagged[start:stop]))
    counts["all"] = inside
    return [counts.get(tag, 0) / (stop - start) for tag in EAO_TAGS]
