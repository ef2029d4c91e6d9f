"""Find a store's artifacts where the store is now: MLflow writes absolute paths into its database."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mlflow.entities import Run
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlLoggedModel, SqlRun
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking import MlflowClient
from sqlalchemy import bindparam, select, update

from orchestrator.compat.mlflow_parts import forget_artifact_places, store_of
from orchestrator.core.store import ARTIFACTS, DATABASE, Store
from orchestrator.tracking.probe import sqlite_file

ELSEWHERE = re.compile(rf"(?P<root>file:.*/{ARTIFACTS})(?P<below>/.*)?")
# Tables of MLflow's own models, with the columns of their keys and of the places of their artifacts.
PLACES = (
    (SqlExperiment, "experiment_id", "artifact_location"),
    (SqlRun, "run_uuid", "artifact_uri"),
    (SqlLoggedModel, "model_id", "artifact_location"),
)


def bring_home(client: MlflowClient, store: Store) -> None:
    """Let a database name the store's artifacts where they are, after the store was moved or copied.

    In the store's own database all artifacts are the store's. In one that stores share, those are that lie nowhere else
    any more and came here.
    """
    found = store_of(client)
    if not isinstance(found, SqlAlchemyStore):
        return
    own = client.tracking_uri == store.tracking_uri
    with found.engine.begin() as connection:
        experiments = SqlExperiment.__table__.c.artifact_location
        for location in connection.execute(select(experiments).distinct()).scalars():
            there = ELSEWHERE.fullmatch(location or "")
            if there and not there["below"] and (own or _has_come_here(location, store)):
                _rename(connection, location, store.artifacts.as_uri())


def _has_come_here(location: str, store: Store) -> bool:
    return store.artifacts.is_dir() and not Path(unquote(urlsplit(location).path)).is_dir()


def _rename(connection: Any, there: str, here: str) -> None:
    """Replace the beginning of all places that lie in a folder."""
    if there == here:
        return
    for model, key, column in PLACES:
        table = model.__table__
        rows = connection.execute(select(table.c[key], table.c[column])).all()
        moved = [
            {"row": row, "place": here + place.removeprefix(there)}
            for row, place in rows
            if place and (place == there or place.startswith(f"{there}/"))
        ]
        if moved:
            wanted = update(table).where(table.c[key] == bindparam("row")).values({column: bindparam("place")})
            connection.execute(wanted, moved)
    forget_artifact_places()


def artifacts_of(client: MlflowClient, run: Run) -> Any:
    """Return an artifact repository for a run; finds artifacts that moved together with the database."""
    uri = str(run.info.artifact_uri)
    return get_artifact_repository(_moved(client.tracking_uri, uri) or uri, tracking_uri=client.tracking_uri)


def _moved(tracking_uri: str, uri: str) -> str | None:
    database, place = sqlite_file(tracking_uri), ELSEWHERE.fullmatch(uri)
    if database is None or place is None or database.name != DATABASE:
        return None
    below = unquote(place["below"] or "").lstrip("/")
    here = database.with_name(ARTIFACTS) / below
    return here.as_uri() if here.is_dir() else None
