"""Read a study's results back from MLflow, or from the trials' directories."""

from collections.abc import Mapping
from dataclasses import replace

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from orchestrator.plan.digests import MISSING, has_test_split, split_digest
from orchestrator.plan.plan import Plan
from orchestrator.plan.split_scores import read_scores
from orchestrator.plan.trial import PlannedTrial, status_of
from orchestrator.results.detector_costs import says_more
from orchestrator.results.result import TrialResult
from orchestrator.results.settings import searched_settings
from orchestrator.tracking.cost_tag import cost_of_tag
from orchestrator.tracking.cursor import BEST_PREFIX, EPOCH, TEST_PREFIX, best_points, points_of
from orchestrator.tracking.names import flat_params
from orchestrator.tracking.prefix_tag import prefix_of_tag
from orchestrator.tracking.runs import find_runs, member_tag
from orchestrator.tracking.tags import COST, PREFIX, STATUS, TEST_DATA
from trainers.schema.costs import DetectorCost
from trainers.schema.record import BEST, FAMILIES, read_history, read_outcome, taken_over


def read_results(plan: Plan, client: MlflowClient) -> list[TrialResult]:
    """Return one result a planned trial, in the plan's order; a trial without a run counts as not run."""
    runs = find_runs(client, [trial.id for trial in plan.trials], member_tag(plan.fingerprint))
    return [result_of_run(plan, trial, runs.get(trial.id)) for trial in plan.trials]


def results_on_disk(plan: Plan, run_ids: Mapping[str, str]) -> list[TrialResult]:
    """Return the same from the trials' directories: MLflow is away or behind. ``run_ids`` are those known so far."""
    return [result_on_disk(plan, trial, run_ids.get(trial.id)) for trial in plan.trials]


def result_on_disk(plan: Plan, trial: PlannedTrial, run_id: str | None) -> TrialResult:
    """Return the result in a trial's directory; raise ``DamagedFile`` if it cannot be read."""
    history = read_history(trial.directory)
    metrics = {point.key: point.value for point in (*points_of(history), *best_points(history))}
    if read_outcome(trial.directory) is None:  # the best epoch is known at the end
        metrics = {key: value for key, value in metrics.items() if not key.startswith(BEST_PREFIX)}
    result = _result(plan, trial, metrics, status_of(trial.directory), run_id)
    result = replace(result, prefix=taken_over(history))
    scores = read_scores(trial.directory)
    return replace(result, test=scores.metrics) if scores and _is_test_split(plan, scores.data) else result


def result_of_run(plan: Plan, trial: PlannedTrial, run: Run | None) -> TrialResult:
    """Return the result in a trial's MLflow run; without one the trial counts as not run."""
    if run is None:
        return _result(plan, trial, {}, "new", None)
    metrics, tags = run.data.metrics, run.data.tags
    recorded = cost_of_tag(tags.get(COST, ""))
    result = _result(plan, trial, metrics, tags.get(STATUS) or "unfinished", str(run.info.run_id), recorded)
    result = replace(result, prefix=prefix_of_tag(tags.get(PREFIX, "")))
    if TEST_DATA not in tags or not _is_test_split(plan, tags[TEST_DATA]):
        return result
    found = {key.removeprefix(TEST_PREFIX): value for key, value in metrics.items() if key.startswith(TEST_PREFIX)}
    return replace(result, test=found)


def _is_test_split(plan: Plan, data: str) -> bool:
    """Return whether these are the data that the study's test split has today, or may be where it is not here."""
    dataset = plan.study.dataset
    return has_test_split(dataset) and split_digest(dataset, "test") in (data, MISSING)


def _result(
    plan: Plan,
    trial: PlannedTrial,
    metrics: Mapping[str, float],
    status: str,
    run_id: str | None,
    recorded: DetectorCost | None = None,
) -> TrialResult:
    checkpoint = trial.directory / BEST
    epoch, best, selected = metrics.get(EPOCH), metrics.get(f"{BEST_PREFIX}{EPOCH}"), plan.study.search.metric
    return TrialResult(
        id=trial.id,
        role=trial.role,
        method=trial.spec.method.kind,
        params=trial.params,
        seed=trial.spec.seed,
        status=status,
        epoch=None if epoch is None else int(epoch),
        best_epoch=None if best is None else int(best),
        metrics={key.removeprefix(BEST_PREFIX): v for key, v in metrics.items() if _is_best_evaluation(key, selected)},
        last={key: value for key, value in metrics.items() if _is_shown(key, selected)},
        mlflow_run_id=run_id,
        checkpoint=str(checkpoint) if checkpoint.exists() else None,
        flat=flat_params(trial, plan.planner.settings),
        searches=searched_settings(plan.study.search.space),
        cost=_fuller(plan.planner.costs.of(trial.spec.student), recorded),
        metric=selected,
    )


def _fuller(kept: DetectorCost | None, recorded: DetectorCost | None) -> DetectorCost | None:
    """Return the store's record of a cost, or MLflow's where that has more."""
    return recorded if recorded is not None and says_more(recorded, kept) else kept


def _is_best_evaluation(key: str, selected: str) -> bool:
    return key.startswith(BEST_PREFIX) and _is_shown(key.removeprefix(BEST_PREFIX), selected)


def _is_shown(key: str, selected: str) -> bool:
    return key.startswith(FAMILIES) or key == selected
