"""Find out at once whether a tracking store works, with the settings that MLflow's client will use."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mlflow.exceptions import InvalidUrlException, MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.redact import first_line, redacted
from orchestrator.core.store import require_sound_database
from orchestrator.study.tracking_address import require_known_scheme
from orchestrator.tracking.database_schema import require_present_schema, sqlite_revision
from orchestrator.tracking.faults import Unreachable, will_pass

CONNECT_TIMEOUT_S = 10  # to connect, and without a byte
SERVERS = ("http://", "https://")
DATABASES = ("postgresql", "mysql", "mssql")
SQLITE = re.compile(r"sqlite(?:\+\w+)?:///(?!file:)([^?]+)")
ASKED = "/api/2.0/mlflow/experiments/search"  # what the client asks next; proxies may serve nothing but the API
LOGIN = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, to credentials that the server accepts"
TLS = "set MLFLOW_TRACKING_SERVER_CERT_PATH to its certificate, or MLFLOW_TRACKING_INSECURE_TLS=true"


def require_answer(uri: str, *, reading: bool = False) -> None:
    """Raise at once for a store that does not answer, where MLflow itself would try for minutes.

    A database is not changed: one of another MLflow is refused, and with ``reading`` one without tables as well. Raises
    ``UserError`` for an address that is none, ``Unreachable`` or ``OperationError`` for one that does not work.
    """
    try:
        require_known_scheme(uri)
    except ValueError as error:
        raise UserError(str(error)) from error
    if path := sqlite_file(uri):
        require_usable_file(path, uri, reading=reading)
    if uri.startswith(SERVERS):
        require_server(uri)
    if uri.startswith(DATABASES):
        require_database(uri, reading=reading)


def sqlite_file(uri: str) -> Path | None:
    """Return the file of an SQLite database, ``None`` for every other address."""
    match = SQLITE.match(uri)
    return Path(unquote(match[1])).absolute() if match else None


def require_usable_file(path: Path, uri: str, *, reading: bool) -> None:
    """Raise when an SQLite database is damaged, of another MLflow, or lies in a folder that does not exist."""
    if reading and not path.exists():
        raise UserError(f"there is no tracking database {path}: run a study first")
    if not path.parent.is_dir():
        raise OperationError(f"the tracking database {path} cannot be created: there is no folder {path.parent}")
    try:
        require_sound_database(path)
    except OperationError as error:
        if str(error).endswith("database is locked"):
            raise Unreachable(f"the tracking database {path} is locked by another process") from error
        raise
    require_present_schema(uri, sqlite_revision(path), reading=reading)


def require_server(uri: str) -> None:
    """Raise when no MLflow server answers at an HTTP address, or when it does not let us in."""
    try:
        credentials = get_default_host_creds(uri)  # type: ignore[no-untyped-call]
        answer = http_request(  # type: ignore[no-untyped-call]
            credentials, ASKED, "GET", max_retries=0, timeout=CONNECT_TIMEOUT_S, raise_on_status=False,
            params={"max_results": 1},
        )  # fmt: skip
    except (MlflowException, ValueError) as error:
        raise _unanswered(uri, error) from error
    if answer.status_code in (401, 403):
        said = f"{answer.status_code} {answer.reason}"
        raise OperationError(f"MLflow at {redacted(uri)} refuses access ({said}): {LOGIN}")
    if answer.status_code != 200:
        kind = Unreachable if will_pass(answer.status_code) else OperationError
        raise kind(f"no MLflow server answers at {redacted(uri)}: {answer.reason}")
    if not _is_json_object(answer):
        raise OperationError(f"something answers at {redacted(uri)}, but it is not an MLflow server")


def _is_json_object(answer: Any) -> bool:
    try:
        return isinstance(answer.json(), dict)
    except ValueError:
        return False


def _unanswered(uri: str, error: Exception) -> OperationError:
    chain = list(_causes(error))
    reason = next((found for found in chain if isinstance(found, OSError) and found.errno), chain[-1])
    where = f"no MLflow server answers at {redacted(uri)}: {first_line(reason)}"
    names = {type(found).__name__ for found in chain}
    if "SSLError" in names:
        return OperationError(f"{where}; {TLS}")
    unreadable = isinstance(error, InvalidUrlException | ValueError) or names & {"InvalidURL", "LocationParseError"}
    wrong = unreadable or not urlsplit(uri).hostname
    return OperationError(where) if wrong else Unreachable(where)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, also those that a library hides in an attribute or an argument."""
    found: BaseException | None = error
    seen: set[int] = set()
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        inner = (getattr(found, "reason", None), found.__cause__, found.__context__, *found.args)
        found = next((one for one in inner if isinstance(one, BaseException) and id(one) not in seen), None)


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
        raise OperationError(f"the tracking store {redacted(uri)} cannot be used: {first_line(error)}") from error
    require_present_schema(uri, found, reading=reading)
