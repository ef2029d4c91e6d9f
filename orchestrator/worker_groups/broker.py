"""Connect trials and worker groups: an actor between Tune's trials, which read records, and hosts, which train."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ray

from orchestrator.worker_groups.queue import Errors, GangQueue, Slot, SlotStage
from trainers.schema.record import Record

LOOK_EVERY_S = 1.0  # at the clock: whether a cohort has waited long enough, whether nobody trains
IDLE_S = 60.0  # that a host waits for a cohort before it gives its machine back
ON_HEAD = {"node:__internal_head__": 0.001}  # nobody preempts the head, and an autoscaler never takes it for idle


@dataclass(frozen=True)
class Reply:
    """Hold the answer to a trial's reader: a record, or none, because of ``errors`` or because the trial has ended.

    ``errors`` is a failure and its causes: an exception that goes from process to process loses them.
    """

    record: Record | None = None
    errors: Errors = ()
    starved: bool = False


@dataclass(frozen=True)
class Demand:
    """Hold how many hosts have something to train, now or soon, and which hosts have come up.

    ``begun`` is false for a broker that gives no cohorts yet: hosts of the one before it may still train.
    """

    useful: int
    up: frozenset[str]
    begun: bool = True


class BrokerLost(Exception):
    """Report that the broker that a trial had its slot at is gone: this one was started in its place."""


class Broker:
    """Hold the slots of one sweep, and let readers and hosts wait for each other; an actor (``start``).

    Hosts wait after each epoch until the scheduler has judged it: a trial that is stopped has not begun another. A
    killed broker restarts empty; its callers fail, and restart from the records on disk. Hosts of its time may be in the
    midst of an epoch, of which a new broker knows nothing: it gives no cohort before ``begin``.
    """

    def __init__(self, size: int, expected: dict[str, str], open_ended: bool, places: int = 0) -> None:
        self._queue = GangQueue(size, expected, open_ended=open_ended, places=places)
        self._news = asyncio.Event()
        self._hosts: dict[str, dict[str, Any]] = {}
        self._up: set[str] = set()  # hosts that have asked for a cohort: their workers have a place
        self._idle: dict[str, float] = {}  # hosts that wait for a cohort, since when
        self._dismissed: set[str] = set()
        self._ended: set[str] = set()  # hosts whose processes are ended: what they have sent before may come later
        self._begun = False
        self._regrouping: set[str] = set()  # hosts whose trials go on in a larger group after their next epoch
        self._host_seen = time.monotonic()

    # ------------------------------------------------------------------------------------------- what the driver knows

    async def expect(self, trial_id: str, key: str) -> None:
        """Expect a trial."""
        self._change(lambda: self._queue.expect(trial_id, key))

    async def set_idle(self, over: bool) -> None:
        """Note that the search proposes no trial before the next result, or never again."""
        self._change(lambda: self._queue.set_idle(over=over))

    # ------------------------------------------------------------------------------------------- readers of trials

    async def enqueue(self, slot: Slot) -> None:
        """Add a trial's reader."""
        slot.since = time.monotonic()
        self._change(lambda: self._queue.enqueue(slot))

    async def take(self, trial_id: str, lease_id: str, patience_s: float) -> Reply:
        """Continue the trial, and return its next record in its turn.

        ``starved`` answers a trial that waited longer than ``patience_s`` while nobody trained anything.
        """
        slot = self._queue.slot(trial_id)
        if slot is None:
            return Reply(errors=(BrokerLost("the broker was started again"),))
        self._change(lambda: self._queue.ask(trial_id))
        while True:
            slot = self._queue.slot(trial_id)
            if slot is None or slot.lease_id != lease_id:
                return Reply()
            record = self._queue.next_record(trial_id)
            if record is not None:
                return Reply(record)
            if slot.stage is SlotStage.OVER and not slot.records:
                return Reply(errors=slot.errors)
            if slot.stage is SlotStage.WAITING and self._starved(slot, patience_s):
                return Reply(starved=True)
            await self._wait()

    async def leave(self, trial_id: str, lease_id: str | None = None) -> None:
        """End a trial's slot."""
        self._change(lambda: self._queue.leave(trial_id, lease_id))

    def _starved(self, slot: Slot, patience_s: float) -> bool:
        if self._up:
            self._host_seen = time.monotonic()
        return time.monotonic() - max(slot.since, self._host_seen) > patience_s

    # -------------------------------------------------------------------------------------------------------- hosts

    async def demand(self) -> Demand:
        """Return how many cohorts are in training, waiting or still to come, and which hosts are up."""
        return Demand(self._queue.useful_hosts(), frozenset(self._up), self._begun)

    async def begin(self) -> None:
        """Give cohorts from now on: all hosts of an earlier broker have ended."""
        self._change(lambda: setattr(self, "_begun", True))

    async def cohort(self, host: str) -> list[str]:
        """Return the jobs (JSON) of a host's next cohort once there is one.

        None when nothing is left to come, or when the host has waited for ``IDLE_S`` and others wait beside it.
        """
        if host in self._ended:
            return []
        self._hosts.setdefault(host, {})
        self._up.add(host)
        self._idle[host] = time.monotonic()
        try:
            while not self._is_over_for(host):
                if self._begun and (slots := self._queue.cohort(host, time.monotonic())):
                    return [slot.job for slot in slots]
                await self._wait()
            return []
        finally:
            del self._idle[host]

    def _is_over_for(self, host: str) -> bool:
        waited = time.monotonic() - self._idle[host]
        needless = waited > IDLE_S and self._queue.coming() < len(self._idle)
        gone = host not in self._up  # it died here: a cohort would go to nobody
        return self._queue.over or needless or gone or host in self._dismissed

    async def dismiss(self, host: str) -> bool:
        """Let a host that has not come up go; return whether it had not: one that is up may have begun to train."""
        if host in self._up:
            return False
        self._dismissed.add(host)
        return True

    async def withdraw(self, host: str) -> None:
        """Give a host no further cohort: its machine is about to be taken away."""
        self._change(lambda: self._dismissed.add(host))

    async def regroup(self, host: str) -> None:
        """Let a host's trials go on in another one after the epoch that they are at: there is room for a larger group."""
        self._regrouping.add(host)
        await self.withdraw(host)

    async def keep_waiting(self) -> None:
        """Note that a machine is being started: trials without a host go on waiting."""
        self._host_seen = time.monotonic()

    async def put(self, host: str, trial_id: str, record: Record) -> None:
        """Add a record."""
        self._change(lambda: self._queue.put(host, trial_id, record))

    async def fail(self, host: str, trial_id: str, errors: Errors) -> None:
        """Record the failure of one trial."""
        self._change(lambda: self._queue.fail(host, trial_id, errors))

    async def stop(self, host: str, trial_id: str) -> None:
        """Record that a trial was asked to stop and has saved its state."""
        self._change(lambda: self._queue.stop(host, trial_id))

    async def active_trials(self, host: str, trial_ids: list[str]) -> list[str]:
        """Return those of the trials that go on, once the scheduler has judged all that they have reported."""
        while not self._queue.judged(trial_ids):
            await self._wait()
        if host in self._regrouping:
            self._change(lambda: self._queue.requeue(host))
        return self._queue.active_trials(host, trial_ids)

    async def end(self, host: str, errors: Errors = ()) -> None:
        """End a host's cohort; nothing is left of one that has ended, or that knows an earlier broker."""
        if self._begun and host not in self._ended:
            self._change(lambda: self._queue.end(host, errors))

    # ------------------------------------------------------------------------------------- what a host holds, for its end

    async def note(self, host: str, name: str, thing: Any) -> None:
        """Record a host's resource handles: its ``controller``, its ``placement_group``."""
        self._hosts.setdefault(host, {})[name] = thing

    async def forget(self, host: str) -> dict[str, Any]:
        """Remove and return the resource handles of a host that is about to be ended.

        It gets no cohort any more; one that it got after its death goes to another.
        """
        self._up.discard(host)
        self._ended.add(host)
        self._change(lambda: self._queue.requeue(host))
        return self._hosts.pop(host, {})

    # --------------------------------------------------------------------------------------------------------- ours

    def _change(self, action: Callable[[], None]) -> None:
        """Change something and wake all who wait; callers to whom order matters wait for one call before the next."""
        action()
        self._news.set()
        self._news = asyncio.Event()

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), LOOK_EVERY_S)


def start(name: str, size: int, expected: dict[str, str], *, open_ended: bool, places: int) -> Any:
    """Start the broker of a sweep as an actor that can be found by its name."""
    actor = ray.remote(Broker).options(name=name, num_cpus=0, resources=ON_HEAD, max_restarts=-1)
    return actor.remote(size, expected, open_ended, places)
