"""Keep a snapshot up to date while people look at it."""

import gzip
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dashboards.numbers import number
from dashboards.schema import Snapshot
from dashboards.snapshot import Query, as_json, snapshot, without_histories
from orchestrator.core.errors import OperationError
from orchestrator.core.redact import first_line
from orchestrator.tracking.history.recorded import Curves, RecordedRun, TrackingStore

FRESH_S = 5.0  # a snapshot younger than this is handed out without asking the store again
SHARE = 4.0  # of the time at most one part in so many goes into taking snapshots
GOING = ("RUNNING", "SCHEDULED")  # whether such a run is alive depends on the time
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Body:
    """Hold an answer as it travels, plain and compressed."""

    plain: bytes
    compressed: bytes


@dataclass(frozen=True)
class Held:
    """Hold a snapshot, as data and as the answers to the two questions that are asked most."""

    content: Snapshot
    snapshot: Body
    histories: Body
    runs: list[RecordedRun]
    taken: float  # by the monotonic clock
    cost: float  # seconds


class Live:
    """Hand out the newest snapshot at once, and take the next one behind it when that is old.

    Safe for many threads: the store is read by one at a time. After any failure the last snapshot is kept, ``trouble``
    holds the error, and reading is tried again until it succeeds.
    """

    def __init__(self, tracking: TrackingStore, query: Query, clock: Callable[[], float] = time.monotonic) -> None:
        self._tracking, self._query, self._clock = tracking, query, clock
        self._reading = threading.Lock()
        self._failed = 0.0
        self.trouble = ""
        self._held = self._take(None)

    def current(self) -> Held:
        """Return the newest snapshot; one that is old is renewed by a thread of its own, nobody waits for it."""
        held = self._held
        age = self._clock() - max(held.taken, self._failed)
        if age >= max(FRESH_S, SHARE * held.cost) and self._reading.acquire(blocking=False):
            self._begin_renewing()
        return held

    def _begin_renewing(self) -> None:
        try:
            threading.Thread(target=self._renew, name="snapshot", daemon=True).start()
        except RuntimeError as error:  # the machine has no thread left
            self._fail(f"the results cannot be read again: {error}")
            self._reading.release()

    def _renew(self) -> None:
        try:
            self._held = self._take(self._held)
            self.trouble = ""
        except OperationError as error:
            self._fail(str(error))
        except Exception as error:
            if not self.trouble:
                log.exception("the results could not be read again")
            self._fail(f"the results could not be read again: {first_line(error)}")
        finally:
            self._reading.release()

    def _fail(self, reason: str) -> None:
        if not self.trouble:
            log.warning("%s; the page shows the last known state", reason)
        self.trouble, self._failed = reason, self._clock()

    def _take(self, before: Held | None) -> Held:
        begin = self._clock()
        runs = self._tracking.runs()
        if before is not None and runs == before.runs and not any(run.status in GOING for run in runs):
            content, histories = before.content.copy(), before.histories
            content["generated_at"] = number(time.time())
        else:
            content = snapshot(_Given(self._tracking, runs), replace(self._query, live=True))
            histories = _body(content.get("histories"))
        end = self._clock()
        return Held(content, _body(without_histories(content)), histories, runs, end, end - begin)


@dataclass(frozen=True)
class _Given:
    """Give the runs that were read already."""

    tracking: TrackingStore
    found: list[RecordedRun]

    @property
    def source(self) -> str:
        return self.tracking.source

    def runs(self) -> list[RecordedRun]:
        return self.found

    def curves(self, runs: Sequence[RecordedRun]) -> dict[str, Curves]:
        return self.tracking.curves(runs)

    def notes(self, runs: Sequence[RecordedRun]) -> list[str]:
        return self.tracking.notes(runs)


def _body(content: Any) -> Body:
    plain = as_json(content).encode()
    return Body(plain, gzip.compress(plain, compresslevel=5, mtime=0))
