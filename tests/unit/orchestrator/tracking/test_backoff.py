"""Pauses double from half a second to half a minute, lie between half their bound and all of it, and begin anew."""

import pytest

from orchestrator.tracking.backoff import FIRST_S, LONGEST_S, Backoff


def test_pauses_double_up_to_a_bound_and_begin_anew_after_a_success():
    backoff = Backoff(1)
    for _ in range(2):
        bounds = [min(FIRST_S * 2**turn, LONGEST_S) for turn in range(40)]
        for bound in bounds:
            assert bound / 2 <= backoff.next_s() <= bound
        backoff.reset()


def test_a_bound_of_the_caller_holds_and_counts_as_a_failure_too():
    backoff = Backoff(1)
    assert all(0.05 <= backoff.next_s(0.1) <= 0.1 for _ in range(3))
    assert 2.0 <= backoff.next_s() <= 4.0


def test_the_random_part_is_the_seeds():
    assert [Backoff(3).next_s() for _ in range(2)] == [Backoff(3).next_s()] * 2
    assert Backoff(3).next_s() != pytest.approx(Backoff(4).next_s())
