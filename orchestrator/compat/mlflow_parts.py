"""Reach parts of MLflow that it keeps private (written against 3.17.2)."""

from collections.abc import Sequence
from typing import Any

from mlflow.entities import Metric, RunData
from mlflow.store.db.utils import _get_alembic_config
from mlflow.tracking import MlflowClient
from mlflow.tracking._tracking_service.utils import _artifact_repos_cache


def store_of(client: MlflowClient) -> Any:
    """Return the store behind a client: a ``SqlAlchemyStore``, a ``RestStore`` or another."""
    return client._tracking_client.store


def forget_artifact_places() -> None:
    """Let MLflow look up anew where the artifacts of runs are: it remembers them for the life of the process."""
    _artifact_repos_cache.clear()


def last_points(data: RunData) -> Sequence[Metric]:
    """Return the last point of each metric of a run; ``data.metrics`` has the values without steps and times."""
    return data._metric_objs


def alembic_config() -> Any:
    """Return the Alembic configuration that knows the revisions of MLflow's databases."""
    return _get_alembic_config(db_url="")  # type: ignore[no-untyped-call]
