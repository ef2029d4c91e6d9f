"""Find out at once whether a tracking store works, with the settings that MLflow's client will use."""

import contextlib
import re
from pathlib import Path
from urllib.parse import unquote

from mlflow.exceptions import MlflowException
from mlflow.utils.databricks_utils import get_databricks_host_creds

from orchestrator.core.errors import UserError
from orchestrator.core.redact import first_line, redacted
from orchestrator.core.store import LockedDatabase, require_sound_database
from orchestrator.study.tracking_address import require_address
from orchestrator.tracking.database_schema import require_present_schema, sqlite_revision
from orchestrator.tracking.faults import TrackingRefused, Unreachable
from orchestrator.tracking.server_probe import require_server

SERVERS = ("http://", "https://")
DATABASES = ("postgresql", "mysql", "mssql")
SQLITE = re.compile(r"sqlite(?:\+\w+)?:///(?!file:)([^?]+)")
DATABRICKS = "set DATABRICKS_HOST and DATABRICKS_TOKEN, or write a profile into ~/.databrickscfg"


def require_answer(uri: str, *, reading: bool = False) -> None:
    """Raise at once for a store that does not answer, where MLflow itself would try for minutes.

    A database is not changed: one of another MLflow is refused, and with ``reading`` one without tables as well. Raises
    ``UserError`` for an address that is none, ``Unreachable`` for one that may work later, and ``TrackingRefused`` or
    ``OperationError`` for one that does not work.
    """
    try:
        require_address(uri)
    except ValueError as error:
        raise UserError(str(error)) from error
    if path := sqlite_file(uri):
        require_usable_file(path, uri, reading=reading)
    if uri.startswith(SERVERS):
        require_server(uri)
    if uri.startswith(DATABASES):
        require_database(uri, reading=reading)
    if uri.startswith("databricks"):
        require_databricks(uri)


def require_no_refusal(uri: str) -> None:
    """Raise ``TrackingRefused`` when a server refuses that MLflow's client reports as being away: a gateway's reply of its own."""
    if uri.startswith(SERVERS):
        with contextlib.suppress(Unreachable):
            require_server(uri)


def sqlite_file(uri: str) -> Path | None:
    """Return the file of an SQLite database, ``None`` for every other address."""
    match = SQLITE.match(uri)
    return Path(unquote(match[1])).absolute() if match else None


def require_usable_file(path: Path, uri: str, *, reading: bool) -> None:
    """Raise when an SQLite database is damaged, of another MLflow, or lies in a folder that does not exist."""
    if reading and not path.exists():
        raise UserError(f"there is no tracking database {path}: run a study first")
    if not path.parent.is_dir():
        raise TrackingRefused(f"the tracking database {path} cannot be created: there is no folder {path.parent}")
    try:
        require_sound_database(path)
    except LockedDatabase as error:
        raise Unreachable(str(error)) from error
    require_present_schema(uri, sqlite_revision(path), reading=reading)


def require_database(uri: str, *, reading: bool) -> None:
    """Raise when no connection to a database can be made, or when it is another MLflow's."""
    import sqlalchemy

    try:
        engine = sqlalchemy.create_engine(uri)
        try:
            tables = set(sqlalchemy.inspect(engine).get_table_names())
            with engine.connect() as connection:
                asked = sqlalchemy.text("select version_num from alembic_version")
                found = connection.execute(asked).scalar() if "alembic_version" in tables else None
        finally:
            engine.dispose()
    except sqlalchemy.exc.OperationalError as error:
        raise Unreachable(f"the tracking store {redacted(uri)} does not answer: {first_line(error)}") from error
    except (sqlalchemy.exc.SQLAlchemyError, ImportError) as error:
        raise TrackingRefused(f"the tracking store {redacted(uri)} cannot be used: {first_line(error)}") from error
    require_present_schema(uri, found, reading=reading)


def require_databricks(uri: str) -> None:
    """Raise when MLflow finds no credentials for Databricks; its client reports that like an outage."""
    try:
        get_databricks_host_creds(uri)  # type: ignore[no-untyped-call]
    except (MlflowException, ImportError) as error:
        raise TrackingRefused(f"MLflow finds no credentials for {redacted(uri)}: {DATABRICKS}") from error
