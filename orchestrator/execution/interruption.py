"""Turn Ctrl-C and SIGTERM into a stop request; the second signal stops immediately."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
MESSAGE = b"stillhouse: stopping after the current step. Press Ctrl-C again to stop immediately.\n"


class Interruption:
    """Record whether the user has requested a stop.

    While it listens, the first signal is only noted, so that trials can save their state; the second raises
    ``KeyboardInterrupt`` where the main thread is.
    """

    def __init__(self) -> None:
        self.asked = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM for the length of a block; outside of the main thread there is nothing to take."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before: dict[int, Any] = {number: signal.signal(number, self._note) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:  # saving may hang on a dead disk or cluster: the user must have a way out
            raise KeyboardInterrupt
        self.asked = True
        os.write(2, MESSAGE)  # a signal handler must not wait for the lock of a stream


def raise_interrupt(number: int, frame: FrameType | None) -> None:
    """Handle SIGTERM as Python handles Ctrl-C."""
    raise KeyboardInterrupt
