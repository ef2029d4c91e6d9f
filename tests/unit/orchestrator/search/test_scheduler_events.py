"""Each call of Tune becomes one event of the log and one call of the scheduler inside, with merits and epochs as they are."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.plan.journal import SearchLog
from orchestrator.search.scheduler import RememberingScheduler
from tests.unit.orchestrator.search.simulated import METRIC, LiveTrial
from trainers.schema.record import Outcome, Record, write_outcome


class Noting:
    """Stand for Tune's scheduler: note what it is told, and answer from a list."""

    def __init__(self, *answers: str) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.answers = list(answers)

    def on_trial_add(self, stage: Any, trial: Any) -> None:
        self.told.append(("add", trial.trial_id, trial.status))

    def on_trial_result(self, stage: Any, trial: Any, result: dict[str, Any]) -> str:
        self.told.append(("result", trial.trial_id, *result.values()))
        return self.answers.pop(0) if self.answers else "CONTINUE"

    def on_trial_complete(self, stage: Any, trial: Any, result: dict[str, Any]) -> None:
        self.told.append(("complete", trial.trial_id, *result.values()))

    def on_trial_remove(self, stage: Any, trial: Any) -> None:
        self.told.append(("remove", trial.trial_id))


class Stage:
    """Hold a scheduler, the one inside, its log, and a trial that it knows."""

    def __init__(self, folder: Path, *answers: str, metric: str = METRIC) -> None:
        self.log, self.inner = SearchLog(folder / "log.jsonl"), Noting(*answers)
        self.scheduler = RememberingScheduler(self.inner, self.log, metric)
        self.directory = folder / "a"
        self.directory.mkdir(exist_ok=True)
        self.trial = LiveTrial("a", self.directory)
        self.scheduler.on_trial_add(self, self.trial)
        self.trial.status = "RUNNING"
        self.inner.told.clear()
        self.stopped: list[LiveTrial] = []

    def stop_trial(self, trial: LiveTrial) -> None:
        self.stopped.append(trial)

    @property
    def events(self) -> list[tuple[Any, ...]]:
        return [tuple(event.values()) for event in self.log.read()][1:]

    def result(self, epoch: int, **values: float) -> str:
        return self.scheduler.on_trial_result(self, self.trial, {"epoch": epoch} | (values or {METRIC: 0.1 * epoch}))

    def complete(self, **result: Any) -> None:
        self.scheduler.on_trial_complete(self, self.trial, result)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.mark.parametrize("decision", ["CONTINUE", "PAUSE", "STOP"])
def test_a_result_is_decided_on_once_and_logged_with_the_decision(decision, tmp_path):
    stage = Stage(tmp_path, decision)
    assert stage.result(2) == decision
    assert stage.inner.told == [("result", "a", 2, 0.2)]
    assert stage.events == [("result", "a", 2, 0.2, decision)]
    assert stage.scheduler._states["a"].over == (decision == "STOP")
    assert stage.scheduler._states["a"].waits == (decision == "PAUSE")


def test_what_a_stopped_trial_still_reports_is_no_decision(tmp_path):
    stage = Stage(tmp_path, "STOP")
    stage.result(2)
    assert stage.result(2) == stage.result(3) == "STOP"
    assert len(stage.inner.told) == 1


def test_an_earlier_epoch_and_one_without_the_metric_pass(stage):
    stage.result(2)
    assert stage.result(1) == stage.result(3, other=0.5) == "CONTINUE"
    assert stage.inner.told == [("result", "a", 2, 0.2)]


def test_a_loss_is_told_with_the_other_sign_and_logged_as_it_is(tmp_path):
    stage = Stage(tmp_path, metric="loss/total")
    stage.result(1, **{"loss/total": 0.25})
    stage.complete(epoch=2, **{"loss/total": 0.125})
    assert stage.inner.told == [("result", "a", 1, -0.25), ("complete", "a", 2, -0.125)]
    assert stage.events == [("result", "a", 1, 0.25, "CONTINUE"), ("complete", "a", 2, 0.125)]


def test_a_trial_that_is_complete_is_told_once_even_without_the_metric(stage):
    stage.complete(epoch=5)
    stage.complete(epoch=5)
    assert stage.inner.told == [("complete", "a", 5)]
    assert stage.events == [("complete", "a", 5, None)]


