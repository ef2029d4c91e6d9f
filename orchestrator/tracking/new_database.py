"""Create MLflow's tables in a database that has none, also where several processes begin to use it at once."""

import contextlib
import sqlite3
import time
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST, ErrorCode
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import IntegrityError, ProgrammingError

from orchestrator.compat.mlflow_parts import statements_of_new_database
from orchestrator.core.sqlite_file import writing
from orchestrator.tracking.database_schema import sqlite_revision
from orchestrator.tracking.faults import Unreachable
from orchestrator.tracking.probe import sqlite_file

WAIT_S = 20.0  # for another process that writes into the file; as long as MLflow waits
ATTEMPTS, PAUSE_S = 4, 0.5
REFUSED = ErrorCode.Name(BAD_REQUEST)  # MLflow's word for an error of a database that will not pass


def first_client(uri: str) -> MlflowClient:
    """Return a client of a tracking store, and create the tables of a database that has none.

    Of two clients that create them at once, one fails on the other's tables and succeeds when it tries again. In an SQLite
    file both would fail, so there the tables are written before.
    """
    if path := sqlite_file(uri):
        create_tables(path)
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(IntegrityError, ProgrammingError):
            try:
                return MlflowClient(tracking_uri=uri)
            except MlflowException as error:
                if error.error_code != REFUSED:
                    raise
        time.sleep(PAUSE_S)
    return MlflowClient(tracking_uri=uri)


def create_tables(path: Path) -> None:
    """Write MLflow's tables into an SQLite file that has none, in one transaction: after a kill, all are there or none.

    Raises ``Unreachable`` while another process holds the file.
    """
    if sqlite_revision(path) is not None:
        return
    statements = statements_of_new_database()
    try:
        with writing(path, WAIT_S) as connection:
            connection.execute("begin exclusive")
            if connection.execute("select 1 from sqlite_master").fetchone() is None:
                for statement in statements:
                    connection.execute(statement)
            connection.execute("commit")
    except sqlite3.OperationalError as error:
        raise Unreachable(f"the tracking database {path} cannot be created: {error}") from error
