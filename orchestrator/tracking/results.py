"""Read a study's results back from MLflow, and summarise them over seeds."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from pydantic import JsonValue

from orchestrator.plan import Plan, PlannedTrial
from orchestrator.tracking.cursor import BEST_PREFIX, EPOCH, best_points, points_of
from orchestrator.tracking.runs import STATUS, find_runs
from trainers.spec.record import BEST, SELECTION_METRIC, read_history, read_outcome, read_status

EVALUATION = ("coco/", "voc/")  # metric families that tables show; losses and times stay in MLflow
COLUMNS = {
    "AP": "coco/bbox_mAP",
    "AP50": "coco/bbox_mAP_50",
    "AP75": "coco/bbox_mAP_75",
    "APs": "coco/bbox_mAP_s",
    "APm": "coco/bbox_mAP_m",
    "APl": "coco/bbox_mAP_l",
}
VOC_COLUMNS = {
    "VOC AP": "voc/mAP",
    "VOC AP50": "voc/AP50",
    "VOC AP75": "voc/AP75",
}  # shown where the dataset is in VOC's format


@dataclass(frozen=True)
class TrialResult:
    """Hold what is known of one trial. ``metrics`` are those of its best epoch, ``last`` those of its last."""

    id: str
    role: str
    method: str
    params: dict[str, JsonValue]
    seed: int
    status: str
    epoch: int | None
    metrics: dict[str, float]
    last: dict[str, float]
    mlflow_run_id: str | None
    checkpoint: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the trial as ``run --json`` and ``compare --json`` print it."""
        return dict(vars(self))


@dataclass(frozen=True)
class Summary:
    """Hold one row of a table: trials that differ in the seed only, with the mean and spread of each metric.

    ``spread`` is the sample standard deviation over seeds, absent for a single seed; ``counts`` says how many have the metric.
    """

    role: str
    method: str
    params: dict[str, JsonValue]
    seeds: tuple[int, ...]
    mean: dict[str, float]
    spread: dict[str, float]
    statuses: tuple[str, ...]
    counts: dict[str, int] = field(default_factory=dict)


def read_results(plan: Plan, client: MlflowClient) -> list[TrialResult]:
    """Return one result a planned trial, in the plan's order; a trial without a run counts as not run."""
    runs = find_runs(client, [trial.id for trial in plan.trials])
    return [_result_of_run(trial, runs.get(trial.id)) for trial in plan.trials]


def summarise(results: list[TrialResult]) -> list[Summary]:
    """Group results that differ in the seed only, in order of appearance."""
    groups: dict[tuple[str, str, str], list[TrialResult]] = {}
    for result in results:
        groups.setdefault((result.role, result.method, repr(sorted(result.params.items()))), []).append(result)
    return [_summary(group) for group in groups.values()]


def best_student(results: list[TrialResult]) -> TrialResult | None:
    """Return the student with the highest AP, the first of equals; an AP of 0.0 counts like any other."""
    students = [r for r in results if r.role == "student" and SELECTION_METRIC in r.metrics]
    return max(students, key=lambda result: result.metrics[SELECTION_METRIC], default=None)


def results_on_disk(plan: Plan, run_ids: Mapping[str, str]) -> list[TrialResult]:
    """Return the same from the trials' directories: MLflow is away or behind. ``run_ids`` are those known so far."""
    return [_result_on_disk(trial, run_ids.get(trial.id)) for trial in plan.trials]


def _result_on_disk(trial: PlannedTrial, run_id: str | None) -> TrialResult:
    history = read_history(trial.directory)
    metrics = {point.key: point.value for point in (*points_of(history), *best_points(history))}
    if read_outcome(trial.directory) is None:  # the best epoch is known at the end
        metrics = {key: value for key, value in metrics.items() if not key.startswith(BEST_PREFIX)}
    return _result(trial, metrics, read_status(trial.directory), run_id)


def _result_of_run(trial: PlannedTrial, run: Run | None) -> TrialResult:
    if run is None:
        return _result(trial, {}, "new", None)
    return _result(trial, run.data.metrics, run.data.tags.get(STATUS, "unfinished"), str(run.info.run_id))


def _result(trial: PlannedTrial, metrics: Mapping[str, float], status: str, run_id: str | None) -> TrialResult:
    checkpoint = trial.directory / BEST
    epoch = metrics.get(EPOCH)
    return TrialResult(
        id=trial.id,
        role=trial.role,
        method=trial.spec.method.kind,
        params=trial.params,
        seed=trial.spec.seed,
        status=status,
        epoch=None if epoch is None else int(epoch),
        metrics={key.removeprefix(BEST_PREFIX): v for key, v in metrics.items() if _is_best_evaluation(key)},
        last={key: value for key, value in metrics.items() if key.startswith(EVALUATION)},
        mlflow_run_id=run_id,
        checkpoint=str(checkpoint) if checkpoint.exists() else None,
    )


def _is_best_evaluation(key: str) -> bool:
    return key.startswith(BEST_PREFIX) and key.removeprefix(BEST_PREFIX).startswith(EVALUATION)


def _summary(group: list[TrialResult]) -> Summary:
    first = group[0]
    values = {
        key: [result.metrics[key] for result in group if key in result.metrics]
        for key in sorted({key for result in group for key in result.metrics})
    }
    return Summary(
        role=first.role,
        method=first.method,
        params=first.params,
        seeds=tuple(result.seed for result in group),
        mean={key: statistics.fmean(found) for key, found in values.items()},
        spread={key: statistics.stdev(found) for key, found in values.items() if len(found) > 1},
        statuses=tuple(result.status for result in group),
        counts={key: len(found) for key, found in values.items()},
    )
