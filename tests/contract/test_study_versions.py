"""A study that is edited stays whole in MLflow and in the pages: its trials belong to every version that has them."""

import urllib.parse
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from dashboards.schema import Snapshot
from dashboards.snapshot import Query, snapshot
from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.tracking.flusher import Flusher
from orchestrator.tracking.history.mlflow_tracking import MlflowTracking
from orchestrator.tracking.notes import study_note
from orchestrator.tracking.tracker import Tracker
from tests.contract.test_tracking import (  # noqa: F401  fixtures among them
    SMALL,
    client,
    finish,
    migrated,
    plan,
    record,
    store,
    sync,
)
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID

MORE, FEWER = "search.space.method.alpha2=[4.0, 8.0]", "search.seeds=[1]"
SEEDS = "search.seeds=[0, 1, 2]"


def edited(tmp_path: Path, store: Store, *sets: str) -> Plan:  # noqa: F811
    """Return the study with changes; its trials are those of the first version where nothing was changed."""
    return plan_text(tmp_path, VALID, *SMALL, *sets, store=store.root)


def delivered(plan: Plan, store: Store) -> str:  # noqa: F811
    """Finish and deliver a study as `run` and `sync` do, and return the id of its run."""
    for number, trial in enumerate(plan.trials):
        if not trial.directory.exists():
            finish(trial, 0.1 + number / 50)
    tracker = Tracker(plan, store)
    assert Flusher(tracker, plan.trials).close().complete
    return tracker.study_run


def linked(client: MlflowClient, study_run: str) -> set[str]:  # noqa: F811
    """Return the trials that MLflow shows behind "all trials" of a study's description."""
    run = client.get_run(study_run)
    address = run.data.tags["mlflow.note.content"].partition("[all trials](")[2].partition(")")[0]
    wanted = urllib.parse.parse_qs(address.partition("?")[2])["searchFilter"][0]
    return {found.data.tags["stillhouse.trial"] for found in client.search_runs([run.info.experiment_id], wanted)}


def nested(client: MlflowClient, study_run: str) -> set[str]:  # noqa: F811
    """Return the trials that MLflow's pages show below a study's run."""
    experiment = client.get_run(study_run).info.experiment_id
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{study_run}'")
    return {found.data.tags["stillhouse.trial"] for found in children}


def ids(plan: Plan) -> set[str]:  # noqa: F811
    return {trial.id for trial in plan.trials}


def pages(store: Store) -> Snapshot:  # noqa: F811
    return snapshot(MlflowTracking(store.tracking_uri), Query(now=record(1, 0).wall_time + 10))


def shown(part: Any) -> set[str]:
    """Return the ids of the trials in a snapshot, or in an older version."""
    return {trial["id"] for trial in part["trials"]}


@pytest.mark.parametrize("change", [MORE, FEWER, SEEDS])
def test_every_version_of_a_study_has_all_of_its_trials(plan, store, client, tmp_path, change):  # noqa: F811
    first = delivered(plan, store)
    other = edited(tmp_path, store, change)
    second = delivered(other, store)
    assert second != first
    assert client.get_run(second).data.tags["stillhouse.planned"] == str(len(other.trials))
    assert linked(client, second) == nested(client, second) == ids(other)
    assert linked(client, first) == ids(plan)
    found = pages(store)
    [study], [older] = found["studies"], found["older"]
    assert (study["id"], study["planned"], len(study["runs"])) == (second, len(other.trials), len(other.trials))
    assert study["counts"] == {"finished": len(other.trials)}
    assert shown(found) == ids(other)
    assert {trial["study"] for trial in found["trials"]} == {second}
    assert (older["study"]["id"], older["study"]["counts"]) == (first, {"finished": len(plan.trials)})
    assert shown(older) == ids(plan)
    seeds = {row["method"]: row["n"] for row in older["rows"]}
    assert seeds == {"none": 2, "bckd": 2}, "an older version is not mixed with the trials of another"


def test_the_version_that_was_run_last_is_shown_although_it_is_older(plan, store, client, tmp_path):  # noqa: F811
    first = delivered(plan, store)
    second = delivered(edited(tmp_path, store, MORE), store)
    assert delivered(plan, store) == first
    found = pages(store)
    assert [study["id"] for study in found["studies"]] == [first]
    assert [version["study"]["id"] for version in found["older"]] == [second]
    assert nested(client, first) == ids(plan)


def test_a_database_of_an_earlier_release_is_completed_by_the_next_run(plan, store, client, tmp_path):  # noqa: F811
    """Earlier releases wrote the first study's fingerprint and parent, and nothing of further studies."""
    first = delivered(plan, store)
    for run in client.search_runs([client.get_run(first).info.experiment_id]):
        for tag in run.data.tags:
            if tag.startswith(("stillhouse.in.", "stillhouse.run_at")):
                client.delete_tag(run.info.run_id, tag)
    before = pages(store)
    assert [study["counts"] for study in before["studies"]] == [{"finished": len(plan.trials)}]
    other = edited(tmp_path, store, FEWER)
    second = delivered(other, store)
    assert linked(client, second) == nested(client, second) == ids(other)
    found = pages(store)
    assert [study["id"] for study in found["studies"]] == [second]
    assert [shown(version) for version in found["older"]] == [ids(plan)]


def test_a_trial_belongs_to_the_new_version_as_soon_as_that_begins(plan, store, client, tmp_path):  # noqa: F811
    """Not at the end only: a search of days would show a part of itself."""
    delivered(plan, store)
    other = edited(tmp_path, store, MORE)
    tracker = Tracker(other, store)
    flusher = Flusher(tracker, other.trials)
    flusher.begin()
    while linked_now(client, other) != ids(plan):
        flusher._thread.join(0.05)
    assert flusher._thread.is_alive()
    flusher.close()


def linked_now(client: MlflowClient, plan: Plan) -> set[str]:  # noqa: F811
    experiment = client.get_experiment_by_name("demo").experiment_id
    runs = client.search_runs([experiment], f"tags.`stillhouse.in.{plan.fingerprint[:12]}` = 'yes'")
    return {run.data.tags["stillhouse.trial"] for run in runs}


def test_two_versions_that_run_at_once_both_keep_their_trials(plan, store, client, tmp_path):  # noqa: F811
    other = edited(tmp_path, store, SEEDS)
    for trial in other.trials:
        finish(trial, 0.1)
    trackers = [Tracker(plan, store), Tracker(other, store)]
    for trial in plan.trials:  # each has read the run before the other writes to it
        for tracker in trackers:
            tracker.run_id(trial)
    for tracker, own in zip(trackers, (plan, other), strict=True):
        for trial in own.trials:
            tracker.sync(trial)
        tracker.finish()
    for tracker, own in zip(trackers, (plan, other), strict=True):
        assert linked(client, tracker.study_run) == ids(own)


def test_parts_of_one_reproduction_do_not_hide_each_other(plan, store, tmp_path):  # noqa: F811
    parts = [
        replace(plan, teachers=(), students=(student,), fingerprint=student.id, part=True)
        for student in plan.students[:2]
    ]
    runs = {delivered(part, store) for part in parts}
    found = pages(store)
    assert {study["id"] for study in found["studies"]} == runs
    assert found["older"] == []


def test_a_link_does_not_grow_with_the_trials():
    notes = [study_note("about", "1", "f" * 64, [f"{number:032x}" for number in range(n)], "page") for n in (50, 1000)]
    assert notes[0] == notes[1]
    assert "all trials" in notes[0]
