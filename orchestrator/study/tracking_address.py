"""Check the address of a tracking store without loading MLflow."""

import re
from importlib.metadata import entry_points

from orchestrator.core.redact import redacted
from orchestrator.study.wording import did_you_mean

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9.-]*)(?:\+\w+)?:")
KNOWN = ("databricks", "file", "http", "https", "mssql", "mysql", "postgresql", "sqlite")
RARE = ("databricks-uc", "uc")  # MLflow knows them as well


def require_known_scheme(uri: str) -> str:
    """Return the address; raise ``ValueError`` unless MLflow or one of its plug-ins knows how such addresses begin."""
    scheme = SCHEME.match(uri)
    if scheme is None or scheme[1].lower() in (*KNOWN, *RARE):
        return uri
    if scheme[1] in {point.name for point in entry_points(group="mlflow.tracking_store")}:
        return uri
    known = ", ".join(f"{name}:" for name in KNOWN)
    hint = did_you_mean(scheme[1], KNOWN)
    raise ValueError(
        f"MLflow knows no addresses that begin with {scheme[1]}:{hint}, got {redacted(uri)}; it knows {known}"
    )
