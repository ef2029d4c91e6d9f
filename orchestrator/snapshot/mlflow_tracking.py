"""Read an MLflow tracking store in bulk, and only what has changed since the last time."""

import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking import MlflowClient

from orchestrator.errors import UserError
from orchestrator.redact import redacted
from orchestrator.snapshot.mlflow_curves import read_curves
from orchestrator.snapshot.mlflow_database import RunRow, database_runs
from orchestrator.snapshot.mlflow_runs import row_of, to_recorded
from orchestrator.snapshot.recorded import Curves, RecordedRun
from orchestrator.tracking.client import SQLITE, require_answer
from orchestrator.tracking.faults import plainly

ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
PAGE = 1000  # runs or experiments a request


class MlflowTracking:
    """Read one tracking store. Curves of a run whose last values have not changed are kept from the time before.

    For one thread at a time. Raises ``UserError`` for a database that is not there, ``Unreachable`` while a store does
    not answer and ``OperationError`` when it never will.
    """

    def __init__(self, uri: str) -> None:
        if (match := SQLITE.match(uri)) and not Path(match[1]).absolute().exists():
            raise UserError(f"there is no tracking database {Path(match[1]).absolute()}: run a study first")
        require_answer(uri)
        for library in ("alembic", "mlflow"):
            logging.getLogger(library).setLevel(logging.ERROR)
        self._source = redacted(uri)
        self._read: dict[str, tuple[RecordedRun, Curves]] = {}
        with plainly():
            self._client = MlflowClient(tracking_uri=uri)

    @property
    def source(self) -> str:
        """Return the store's address, without secrets."""
        return self._source

    def runs(self) -> list[RecordedRun]:
        """Return all runs that are not deleted, in the order of their start."""
        with plainly():
            names = {experiment.experiment_id: experiment.name for experiment in self._experiments()}
            found = [to_recorded(row, names[row.experiment]) for row in self._rows(list(names))]
        return sorted(found, key=lambda run: (run.started or 0, run.run_id))

    def _experiments(self) -> Iterator[Experiment]:
        yield from _pages(lambda token: self._client.search_experiments(max_results=PAGE, page_token=token))

    def _rows(self, experiments: list[str]) -> Iterator[RunRow]:
        store = self._client._tracking_client.store
        if isinstance(store, SqlAlchemyStore):
            yield from database_runs(store, experiments)
        elif experiments:
            search = self._client.search_runs
            yield from map(row_of, _pages(lambda token: search(experiments, max_results=PAGE, page_token=token)))

    def curves(self, runs: Sequence[RecordedRun]) -> dict[str, Curves]:
        """Return every point of every metric of these runs, by run id."""
        changed = [run for run in runs if not self._is_read(run)]
        if changed:
            with plainly():
                found = read_curves(self._client, changed)
            self._read |= {run.run_id: (run, found.get(run.run_id, {})) for run in changed}
        return {run.run_id: self._read[run.run_id][1] for run in runs}

    def artifact(self, run: str, path: str, largest: int) -> bytes | None:
        """Return a file of a run, ``None`` when there is none or it has more than ``largest`` bytes."""
        with plainly():
            try:
                listed = self._client.list_artifacts(run, path.rpartition("/")[0])
                if not any(
                    item.path == path and not item.is_dir and (item.file_size or 0) <= largest for item in listed
                ):
                    return None
                with tempfile.TemporaryDirectory(prefix="stillhouse-") as folder:
                    return Path(self._client.download_artifacts(run, path, folder)).read_bytes()
            except MlflowException as error:
                if error.error_code in ABSENT:
                    return None
                raise

    def _is_read(self, run: RecordedRun) -> bool:
        before = self._read.get(run.run_id)
        return before is not None and before[0].metrics == run.metrics


def _pages(ask: Callable[[str | None], Any]) -> Iterator[Any]:
    """Yield the items of all pages that MLflow answers with."""
    token: str | None = None
    while True:
        page = ask(token)
        yield from page
        token = page.token
        if not token:
            return
