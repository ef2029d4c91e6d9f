"""Bound how many trials Ray Tune holds at once, and let the bound follow a cluster whose machines come and go."""

import time
from collections.abc import Callable
from typing import Any

from ray import tune
from ray.tune.search import BasicVariantGenerator, ConcurrencyLimiter, Searcher

COUNT_EVERY_S = 5.0


class Places(tune.Callback):
    """Bound one search by ``count``, which returns how many trials there may be now, 0 for any number."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count, self._counted = count, time.monotonic()
        self._bounded: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave everything out: Tune pickles its callbacks with the experiment's state."""
        return {}

    def bound(self, search: Searcher | None) -> Any:
        """Return what Tune gets as its search: ``search`` with the bound, or for ``None`` its own grid with the bound."""
        most = self._count()
        if search is None:
            self._bounded = BasicVariantGenerator(max_concurrent=most)
        elif most:
            self._bounded = ConcurrencyLimiter(search, max_concurrent=most)
        return self._bounded or search

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Count again from time to time; a trial that runs goes on where fewer than those that run may be started."""
        if self._bounded is not None and time.monotonic() - self._counted >= COUNT_EVERY_S:
            self._counted = time.monotonic()
            self._bounded.max_concurrent = self._count()
