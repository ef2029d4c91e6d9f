"""The private parts of MLflow that orchestrator/compat uses have the shape that they had in MLflow 3.17.2."""

from pathlib import Path

from alembic.script import ScriptDirectory
from mlflow.store.tracking.rest_store import RestStore
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking import MlflowClient
from mlflow.tracking._tracking_service import client as tracking_client
from mlflow.tracking._tracking_service import utils

from orchestrator.compat.mlflow_parts import (
    alembic_config,
    forget_artifact_places,
    last_points,
    statements_of_new_database,
    store_of,
)
from tests.contract.written_against import against, names_in

MLFLOW = against("mlflow", "3.17.2")


def test_a_client_shows_its_store_and_a_run_the_last_point_of_each_metric(tmp_path: Path) -> None:
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    assert isinstance(store_of(client), SqlAlchemyStore), MLFLOW
    run = client.create_run(client.create_experiment("one", artifact_location=str(tmp_path))).info.run_id
    for step in (1, 2):
        client.log_metric(run, "ap", step / 10, timestamp=step, step=step)
    [point] = last_points(client.get_run(run).data)
    assert (point.key, point.value, point.timestamp, point.step) == ("ap", 0.2, 2, 2), MLFLOW


def test_the_store_of_a_server_is_known() -> None:
    assert isinstance(store_of(MlflowClient(tracking_uri="http://127.0.0.1:9")), RestStore), MLFLOW


def test_the_places_of_artifacts_are_kept_in_the_table_that_is_emptied() -> None:
    reader = tracking_client.TrackingServiceClient._get_artifact_repo
    assert "_artifact_repos_cache" in names_in(reader), MLFLOW
    utils._artifact_repos_cache["a run"] = object()
    forget_artifact_places()
    assert not utils._artifact_repos_cache, MLFLOW


def test_alembic_knows_the_revisions_from_one_head_to_the_first() -> None:
    steps = list(ScriptDirectory.from_config(alembic_config()).walk_revisions())
    assert len(steps) > 10, MLFLOW
    assert steps[-1].down_revision is None, MLFLOW


def test_a_new_database_is_made_of_statements_alone() -> None:
    statements = statements_of_new_database()
    assert sum(statement.startswith("CREATE TABLE") for statement in statements) > 30, MLFLOW
    assert not any(statement.startswith(("BEGIN", "COMMIT")) for statement in statements), MLFLOW
