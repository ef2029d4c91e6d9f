"""Report trials of a plan for which MLflow has more than the store; only the store decides which trials remain."""

import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path

from orchestrator.core.errors import OperationError
from orchestrator.core.findings import Finding
from orchestrator.core.sqlite_file import reading
from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.tracking.tags import TRIAL
from trainers.schema.status import is_over

RUNS_OF_TRIALS = "select value from tags join runs using (run_uuid) where key = ? and lifecycle_stage = 'active'"


def differing_records(plan: Plan, store: Store) -> Iterator[Finding]:
    """Yield the findings of the result-reading commands on the same trials.

    MLflow is asked where it may have runs of trials that are left to train: loading it takes seconds.
    """
    left = {trial.id for trial in plan.trials if not is_over(trial.status)}
    if left and _may_have_runs(plan, store, left):
        from orchestrator.tracking.reading import further_in_mlflow

        yield from (Finding("warning", "tracking", sentence) for sentence in further_in_mlflow(plan, store))


def _may_have_runs(plan: Plan, store: Store, trial_ids: Collection[str]) -> bool:
    if plan.study.tracking.uri is not None:
        return True
    return store.database.exists() and _has_runs(store.database, trial_ids)


def _has_runs(database: Path, trial_ids: Collection[str]) -> bool:
    """Return whether the store's own database has a run of one of the trials; one that cannot be read may have."""
    try:
        with reading(database) as connection:
            return any(trial_id in trial_ids for (trial_id,) in connection.execute(RUNS_OF_TRIALS, (TRIAL,)))
    except (sqlite3.Error, OperationError):
        return True
