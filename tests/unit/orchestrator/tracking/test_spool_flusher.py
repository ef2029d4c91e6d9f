"""The flusher against a tracker that fails as told: who waits for whom, and what is said to be missing."""

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, PERMISSION_DENIED, TEMPORARILY_UNAVAILABLE

from orchestrator.core.errors import OperationError
from orchestrator.core.redact import first_line
from orchestrator.plan.trial import PlannedTrial
from orchestrator.tracking import flusher as module
from orchestrator.tracking.backoff import LONGEST_S, Backoff
from orchestrator.tracking.faults import TrackingRefused, Unreachable, plainly
from orchestrator.tracking.flusher import Flusher
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID
from trainers.schema.record import HISTORY, Record, to_lines


class Instant(Backoff):
    """Wait hardly at all."""

    def next_s(self, longest_s: float = 0.0) -> float:
        return 0.001


class ScriptedTracker:
    """Stand for ``Tracker``: each call meets the next of its faults, then all succeed."""

    address = "http://tracker"

    def __init__(self, *faults: Exception | None) -> None:
        self.faults = list(faults)
        self.sent = 0
        self.synced: list[str] = []
        self.finished = 0

    def sync(self, trial: PlannedTrial) -> None:
        self._meet()
        self.synced.append(trial.id)
        self.sent += 1

    def finish(self) -> None:
        self._meet()
        self.finished += 1

    def waiting(self, trial: PlannedTrial) -> int:
        return 0 if trial.id in self.synced else 7

    def _meet(self) -> None:
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault


@pytest.fixture
def trials(tmp_path: Path) -> tuple[PlannedTrial, ...]:
    """Two trials that have begun and others that have not."""
    plan = plan_text(tmp_path, VALID, "scaling.workers=1")
    for trial in plan.students[:2]:
        trial.directory.mkdir(parents=True)
        (trial.directory / HISTORY).write_text(to_lines([Record(1, 1, {})]))
    return plan.students


def flusher_of(tracker: Any, trials: tuple[PlannedTrial, ...]) -> Flusher:
    return Flusher(tracker, trials, Instant())


def test_the_end_copies_what_has_begun_and_then_the_study(trials):
    tracker = ScriptedTracker()
    assert flusher_of(tracker, trials).close().complete
    assert tracker.synced == [trial.id for trial in trials[:2]]
    assert tracker.finished == 1


def test_silence_is_counted_from_the_last_thing_that_mlflow_took(trials, monkeypatch):
    tracker, now = ScriptedTracker(), [1000.0]
    flusher = flusher_of(tracker, trials)
    flusher.close()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    for silence in (42.0, 7.0):
        tracker.sent += 1
        assert flusher._quiet_s() == 0.0
        now[0] += silence
        assert flusher._quiet_s() == silence


def test_an_outage_is_waited_out(trials):
    tracker = ScriptedTracker(*[Unreachable("away")] * 5, None, Unreachable("away"), None, Unreachable("away"))
    assert flusher_of(tracker, trials).close(wait_s=30).complete
    assert set(tracker.synced) == {trial.id for trial in trials[:2]}
    assert tracker.finished == 1


def test_an_outage_that_lasts_ends_the_wait_and_is_counted(trials):
    tracker = ScriptedTracker(*[Unreachable("nobody there")] * 100_000)
    delivery = flusher_of(tracker, trials).close(wait_s=0.1)
    assert (delivery.complete, delivery.waiting, delivery.trials, delivery.reason) == (False, 14, 2, "nobody there")


def test_a_refused_trial_is_left_and_the_others_are_copied(trials):
    first, second = trials[:2]

    class Refusing(ScriptedTracker):
        def sync(self, trial: PlannedTrial) -> None:
            if trial.id == first.id:
                raise OperationError("no such name")
            super().sync(trial)

    tracker = Refusing()
    delivery = flusher_of(tracker, trials).close()
    assert tracker.synced == [second.id]
    assert (delivery.complete, delivery.waiting, delivery.trials, delivery.reason) == (False, 7, 1, "no such name")


