"""Describe the resources of a Ray cluster and those that a trial requested, and follow how long a request waits."""

import logging
import time
from collections.abc import Callable

import ray

from orchestrator.compat import ray_autoscaler
from orchestrator.core.durations import duration
from orchestrator.study.wording import counted
from trainers.schema import Placement

SAY_AFTER_S, SAY_EVERY_S = 10.0, 60.0  # a process that has room takes some seconds to start
LOOK_S = 1.0
log = logging.getLogger(__name__)


def what_there_is() -> str:
    """Describe the cluster's total and free resources, and what its autoscaler does about them."""
    total, free = ray.cluster_resources(), ray.available_resources()  # type: ignore[no-untyped-call]
    have = ", ".join(f"{free.get(name, 0):g} of {counted(float(total.get(name, 0)), name)}" for name in ("CPU", "GPU"))
    return "; ".join(filter(None, (f"free in the cluster: {have}", ray_autoscaler.coming())))


def wanted(placement: Placement) -> str:
    """Describe the resources that a worker group requests."""
    cpus = counted(placement.threads, "CPU")
    gpus = f" and {counted(placement.gpus, 'GPU')}" if placement.cuda else ""
    if placement.workers == 1:
        return f"a machine with {cpus}{gpus}"
    return f"{' or '.join(map(str, placement.sizes))} workers with {cpus}{gpus} each"


def waited_for(placement: Placement) -> str:
    """Describe in one sentence the resources that a worker group requested and those available."""
    return f"not started after {placement.start_timeout_s:g} s: waited for {wanted(placement)}; {what_there_is()}"


def is_free(placement: Placement) -> bool:
    """Return whether the cluster has as much free as a worker group requests, if not on one machine."""
    free = ray.available_resources()  # type: ignore[no-untyped-call]
    gpus = placement.gpus if placement.cuda else 0
    each = {"CPU": placement.threads, "GPU": gpus}
    return all(free.get(name, 0) >= placement.sizes[0] * amount for name, amount in each.items())


class RoomWait:
    """Follow how long nothing trains because nothing has room, and say so in the log.

    The wait has no end while the autoscaler is starting a machine. ``patience_s`` counts from when nothing is coming.
    """

    def __init__(
        self,
        placement: Placement,
        is_coming: Callable[[], bool] = ray_autoscaler.is_coming,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._placement, self._is_coming, self._clock = placement, is_coming, clock
        self._since = self._hoped = self._looked = clock()
        self._said: float | None = None
        self.is_hopeful = False  # something waits, and a machine for it is being started

    def look(self, *, waiting: bool) -> bool:
        """Note whether there is work for which nothing has room; return whether it has waited for too long."""
        now = self._clock()
        if not waiting:
            if self._said is not None:
                log.info("there is room after %s", duration(now - self._since))
            self._since = self._hoped = now
            self._said, self.is_hopeful = None, False
            return False
        if now - self._looked >= LOOK_S:
            self._looked = now
            self.is_hopeful = self._is_coming()
            self._hoped = now if self.is_hopeful else self._hoped
            self._say(now)
        return now - self._hoped > self._placement.start_timeout_s

    def _say(self, now: float) -> None:
        if now - self._since < SAY_AFTER_S or (self._said is not None and now - self._said < SAY_EVERY_S):
            return
        if is_free(self._placement):
            return  # a process on a busy machine is starting in its place
        self._said = now
        left = self._placement.start_timeout_s - (now - self._hoped)
        end = "" if self.is_hopeful else f"; nothing is coming, so this ends in {duration(max(0.0, left))}"
        log.info(
            "waiting for %s since %s; %s%s",
            wanted(self._placement), duration(now - self._since), what_there_is(), end,
        )  # fmt: skip
