"""Which state of the queue may follow which: each pair, written down here once more and not taken from the code."""

import itertools

import pytest

from orchestrator.service.transitions import ENDED, allowed
from orchestrator.submit.states import SubmissionState

FOLLOWS = {
    "queued": "submitted stopped",
    "submitted": "running stopping",
    "running": "finished failed stopped lost stopping",
    "stopping": "stopped finished failed",
    "lost": "queued failed",
    "failed": "queued",
    "stopped": "queued",
    "finished": "",
}


@pytest.mark.parametrize(("before", "after"), itertools.product(SubmissionState, SubmissionState))
def test_a_state_follows_another_only_where_it_is_written(before, after):
    assert allowed(before, after) == (after.value in FOLLOWS[before.value].split())


@pytest.mark.parametrize("state", SubmissionState)
def test_what_has_ended_ended_by_itself_by_failing_or_by_being_stopped(state):
    assert (state in ENDED) == (state.value in ("finished", "failed", "stopped"))
    assert state.is_over == (state.value in ("finished", "failed", "stopped", "lost"))
    assert state.is_resumable == (state.value in ("failed", "stopped", "lost"))
