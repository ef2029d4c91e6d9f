import pytest

from dashboards.schema import Snapshot
from dashboards.snapshot import Query, snapshot
from tests.unit.dashboards.fake_tracking import AP, START, FakeTracking, taught_by

TEACHER = taught_by("0000000000aa")
CURVES = {AP: [0.4]}


def taken(store: FakeTracking) -> Snapshot:
    return snapshot(store, Query(now=START + 7200))


def pair(**other: str) -> FakeTracking:
    """Return two studies of one trial each that differ in these settings (``__`` for dots)."""
    store = FakeTracking()
    changed = {key.replace("__", "."): value for key, value in other.items()}
    for name, settings in (("one", {}), ("two", changed)):
        store.trial(store.study(name), "bckd", CURVES, params=TEACHER | settings)
    return store


@pytest.mark.parametrize(
    ("fact", "key", "value"),
    [
        ("data", "dataset.flip", "0.0"),
        ("evaluation", "dataset.val.annotations", "annotations/mini.json"),
        ("schedule", "schedule.epochs", "24"),
        ("schedule", "schedule.lr", "0.02"),
        ("batch", "schedule.batch_size", "8"),
        ("teacher", "teacher.weights.path", "/store/trials/0000000000bb/best.pth"),
    ],
)
def test_one_difference_keeps_runs_apart_and_is_named(fact, key, value):
    found = taken(pair(**{key: value}))
    assert len(found["groups"]) == 2
    [difference] = found["differences"]
    assert fact in difference["facts"]
    [sentence] = [text for name, text in zip(difference["facts"], difference["sentences"], strict=True) if name == fact]
    named = "teacher.weights" if fact == "teacher" else key  # the trial, wherever its weights lie
    assert f"{named} " in sentence
    assert "against" in sentence


def test_other_data_under_the_same_settings_keeps_runs_apart():
    store = FakeTracking()
    for name, digest in (("one", "a" * 64), ("two", "b" * 64)):
        store.trial(store.study(name), "bckd", CURVES, params=TEACHER, data=digest)
    [difference] = taken(store)["differences"]
    assert difference["facts"] == ["data"]
    assert "digest" in difference["sentences"][0]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dataset.root", "/elsewhere/coco"),
        ("dataset.evaluator", "pycocotools"),
        ("dataset.exif", "auto"),  # which earlier releases did not record
        ("dataset.bit_depth", "null"),
        ("method.alpha1", "2.0"),
        ("seed", "7"),
        ("teacher.weights.path", "/other/store/trials/0000000000aa/best.pth"),
    ],
)
def test_places_methods_and_seeds_do_not_keep_runs_apart(key, value):
    found = taken(pair(**{key: value}))
    assert [len(group["runs"]) for group in found["groups"]] == [2]
    assert found["differences"] == []


def test_searching_the_learning_rate_does_not_split_a_study():
    store = FakeTracking()
    study = store.study("s")
    for rate in ("0.01", "0.02"):
        store.trial(study, "bckd", CURVES, params=TEACHER | {"schedule.lr": rate})
    assert len(taken(store)["groups"]) == 1


def test_searching_the_length_does():
    store = FakeTracking()
    study = store.study("s")
    for epochs in ("12", "24"):
        store.trial(study, "bckd", CURVES, params=TEACHER | {"schedule.epochs": epochs})
    assert len(taken(store)["groups"]) == 2


def test_baseline_stands_beside_the_students_of_every_teacher():
    store = FakeTracking()
    study = store.study("s")
    alone = store.trial(study, "none", CURVES)
    for teacher in ("0000000000aa", "0000000000bb"):
        store.trial(study, "bckd", CURVES, params=taught_by(teacher))
    assert [group["baselines"] for group in taken(store)["groups"]] == [[alone], [alone]]


def test_baseline_without_students_has_a_group_of_its_own():
    store = FakeTracking()
    alone = store.trial(store.study("s"), "none", CURVES)
    [group] = taken(store)["groups"]
    assert (group["runs"], group["baselines"], group["facts"]["teacher"]) == ([], [alone], "no teacher")


def test_teacher_is_found_by_the_place_of_its_weights():
    store = FakeTracking()
    study = store.study("s")
    teacher = store.trial(study, "none", CURVES, role="teacher", trial="0000000000aa")
    student = store.trial(study, "bckd", CURVES, params=TEACHER)
    found = taken(store)
    assert found["groups"][0]["teachers"] == [teacher]
    assert {trial["run"]: trial["teacher_run"] for trial in found["trials"]}[student] == teacher


def test_unrecorded_facts_are_shared_within_an_experiment_only():
    store = FakeTracking()
    for experiment in ("lab-a", "lab-a", "lab-b"):
        store.foreign("run", CURVES, experiment=experiment, params={"lr": "0.1"})
    found = taken(store)
    assert sorted(len(group["runs"]) for group in found["groups"]) == [1, 2]
    assert set(found["groups"][0]["facts"].values()) == {"not recorded"}
    assert all("not recorded in lab-a and lab-b" in sentence for sentence in found["differences"][0]["sentences"])


def test_many_groups_are_compared_with_the_largest_one():
    store = FakeTracking()
    for number in range(30):
        for _ in range(2 if number == 5 else 1):
            store.foreign("run", CURVES, experiment=f"lab-{number}")
    found = taken(store)
    assert len(found["differences"]) == 29
    assert {difference["a"] for difference in found["differences"]} == {found["groups"][0]["id"]}
    assert len(found["groups"][0]["runs"]) == 2