def test_a_refusal_of_everything_is_told_once_and_asked_once_more_at_the_end(trials, caplog):
    tracker = ScriptedTracker(*[TrackingRefused("wrong password")] * 100_000)
    flusher = flusher_of(tracker, trials)
    for trial in trials:
        flusher.reported(trial.id, {})
    delivery = flusher.close(wait_s=30)
    assert (delivery.complete, delivery.waiting, delivery.trials, delivery.reason) == (False, 14, 2, "wrong password")
    assert len(caplog.records) == 1
    assert len(tracker.faults) >= 100_000 - len(trials) - 1  # nothing was repeated


def test_a_run_that_ends_while_a_refusal_is_told_has_delivered_nothing(trials, monkeypatch):
    told, closing = threading.Event(), threading.Event()

    class Watched(ScriptedTracker):
        """See when ``close`` begins to wait: it asks how much was sent."""

        @property
        def sent(self) -> int:
            if told.is_set():
                closing.set()
            return 0

        @sent.setter
        def sent(self, count: int) -> None:
            pass

    def slowly(*words: object) -> None:
        told.set()
        assert closing.wait(30)

    monkeypatch.setattr(module.log, "warning", slowly)
    flusher = flusher_of(Watched(*[TrackingRefused("wrong password")] * 100), trials)
    flusher.reported(trials[0].id, {})
    assert told.wait(30)
    delivery = flusher.close(wait_s=30)
    assert (delivery.complete, delivery.waiting, delivery.trials, delivery.reason) == (False, 14, 2, "wrong password")


def test_an_error_of_our_own_does_not_end_the_thread(trials):
    tracker = ScriptedTracker(ZeroDivisionError("bug"))
    assert flusher_of(tracker, trials).close().complete


def test_who_reports_never_waits(trials):
    entered, leave = threading.Event(), threading.Event()

    class Stuck(ScriptedTracker):
        def sync(self, trial: PlannedTrial) -> None:
            entered.set()
            leave.wait()
            super().sync(trial)

    tracker = Stuck()
    flusher = flusher_of(tracker, trials)
    flusher.started(trials[0].id)
    entered.wait()
    began = time.monotonic()
    for _ in range(1000):
        flusher.reported(trials[0].id, {})
    flusher.ended(trials[0].id)
    assert time.monotonic() - began < 1
    leave.set()
    assert flusher.close().complete
    assert len(tracker.synced) <= 4  # a thousand reports of one trial are one visit


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 99))
def test_pauses_grow_to_a_bound_and_start_anew(successes, seed):
    backoff, failures = Backoff(seed), 0
    for success in successes:
        if success:
            backoff.reset()
            failures = 0
            continue
        bound = min(0.5 * 2.0**failures, LONGEST_S)
        assert bound / 2 <= backoff.next_s() <= bound
        failures += 1


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (MlflowException("API request failed with exception: connection refused"), True),
        (MlflowException("database is locked", TEMPORARILY_UNAVAILABLE), True),
        (MlflowException("no such metric name", INVALID_PARAMETER_VALUE), False),
        (MlflowException("not you", PERMISSION_DENIED), False),
        (PermissionError(13, "Permission denied", "/srv/mlruns"), False),
        (NotADirectoryError(20, "Not a directory", "/srv/mlruns"), False),
        (ConnectionResetError("reset"), True),
    ],
)
def test_what_passes_is_told_from_what_is_refused(error, passes):
    with pytest.raises(OperationError) as caught, plainly():
        raise error
    assert isinstance(caught.value, Unreachable) is passes


def test_messages_hold_no_password():
    error = OSError("cannot connect to postgresql://me:pa/ss@host/db\nmore")
    assert first_line(error) == "cannot connect to postgresql://***@host/db"
