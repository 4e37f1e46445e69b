"""Named parts: one table per kind (backbones, necks, heads, trackers), filled where the part is defined."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from pysot.utils.errors import ConfigError

T = TypeVar("T")


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like ``name``, ignoring case, or None if nothing is close.

    Example:
        >>> nearest_name("resnet5", ["resnet50", "alexnet"])
        'resnet50'
        >>> nearest_name("zebra", ["resnet50", "alexnet"]) is None
        True
    """
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


class Registry(Mapping[str, T], Generic[T]):
    """A table from name to part; an unknown name is an error that suggests the nearest one.

    Example:
        >>> shapes = Registry("shape")
        >>> @shapes.register("square")
        ... def square(): ...
        >>> shapes["sqare"]
        Traceback (most recent call last):
        ...
        pysot.utils.errors.ConfigError: unknown shape 'sqare'. Did you mean 'square'? Available: ['square']
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._parts: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that enters what it decorates under ``name``."""

        def enter(part: T) -> T:
            if name in self._parts:
                raise ConfigError(f"{self.kind} {name!r} is registered twice")
            self._parts[name] = part
            return part

        return enter

    def __getitem__(self, name: str) -> T:
        if name not in self._parts:
            near = nearest_name(str(name), self._parts)
            hint = f" Did you mean {near!r}?" if near else ""
            raise ConfigError(f"unknown {self.kind} {name!r}.{hint} Available: {sorted(self._parts)}")
        return self._parts[name]

    def __contains__(self, name: object) -> bool:
        return name in self._parts

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)
