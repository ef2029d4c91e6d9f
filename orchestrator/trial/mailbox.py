"""Pass records from a worker group to the trial's reader, and the reader's verdict back."""

from collections import deque
from typing import Any

import ray

from trainers.spec.record import Record


@ray.remote(num_cpus=0)
class Mailbox:
    """Pass records from rank 0 to the trial's reader, and the reader's verdict back: go on, or stop.

    Workers wait after each record until the reader asks for the next one, as a generator in one process would: a trial
    that is stopped after an epoch has not begun another. A record that a restarted worker replays is dropped.
    """

    def __init__(self) -> None:
        self._records: deque[Record] = deque()
        self._last_step = -1
        self._verdict: bool | None = True
        self._left = False
        self._controller: tuple[Any, str] | None = None
        self._placement_group: Any = None

    def put(self, record: Record) -> bool:
        """Take a record; return whether it is new, so that its sender has to wait for the verdict."""
        if record.step <= self._last_step:
            return False
        self._last_step = record.step
        self._records.append(record)
        if self._verdict is not False:
            self._verdict = None
        return True

    def take(self) -> tuple[Record | None, bool]:
        """Return the oldest record not taken yet, and whether the workers have ended; with no record, ask for one."""
        if self._records:
            return self._records.popleft(), False
        if self._verdict is None:
            self._verdict = True
        return None, self._left

    def verdict(self) -> bool | None:
        """Return whether workers go on (True) or stop (False); ``None`` while the reader has not decided."""
        return self._verdict

    def stop(self) -> None:
        """Tell workers to stop after the record that they are at."""
        self._verdict = False

    def leave(self) -> None:
        """Hear that the workers will send no more: what they have done is on disk."""
        self._left = True

    def note_controller(self, controller: Any, identity: str) -> None:
        """Remember who directs the workers, and which process that is."""
        self._controller = controller, identity

    def note_placement_group(self, group: Any) -> None:
        """Remember where the workers are placed: they have started."""
        self._placement_group = group

    def holdings(self) -> tuple[tuple[Any, str] | None, Any]:
        """Return the controller and the placement group, each ``None`` before it has been noted."""
        return self._controller, self._placement_group
