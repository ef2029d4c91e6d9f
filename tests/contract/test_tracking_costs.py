"""Costs of detectors reach MLflow once, beside results, and are read back where the store lacks them."""

import shutil
from pathlib import Path

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.results.summary import summary_json
from orchestrator.tracking.client import open_client
from orchestrator.tracking.results import read_results
from orchestrator.tracking.runs import find_runs
from orchestrator.tracking.tags import COST
from orchestrator.tracking.tracker import Tracker
from tests.unit.orchestrator.costs_on_paper import MILLION, measuring_on_paper
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID
from trainers.schema.atomic import write_text
from trainers.schema.record import HISTORY, SELECTION_METRIC, Outcome, Record, to_lines, write_outcome

SETS = ("scaling.workers=1", "search.seeds=[0]", "search.space.method.alpha2=[4.0]")


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A study whose trials are finished, and whose detectors can be measured on paper."""
    measuring_on_paper(monkeypatch, tmp_path / "cache")
    plan = plan_text(tmp_path, VALID, *SETS)
    for trial in plan.trials:
        trial.directory.mkdir(parents=True)
        write_text(trial.directory / HISTORY, to_lines([Record(1, 10, {SELECTION_METRIC: 0.25}, {})]))
        write_outcome(trial.directory, Outcome("finished"))
    return plan


def deliver(plan: Plan, folder: Path) -> MlflowClient:
    """Bring MLflow up to date as a new process would."""
    tracker = Tracker(plan, Store(folder / "store"))
    for trial in plan.trials:
        tracker.sync(trial)
    tracker.finish()
    return open_client(plan, Store(folder / "store"))


def runs_of(plan: Plan, client: MlflowClient) -> list[Run]:
    found = find_runs(client, [trial.id for trial in plan.trials])
    return [found[trial.id] for trial in plan.trials]


def test_costs_are_metrics_to_sort_by_and_a_tag_with_all_of_them(finished: Plan, tmp_path: Path) -> None:
    assert all(COST not in run.data.tags for run in runs_of(finished, deliver(finished, tmp_path)))
    forms = [trial.spec.student for trial in finished.trials]
    finished.planner.costs.measure(forms, latency=True)
    for _ in range(2):
        client = deliver(finished, tmp_path)
    teacher, *students = runs_of(finished, client)
    assert teacher.data.metrics["cost/parameters"] == 2.5 * MILLION  # width 0.5
    assert [run.data.metrics["cost/parameters"] for run in students] == [10 * MILLION] * 2
    assert [run.data.metrics["cost/latency_ms"] for run in students] == [50.0] * 2
    assert len(client.get_metric_history(teacher.info.run_id, "cost/macs")) == 1
    assert "A CPU on paper" in teacher.data.tags[COST]


def test_a_store_without_costs_reads_them_from_mlflow(
    finished: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished.planner.costs.measure([trial.spec.student for trial in finished.trials], latency=True)
    client = deliver(finished, tmp_path)
    shutil.rmtree(tmp_path / "cache")  # as on another machine
    elsewhere = plan_text(tmp_path, VALID, *SETS)
    results = read_results(elsewhere, client)
    assert [result.cost and result.cost.parameters for result in results] == [2.5 * MILLION, 10 * MILLION, 10 * MILLION]
    assert summary_json(results) == summary_json(read_results(finished, client))


def test_a_tag_that_is_no_cost_counts_as_none(finished: Plan, tmp_path: Path) -> None:
    client = deliver(finished, tmp_path)
    for run in runs_of(finished, client):
        client.set_tag(run.info.run_id, COST, '{"parameters": "<script>"}')
    assert [result.cost for result in read_results(finished, client)] == [None] * 3
