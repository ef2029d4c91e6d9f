"""Define the allowed state transitions of the service's queue; all others are errors."""

from orchestrator.submit.states import State

TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.SUBMITTED, State.STOPPED}),
    State.SUBMITTED: frozenset({State.RUNNING, State.STOPPING}),
    State.RUNNING: frozenset({State.FINISHED, State.FAILED, State.STOPPED, State.LOST, State.STOPPING}),
    State.STOPPING: frozenset({State.STOPPED, State.FINISHED, State.FAILED}),
    State.LOST: frozenset({State.QUEUED, State.FAILED}),
    State.FAILED: frozenset({State.QUEUED}),
    State.STOPPED: frozenset({State.QUEUED}),
    State.FINISHED: frozenset(),
}


def allowed(before: State, after: State) -> bool:
    """Tell whether a study may go from one state to another."""
    return after in TRANSITIONS[before]
