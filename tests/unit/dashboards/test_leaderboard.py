import statistics
from typing import Any

import pytest

from dashboards.schema import Row, Snapshot
from dashboards.snapshot import Query, snapshot
from tests.unit.dashboards.fake_tracking import AP, START, TEACHER_CONFIG, FakeTracking, taught_by

TEACHER = taught_by("0000000000aa")
POINT = {"method.alpha1": "1.0", "method.alpha2": "4.0"}


def taken(store: FakeTracking, **query: Any) -> Snapshot:
    return snapshot(store, Query(now=START + 7200, **query))


def add(store: FakeTracking, study: str, method: str, ap: float | list[float], **params: str) -> str:
    aps = ap if isinstance(ap, list) else [ap / 2, ap]
    settings = {key.replace("__", "."): value for key, value in params.items()}
    return store.trial(study, method, {AP: aps}, params=settings | (TEACHER if method != "none" else {}))


def rows_by_label(found: Snapshot) -> dict[str, Row]:
    return {row["label"]: row for row in found["rows"]}


def test_seeds_become_one_row_with_mean_sample_deviation_and_count():
    store = FakeTracking()
    study = store.study("s")
    for seed, ap in enumerate((0.40, 0.42, 0.43)):
        add(store, study, "bckd", ap, seed=str(seed))
    [row] = taken(store)["rows"]
    assert row["n"] == 3
    assert row["seeds"] == [0, 1, 2]
    assert row["mean"][0] == pytest.approx(0.41666667)
    assert row["spread"][0] == pytest.approx(0.01527525)  # by hand: squares of -1/60, 1/300 and 4/300, over 2


def test_best_epoch_and_last_epoch_are_told_apart():
    store = FakeTracking()
    add(store, store.study("s"), "bckd", [0.30, 0.45, 0.41], seed="0")
    found = taken(store)
    assert found["trials"][0]["best_epoch"] == 2
    assert (found["rows"][0]["mean"][0], found["rows"][0]["last_mean"][0]) == (0.45, 0.41)


def test_best_epoch_of_a_run_made_elsewhere_comes_from_its_curve():
    store = FakeTracking()
    store.foreign("theirs", {AP: [0.1, float("nan"), 0.3, 0.3, 0.2], "loss": [5, 4, 3, 2, 1]})
    [trial] = taken(store)["trials"]
    assert trial["best_epoch"] == 3  # of equals the first
    assert dict(zip(taken(store)["metrics"], trial["best"], strict=True)) == {AP: 0.3, "loss": 3.0}


def test_difference_to_none_is_that_of_the_same_student():
    store = FakeTracking()
    study = store.study("s")
    for student, alone, taught in (("gfl_r18_fpn", 0.35, 0.37), ("gfl_r34_fpn", 0.39, 0.38)):
        config = f"stillhouse::{student}.py"
        add(store, study, "none", alone, student__config=config, seed="0")
        add(store, study, "bckd", taught, student__config=config, seed="0")
    gains = {(row["student"], row["method"]): row["to_none"] for row in taken(store)["rows"]}
    assert gains["GFL-R18", "bckd"] == pytest.approx(0.02)
    assert gains["GFL-R34", "bckd"] == pytest.approx(-0.01)
    assert gains["GFL-R18", "none"] is None


def test_difference_to_none_needs_the_same_schedule_where_there_are_several():
    store = FakeTracking()
    study = store.study("s")
    for rate, alone, taught in (("0.01", 0.30, 0.32), ("0.02", 0.35, 0.36)):
        add(store, study, "none", alone, schedule__lr=rate, seed="0")
        add(store, study, "bckd", taught, schedule__lr=rate, seed="0")
    gains = {row["point"]: row["to_none"] for row in taken(store)["rows"] if row["method"] == "bckd"}
    assert gains == {"schedule.lr=0.01": pytest.approx(0.02), "schedule.lr=0.02": pytest.approx(0.01)}


