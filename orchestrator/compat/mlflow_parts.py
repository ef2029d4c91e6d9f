"""Reach parts of MLflow that it keeps private (written against 3.17.2)."""

import contextlib
from collections.abc import Sequence
from typing import Any

from mlflow.entities import Metric, RunData
from mlflow.store.db.utils import _get_alembic_config, _initialize_tables
from mlflow.tracking import MlflowClient
from mlflow.tracking._tracking_service.utils import _artifact_repos_cache
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool


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


def statements_of_new_database() -> list[str]:
    """Return the statements that make an SQLite file a database of the installed MLflow, without runs, in one transaction."""
    engine = create_engine("sqlite://", poolclass=StaticPool)  # in memory, with one connection
    try:
        _initialize_tables(engine)  # type: ignore[no-untyped-call]
        with contextlib.closing(engine.raw_connection()) as connection:
            driver: Any = connection.driver_connection
            statements = list(map(str, driver.iterdump()))
    finally:
        engine.dispose()
    return statements[1:-1]  # begin and commit are the caller's
