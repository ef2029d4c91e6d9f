"""Define the allowed state transitions of the service's queue; all others are errors."""

from orchestrator.submit.states import SubmissionState

TRANSITIONS: dict[SubmissionState, frozenset[SubmissionState]] = {
    SubmissionState.QUEUED: frozenset({SubmissionState.SUBMITTED, SubmissionState.STOPPED}),
    SubmissionState.SUBMITTED: frozenset({SubmissionState.RUNNING, SubmissionState.STOPPING}),
    SubmissionState.RUNNING: frozenset(
        {
            SubmissionState.FINISHED,
            SubmissionState.FAILED,
            SubmissionState.STOPPED,
            SubmissionState.LOST,
            SubmissionState.STOPPING,
        }
    ),
    SubmissionState.STOPPING: frozenset({SubmissionState.STOPPED, SubmissionState.FINISHED, SubmissionState.FAILED}),
    SubmissionState.LOST: frozenset({SubmissionState.QUEUED, SubmissionState.FAILED}),
    SubmissionState.FAILED: frozenset({SubmissionState.QUEUED}),
    SubmissionState.STOPPED: frozenset({SubmissionState.QUEUED}),
    SubmissionState.FINISHED: frozenset(),
}
ENDED = frozenset({SubmissionState.FINISHED, SubmissionState.FAILED, SubmissionState.STOPPED})


def allowed(before: SubmissionState, after: SubmissionState) -> bool:
    """Return whether a study may go from one state to another."""
    return after in TRANSITIONS[before]
