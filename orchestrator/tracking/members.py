"""Ask the store's own MLflow database which trials belong to studies that it still has."""

from orchestrator.core.store import Store
from orchestrator.tracking.client import client_at
from orchestrator.tracking.faults import plainly
from orchestrator.tracking.pages import all_experiments, all_runs
from orchestrator.tracking.runs import member_tag
from orchestrator.tracking.tags import FINGERPRINT, KIND, TRIAL


def trials_in_mlflow(store: Store) -> set[str] | None:
    """Return the ids of all trials whose study has a run that is not deleted; ``None`` where there is no database.

    Raises ``OperationError`` when the database cannot be read.
    """
    if not store.database.exists():
        return None
    client = client_at(store.tracking_uri, reading=True)
    with plainly():
        experiments = [experiment.experiment_id for experiment in all_experiments(client)]
        runs = list(all_runs(client, experiments))
    studies = {member_tag(run.data.tags[FINGERPRINT]) for run in runs if run.data.tags.get(KIND) == "study"}
    trials = [run for run in runs if TRIAL in run.data.tags]
    return {run.data.tags[TRIAL] for run in trials if studies & run.data.tags.keys()}
