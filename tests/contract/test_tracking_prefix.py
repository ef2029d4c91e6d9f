"""MLflow says of a trial which other one has made its first epochs, as its directory does."""

import shutil
from pathlib import Path

import pytest

from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.tracking.client import open_client
from orchestrator.tracking.history.mlflow_tracking import MlflowTracking
from orchestrator.tracking.results import read_results, results_on_disk
from orchestrator.tracking.tracker import Tracker
from tests.contract.test_tracking import migrated  # noqa: F401  a fixture
from tests.unit.orchestrator.plan.test_prefixes import MILESTONES, planned
from trainers.schema.record import HISTORY, Outcome, Record, TakenOver, to_lines, write_outcome


@pytest.fixture
def plan(migrated: Path, tmp_path: Path) -> Plan:  # noqa: F811
    """Return a study in whose store both trackers can write."""
    (tmp_path / "store").mkdir()
    shutil.copyfile(migrated, Store(tmp_path / "store").database)
    return planned(tmp_path, MILESTONES)


def trained(plan: Plan, *made: str | None) -> None:
    """Let the first student have an epoch for each of ``made``: who made it, ``None`` for itself."""
    directory = plan.students[0].directory
    directory.mkdir(parents=True, exist_ok=True)
    history = [Record(epoch, 10 * epoch, {"loss/total": 1.0}, trained_by=by) for epoch, by in enumerate(made, start=1)]
    (directory / HISTORY).write_text(to_lines(history))


def test_mlflow_and_directories_agree_about_who_made_the_first_epochs(plan: Plan, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    first, second = "a" * 12, "b" * 12
    for made, expected in (
        (
            (first, second, None),
            TakenOver(second, 2),
        ),  # whose state it was: the second had made an epoch after the first
        ((None, None, None, None), None),  # the state was damaged, so it was trained from the beginning
    ):
        trained(plan, *made)
        Tracker(plan, store).sync(plan.students[0])
        recorded, kept = read_results(plan, open_client(plan, store))[0], results_on_disk(plan, {})[0]
        assert recorded.prefix == kept.prefix == expected
        shown = next(run for run in MlflowTracking(store.tracking_uri).runs() if run.trial == plan.students[0].id)
        assert shown.prefix == expected
        assert kept.to_json()["prefix"] == (expected and {"trial": second, "epochs": 2})


def test_the_tag_is_there_at_the_end_as_well(plan: Plan, tmp_path: Path) -> None:
    trained(plan, "a" * 12, None)
    write_outcome(plan.students[0].directory, Outcome("finished"))
    store = Store(tmp_path / "store")
    Tracker(plan, store).sync(plan.students[0])
    assert read_results(plan, open_client(plan, store))[0].prefix == TakenOver("a" * 12, 1)
