"""What the tracker writes about a study is what dashboards show of it."""

from pathlib import Path

import pytest

from dashboards.snapshot import Query, snapshot
from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.tracking.history.mlflow_tracking import MlflowTracking
from orchestrator.tracking.tracker import Tracker
from tests.contract.test_tracking import AP, SMALL, finish, leave, record, sync
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID
from trainers.schema.events import Event, append_event
from trainers.schema.record import OUTCOME, Outcome, write_outcome
from trainers.schema.request import STOPPED_BY_USER, Request, write_request


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "store").mkdir()
    return Store(tmp_path / "store")


@pytest.fixture
def plan(tmp_path: Path, store: Store) -> Plan:
    """A teacher, two baselines and two BCKD students."""
    return plan_text(tmp_path, VALID, *SMALL, store=store.root)


def test_what_the_tracker_writes_is_understood(plan, store):
    teacher, *students = plan.trials
    append_event(students[0].directory, Event("oom", "micro_batch 4", "CUDA out of memory", time=1.0))
    history = finish(students[0], 0.10, 0.30, 0.20)
    taught = next(trial for trial in students if trial.spec.teacher)
    for trial in (teacher, taught):
        finish(trial, 0.5)
    sync(plan, store, teacher, students[0], taught)
    append_event(students[1].directory, Event("hang", "restarted", "no step for 600 s", time=2.0))
    leave(students[1], [record(1, 0.15)])
    sync(plan, store, students[1])
    found = snapshot(MlflowTracking(store.tracking_uri), Query(now=record(1, 0).wall_time + 10))
    trials = {trial["id"]: trial for trial in found["trials"]}
    [study] = found["studies"]
    assert (study["name"], study["planned"], len(study["runs"])) == ("demo", len(plan.trials), 4)
    done, begun = trials[students[0].id], trials[students[1].id]
    assert (done["status"], done["best_epoch"], done["epoch"], done["devices"]) == ("finished", 2, 3, 1)
    column = found["metrics"].index(AP)
    assert (done["best"][column], done["last"][column]) == (0.30, 0.20)
    assert done["gpu_hours"] == pytest.approx(sum(item.timing["time/train_s"] for item in history) / 3600)
    assert [event["kind"] for event in done["events"]] == ["oom"]
    assert (begun["status"], begun["events"][0]["detail"]) == ("running", "no step for 600 s")
    assert trials[taught.id]["teacher_run"] == trials[teacher.id]["run"]


def test_a_paused_trial_is_paused_on_the_page_until_it_goes_on(plan, store):
    first, second, third = plan.students[:3]
    for trial in (first, second):
        leave(trial, [record(1, 0.15)])
    tracker, now = sync(plan, store, first, second), record(1, 0).wall_time + 10
    write_request(first.directory, Request.PAUSE)
    write_outcome(second.directory, Outcome("failed", "no memory"))
    leave(third, [], Outcome("stopped", STOPPED_BY_USER))
    assert states_after(tracker, store, now, first, second, third) == ["paused", "failed", "stopped"]
    write_request(first.directory, Request.RESUME)
    for trial in (first, second):
        (trial.directory / OUTCOME).unlink(missing_ok=True)  # both go on
    assert states_after(tracker, store, now, first, second, third) == ["running", "running", "stopped"]


def states_after(tracker: Tracker, store: Store, now: float, *trials: PlannedTrial) -> list[str]:
    """Deliver trials, and return what the page says of them."""
    for trial in trials:
        tracker.sync(trial)
    found = snapshot(MlflowTracking(store.tracking_uri), Query(now=now))
    states = {trial["id"]: trial["status"] for trial in found["trials"]}
    return [states[trial.id] for trial in trials]


def test_a_timeline_that_grows_stands_once(plan, store):
    student = plan.students[0]
    tracker = Tracker(plan, store)
    for number in (1, 2):
        append_event(student.directory, Event("oom", f"micro_batch {number}", "", time=float(number)))
        leave(student, [record(epoch, 0.1) for epoch in range(1, number + 1)])
        for _ in range(2):
            tracker.sync(student)
    [trial] = snapshot(MlflowTracking(store.tracking_uri))["trials"]
    assert [event["time"] for event in trial["events"]] == [1.0, 2.0]
