"""Return whether a database is of the MLflow that is installed: MLflow's client migrates an older one without asking."""

import functools
from importlib.metadata import version
from pathlib import Path

from alembic.script import ScriptDirectory

from orchestrator.compat.mlflow_parts import alembic_config
from orchestrator.core import sqlite_file
from orchestrator.core.errors import UserError
from orchestrator.core.redact import redacted
from orchestrator.tracking.faults import TrackingRefused


class OtherSchema(TrackingRefused):
    """Report a database of another MLflow. Nothing was changed in it; results wait in the store."""


def require_present_schema(uri: str, revision: str | None, *, reading: bool) -> None:
    """Raise ``OtherSchema`` unless the database's ``revision`` is that of the MLflow that is installed.

    A database without one holds nothing yet: MLflow creates its tables there, unless ``reading``, which is a
    ``UserError`` then.
    """
    if revision is None:
        if reading:
            raise UserError(f"the tracking database {redacted(uri)} holds nothing yet: run a study first")
        return
    if revision == _revisions()[0]:
        return
    installed = f"MLflow {version('mlflow')}, which is installed here"
    if revision in _revisions():
        raise OtherSchema(
            f"the tracking database {redacted(uri)} was written by an older MLflow than {installed}, and was left as "
            f"it is: back it up, then run: mlflow db upgrade '{redacted(uri)}'"
        )
    raise OtherSchema(
        f"the tracking database {redacted(uri)} was written by a newer MLflow than {installed}, and was left as it is: "
        "use the environment that wrote it"
    )


def sqlite_revision(path: Path) -> str | None:
    """Return the revision of an SQLite database, ``None`` where it has none; nothing is written."""
    if not path.exists():
        return None
    with sqlite_file.reading(path) as connection:
        if not connection.execute("select 1 from sqlite_master where name = 'alembic_version'").fetchone():
            return None
        found = connection.execute("select version_num from alembic_version").fetchone()
    return str(found[0]) if found else None


@functools.cache
def _revisions() -> tuple[str, ...]:
    """Return the revisions that the installed MLflow knows, its own first."""
    script = ScriptDirectory.from_config(alembic_config())
    return tuple(step.revision for step in script.walk_revisions())
