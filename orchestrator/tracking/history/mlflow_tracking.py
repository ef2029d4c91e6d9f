"""Read an MLflow tracking store in bulk, and only the changes since the last time."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking import MlflowClient

from orchestrator.compat.mlflow_parts import store_of
from orchestrator.core.redact import redacted
from orchestrator.study.wording import counted
from orchestrator.tracking.artifact_locations import artifacts_of
from orchestrator.tracking.faults import plainly
from orchestrator.tracking.history.mlflow_curves import read_curves
from orchestrator.tracking.history.mlflow_database import RunRow, database_runs
from orchestrator.tracking.history.mlflow_runs import row_of, to_recorded
from orchestrator.tracking.history.recorded import Curves, RecordedRun
from orchestrator.tracking.lacking import SYNC, deleted_trials, note_of_deleted
from orchestrator.tracking.library_logs import silence_libraries
from orchestrator.tracking.pages import all_experiments, all_runs
from orchestrator.tracking.probe import require_answer
from orchestrator.tracking.tags import TRIAL
from trainers.schema.record import HISTORY, OUTCOME

ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


class MlflowTracking:
    """Read one tracking store. Curves of a run whose last values have not changed are kept from the time before.

    ``trials`` is the folder of the store that the runs are from. For one thread at a time; only ``artifact`` may be called
    by several. Raises ``UserError`` for a database that is not there, ``Unreachable`` while a store does
    not answer and ``OperationError`` when it never will.
    """

    def __init__(self, uri: str, trials: Path | None = None) -> None:
        require_answer(uri, reading=True)
        silence_libraries()
        self._source, self._uri, self._trials = redacted(uri), uri, trials
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
            names = {experiment.experiment_id: experiment.name for experiment in all_experiments(self._client)}
            found = [to_recorded(row, names[row.experiment]) for row in self._rows(list(names))]
        return sorted(found, key=lambda run: (run.started or 0, run.run_id))

    def _rows(self, experiments: list[str]) -> Iterator[RunRow]:
        store = store_of(self._client)
        if isinstance(store, SqlAlchemyStore):
            yield from database_runs(store, experiments)
        else:
            yield from map(row_of, all_runs(self._client, experiments))

    def curves(self, runs: Sequence[RecordedRun]) -> dict[str, Curves]:
        """Return every point of every metric of these runs, by run id."""
        changed = [run for run in runs if not self._is_read(run)]
        if changed:
            with plainly():
                found = read_curves(self._client, changed)
            self._read |= {run.run_id: (run, found.get(run.run_id, {})) for run in changed}
        return {run.run_id: self._read[run.run_id][1] for run in runs}

    def notes(self, runs: Sequence[RecordedRun]) -> list[str]:
        """Return notes on deleted runs and on trials that MLflow lacks, with the commands that restore them."""
        shown = {run.trial for run in runs}
        with plainly():
            deleted = deleted_trials(self._client, shown)
        found = [note_of_deleted(self._uri, group) for group in deleted.values()]
        known = shown | {run.run.data.tags[TRIAL] for group in deleted.values() for run in group}
        lacking = [path.name for path in self._trial_folders() if path.name not in known]
        if lacking:
            found.append(f"{counted(len(lacking), 'trial')} of the store are not in MLflow, and {SYNC}")
        return found

    def _trial_folders(self) -> list[Path]:
        folders = sorted(self._trials.glob("*")) if self._trials else []
        return [path for path in folders if any((path / name).exists() for name in (HISTORY, OUTCOME))]

    def artifact(self, run: str, path: str, largest: int) -> bytes | None:
        """Return a file of a run, ``None`` when there is none or it has more than ``largest`` bytes."""
        with plainly():
            try:
                kept = artifacts_of(self._client, self._client.get_run(run))
                listed = kept.list_artifacts(path.rpartition("/")[0])
                if not any(
                    item.path == path and not item.is_dir and (item.file_size or 0) <= largest for item in listed
                ):
                    return None
                with tempfile.TemporaryDirectory(prefix="stillhouse-") as folder:
                    return Path(kept.download_artifacts(path, folder)).read_bytes()
            except MlflowException as error:
                if error.error_code in ABSENT:
                    return None
                raise

    def _is_read(self, run: RecordedRun) -> bool:
        before = self._read.get(run.run_id)
        return before is not None and before[0].metrics == run.metrics
