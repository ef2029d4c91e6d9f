"""Keep a detector's cost with its run in MLflow: a tag with all of it, and metrics to sort and filter by."""

from mlflow.entities import Metric, RunTag
from mlflow.tracking import MlflowClient

from orchestrator.results.detector_costs import metrics_of
from orchestrator.tracking.tags import COST
from trainers.schema.costs import DetectorCost


def cost_of_tag(text: str) -> DetectorCost | None:
    """Return the cost in a tag; ``None`` where there is none, or another release wrote it."""
    try:
        return DetectorCost.model_validate_json(text)
    except ValueError:
        return None


def write_cost(client: MlflowClient, run_id: str, cost: DetectorCost, now_ms: int) -> None:
    """Write tag and metrics of a run in one request."""
    metrics = [Metric(key, value, now_ms, 0) for key, value in metrics_of(cost).items()]
    client.log_batch(run_id, metrics=metrics, tags=[RunTag(COST, cost.model_dump_json())])
