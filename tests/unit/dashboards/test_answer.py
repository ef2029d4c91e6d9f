"""The first question about a study: did distillation help, how sure is it, and what comes next."""

import pytest

from dashboards.schema import Answer, Snapshot, SnapshotStudy
from dashboards.snapshot import Query, snapshot
from orchestrator.tracking.history.recorded import Latest
from tests.unit.dashboards.fake_tracking import AP, START, TEACHER_CONFIG, FakeTracking, taught_by

TEACHER = "0000000000aa"
NOW = START + 7200


def taken(store: FakeTracking) -> Snapshot:
    return snapshot(store, Query(now=NOW))


def only_study(store: FakeTracking) -> SnapshotStudy:
    [study] = taken(store)["studies"]
    return study


def answered(store: FakeTracking) -> Answer:
    answer = only_study(store)["answer"]
    assert answer is not None
    return answer


def taught(alone: list[float], distilled: dict[str, list[float]], teacher: float | None = None) -> FakeTracking:
    """Return a store of one study: students alone, distilled ones by alpha1, and a teacher if it has an AP."""
    store = FakeTracking()
    study = store.study("s", planned=12)
    if teacher is not None:
        params = {"student.config": TEACHER_CONFIG, "seed": "0"}
        store.trial(study, "none", {AP: [teacher]}, role="teacher", trial=TEACHER, params=params)
    for seed, score in enumerate(alone):
        store.trial(study, "none", {AP: [score]}, params={"seed": str(seed)})
    for alpha, scores in distilled.items():
        for seed, score in enumerate(scores):
            params = {"method.alpha1": alpha, "seed": str(seed)} | taught_by(TEACHER)
            store.trial(study, "bckd", {AP: [score]}, params=params)
    return store


def test_answer_is_the_gain_of_the_best_row_with_its_interval_seeds_and_share_of_the_gap():
    found = answered(taught([0.30, 0.32], {"1": [0.38, 0.40], "2": [0.35, 0.36]}, teacher=0.47))

    assert (found["mean"], found["none"], found["teacher"]) == pytest.approx((0.39, 0.31, 0.47))
    assert found["gain"] == pytest.approx(0.08)
    assert found["gap_closed"] == pytest.approx(0.08 / 0.16)
    assert (found["seeds"], found["none_seeds"], found["kind"]) == (2, 2, "distilled")
    # Variances 2e-4, 2e-4 and 0.5e-4 pool to 1.5e-4 with three degrees of freedom; t is 3.1824, n is 2 on both sides.
    half = 3.182446 * (1.5e-4) ** 0.5
    assert found["gain_interval"] == pytest.approx([0.08 - half, 0.08 + half], rel=1e-5)
    assert found["sentence"].startswith("+8.0 AP over none (2 seeds each), 95 % interval +4.1 to +11.9")


def test_answer_names_the_row_of_the_leaderboard_and_its_interval():
    found = taken(taught([0.30, 0.32], {"1": [0.38, 0.40]}))
    answer = found["studies"][0]["answer"]
    assert answer is not None
    [row] = [row for row in found["rows"] if row["key"] == answer["row"]]
    assert row["counted"] == answer["runs"]
    assert (row["to_none"], row["gain_interval"]) == (answer["gain"], answer["gain_interval"])


def test_one_seed_is_a_gain_without_an_interval_that_says_so():
    found = answered(taught([0.30], {"1": [0.38]}))
    assert found["gain_interval"] == []
    assert "one seed says nothing" in found["sentence"]


def test_a_best_student_that_was_trained_alone_is_no_gain():
    found = answered(taught([0.40, 0.41], {"1": [0.38, 0.37]}, teacher=0.5))
    assert (found["kind"], found["gain"], found["gap_closed"]) == ("baseline", None, None)
    assert found["sentence"].startswith("none; the best student is one trained alone")


@pytest.mark.parametrize("teacher", [None, 0.30, 0.25])
def test_a_teacher_without_a_lead_leaves_no_gap_to_close(teacher):
    assert answered(taught([0.30], {"1": [0.38]}, teacher=teacher))["gap_closed"] is None


def test_no_answer_before_a_student_counts():
    store = taught([], {}, teacher=0.5)
    assert only_study(store)["answer"] is None
    assert only_study(store)["spark"] == [0.5]


def test_hours_are_of_gpus_only_where_all_trials_say_so():
    for kinds, wanted in (((True, True), True), ((False, False), False), ((True, False), None), ((True, None), None)):
        store = FakeTracking()
        study = store.study("s")
        for seed, on_gpu in enumerate(kinds):
            store.trial(study, "none", {AP: [0.1]}, params={"seed": str(seed)}, on_gpu=on_gpu)
        assert only_study(store)["on_gpu"] is wanted


def test_hours_so_far_are_curves_that_end_in_the_trials_hours():
    store = FakeTracking()
    curves = {AP: [0.3, 0.4], "time/train_s": [1700.0, 3400.0], "time/evaluate_s": [100.0, 200.0]}
    store.trial(store.study("s"), "none", curves, devices=8)
    found = taken(store)
    [trial] = found["trials"]
    lines = {found["metrics"][metric]: values for metric, _, values in found["histories"]["runs"][trial["run"]]}
    assert lines["time/hours"] == [0.5, 1.5]
    assert lines["time/device_hours"] == [4.0, trial["gpu_hours"]] == [4.0, 12.0]


def steps(store: FakeTracking) -> list[str]:
    return [step["command"].removeprefix("stillhouse ").split()[0] for step in only_study(store)["next"]]


def test_next_is_training_what_is_left_then_using_the_results():
    store = taught([0.3], {"1": [0.4]})
    assert steps(store) == ["run", "export", "predict", "report"]


def test_next_is_trying_a_failed_trial_again():
    store = FakeTracking()
    study = store.study("s", planned=1)
    store.trial(study, "bckd", {AP: [0.1]}, params=taught_by(TEACHER), outcome="failed")
    assert steps(store) == ["retry"]
    [step] = only_study(store)["next"]
    assert taken(store)["trials"][0]["id"] in step["command"]


def test_next_starts_nothing_while_something_runs():
    store = FakeTracking()
    study = store.study("s", planned=3)
    recent = {AP: Latest(0.1, 1, NOW - 10)}
    store.trial(study, "bckd", {AP: [0.1]}, params=taught_by(TEACHER), outcome="", metrics=recent)
    assert steps(store) == ["compare"]


def test_nothing_is_next_for_runs_made_elsewhere():
    store = FakeTracking()
    store.foreign("run", {AP: [0.3]})
    assert only_study(store)["next"] == []
    assert taken(store)["trials"][0]["events"] == []


def test_an_early_stop_is_no_failure():
    store = FakeTracking()
    study = store.study("s")
    for seed, outcome in enumerate(("stopped", "failed")):
        store.trial(study, "bckd", {AP: [0.1]}, params=taught_by(TEACHER) | {"seed": str(seed)}, outcome=outcome)
    events = [event for trial in taken(store)["trials"] for event in trial["events"]]
    assert [(event["kind"], event["failure"]) for event in events] == [("stopped", False), ("failed", True)]
