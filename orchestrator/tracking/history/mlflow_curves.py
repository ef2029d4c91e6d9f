"""Read the curves of many runs from MLflow in few requests: by its client it would be one a run and metric."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mlflow.store.tracking.rest_store import RestStore
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking import MlflowClient
from mlflow.utils.rest_utils import http_request

from orchestrator.compat.mlflow_parts import store_of
from orchestrator.tracking.history.mlflow_database import MetricRow, database_points, unclipped
from orchestrator.tracking.history.recorded import Curves, RecordedRun
from trainers.schema.foreign_json import parse_json

PER_REQUEST = 100  # runs, the server's limit; it answers with 25,000 points at most
MOST_POINTS = 25_000


def read_curves(client: MlflowClient, runs: Sequence[RecordedRun]) -> dict[str, Curves]:
    """Return every point of the runs' metrics, by run id, metric and step."""
    store = store_of(client)
    if isinstance(store, SqlAlchemyStore):
        rows = database_points(store, [run.run_id for run in runs])
    elif isinstance(store, RestStore):
        rows = _from_server(client, store, runs)
    else:
        rows = _one_by_one(client, runs)
    return to_curves(rows)


def to_curves(rows: Iterable[MetricRow]) -> dict[str, Curves]:
    """Return rows as curves by step; of two values at one step the later one counts."""
    values: dict[str, dict[str, dict[int, float]]] = {}
    times: dict[tuple[str, str], dict[int, int]] = {}
    for run, key, step, time, value in rows:
        known = times.get((run, key))
        if known is None:
            known = times[run, key] = {}
            values.setdefault(run, {})[key] = {}
        if known.get(step, time) <= time:
            known[step] = time
            values[run][key][step] = value
    return {run: {key: sorted(points.items()) for key, points in curves.items()} for run, curves in values.items()}


def _from_server(client: MlflowClient, store: Any, runs: Sequence[RecordedRun]) -> Iterator[MetricRow]:
    """Ask a server for one metric of many runs at once, as its own pages do."""
    keys = sorted({key for run in runs for key in run.metrics})
    for key in keys:
        having = [run.run_id for run in runs if key in run.metrics]
        for portion in _portions(having, PER_REQUEST):
            yield from _bulk(client, store, key, portion)


def _bulk(client: MlflowClient, store: Any, key: str, ids: list[str]) -> Iterator[MetricRow]:
    """Ask for one metric of these runs; of fewer where the answer is full, by pages where the server is too old."""
    query = {"run_id": ids, "metric_key": key, "max_results": MOST_POINTS}
    endpoint = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"
    answer = http_request(store.get_host_creds(), endpoint, "GET", params=query, max_retries=1)  # type: ignore[no-untyped-call]
    points = parse_json(answer.content)["metrics"] if answer.status_code == 200 else None
    if points is not None and len(points) < MOST_POINTS:
        yield from (
            (p["run_id"], key, int(p["step"]), int(p["timestamp"]), unclipped(float(p["value"]))) for p in points
        )
    elif len(ids) > 1 and points is not None:
        half = len(ids) // 2
        yield from _bulk(client, store, key, ids[:half])
        yield from _bulk(client, store, key, ids[half:])
    else:
        for run in ids:
            yield from _history(client, run, key)


def _one_by_one(client: MlflowClient, runs: Sequence[RecordedRun]) -> Iterator[MetricRow]:
    for run in runs:
        for key in run.metrics:
            yield from _history(client, run.run_id, key)


def _history(client: MlflowClient, run: str, key: str) -> Iterator[MetricRow]:
    for metric in client.get_metric_history(run, key):
        yield run, key, metric.step, metric.timestamp, unclipped(metric.value)


def _portions(items: list[str], size: int) -> Iterator[list[str]]:
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]
