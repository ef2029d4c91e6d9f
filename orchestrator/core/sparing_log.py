"""Bound the growth of a log: strangers decide how often some messages are logged."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator

PERIOD_S = 60.0
MOST_KINDS = 200


class Sparing(logging.Filter):
    """Let one message of a kind through in ``period_s``, and let the next say how many were left out.

    Messages are of one kind when they come from the same line of code and begin with the same text.
    """

    def __init__(self, period_s: float = PERIOD_S, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._period_s, self._clock = period_s, clock
        self._since: dict[tuple[str, int, str], float] = {}
        self._left_out: dict[tuple[str, int, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the message is written."""
        kind, now = (record.pathname, record.lineno, str(record.msg)[:60]), self._clock()
        if kind in self._since and now - self._since[kind] < self._period_s:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return False
        if len(self._since) >= MOST_KINDS:
            self._since.clear()
        self._since[kind] = now
        if left_out := self._left_out.pop(kind, 0):
            record.msg, record.args = f"{record.getMessage().rstrip()} (and {left_out} times more since)", ()
        return True


@contextlib.contextmanager
def sparingly(*names: str) -> Iterator[None]:
    """Apply the rule to the loggers of these names."""
    rule = Sparing()
    for name in names:
        logging.getLogger(name).addFilter(rule)
    try:
        yield
    finally:
        for name in names:
            logging.getLogger(name).removeFilter(rule)
