"""Check a study's external references: the data on this machine and the address of the results."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from orchestrator.core.redact import has_password
from orchestrator.study.checks.context import Context
from orchestrator.study.location import Problem
from orchestrator.study.paths import is_unresolved
from orchestrator.study.schema import WEBHOOK
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


def check_on_end(context: Context) -> Iterator[Problem]:
    """Yield a program that the user has not allowed, and an address that is a secret for all to read or is not there."""
    on_end = context.study.tracking.on_end
    if on_end is None:
        return
    if on_end.program is not None and not context.trust_python:
        message = f"would run {on_end.program[0]} when the study ends: pass --trust-config if you trust this study"
        yield Problem(("tracking", "on_end", "program"), message)
    if on_end.webhook == f"${{{WEBHOOK}}}" and not os.environ.get(WEBHOOK):
        yield Problem(("tracking", "on_end", "webhook"), f"environment variable {WEBHOOK} is not set", "warning")
    elif on_end.webhook and has_password(on_end.webhook):
        message = f"holds a password, which every reader of the study sees: write ${{{WEBHOOK}}}, and set that variable"
        yield Problem(("tracking", "on_end", "webhook"), message, "warning")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name too long for the file system, or with a NUL in it
        return False
