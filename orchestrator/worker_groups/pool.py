"""Keep as many worker groups as there is room and work for, and start again those that die."""

import logging
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import ray
from ray.exceptions import RayError

from orchestrator.worker_groups.broker import start
from orchestrator.worker_groups.entry_points import LOOP
from orchestrator.worker_groups.host import Started
from trainers.schema import Placement

log = logging.getLogger(__name__)
LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class Terms:
    """Hold the maximum number of worker groups, and of trials that each trains side by side.

    ``proposals`` is how many trials at once a search proposes as results come in, 0 where it proposes none;
    ``open_ended`` says that trials may come which are not waited for yet: proposed ones, or paused ones that go on.
    ``loop`` is the module that trains.
    """

    hosts: int
    size: int
    proposals: int = 0
    open_ended: bool = False
    loop: str = LOOP


class Pool:
    """Run the hosts of one sweep beside it, in a thread of its driver; leaving the context ends them.

    ``expected`` maps the expected trials to their sharing keys; ``folder`` is for Ray Train's own files.
    """

    def __init__(self, terms: Terms, placement: Placement, expected: Mapping[str, str], folder: Path) -> None:
        self.name = f"stillhouse-broker-{uuid.uuid4().hex[:12]}"
        self.broker = start(self.name, terms.size, dict(expected), open_ended=terms.open_ended, places=terms.proposals)
        self._terms, self._placement, self._folder = terms, placement, folder
        self._started: list[Started] = []
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
        useful: int = ray.get(self.broker.useful_hosts.remote())
        while len(self._started) < min(self._terms.hosts, useful):
            name = f"{self.name}-{uuid.uuid4().hex[:8]}"
            folder = str(self._folder / "hosts")
            self._started.append(Started(name, self.broker, self._placement, self._terms.loop, folder))

    def _bury(self, host: Started) -> None:
        """Fail the trials of a dead host; a host with no work left has none."""
        failure: Any = host.failure()
        if failure is not None:
            ray.get(self.broker.end.remote(host.name, (failure,)))
        host.release()
