"""A trial's derived values: times of all kinds, devices, best epochs that are not the last, and what nobody recorded."""

import math
from typing import Any

import pytest

from dashboards.run_record import DEVICE_HOURS, HOURS, RunRecord
from dashboards.snapshot import Query, snapshot
from orchestrator.tracking.history.recorded import Latest, RecordedRun
from tests.unit.dashboards.fake_tracking import AP, START, FakeTracking

NAN = math.nan
TIMES = {
    "time/train_s": [(1, 3600.0), (2, 7200.0), (4, 1800.0)],
    "time/load_s": [(1, 360.0), (2, NAN)],
    "time/evaluate_s": [(2, 1800.0), (4, 1800.0)],
}


def record(curves: dict[str, list[tuple[int, float]]] | None = None, metric: str = AP, **given: Any) -> RunRecord:
    run = RecordedRun("r", "e", "name", "FINISHED", **given)
    return RunRecord(run, curves or {}, "s", ("method.kind", "method.alpha1", "schedule.lr"), metric)


def test_hours_are_sums_of_training_loading_and_evaluation_epoch_by_epoch():
    found = record(TIMES).all_curves
    assert found[HOURS] == [(1, 1.1), (2, pytest.approx(3.6)), (4, pytest.approx(4.6))]
    assert found[DEVICE_HOURS] == found[HOURS]
    assert found["time/load_s"] == TIMES["time/load_s"]


def test_device_hours_count_the_devices_or_an_elastic_trials_workers():
    found = record(TIMES, devices=3)
    assert found.all_curves[DEVICE_HOURS][-1] == (4, pytest.approx(3 * 4.6))
    assert found.gpu_hours == pytest.approx(3 * 4.6)
    elastic = record(TIMES | {"workers": [(1, 2.0), (2, 1.0)]}, devices=3)
    assert elastic.all_curves[DEVICE_HOURS] == [(1, 2.2), (2, pytest.approx(4.7)), (4, pytest.approx(4.7))]
    assert elastic.gpu_hours == pytest.approx(4.7)


def test_a_trial_without_times_took_from_its_start_to_its_end():
    found = record(started=START, ended=START + 7200, devices=2)
    assert (found.seconds, found.gpu_hours, found.all_curves) == (7200.0, 4.0, {})
    assert record(started=START, ended=START - 1).seconds == 0.0
    assert record(started=START).seconds is None
    assert record(started=START).gpu_hours is None
    assert record(ended=START).seconds is None


def test_the_time_of_an_epoch_is_that_of_all_its_parts():
    assert record(TIMES).epoch_s == pytest.approx(4.6 * 3600 / 3)
    assert record({"time/evaluate_s": [(1, 5.0)]}).epoch_s is None


CURVES = {AP: [(1, 0.3), (2, 0.5), (3, 0.5), (4, NAN), (5, 0.4)], "loss/total": [(1, 3.0), (2, 2.0), (5, 1.0)]}


def test_the_best_epoch_is_the_earliest_of_the_best_and_every_metric_is_that_epochs():
    found = record(CURVES)
    assert found.best_epoch == 2
    assert found.best == {AP: 0.5, "loss/total": 2.0}
    by_loss = record(CURVES, metric="loss/total")
    assert (by_loss.best_epoch, by_loss.best) == (5, {AP: 0.4, "loss/total": 1.0})
    assert record({AP: [(1, NAN)]}).best_epoch is None
    assert record({AP: [(1, NAN)]}).best == {}


def test_a_recorded_best_epoch_goes_before_the_curves():
    metrics = {
        "best/epoch": Latest(4.0, 5, START),
        f"best/{AP}": Latest(0.7, 5, START),
        "best/loss/total": Latest(9.0, 5, START),
    }
    found = record(CURVES, metrics=metrics)
    assert (found.best_epoch, found.best) == (4, {AP: 0.7, "loss/total": 9.0})
    assert record(CURVES, metrics={"best/epoch": Latest(NAN, 5, START)}).best_epoch == 2


