"""Figures are drawn from the records of a study's trials, and say why where there is nothing to draw."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.reports.figures import data
from orchestrator.reports.figures.data import curves_of, predictions, training_curves
from tests.unit.orchestrator.reports.example import plan_of
from trainers.schema.record import BEST, Outcome, Record, to_lines, write_outcome

AP = "coco/bbox_mAP"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return plan_of(tmp_path)


def train(plan: Plan, status: str = "finished") -> None:
    """Leave what trials leave that were trained for two epochs: AP of 1/8 and 1/4, and 1/16 more for the second seed."""
    for trial in plan.students:
        aps = [share + trial.spec.seed / 16 for share in (0.125, 0.25)]
        records = [Record(epoch, epoch, {AP: ap}, final=epoch == 2) for epoch, ap in enumerate(aps, start=1)]
        trial.directory.mkdir(parents=True, exist_ok=True)
        (trial.directory / "history.jsonl").write_text(to_lines(records))
        (trial.directory / BEST).touch()
        write_outcome(trial.directory, Outcome(status))  # type: ignore[arg-type]


def test_curves_are_drawn_in_percent_from_the_trials_own_records(plan: Plan) -> None:
    train(plan)
    figure = training_curves(plan, Store(plan.students[0].directory.parents[1]))()
    [axes] = figure.axes
    assert (axes.get_ylabel(), figure.get_suptitle()) == ("AP (%)", "demo: AP over the epochs")
    assert [list(line.get_ydata()) for line in axes.lines] == [[15.625, 28.125]] * len(axes.lines)
    assert len(axes.lines) == 2


def test_a_study_without_a_finished_student_has_no_curves(plan: Plan) -> None:
    train(plan, "failed")
    store = Store(plan.students[0].directory.parents[1])
    with pytest.raises(OperationError):
        training_curves(plan, store)
    assert curves_of(plan, store).keys() == {trial.id for trial in plan.students}


def test_a_study_that_was_never_run_says_so(plan: Plan, store: Store) -> None:
    with pytest.raises(UserError, match="holds no results yet"):
        training_curves(plan, store)


@pytest.mark.parametrize(
    ("deleted", "says"),
    [("the study is deleted", "^the study is deleted$"), ("", "demo has no recorded predictions yet")],
)
@pytest.mark.parametrize("kept_by", ["", "f" * 64])
def test_pictures_of_a_study_that_is_deleted_or_was_never_looked_at(
    kept_by: str, deleted: str, says: str, plan: Plan, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(data, "open_results", lambda plan, store: "client")
    monkeypatch.setattr(data, "find_study", lambda *given: asked.append(given))
    monkeypatch.setattr(data, "study_is_deleted", lambda *given: asked.append(given) or deleted)
    with pytest.raises(OperationError, match=says):
        predictions(plan, store, (), 3, (0.3,), kept_by)
    fingerprint = kept_by or plan.fingerprint
    assert asked == [("client", fingerprint), (plan, store, "client", fingerprint)]


def test_a_study_that_is_there_and_has_no_pictures_is_not_called_deleted(
    plan: Plan, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "open_results", lambda plan, store: "client")
    monkeypatch.setattr(data, "find_study", lambda client, fingerprint: "run")
    monkeypatch.setattr(data, "read_index", lambda client, study: None)
    monkeypatch.setattr(data, "study_is_deleted", lambda *given: pytest.fail("it was found"))
    with pytest.raises(OperationError, match="demo has no recorded predictions yet"):
        predictions(plan, store, (), 3, (0.3,))
