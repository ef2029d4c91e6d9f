"""Check the address of a tracking store without loading MLflow."""

import re
from importlib.metadata import entry_points

from orchestrator.core.redact import redacted
from orchestrator.study.wording import did_you_mean

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9.-]*)(?:\+\w+)?:")
KNOWN = ("databricks", "file", "http", "https", "mssql", "mysql", "postgresql", "sqlite")
RARE = ("databricks-uc", "uc")  # MLflow knows them as well
HOST_AND_PORT = re.compile(r"[\w.-]+:\d{1,5}(/.*)?")
WITHOUT_HOST = re.compile(r"https?:(?!//[^/?#])", re.IGNORECASE)
SERVER_WITH_MORE = re.compile(r"https?://[^?#]*[?#]")
SQLITE = re.compile(r"sqlite(?:\+\w+)?:")
SQLITE_FILE = re.compile(r"sqlite(?:\+\w+)?:///(?!:memory:)[^?]")


def require_address(uri: str) -> str:
    """Return the address; raise ``ValueError`` unless MLflow takes it for the tracking store that the user means."""
    if HOST_AND_PORT.fullmatch(uri):
        raise ValueError(f"must begin with http:// or https://: did you mean http://{uri}?")
    if WITHOUT_HOST.match(uri):
        raise ValueError(f"names no server, got {redacted(uri)}: write http://HOST:PORT, with two slashes")
    _require_known_scheme(uri)
    if SERVER_WITH_MORE.match(uri):  # such as /#/experiments/1, copied from a browser
        raise ValueError(
            f"the address of a server ends before ? and #, got {redacted(uri)}: leave out the rest; in a password, write %3F "
            "and %23"
        )
    if SQLITE.match(uri) and not SQLITE_FILE.match(uri):
        raise ValueError(
            f"names no file, got {redacted(uri)}: write sqlite:///relative/path.db or sqlite:////absolute/path.db"
        )
    return uri


def _require_known_scheme(uri: str) -> None:
    """Raise ``ValueError`` unless MLflow or one of its plug-ins knows how such addresses begin."""
    scheme = SCHEME.match(uri)
    if scheme is None or scheme[1].lower() in (*KNOWN, *RARE):
        return
    if scheme[1] in {point.name for point in entry_points(group="mlflow.tracking_store")}:
        return
    known = ", ".join(f"{name}:" for name in KNOWN)
    hint = did_you_mean(scheme[1], KNOWN)
    raise ValueError(
        f"MLflow knows no addresses that begin with {scheme[1]}:{hint}, got {redacted(uri)}; it knows {known}"
    )