def test_the_last_values_leave_out_what_is_no_metric_of_a_trial():
    keys = [AP, "loss/total", "best/x", "test/x", "class_AP/a", "cost/macs", "system/cpu", "epoch"]
    found = record(metrics={key: Latest(float(place), place, START + place) for place, key in enumerate(keys)})
    assert found.last == {AP: 0.0, "loss/total": 1.0}
    assert found.epoch == 7
    assert found.heard == START + 7
    assert record(metrics={AP: Latest(0.5, 9, START), "best/x": Latest(0.1, 99, START)}).epoch == 9
    assert (record().epoch, record(started=START).heard) == (None, START)


def test_ap_by_class_is_the_best_epochs_and_the_last_ones_where_that_was_not_recorded():
    metrics = {"class_AP/cat": 0.1, "best/class_AP/cat": 0.4, "class_AP/dog": 0.2}
    found = record(metrics={key: Latest(value, 1, START) for key, value in metrics.items()})
    assert found.per_class == {"cat": 0.4, "dog": 0.2}


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"seed": "12", "schedule.epochs": "24"}, (12, 24)),
        ({"seed": "0", "schedule.epochs": "99999999"}, (0, 99_999_999)),
        ({"seed": "-1", "schedule.epochs": "999999999"}, (None, None)),
        ({"seed": "9" * 15, "schedule.epochs": "1.5"}, (int("9" * 15), None)),
        ({"seed": "9" * 16}, (None, None)),
        ({}, (None, None)),
    ],
)
def test_numbers_in_settings_are_read_where_they_are_numbers(params, expected):
    found = record(params=params)
    assert (found.seed, found.epochs) == expected


def test_a_point_is_what_its_study_recorded_or_its_searched_settings():
    params = {"method.kind": "bckd", "method.alpha1": "2", "schedule.lr": "0.1"}
    assert record(params=params).point == "alpha1=2 schedule.lr=0.1"
    assert record(params=params, point="as recorded", parent="s").point == "as recorded"
    assert record(params=params, point="as recorded", parent="other").point == "alpha1=2 schedule.lr=0.1"
    assert record(params=params, method="bckd").name == "bckd alpha1=2 schedule.lr=0.1"
    assert record(params={"method.kind": "ld"}).name == "ld"


@pytest.mark.parametrize(
    ("given", "finished"),
    [
        ({"outcome": "finished", "status": "RUNNING"}, True),
        ({"outcome": "failed", "status": "FINISHED"}, False),
        ({"status": "FINISHED"}, True),
        ({"status": "FAILED"}, False),
        ({"status": "FINISHED", "kind": "trial"}, False),
    ],
)
def test_a_trial_has_finished_as_it_says_and_a_foreign_run_as_mlflow_says(given, finished):
    run = RecordedRun(**{"run_id": "r", "experiment": "e", "name": "n", **given})
    assert RunRecord(run, {}, "s", (), AP).is_finished is finished


def test_classes_are_a_list_of_names_or_unknown():
    for text, names in (('["a", "b", 1]', ("a", "b")), ("coco", ()), ('{"a": 1}', ()), ("", ())):
        assert record(params={"dataset.classes": text}).classes == names


def test_the_metric_of_the_page_is_that_of_all_present_studies():
    store = FakeTracking()
    for seconds, metric in ((0.0, "coco/bbox_mAP_50"), (60.0, "coco/bbox_mAP_75")):
        study = store.study("s", run_at=START + seconds, metric=metric)
        store.trial(study, "bckd", {AP: [0.1], "coco/bbox_mAP_75": [0.2], "coco/bbox_mAP_50": [0.3]})
    assert snapshot(store, Query(now=START))["metric"] == "coco/bbox_mAP_75", "the other one is an older version"
    other = store.study("other", run_at=START, metric="coco/bbox_mAP_50")
    store.trial(other, "bckd", {AP: [0.1], "coco/bbox_mAP_50": [0.3]})
    assert snapshot(store, Query(now=START))["metric"] == AP
