"""Where the published tables and the benchmarks' own toolkits disagree: one switch per question.

The defaults give the numbers that were published with the trackers of this framework; docs/evaluation.md shows
what each switch changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args, get_type_hints

from toolkit.errors import ToolkitError, unknown_name


@dataclass(frozen=True)
class Conventions:
    """How to count what the definitions leave open.

    Attributes:
        invalid: a frame whose ground truth is no box (no size; for precision also a centre at or left of the
            image border). ``"published"``: a miss for success, a hit for both precisions. ``"missed"``: a miss
            for all. ``"ignored"``: as if the frame were not there.
        absent: a frame on which the target is flagged absent. ``"missed"``: never a hit, but counted in the
            length. ``"ignored"``: as if the frame were not there. ``"counted"``: like any other.
        first_box: ``"written"``: score the first box as the result file has it, which for this framework is half
            a pixel off; ``"given"``: put the ground truth in its place.
        vot_bounds: ``"published"``: overlaps are cut to (width, height) for accuracy and to one pixel less for
            EAO; ``"last_pixel"``: one pixel less for both.
        empty_tag: weight of a fragment under EAO's tag "empty". ``"published"``: the number of tags that never
            occur in the sequence, over the length of the fragment; ``"frames"``: the share of frames without
            any tag.
    """

    invalid: Literal["published", "missed", "ignored"] = "published"
    absent: Literal["missed", "ignored", "counted"] = "missed"
    first_box: Literal["written", "given"] = "written"
    vot_bounds: Literal["published", "last_pixel"] = "published"
    empty_tag: Literal["published", "frames"] = "published"


PUBLISHED = Conventions()
"""What published tables of this framework's trackers were computed with."""


def conventions_from(words: Iterable[str]) -> Conventions:
    """Read switches from words such as "absent=counted".

    Raises:
        ToolkitError: no such switch, or no such setting of it.

    Example:
        >>> conventions_from(["absent=counted"]).absent
        'counted'
    """
    settings = {name: get_args(hint) for name, hint in get_type_hints(Conventions).items()}
    chosen = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in settings:
            raise ToolkitError(unknown_name("convention", name, settings))
        if value not in settings[name]:
            raise ToolkitError(f"convention {name!r}: expected one of {', '.join(settings[name])}, got {value!r}")
        chosen[name] = value
    return Conventions(**chosen)  # type: ignore[arg-type]  # checked above
