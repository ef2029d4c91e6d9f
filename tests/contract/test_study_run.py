"""A run to the end tells what it came to, also where a mirror or MLflow lacks a part of it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.store import Store
from orchestrator.execution.study_run import RunResult, RunSettings, run_to_end, writing
from orchestrator.plan.plan import Plan
from orchestrator.results.result import TrialResult
from orchestrator.storage import copier
from orchestrator.storage.backend import StorageBackend, StorageUnavailable
from tests.contract.test_tracking import finish, migrated, plan, store  # noqa: F401  fixtures among them
from trainers.schema.record import OUTCOME, Outcome, write_outcome
from trainers.schema.request import Request, write_request

Run = Callable[..., RunResult]


@pytest.fixture
def run(plan: Plan, store: Store) -> Run:  # noqa: F811
    """Return a function that runs a plan whose trials have all ended: nothing is trained, all else happens."""
    for trial in plan.trials:
        finish(trial, 0.3)

    def to_the_end(**settings: Any) -> RunResult:
        with writing(store):
            return run_to_end(plan, store, RunSettings(tracker_wait_s=30.0, **settings))

    return to_the_end


def test_a_sound_run_ends_with_code_0_and_the_results_of_mlflow(run: Run, plan: Plan) -> None:  # noqa: F811
    result = run()
    assert (result.outcome.code, result.outcome.reason, result.failed) == (0, "", ())
    assert [found.id for found in result] == [trial.id for trial in plan.trials]
    assert all(found.mlflow_run_id for found in result)
    assert result[0].id == plan.teachers[0].id  # type: ignore[union-attr]  # this study has one


def test_a_run_frees_the_states_of_trials_that_are_over(run: Run, plan: Plan) -> None:  # noqa: F811
    stopped, paused = plan.students[:2]
    write_outcome(stopped.directory, Outcome("stopped"))
    (paused.directory / OUTCOME).unlink()
    write_request(paused.directory, Request.PAUSE)
    for trial in (stopped, paused):
        (trial.directory / "resume-8.pt").touch()
    assert [found.status for found in run()][1:3] == ["stopped", "paused"]
    assert [(trial.directory / "resume-8.pt").exists() for trial in (stopped, paused)] == [False, True]


def test_what_a_mirror_lacks_does_not_hide_the_results(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away(StorageBackend):
        def put(self, file: Path, name: str) -> None:
            raise StorageUnavailable("the storage is away")

    monkeypatch.setattr(copier, "StorageBackend", Away)
    monkeypatch.setattr(copier, "PAUSE_S", 0.01)
    monkeypatch.setattr(copier, "WAIT_S", 0.1)
    result = run(mirror=f"file://{tmp_path / 'mirror'}")
    assert [found.status for found in result] == ["finished"] * 5
    assert "5 trials not copied to" in result.uncopied
    assert (result.outcome.code, result.outcome.reason) == (1, result.uncopied)


def test_predictions_are_asked_for_at_the_very_end_and_a_fault_there_fails_nothing(run: Run, plan: Plan) -> None:  # noqa: F811
    asked: list[tuple[Plan, list[str]]] = []

    def predicting(planned: Plan, _: Store, results: Sequence[TrialResult]) -> str:
        asked.append((planned, [result.id for result in results]))
        return "no predictions were recorded: the image is gone"

    result = run(predicting=predicting)
    assert asked == [(plan, [trial.id for trial in plan.trials])]
    assert result.unpredicted == "no predictions were recorded: the image is gone"
    assert (result.outcome.code, result.outcome.reason) == (0, "")
