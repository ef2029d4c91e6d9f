"""Read how trials came along: one metric over the epochs."""

from collections.abc import Iterable, Mapping

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from orchestrator.plan.trial import PlannedTrial
from orchestrator.tracking.faults import plainly
from trainers.schema.record import read_history

Curves = Mapping[str, Mapping[int, float]]  # by trial id, by epoch


def read_curves(client: MlflowClient, runs: Mapping[str, Run], metric: str) -> Curves:
    """Return the metric of each of these runs, by trial id, that has any of it."""
    with plainly():
        return {
            trial: {point.step: point.value for point in client.get_metric_history(run.info.run_id, metric)}
            for trial, run in runs.items()
            if metric in run.data.metrics
        }


def curves_on_disk(trials: Iterable[PlannedTrial], metric: str) -> Curves:
    """Return the same from trials' directories."""
    histories = {trial.id: read_history(trial.directory) for trial in trials}
    found = {
        trial: {record.epoch: record.metrics[metric] for record in history if metric in record.metrics}
        for trial, history in histories.items()
    }
    return {trial: curve for trial, curve in found.items() if curve}
