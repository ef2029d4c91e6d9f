"""Read how trials came along: one metric over the epochs."""

from collections.abc import Mapping

from mlflow.tracking import MlflowClient

from orchestrator.plan import Plan
from orchestrator.tracking.faults import plainly
from orchestrator.tracking.runs import find_runs
from trainers.spec.record import SELECTION_METRIC, read_history

Curves = Mapping[str, Mapping[int, float]]  # by trial id, by epoch


def read_curves(plan: Plan, client: MlflowClient, metric: str = SELECTION_METRIC) -> Curves:
    """Return the metric of each of the plan's trials that MLflow has any of."""
    runs = find_runs(client, [trial.id for trial in plan.trials])
    with plainly():
        return {
            trial: {point.step: point.value for point in client.get_metric_history(run.info.run_id, metric)}
            for trial, run in runs.items()
            if metric in run.data.metrics
        }


def curves_on_disk(plan: Plan, metric: str = SELECTION_METRIC) -> Curves:
    """Return the same from the trials' directories."""
    histories = {trial.id: read_history(trial.directory) for trial in plan.trials}
    found = {
        trial: {record.epoch: record.metrics[metric] for record in history if metric in record.metrics}
        for trial, history in histories.items()
    }
    return {trial: curve for trial, curve in found.items() if curve}
