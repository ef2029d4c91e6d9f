"""Keep as many worker groups as there is room and work for, and start again those that die."""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import ray
from ray.exceptions import RayError

from orchestrator.worker_groups.broker import Demand, start
from orchestrator.worker_groups.capacity import RoomWait
from orchestrator.worker_groups.elastic import GroupSizes, Reserve
from orchestrator.worker_groups.entry_points import LOOP
from orchestrator.worker_groups.host import Started
from trainers.schema import Placement

log = logging.getLogger(__name__)
LOOK_EVERY_S = 0.1
RESIZE_EVERY_S = 1.0  # whether groups could be of another size
COUNT_EVERY_S = 5.0  # how many hosts the cluster has room for: machines join and leave


@dataclass(frozen=True)
class Terms:
    """Hold the maximum number of worker groups, and of trials that each trains side by side.

    ``room`` returns that number of worker groups anew, for a cluster whose machines come and go; ``None`` for one of a
    fixed size.
    ``proposals`` is how many trials at once a search proposes as results come in, 0 where it proposes none;
    ``open_ended`` says that trials may come which are not waited for yet: proposed ones, or paused ones that go on.
    ``loop`` is the module that trains.
    """

    hosts: int
    size: int
    proposals: int = 0
    open_ended: bool = False
    loop: str = LOOP
    room: Callable[[], int] | None = None


