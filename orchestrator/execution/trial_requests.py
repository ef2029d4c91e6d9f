"""Ask for one trial of a study to be stopped, paused, resumed or tried again, whether a run is in progress or not."""

from dataclasses import dataclass

from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.store import Store
from orchestrator.execution.ownership import end_killed_runs
from orchestrator.plan.trial import PlannedTrial, TrialStatus, status_of
from trainers.schema.fence import set_fence
from trainers.schema.record import read_outcome
from trainers.schema.request import Request, carry_out, read_request, write_request
from trainers.schema.status import is_over
from trainers.schema.tidy import tidy_over

FITTING: dict[Request, tuple[TrialStatus, ...]] = {
    Request.STOP: ("new", "unfinished", "paused", "failed"),
    Request.PAUSE: ("new", "unfinished"),
    Request.RESUME: ("paused",),
    Request.RETRY: ("failed",),
}
AT_ONCE = {
    Request.STOP: "stopped for good",
    Request.PAUSE: "paused: no run trains it before stillhouse resume STUDY --trial {id}",
    Request.RESUME: "goes on with the next stillhouse run STUDY",
    Request.RETRY: "starts again with the next stillhouse run STUDY",
}
BY_A_RUN = {
    Request.STOP: (
        "asked to stop for good: the run that trains it saves its state first; a run of another study leaves it to the next "
        "stillhouse run STUDY"
    ),
    Request.PAUSE: "asked to pause; it saves its state first",
    Request.RESUME: "asked to go on; the run starts it when it has a place, or else the next one does",
    Request.RETRY: "asked to start again; the run starts it when it has a place, or else the next one does",
}


@dataclass(frozen=True)
class AcceptedRequest:
    """Hold a request that was accepted; ``at_once`` tells that no run can have the trial, so it is done already."""

    trial: str
    request: Request
    at_once: bool

    def __str__(self) -> str:
        """Return the sentence for the user."""
        sentences = AT_ONCE if self.at_once else BY_A_RUN
        return f"{self.trial}: {sentences[self.request].format(id=self.trial)}"


def ask(trial: PlannedTrial, request: Request, store: Store) -> AcceptedRequest:
    """Leave a request in the trial's directory, and carry it out where no run can have the trial.

    Raises ``UserError`` where the request does not fit the trial's state, or the trial is the teacher of all others.
    """
    status = status_of(trial.directory)
    if trial.role == "teacher" and request in (Request.STOP, Request.PAUSE) and not is_over(status):
        raise UserError(
            f"{trial.id} is the teacher, and no student can start without it: stop the whole run instead "
            "(Ctrl-C, or stillhouse stop STUDY for a submission)"
        )
    if request is not Request.STOP and read_request(trial.directory) is Request.STOP:
        raise UserError(f"{trial.id} is being stopped for good, and nothing takes that back")
    if status not in FITTING[request]:
        raise UserError(f"{trial.id} {_why_not(trial, status, request)}")
    write_request(trial.directory, request)
    return AcceptedRequest(trial.id, request, at_once=_done_at_once(trial, request, store))


def _done_at_once(trial: PlannedTrial, request: Request, store: Store) -> bool:
    """Carry out a request, and return ``True``, unless a run may have the trial, or is to start it."""
    try:
        with store.only_run():
            end_killed_runs(store)  # else they would go on with a trial that has been stopped
            _carry_out(trial, request)
            return True
    except OperationError:  # a run has the store
        return request in (Request.STOP, Request.PAUSE) and _done_beside_jobs(trial, request, store)


def _done_beside_jobs(trial: PlannedTrial, request: Request, store: Store) -> bool:
    """Do the same under the trial's lease: of jobs that share the store, none can have the trial meanwhile."""
    try:
        with store.shared_run() as leases:
            fence = leases.claim(trial.id)
            if fence is None:
                return False
            set_fence(trial.directory, fence)
            try:
                _carry_out(trial, request)
            finally:
                set_fence(trial.directory, None)
            return True
    except OperationError:  # a run has the store for itself
        return False


def _carry_out(trial: PlannedTrial, request: Request) -> None:
    carry_out(trial.directory)
    if request is Request.STOP:  # nothing brings it back, so its states are of no use
        tidy_over(trial.directory)


def _why_not(trial: PlannedTrial, status: TrialStatus, request: Request) -> str:
    if status in ("finished", "stopped"):
        outcome = read_outcome(trial.directory)
        return f"is {status}{f' ({outcome.reason})' if outcome and outcome.reason else ''}: nothing to {request}"
    if request is Request.RESUME:
        return f"is {status}, not paused: stillhouse run trains it"
    if request is Request.RETRY:
        return f"is {status}, not failed: there is nothing to try again"
    if status == "failed":
        return f"failed, so it does not run: stillhouse stop STUDY --trial {trial.id} keeps the next run from trying it again"
    return f"is paused already: stillhouse resume STUDY --trial {trial.id} lets it go on"
