"""A search begins with what comparable trials have found out, as MLflow holds it, and with nothing else."""

import json
from pathlib import Path

import pytest

from orchestrator.core.errors import OperationError
from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.search.suggestions import Suggestions
from orchestrator.tracking.client import open_client
from orchestrator.tracking.priors import read_priors
from orchestrator.tracking.tracker import Tracker
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID
from trainers.schema.record import HISTORY, SELECTION_METRIC, Outcome, Record, to_lines, write_outcome

SPACE = "search.space={method.alpha2: {uniform: [0.0, 8.0]}}"


def earlier(store: Store, scores: dict[float, float], *sets: str) -> None:
    """Leave the trials of an earlier study in the experiment ``demo``: an AP for each alpha2, more by 0.1 for seed 1."""
    plan = plan_text(store.root.parent, VALID, "scaling.workers=1", *sets, store=store.root)
    tracker = Tracker(plan, store)
    part = plan.planner.at({"method.alpha2": 5.0}, 0, (0, 6))  # the beginning of a training is none
    plan.suggested.append(part)
    for trial in (*plan.students, part):
        score = scores.get(float(str(trial.params.get("method.alpha2", 0.0))))
        trial.directory.mkdir(parents=True, exist_ok=True)
        if score is not None:
            metrics = {SELECTION_METRIC: score + 0.1 * trial.spec.seed}
            (trial.directory / HISTORY).write_text(to_lines([Record(12, 12, metrics, final=True)]))
            write_outcome(trial.directory, Outcome("finished"))
        tracker.sync(trial)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Hold comparable trials, one that did not finish, and trials that differ in more than the point."""
    store = Store(tmp_path_factory.mktemp("earlier") / "store")
    store.prepare()
    earlier(store, {2.0: 0.3, 5.0: 0.9}, "search.space.method.alpha2=[2.0, 4.0]")
    earlier(store, {3.0: 0.9}, "search.space.method.alpha2=[3.0]", "method.alpha1=0.5")
    earlier(store, {3.0: 0.9}, "search.space.method.alpha2=[3.0]", "dataset.seed=1")
    earlier(store, {3.0: 0.9}, "search.space.method.alpha2=[3.0]", "teacher.seed=1")
    earlier(store, {3.0: 0.9}, "search.space.method.alpha2=[3.0]", "schedule.lr=0.02")
    return store


def searching(folder: Path, store: Store, experiment: str) -> Plan:
    """Plan a search in a store of its own, over there in the same MLflow."""
    sets = ("name=later", "search.algorithm=optuna", "search.samples=5", SPACE, f"search.warm_start={experiment}")
    return plan_text(folder, VALID, "scaling.workers=1", f"tracking.uri={store.tracking_uri}", *sets)


def test_only_comparable_finished_points_count_with_their_mean_over_seeds(store: Store, tmp_path: Path) -> None:
    plan = searching(tmp_path, store, "demo")
    assert read_priors(plan, open_client(plan, store)) == [({"method.alpha2": 2.0}, (pytest.approx(0.35),))]


def test_what_was_learnt_is_on_disk_and_learnt_once(store: Store, tmp_path: Path) -> None:
    plan = searching(tmp_path, store, "demo")
    suggestions = Suggestions(plan)
    assert suggestions.is_fresh
    suggestions.add_priors(read_priors(plan, open_client(plan, store)))
    assert not Suggestions(searching(tmp_path, store, "demo")).is_fresh
    [line] = plan.search_log.read_text().splitlines()
    assert json.loads(line)["params"] == {"method.alpha2": 2.0}


def test_an_experiment_that_is_not_there_is_named(store: Store, tmp_path: Path) -> None:
    plan = searching(tmp_path, store, "nowhere")
    with pytest.raises(OperationError, match=r"search.warm_start: .* no experiment nowhere"):
        read_priors(plan, open_client(plan, store))


def test_a_deleted_experiment_is_not_taken_for_an_empty_one(store: Store, tmp_path: Path) -> None:
    plan = searching(tmp_path, store, "gone")
    client = open_client(plan, store)
    client.delete_experiment(client.create_experiment("gone"))
    with pytest.raises(OperationError, match=r"search.warm_start: experiment gone is deleted in MLflow: .*restore"):
        read_priors(plan, client)