def test_difference_to_the_paper_is_that_of_detector_method_schedule_and_teacher():
    store = FakeTracking()
    study = store.study("s")
    add(store, study, "none", 0.41, seed="0")
    add(store, study, "bckd", 0.430, seed="0")
    longer = store.study("longer")
    add(store, longer, "bckd", 0.44, seed="0", schedule__epochs="24")
    found = taken(store)
    printed = {cell["id"]: cell["values"]["AP"] for cell in found["paper"]}
    to_paper = {(row["method"], row["point"], row["group"]): row for row in found["rows"]}
    [alone, taught, long] = [
        *[r for r in found["rows"] if r["method"] == "none"],
        *[r for r in found["rows"] if r["method"] == "bckd"],
    ]
    assert len(to_paper) == 3
    assert alone["to_paper"] == pytest.approx(0.41 - 0.401)  # GFL R50 alone: 40.1
    by_paper = {row["paper"] is not None: row for row in (taught, long)}
    assert by_paper[True]["to_paper"] == pytest.approx(0.430 - 0.432)  # BCKD from R101: 43.2
    assert printed[str(by_paper[True]["paper"])] == 43.2
    assert by_paper[False]["to_paper"] is None  # nothing is printed for 24 epochs


def test_the_paper_says_nothing_about_other_data():
    store = FakeTracking()
    add(store, store.study("s"), "none", 0.41, seed="0", dataset__classes='["cat", "dog"]')
    assert taken(store)["rows"][0]["paper"] is None


def test_teacher_and_baseline_are_not_ranked_and_students_are():
    store = FakeTracking()
    study = store.study("s")
    store.trial(
        study, "none", {AP: [0.45]}, role="teacher", trial="0000000000aa", params={"student.config": TEACHER_CONFIG}
    )
    add(store, study, "none", 0.40, seed="0")
    add(store, study, "bckd", 0.39, seed="0", method__alpha1="1")
    add(store, study, "bckd", 0.42, seed="0", method__alpha1="2")
    assert [(row["kind"], row["rank"]) for row in taken(store)["rows"]] == [
        ("teacher", None), ("baseline", None), ("distilled", 1), ("distilled", 2),
    ]  # fmt: skip


def test_failed_trial_without_a_value_stays_in_its_row():
    store = FakeTracking()
    study = store.study("s")
    add(store, study, "bckd", 0.4, seed="0")
    store.trial(study, "bckd", {}, params=TEACHER | {"seed": "1"}, outcome="failed")
    [row] = taken(store)["rows"]
    assert (row["n"], len(row["runs"]), row["statuses"]) == (1, 2, {"finished": 1, "failed": 1})


def test_trial_of_two_studies_counts_once():
    store = FakeTracking()
    for name in ("one", "two"):
        study = store.study(name)
        store.trial(study, "bckd", {AP: [0.4]}, params=TEACHER | {"seed": "0"}, trial="0123456789ab")
    [row] = taken(store)["rows"]
    assert (row["n"], len(row["runs"])) == (1, 1)


def test_values_that_are_no_numbers_stay_out_of_means():
    store = FakeTracking()
    study = store.study("s")
    for seed, loss in enumerate((1.0, float("nan"), float("inf"), 3.0)):
        store.trial(study, "bckd", {AP: [0.4], "loss/x": [loss]}, params=TEACHER | {"seed": str(seed)})
    found = taken(store)
    column = found["metrics"].index("loss/x")
    [row] = found["rows"]
    assert (row["mean"][column], row["spread"][column]) == (2.0, pytest.approx(statistics.stdev([1, 3])))
    assert [trial["best"][column] for trial in found["trials"]] == [1.0, "NaN", "Infinity", 3.0]


def test_another_metric_can_select_and_rank():
    store = FakeTracking()
    study = store.study("s")
    curves = {AP: [0.4, 0.3], "voc/mAP": [0.5, 0.6]}
    store.trial(study, "bckd", curves, params=TEACHER, metrics={})
    found = taken(store, metric="voc/mAP")
    assert found["trials"][0]["best_epoch"] == 2
    assert found["rows"][0]["mean"] == [0.3, 0.6]
