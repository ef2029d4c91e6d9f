import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from dashboards.schema import Snapshot
from dashboards.snapshot import MOST_METRICS, Query, as_json, snapshot, without_histories
from tests.unit.dashboards.example_store import FILE, NOW, example_snapshot, example_store
from tests.unit.dashboards.fake_tracking import AP, START, FakeTracking, taught_by
from trainers.schema.class_metrics import class_metric
from trainers.schema.record import TakenOver

SCHEMA = TypeAdapter(Snapshot)
TEXT = st.text(max_size=40)
ANY_NUMBER = st.floats(allow_nan=True, allow_infinity=True)


def taken(store: FakeTracking, **query: object) -> Snapshot:
    return snapshot(store, Query(now=START + 7200, **query))  # type: ignore[arg-type]


def conforms(found: Snapshot) -> None:
    """Check types, that all of it is JSON, and that whatever names a run names one that is there."""
    SCHEMA.validate_json(as_json(found))
    runs = {trial["run"] for trial in found["trials"]}
    for group in found["groups"]:
        assert {*group["runs"], *group["baselines"], *group["teachers"]} <= runs
    for row in found["rows"]:
        assert set(row["runs"]) <= runs
        assert len(row["mean"]) == len(found["metrics"])
    assert {trial["study"] for trial in found["trials"]} == {study["id"] for study in found["studies"]}


def test_example_conforms_and_is_what_the_code_makes():
    found = example_snapshot()
    conforms(found)
    assert json.loads(FILE.read_text(encoding="utf-8")) == json.loads(as_json(found)), f"run {FILE.stem}'s module"


@pytest.mark.parametrize("fill", [lambda store: None, lambda store: store.study("empty")])
def test_empty_store(fill):
    store = FakeTracking()
    fill(store)
    found = taken(store)
    conforms(found)
    assert found["trials"] == found["studies"] == found["rows"] == []


@given(
    name=TEXT, metric=TEXT, values=st.lists(ANY_NUMBER, max_size=5), settings=st.dictionaries(TEXT, TEXT, max_size=4),
    events=st.lists(st.dictionaries(TEXT, st.none() | TEXT | ANY_NUMBER), max_size=2),
)  # fmt: skip
def test_nothing_that_a_run_may_hold_breaks_the_snapshot(name, metric, values, settings, events):
    store = FakeTracking()
    store.foreign(name, {AP: values, metric: values}, params=settings, tags=settings, events=events, description=name)
    store.foreign(name, {}, started=None, ended=None, status="SOMETHING NEW")
    store.trial(
        "", "bckd", {AP: values}, params=settings | {"seed": name, "schedule.epochs": name, "method.alpha1": name}
    )
    conforms(taken(store))


def test_markup_stays_text():
    store = FakeTracking()
    hostile = "</script><img src=x onerror=alert(1)>"
    store.foreign(hostile, {AP: [0.1]}, params={hostile: hostile}, tags={hostile: hostile})
    [trial] = taken(store)["trials"]
    assert trial["name"] == hostile
    assert trial["tags"] == {hostile: hostile}


def test_settings_of_study_and_trial_make_up_all_settings():
    store = example_store()
    found = snapshot(store, Query(now=NOW))
    common = {study["id"]: study["params"] for study in found["studies"]}
    whole = {
        trial["run"]: {k: v for k, v in (common[trial["study"]] | trial["params"]).items() if v is not None}
        for trial in found["trials"]
    }
    assert whole == {run.run_id: dict(run.params) for run in store.runs() if run.kind != "study"}


def test_searched_settings_are_those_that_distilled_students_vary():
    store = FakeTracking()
    study = store.study("s")
    store.trial(study, "none", {AP: [0.1]}, params={"schedule.lr": "9"})
    for alpha, seed in (("1", "0"), ("2", "1")):
        store.trial(
            study, "bckd", {AP: [0.1]}, params=taught_by("0000000000aa") | {"method.alpha1": alpha, "seed": seed}
        )
    assert taken(store)["studies"][0]["searched"] == ["method.alpha1"]


def test_revision_follows_the_content_and_not_the_time():
    store = example_store()
    before = snapshot(store, Query(now=NOW))
    assert snapshot(store, Query(now=NOW + 1))["revision"] == before["revision"]
    store.foreign("new", {AP: [0.5]})
    assert snapshot(store, Query(now=NOW))["revision"] != before["revision"]


