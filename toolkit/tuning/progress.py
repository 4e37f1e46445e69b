"""The bar of a search: what all its processes have done together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from toolkit.tuning.study import Search


class Bar:
    """How many trials of a study are done, by whomever, and the best score; entered, it gives what redraws it.

    Args:
        search: the study.
        total: trials that were asked for.
        hidden: draw nothing: another process speaks for this one.
    """

    def __init__(self, search: Search, total: int, *, hidden: bool) -> None:
        self._search = search
        self._bar = tqdm(total=total, unit="trial", disable=hidden, dynamic_ncols=True)

    def __enter__(self) -> Callable[[], None]:
        self._tick()
        return self._tick

    def __exit__(self, *raised: object) -> None:
        self._bar.close()

    def _tick(self) -> None:
        best = self._search.best()
        if best is not None:
            self._bar.set_postfix({"best": f"{best.value:.4f}", "trial": best.number}, refresh=False)
        self._bar.update(len(self._search.finished()) - self._bar.n)
