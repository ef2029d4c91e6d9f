"""Keep a mirror up to date beside a run: copies are made by a thread, and a storage that is away delays nothing."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

from orchestrator.core.errors import OperationError
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial, refreshed
from orchestrator.storage.backend import StorageBackend, StorageUnavailable
from orchestrator.storage.mirror import Mirror
from orchestrator.study.wording import counted

log = logging.getLogger(__name__)
EVERY_S = 300.0  # between two copies of a running trial, whose states are large
PAUSE_S = 5.0  # after a failure
WAIT_S = 120.0  # for a storage that does not answer, at the end of a run


class Copier:
    """Watch trials and copy them: every ``EVERY_S`` seconds while they run, and when they end."""

    def __init__(self, mirror: Mirror, plan: Plan) -> None:
        self._mirror = mirror
        self._trials = {trial.id: trial for trial in plan.trials}
        self._copied: dict[str, float] = {}
        self._waiting: dict[str, None] = {}
        self._under_way: str | None = None
        self._wake = threading.Condition()
        self._closing, self._given_up, self._said = False, False, ""
        self._thread = threading.Thread(target=self._work, name="mirror", daemon=True)
        self._thread.start()

    def planned(self, trial: PlannedTrial) -> None:
        """Handle a new trial of the search."""
        self._trials[trial.id] = trial

    def started(self, trial_id: str) -> None:
        """Handle the start of a trial."""

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        """Copy a running trial now and then."""
        if time.monotonic() - self._copied.get(trial_id, 0.0) > EVERY_S:
            self._want(trial_id)

    def ended(self, trial_id: str) -> None:
        """Copy a trial that will report no more."""
        self._want(trial_id)

    def close(self, wait_s: float) -> list[str]:
        """Copy every trial once more, for ``wait_s`` seconds at most; return the ids of those that could not be copied."""
        with self._wake:
            self._waiting |= dict.fromkeys(
                trial.id for trial in list(self._trials.values()) if trial.directory.is_dir()
            )
            self._closing = True
            self._wake.notify()
        self._thread.join(wait_s)
        self._given_up = True
        with self._wake:
            return list(dict.fromkeys([*filter(None, [self._under_way]), *self._waiting]))

    def _want(self, trial_id: str) -> None:
        with self._wake:
            self._waiting[trial_id] = None
            self._wake.notify()

    def _work(self) -> None:
        while (trial_id := self._next()) is not None and not self._given_up:
            self._copied[trial_id] = time.monotonic()
            try:
                self._mirror.keep(self._trials[trial_id].directory)
            except (StorageUnavailable, OSError) as error:
                self._want(trial_id)
                self._note(error)
                time.sleep(PAUSE_S)

    def _next(self) -> str | None:
        """Wait for a trial to copy; ``None`` when the run is over and nothing waits.

        A trial that is wanted again while it is being copied waits again: its files may have changed behind the copy.
        """
        with self._wake:
            self._under_way = None
            self._wake.wait_for(lambda: self._waiting or self._closing)
            self._under_way = next(iter(self._waiting), None)
            if self._under_way is not None:
                del self._waiting[self._under_way]
            return self._under_way

    def _note(self, error: Exception) -> None:
        if str(error) != self._said:
            self._said = str(error)
            log.warning("%s; training continues, and copies follow when it answers", error)


@contextlib.contextmanager
def mirrored(plan: Plan, address: str | None) -> Iterator[list[Copier]]:
    """Fetch a plan's missing files from the mirror, and copy trials' new files to it for the length of a block.

    Without an address there is no mirror. Raises ``OperationError`` when the storage does not answer at the start, for
    trials would be trained that are there, and at the end when something could not be copied: the next run copies it.
    """
    if not address:
        yield []
        return
    mirror = Mirror(StorageBackend(address))
    bring(mirror, plan.trials)
    copier = Copier(mirror, plan)
    try:
        yield [copier]
    except BaseException:
        copier.close(PAUSE_S)
        raise
    missing = copier.close(WAIT_S)
    if missing:
        raise OperationError(
            f"{counted(len(missing), 'trial')} not copied to {mirror.backend.address} yet: the next run does so"
        )


def bring(mirror: Mirror, trials: tuple[PlannedTrial, ...]) -> None:
    """Fetch the trials that are not here."""
    for trial in trials:
        if refreshed(trial).status == "new" and mirror.bring(trial.directory):
            log.info("%s  brought from %s", trial.id, mirror.backend.address)
