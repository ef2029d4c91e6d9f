"""What users ask for about a trial is a word in its directory, which outlives every process."""

from pathlib import Path

import pytest

from trainers.schema.record import HISTORY, Outcome, read_outcome, read_status, write_outcome
from trainers.schema.request import REQUEST, STOPPED_BY_USER, Request, carry_out, is_paused, read_request, write_request
from trainers.schema.stop import request_stop, run_is_ending, stop_requested

STOPPED = Outcome("stopped", STOPPED_BY_USER)
FAILED, FINISHED = Outcome("failed", "why"), Outcome("finished")


@pytest.mark.parametrize(
    ("request_", "before", "after", "stays"),
    [
        (Request.STOP, None, STOPPED, False),
        (Request.STOP, FAILED, STOPPED, False),
        (Request.STOP, FINISHED, FINISHED, False),
        (Request.STOP, Outcome("stopped", "earlier"), Outcome("stopped", "earlier"), False),
        (Request.PAUSE, None, None, True),
        (Request.PAUSE, FINISHED, FINISHED, False),
        (Request.RESUME, None, None, False),
        (Request.RETRY, FAILED, None, False),
        (Request.RETRY, None, None, False),
        (Request.RETRY, FINISHED, FINISHED, False),
    ],
)
def test_a_request_is_carried_out_once(
    request_: Request, before: Outcome | None, after: Outcome | None, stays: bool, tmp_path: Path
) -> None:
    if before:
        write_outcome(tmp_path, before)
    write_request(tmp_path, request_)
    for _ in range(2):
        carry_out(tmp_path)
        assert (read_outcome(tmp_path), (tmp_path / REQUEST).exists()) == (after, stays)


def test_a_retried_trial_keeps_its_records(tmp_path: Path) -> None:
    (tmp_path / HISTORY).write_text("")
    write_outcome(tmp_path, FAILED)
    write_request(tmp_path, Request.RETRY)
    carry_out(tmp_path)
    assert read_status(tmp_path) == "unfinished"


@pytest.mark.parametrize("request_", list(Request))
def test_training_leaves_for_a_stop_or_a_pause_only(request_: Request, tmp_path: Path) -> None:
    write_request(tmp_path / "trial", request_)
    leaves = request_ in (Request.STOP, Request.PAUSE)
    assert (stop_requested(tmp_path / "trial"), run_is_ending(tmp_path / "trial")) == (leaves, False)
    assert is_paused(tmp_path / "trial") == (request_ is Request.PAUSE)


def test_a_run_that_ends_is_no_request_of_the_user(tmp_path: Path) -> None:
    request_stop(tmp_path)
    assert (stop_requested(tmp_path), run_is_ending(tmp_path), read_request(tmp_path)) == (True, True, None)


def test_a_word_that_is_none_asks_for_nothing(tmp_path: Path) -> None:
    (tmp_path / REQUEST).write_text("explode")
    carry_out(tmp_path)
    assert not stop_requested(tmp_path)