def test_named_studies_only():
    found = snapshot(example_store(), Query(now=NOW, studies=("long",)))
    assert [study["name"] for study in found["studies"]] == ["long"]
    assert len(found["trials"]) == 2


def test_ghost_of_a_trial_is_left_out():
    store = FakeTracking()
    study = store.study("s")
    real = store.trial(study, "bckd", {AP: [0.4]}, trial="0123456789ab")
    store.foreign("ghost", {}, kind="trial", parent=study, trial="0123456789ab", status="RUNNING")
    assert [trial["run"] for trial in taken(store)["trials"]] == [real]


def test_parent_of_a_nested_run_made_elsewhere_is_its_study():
    store = FakeTracking()
    parent = store.foreign("sweep", {})
    child = store.foreign("child", {AP: [0.4]}, parent=parent)
    found = taken(store)
    assert [(study["id"], study["runs"]) for study in found["studies"]] == [(parent, [child])]


def test_classes_come_from_the_best_epoch():
    store = FakeTracking()
    store.trial(store.study("s"), "bckd", {AP: [0.4, 0.3], "class_AP/dog": [0.7, 0.6], "class_AP/cat": [0.1, math.nan]})
    found = taken(store)
    assert found["trials"][0]["per_class"] == {"dog": 0.7, "cat": 0.1}
    assert found["metrics"] == [AP]


def test_classes_are_spelled_as_the_study_spells_them():
    classes = ("红", "C+", "C#", "tail.", "a/../b", "\N{FAMILY}\u200d", "long " * 80 + "1", "long " * 80 + "2")
    store = FakeTracking()
    curves = {AP: [0.4]} | {class_metric(name): [place / 10] for place, name in enumerate(classes)}
    store.trial(store.study("s"), "bckd", curves, params={"dataset.classes": json.dumps(classes)})
    assert taken(store)["trials"][0]["per_class"] == {name: place / 10 for place, name in enumerate(classes)}


def test_a_trial_says_whose_state_it_started_from():
    store = FakeTracking()
    study = store.study("s")
    first = store.trial(study, "none", {AP: [0.1, 0.2]}, trial="a" * 12)
    store.trial(study, "none", {AP: [0.1, 0.3]}, prefix=TakenOver("a" * 12, 1))
    store.trial(study, "none", {AP: [0.1, 0.4]}, prefix=TakenOver("b" * 12, 1))
    assert [trial["prefix"] for trial in taken(store)["trials"]] == [
        None, {"trial": "a" * 12, "run": first, "epochs": 1}, {"trial": "b" * 12, "run": None, "epochs": 1},
    ]  # fmt: skip


def test_a_short_study_says_how_it_orders_its_rows_beside_the_full_one():
    """Full: 1, 2, 3, 4. Short: 2, 1, 3, 4: rho is 1 - 6 * 2 / (4 * 15) = 0.8."""
    store = FakeTracking()
    full = store.study("s", run_at=START)
    short = store.study("s-short", short_of="s", run_at=START)
    alone = store.study("t-short", short_of="t", run_at=START)
    scores = {"1.0": (0.1, 0.02), "2.0": (0.2, 0.01), "3.0": (0.3, 0.03), "4.0": (0.4, 0.04)}
    for weight, (long, brief) in scores.items():
        params = {"method.alpha1": weight}
        store.trial(full, "bckd", {AP: [long]}, params=params)
        for study in (short, alone):
            store.trial(study, "bckd", {AP: [brief]}, params=params | {"schedule.epochs": "4"})
    found = {study["name"]: study["fidelity"] for study in taken(store)["studies"]}
    assert found == {"s": None, "s-short": {"study": full, "rows": 4, "correlation": 0.8}, "t-short": None}
    older = store.study("s", run_at=START - 100)
    store.trial(older, "bckd", {AP: [0.5]}, params={"method.alpha1": "9.0"})
    assert taken(store)["studies"][1]["fidelity"] == found["s-short"]


def test_too_many_metrics_are_cut_and_said():
    store = FakeTracking()
    store.foreign("wide", {AP: [0.4]} | {f"m{number:03}": [1.0] for number in range(MOST_METRICS + 5)})
    found = taken(store)
    assert len(found["metrics"]) == MOST_METRICS
    assert found["metrics"][0] == AP
    assert str(MOST_METRICS + 6) in found["notes"][0]


def test_curves_are_left_out_of_what_is_asked_for_often():
    found = example_snapshot()
    assert "histories" not in without_histories(found)
    assert set(found["histories"]["runs"]) == {trial["run"] for trial in found["trials"]}