class Pool:
    """Run the hosts of one sweep beside it, in a thread of its driver; leaving the context ends them.

    ``expected`` maps the expected trials to their sharing keys; ``folder`` is for Ray Train's own files.
    """

    def __init__(self, terms: Terms, placement: Placement, expected: Mapping[str, str], folder: Path) -> None:
        self.name = f"stillhouse-broker-{uuid.uuid4().hex[:12]}"
        self.broker = start(self.name, terms.size, dict(expected), open_ended=terms.open_ended, places=terms.proposals)
        self._terms, self._placement, self._folder = terms, placement, folder
        self._sizes = GroupSizes(placement)
        self._started: list[Started] = []
        self._reserves: dict[str, Reserve] = {}  # by the host that would grow
        self._counted = self._resized = time.monotonic()
        self._wait = RoomWait(placement)
        self._over = threading.Event()
        self._idle_over: bool | None = None  # what the broker knows: whether the search that rests is over
        self._thread = threading.Thread(target=self._keep, name="pool", daemon=True)

    def __enter__(self) -> "Pool":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        for host in self._started:
            host.release()
        for reserve in self._reserves.values():
            reserve.release()
        ray.kill(self.broker)

    @property
    def places(self) -> int:
        """Return how many trials the scheduler may hold at once: those that can be in training, or as many as proposed."""
        return max(self._terms.hosts * self._terms.size, self._terms.proposals)

    def expect(self, trial_id: str, key: str) -> None:
        """Pass on that a trial is on its way."""
        self._idle_over = None
        self.broker.expect.remote(trial_id, key)

    def set_idle(self, over: bool) -> None:
        """Pass on, once, that the search proposes nobody before the next result, or ever again."""
        if self._idle_over is not over:
            self._idle_over = over
            self.broker.set_idle.remote(over)

    def leave(self, trial_id: str) -> None:
        """Pass on that a trial goes on no more."""
        self.broker.leave.remote(trial_id)

    def _keep(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            try:
                self._look()
            except RayError as error:  # a broker that was killed comes back
                log.debug("the pool could not look after its hosts: %s", error)

    def _look(self) -> None:
        done, _ = ray.wait([host.done for host in self._started], timeout=0) if self._started else ([], [])
        for host in [host for host in self._started if host.done in done]:
            self._started.remove(host)
            self._bury(host)
        self._count()
        demand: Demand = ray.get(self.broker.demand.remote())
        if not demand.begun:
            self._begin_anew()
        most = min(self._terms.hosts, demand.useful)
        while len(self._started) < most and self._start():
            pass
        if len(self._started) > most:
            self._take_back(demand, len(self._started) - most)
        self._resize(demand, most)
        self._watch_room(demand)

    def _begin_anew(self) -> None:
        """End all hosts of a broker that was killed before the new one gives their trials to others."""
        for host in list(self._started):
            self._started.remove(host)
            self._let_go(host)
        ray.get(self.broker.begin.remote())

    def _start(self) -> bool:
        """Start a host; return whether there was room, or one waits for it."""
        placement = self._sizes.next_group(alone=not self._started)
        if placement is None:
            return False
        name = f"{self.name}-{uuid.uuid4().hex[:8]}"
        folder = str(self._folder / "hosts")
        self._started.append(Started(name, self.broker, placement, self._terms.loop, folder))
        self._sizes.note_change()
        return True

    def _resize(self, demand: Demand, most: int) -> None:
        """Let elastic groups follow the room; new groups come first: their room is not reserved."""
        if not self._sizes.is_elastic or time.monotonic() - self._resized < RESIZE_EVERY_S:
            return
        self._resized = time.monotonic()
        self._begin_smaller(demand)
        # On one machine room comes from groups that end; the only group has all that it can have.
        comes = self._terms.room is not None or self._terms.hosts > 1
        lacking = {host.name: host.size for host in self._started if host.name in demand.up and self._may_grow(host)}
        self._grow(lacking if comes and len(self._started) >= most else {})

    def _begin_smaller(self, demand: Demand) -> None:
        """Let go of groups that wait for their room where there is room for another number of workers."""
        roomless = [host for host in self._started if host.name not in demand.up and not host.has_room()]
        fitting = self._sizes.fitting() if roomless else None
        for host in roomless if fitting is not None else ():
            if host.size != fitting and ray.get(self.broker.dismiss.remote(host.name)):
                self._started.remove(host)
                self._let_go(host)

    def _grow(self, lacking: Mapping[str, int]) -> None:
        """Reserve room for the hosts that lack workers, by their sizes now, and regroup those for whom there is room."""
        for name in set(self._reserves) - set(lacking):
            self._reserves.pop(name).release()
        for name, size in lacking.items():
            if name not in self._reserves:
                self._reserves[name] = Reserve(self._placement, size)
            if self._reserves[name].is_there():
                self.broker.regroup.remote(name)

    def _may_grow(self, host: Started) -> bool:
        return host.size < self._placement.workers

    def _let_go(self, host: Started) -> None:
        host.release()
        if host.name in self._reserves:
            self._reserves.pop(host.name).release()
        self._sizes.note_change()

    def _count(self) -> None:
        """Let the number of hosts follow the cluster."""
        if self._terms.room is not None and time.monotonic() - self._counted >= COUNT_EVERY_S:
            self._counted = time.monotonic()
            self._terms = replace(self._terms, hosts=max(1, self._terms.room()))

    def _take_back(self, demand: Demand, most: int) -> None:
        """End up to ``most`` hosts that are not needed and have no room: their requests would start machines for nothing.

        One that has its place already comes up in a moment, and soon there may be work for it.
        """
        roomless = [host for host in self._started if host.name not in demand.up and not host.has_room()]
        for host in roomless[:most]:
            if ray.get(self.broker.dismiss.remote(host.name)):
                self._started.remove(host)
                self._let_go(host)

    def _watch_room(self, demand: Demand) -> None:
        needed = bool(demand.useful) and not demand.up
        self._wait.look(waiting=needed and not any(host.has_room() for host in self._started))
        if self._wait.is_hopeful:
            self.broker.keep_waiting.remote()

    def _bury(self, host: Started) -> None:
        """Fail the trials of a dead host; a host with no work left has none."""
        failure: Any = host.failure()
        if failure is not None:
            ray.get(self.broker.end.remote(host.name, (failure,)))
        self._let_go(host)