def test_an_end_before_the_first_epoch_is_a_failure_a_stop_or_an_interruption(tmp_path):
    ends: dict[str, list[tuple[Any, ...]]] = {}
    for name, result, outcome in (
        ("told", {"epoch": 0, "failed_because": "out of memory"}, None),
        ("recorded", {"epoch": 0}, Outcome("failed", "broken")),
        ("stopped", {"epoch": 0}, Outcome("stopped", "by its user")),
        ("interrupted", {"epoch": 0}, None),
        ("nothing", {}, None),
    ):
        (tmp_path / name).mkdir()
        stage = Stage(tmp_path / name)
        if outcome:
            write_outcome(stage.directory, outcome)
        stage.complete(**result)
        ends[name] = stage.events
        assert bool(stage.inner.told) == bool(stage.events) == stage.scheduler._states["a"].gone
    failed, removed = [("failed", "a")], [("remove", "a")]
    assert ends == {"told": failed, "recorded": failed, "stopped": removed, "interrupted": [], "nothing": []}


def test_a_waiting_trial_that_is_removed_is_told_once(stage):
    stage.scheduler.on_trial_remove(stage, stage.trial)
    stage.scheduler.on_trial_remove(stage, stage.trial)
    assert (stage.inner.told, stage.events) == ([("remove", "a")], [("remove", "a")])


def test_a_crash_that_is_retried_changes_nothing_and_another_ends_the_trial(stage):
    stage.result(1)
    stage.trial.status = "ERROR"
    stage.scheduler.on_trial_error(stage, stage.trial)
    assert stage.scheduler._states["a"].status == "RUNNING", "it replays, whatever Tune says"
    assert len(stage.events) == 1
    stage.trial.status = "RUNNING"
    stage.scheduler.on_trial_error(stage, stage.trial)
    stage.scheduler.on_trial_error(stage, stage.trial)
    assert stage.events[1:] == [("failed", "a")]
    again = LiveTrial("a", stage.directory)
    stage.scheduler.on_trial_add(stage, again)
    assert stage.inner.told[-1] == ("add", "a#2", "PENDING")


@pytest.mark.parametrize(
    ("status", "saving", "ended"),
    [("PENDING", False, True), ("PAUSED", False, True), ("RUNNING", True, True), ("RUNNING", False, False)],
)
def test_a_trial_that_the_scheduler_inside_stops_ends_at_once_unless_it_runs(status, saving, ended, stage):
    stage.trial.status, stage.trial.is_saving = status, saving
    stage.scheduler.stop(stage, stage.scheduler._states["a"])
    assert stage.stopped == ([stage.trial] if ended else [])
    assert stage.scheduler._states["a"].over
    assert stage.inner.told == [("remove", "a")]
    stage.scheduler.stop(stage, stage.scheduler._states["a"])
    assert len(stage.inner.told) == 1


def test_another_process_repeats_the_log_in_its_order_and_writes_nothing(tmp_path):
    stage = Stage(tmp_path, "PAUSE")
    stage.result(1)
    other = LiveTrial("b", tmp_path / "b")
    stage.scheduler.on_trial_add(stage, other)
    stage.complete(epoch=4, **{METRIC: 0.5})
    stage.scheduler.on_trial_remove(stage, other)
    before = stage.log.path.read_bytes()
    again = Noting("CONTINUE")  # another release: what was decided holds
    fresh = RememberingScheduler(again, SearchLog(stage.log.path), METRIC)
    assert stage.log.path.read_bytes() == before
    assert again.told == [
        ("add", "a", "PENDING"),
        ("result", "a", 1, 0.1),
        ("add", "b", "PENDING"),
        ("complete", "a", 4, 0.5),
        ("remove", "b"),
    ]
    assert fresh.has_trial("a")
    assert not fresh.has_trial("c")


def test_histories_are_absorbed_by_time_and_the_last_record_of_each_ends_it(tmp_path):
    def record(epoch: int, wall_time: float, value: float | None) -> Record:
        return Record(epoch, epoch, {} if value is None else {METRIC: value}, wall_time=wall_time)

    inner = Noting()
    scheduler = RememberingScheduler(inner, SearchLog(tmp_path / "log.jsonl"), METRIC)
    histories = {
        "b": [record(1, 2.0, 0.2), record(2, 4.0, None), record(3, 6.0, 0.1)],
        "a": [record(1, 3.0, 0.3), record(2, 5.0, 0.4)],
    }
    scheduler.absorb(histories)
    expected = [
        ("add", "b", "PENDING"),
        ("result", "b", 1, 0.2),
        ("add", "a", "PENDING"),
        ("result", "a", 1, 0.3),
        ("complete", "a", 2, 0.4),
        ("complete", "b", 3, 0.1),
    ]
    assert inner.told == expected
    scheduler.absorb(histories)
    assert inner.told == expected, "the log has them now"
