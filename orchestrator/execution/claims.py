"""Claim trials for one of several jobs that share a store, so that each trial is trained by one job at a time."""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress

from orchestrator.core.leases import LOOK_EVERY_S, Leases
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PAUSED, PlannedTrial, status_of
from trainers.schema.atomic import remove
from trainers.schema.fence import FencedOff, set_fence
from trainers.schema.record import OUTCOME
from trainers.schema.request import Request, carry_out, read_request
from trainers.schema.status import is_over
from trainers.schema.stop import clear_stop
from trainers.schema.tidy import tidy_over

UNATTENDED = (Request.STOP, Request.RESUME, Request.RETRY)  # requests that nobody obeys while no job has the trial
log = logging.getLogger(__name__)


class Claims:
    """Hand out a study's trials one after the other, each under a lease; from one thread.

    A failed trial is tried again by a job that began after its failure, and by no other. ``waits`` is false once a look
    has found that no other job has a trial, and none is left.
    """

    def __init__(self, leases: Leases, plan: Plan) -> None:
        self.leases = leases
        self.waits = True
        self._at_first = {trial.id: leases.number(trial.id) for trial in plan.trials}
        self._mine: dict[str, PlannedTrial] = {}
        self._over: set[str] = set()  # nothing can change these: no look at thousands of them every half second
        self._told: set[str] = set()
        self._looked = 0.0

    def take(self, trials: Sequence[PlannedTrial]) -> PlannedTrial | None:
        """Return a trial that this job trains from now on; ``None`` if others have all that are left, or none is left.

        After a look that found nothing the next one comes half a second later.
        """
        if time.monotonic() - self._looked < LOOK_EVERY_S:
            return None
        elsewhere = []
        for trial in trials:
            if trial.id in self._mine or trial.id in self._over:
                continue
            if self._take(trial):
                self.waits = True
                return trial
            if not self.leases.is_free(trial.id) or self._is_due(trial, self.leases.number(trial.id)):
                elsewhere.append(trial.id)  # also one that has come free since: the next look takes it
            elif is_over(status_of(trial.directory)):
                self._over.add(trial.id)
        self._looked, self.waits = time.monotonic(), bool(elsewhere)
        self._tell(elsewhere)
        return None

    def end(self, trial: PlannedTrial) -> None:
        """Give a trial back that this job trains no more."""
        if self._mine.pop(trial.id, None) is None:
            return
        self.waits, self._looked = True, 0.0  # until the next look
        taken_over = not self.leases.holds(trial.id)
        holder = self.leases.holder(trial.id) or "another job"  # which may be done with it by now
        self._give_back(trial)
        if taken_over:
            log.warning("%s  taken over by %s, which trains it from its last state", trial.id, holder)

    @property
    def mine(self) -> list[PlannedTrial]:
        """Return the trials that this job has now."""
        return list(self._mine.values())

    def close(self) -> None:
        """Give everything back."""
        for trial in self.mine:
            self.end(trial)

    def _take(self, trial: PlannedTrial) -> bool:
        number = self.leases.number(trial.id)
        request = read_request(trial.directory)
        if not (self._is_due(trial, number) or request in UNATTENDED or self.leases.is_abandoned(trial.id)):
            return False
        fence = self.leases.claim(trial.id)
        if fence is None:
            return False
        set_fence(trial.directory, fence)
        try:
            if self._began(trial, self.leases.number(trial.id) - 1):
                self._mine[trial.id] = trial
                return True
        except FencedOff:  # this process was stopped, and another job has the trial by now
            pass
        self._give_back(trial)
        return False

    def _began(self, trial: PlannedTrial, number: int) -> bool:
        """Carry out the request about a claimed trial; return whether the trial is to be trained."""
        carry_out(trial.directory)
        if not self._is_due(trial, number):
            return False
        remove(trial.directory / OUTCOME)  # a failed trial is tried again
        clear_stop(trial.directory)
        return True

    def _is_due(self, trial: PlannedTrial, number: int) -> bool:
        """Return whether a trial is to be trained whose lease had that ``number`` before anybody here claimed it."""
        status = status_of(trial.directory)
        if status == "failed":
            return number <= self._at_first.get(trial.id, 0)
        return status != PAUSED and not is_over(status)

    def _give_back(self, trial: PlannedTrial) -> None:
        with suppress(FencedOff, OSError):  # another job has the trial, or a full disk: nothing depends on it
            if is_over(status_of(trial.directory)):
                tidy_over(trial.directory)
        self.leases.release(trial.id)
        set_fence(trial.directory, None)

    def _tell(self, elsewhere: Sequence[str]) -> None:
        """Say once who trains the trials that this job waits for."""
        if not elsewhere or self._mine or self._told.issuperset(elsewhere):
            return
        self._told.update(elsewhere)
        who = ", ".join(f"{name} by {self.leases.holder(name) or 'another job'}" for name in elsewhere)
        log.info("waiting for trials that other jobs train: %s", who)
