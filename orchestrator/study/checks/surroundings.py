"""Check a study's external references: the data on this machine and the address of the results."""

import re
from collections.abc import Iterator
from pathlib import Path

from orchestrator.core.redact import has_password
from orchestrator.study.checks.context import Context
from orchestrator.study.location import Problem
from orchestrator.study.paths import is_unresolved
from orchestrator.study.wording import alternatives, did_you_mean
from trainers.schema.dataset import ShapesDataset

SCHEMES = ("sqlite", "http", "https", "postgresql", "mysql", "mssql", "databricks")  # MLflow's, without its file store
ELSEWHERE = "let MLFLOW_TRACKING_USERNAME and _PASSWORD, or the database's own password file, give it"
SCHEME = re.compile(r"([a-z]+)(\+[a-z0-9_]+)?(:|$)")


def check_data(context: Context) -> Iterator[Problem]:
    """Yield a dataset that is not on this machine, where the study can still be planned."""
    dataset = context.study.dataset
    if isinstance(dataset, ShapesDataset) or is_unresolved(dataset.root):
        return
    root = Path(dataset.root)
    if not _is_folder(root):
        yield Problem(("dataset", "root"), f"no such folder: {root}", "missing")


def check_tracking(context: Context) -> Iterator[Problem]:
    """Yield a tracking address that MLflow would not understand."""
    uri = context.study.tracking.uri
    if uri is not None and has_password(uri):
        yield Problem(
            ("tracking", "uri"), f"holds a password, which every reader of the study sees: {ELSEWHERE}", "warning"
        )
    match = None if uri is None else SCHEME.match(uri)
    scheme = match[1] if match else ""
    if uri is not None and scheme not in SCHEMES:
        message = f"must begin with {alternatives(f'{name}:' for name in SCHEMES)}{did_you_mean(scheme, SCHEMES)}"
        yield Problem(("tracking", "uri"), message)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name too long for the file system, or with a NUL in it
        return False
