"""Bound how many trials Ray Tune holds at once, and let the bound follow a cluster whose machines come and go."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ray import tune
from ray.tune.search import ConcurrencyLimiter, Searcher

COUNT_EVERY_S = 5.0
MOST_PENDING = 200  # trials whose actors Tune asks for at once, where nothing else bounds them: as of its own grid
log = logging.getLogger(__name__)


@contextlib.contextmanager
def counted_aside(count: Callable[[], int] | None) -> Iterator[Callable[[], int] | None]:
    """Give a function that returns the latest result of ``count``, which a thread calls every ``COUNT_EVERY_S`` seconds.

    Asking the cluster takes as long as its head pleases, and Ray Tune's loop must not wait for it. ``None`` stays ``None``.
    """
    if count is None:
        yield None
        return
    latest, over = [count()], threading.Event()

    def keep() -> None:
        while not over.wait(COUNT_EVERY_S):
            try:
                latest[0] = count()
            except Exception as error:  # noqa: BLE001  a head that is away: the last count stays
                log.debug("the cluster's places could not be counted: %s", error)

    thread = threading.Thread(target=keep, name="places", daemon=True)
    thread.start()
    try:
        yield lambda: latest[0]
    finally:
        over.set()
        thread.join(COUNT_EVERY_S)


class Places(tune.Callback):
    """Bound one search by ``count``, which returns at once how many trials there may be now, 0 for any number."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._bounded: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave everything out: Tune pickles its callbacks with the experiment's state."""
        return {}

    def bound(self, search: Searcher) -> Any:
        """Return the search for Tune, with the bound. Where there may be any number, Tune asks for the next when one starts.

        It is told to ask sooner where all trials are known, for the scheduler compares them from their start.
        """
        most = self._count()
        if not most:
            return ConcurrencyLimiter(search, MOST_PENDING) if search.set_max_concurrency(MOST_PENDING) else search
        self._bounded = ConcurrencyLimiter(search, max_concurrent=most)
        return self._bounded

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Take over the present count; a trial that runs goes on where fewer than those that run may be started."""
        if self._bounded is not None:
            self._bounded.max_concurrent = self._count()
