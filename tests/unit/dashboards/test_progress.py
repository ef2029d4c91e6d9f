import pytest

from dashboards.schema import Snapshot
from dashboards.snapshot import Query, snapshot
from orchestrator.tracking.history.recorded import Latest
from tests.unit.dashboards.fake_tracking import AP, START, FakeTracking, taught_by

TEACHER = taught_by("0000000000aa")


def running(store: FakeTracking, study: str, epochs: int, heard: float, seed: int = 0, role: str = "student") -> None:
    """Add a trial that has made some of its 12 epochs at 100 s each, and was last heard of at ``heard``."""
    curves = {AP: [0.1] * epochs, "time/train_s": [90.0] * epochs, "time/evaluate_s": [10.0] * epochs}
    metrics = {key: Latest(values[-1], epochs, heard) for key, values in curves.items()}
    store.trial(study, "bckd", curves, params=TEACHER | {"seed": str(seed)}, outcome="", metrics=metrics, role=role)


def at(store: FakeTracking, now: float) -> Snapshot:
    return snapshot(store, Query(now=now))


@pytest.mark.parametrize(("silent_s", "status"), [(0, "running"), (599, "running"), (601, "unfinished")])
def test_a_silent_trial_is_not_running(silent_s, status):
    store = FakeTracking()
    running(store, store.study("s"), 3, START)
    assert at(store, START + silent_s)["trials"][0]["status"] == status  # 300 s and three epochs of 100 s


@pytest.mark.parametrize(
    ("mlflow", "status"),
    [("FINISHED", "finished"), ("FAILED", "failed"), ("KILLED", "stopped"), ("RUNNING", "unfinished")],
)
def test_status_of_a_run_made_elsewhere_is_mlflows(mlflow, status):
    store = FakeTracking()
    store.foreign("run", {AP: [0.1]}, status=mlflow)
    assert at(store, START + 1e6)["trials"][0]["status"] == status


def test_time_left_is_that_of_the_longest_running_trial_at_least():
    store = FakeTracking()
    study = store.study("s")
    running(store, study, 2, START, seed=0)
    running(store, study, 11, START, seed=1)
    assert at(store, START)["studies"][0]["eta_s"] == 1000.0


def test_time_left_counts_trials_to_come_and_shares_them():
    store = FakeTracking()
    study = store.study("s", planned=6)
    running(store, study, 2, START, seed=0)
    running(store, study, 4, START, seed=1)
    # 10 and 8 epochs left, four trials of 12 to come, 100 s each, two at a time.
    assert at(store, START)["studies"][0]["eta_s"] == pytest.approx((10 + 8 + 48) * 100 / 2)


def test_time_left_is_known_from_the_teachers_epochs_before_a_student_begins():
    store = FakeTracking()
    study = store.study("s", planned=3)
    running(store, study, 2, START, role="teacher")
    # 10 epochs of the teacher left and two students to come, 12 epochs of 100 s each, one at a time.
    assert at(store, START)["studies"][0]["eta_s"] == pytest.approx((10 + 24) * 100)


def test_no_time_left_where_nothing_runs_or_nothing_was_timed():
    store = FakeTracking()
    running(store, store.study("silent"), 2, START)
    store.trial(store.study("untimed"), "bckd", {AP: [0.1]}, params=TEACHER, outcome="")
    assert [study["eta_s"] for study in at(store, START + 5000)["studies"]] == [None, None]
    assert [study["eta_s"] for study in at(store, START)["studies"]] == [1000.0, None]


def test_timeline_holds_recorded_events_and_the_end():
    store = FakeTracking()
    events = [{"time": START, "kind": "oom", "action": "micro_batch 2", "detail": "out of memory", "attempt": 1}, {}]
    given = {"outcome": "failed", "reason": "loss is not finite", "events": events}
    store.trial(store.study("s"), "bckd", {AP: [0.1]}, params=TEACHER, **given)
    assert at(store, START + 9000)["trials"][0]["events"] == [
        {"time": START, "kind": "oom", "action": "micro_batch 2", "detail": "out of memory", "failure": True},
        {"time": None, "kind": "", "action": "", "detail": "", "failure": True},
        {"time": START + 3600, "kind": "failed", "action": "ended", "detail": "loss is not finite", "failure": True},
    ]
