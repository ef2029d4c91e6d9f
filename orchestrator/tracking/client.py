"""Open a study's tracking store, and find out at once when it cannot work."""

import http.client
import logging
import re
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from mlflow.tracking import MlflowClient

from orchestrator.errors import OperationError, UserError
from orchestrator.plan import Plan
from orchestrator.redact import redacted
from orchestrator.store import Store, require_sound_database
from orchestrator.tracking.faults import Unreachable, first_line, plainly, will_pass

CONNECT_TIMEOUT_S = 10
SERVERS = ("http://", "https://", "databricks")
DATABASES = ("postgresql", "mysql", "mssql")
SQLITE = re.compile(r"sqlite(?:\+\w+)?:///([^?]+)")


def tracking_uri(plan: Plan, store: Store) -> str:
    """Return the address of the study's tracking store, secrets included."""
    return plan.study.tracking.uri or store.tracking_uri


def open_client(plan: Plan, store: Store) -> MlflowClient:
    """Return a client of the study's tracking store.

    Raises ``Unreachable`` when it does not answer now, ``OperationError`` when it never will at this address.
    """
    uri = tracking_uri(plan, store)
    require_answer(uri)
    for library in ("alembic", "mlflow"):
        logging.getLogger(library).setLevel(logging.ERROR)  # what fails is said by whoever asked, once
    with plainly():
        try:
            client = MlflowClient(tracking_uri=uri)
            client.search_experiments(max_results=1)
        except ImportError as error:
            raise OperationError(f"the tracking store {uri} needs a package: {first_line(error)}") from error
    return client


def open_results(plan: Plan, store: Store) -> MlflowClient:
    """Return a client that reads results; raise ``UserError`` where there are none, instead of creating a database."""
    if plan.study.tracking.uri is None and not store.database.exists():
        raise UserError(f"the store {store.root} holds no results yet: run the study first, or name another --store")
    return open_client(plan, store)


def require_answer(uri: str) -> None:
    """Raise at once for a store that does not answer: MLflow itself would try for minutes."""
    if match := SQLITE.match(uri):
        require_usable_file(Path(match[1]).absolute())
    if uri.startswith(SERVERS[:2]):
        require_server(uri)
    if uri.startswith(DATABASES):
        require_database(uri)


def require_usable_file(path: Path) -> None:
    """Raise ``OperationError`` when an SQLite database is damaged or lies in a folder that does not exist."""
    if not path.parent.is_dir():
        raise OperationError(f"the tracking database {path} cannot be created: there is no folder {path.parent}")
    try:
        require_sound_database(path)
    except OperationError as error:
        if str(error).endswith("database is locked"):
            raise Unreachable(f"the tracking database {path} is locked by another process") from error
        raise


def require_server(uri: str) -> None:
    """Raise when no MLflow server answers at an HTTP address."""
    try:
        with urllib.request.urlopen(f"{without_user(uri).rstrip('/')}/health", timeout=CONNECT_TIMEOUT_S) as answer:
            text = answer.read(64)
    except urllib.error.HTTPError as error:
        kind = Unreachable if will_pass(error.code) else OperationError
        raise kind(f"no MLflow server answers at {redacted(uri)}: {error.reason}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        kind = Unreachable if isinstance(error, OSError) and urllib.parse.urlsplit(uri).hostname else OperationError
        reason = redacted(str(getattr(error, "reason", None) or error))
        raise kind(f"no MLflow server answers at {redacted(uri)}: {reason}") from error
    if text.strip() != b"OK":
        raise OperationError(f"something answers at {redacted(uri)}, but it is not an MLflow server")


def without_user(uri: str) -> str:
    """Return an address without ``user:password@``, which urllib takes for a part of the host's name."""
    scheme, _, rest = uri.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"


def require_database(uri: str) -> None:
    """Raise when no connection to a database can be made."""
    import sqlalchemy

    try:
        engine = sqlalchemy.create_engine(uri)
        engine.connect().close()
        engine.dispose()
    except sqlalchemy.exc.OperationalError as error:
        raise Unreachable(f"the tracking store {redacted(uri)} does not answer: {first_line(error)}") from error
    except (sqlalchemy.exc.SQLAlchemyError, ImportError) as error:
        raise OperationError(f"the tracking store {redacted(uri)} cannot be used: {first_line(error)}") from error
