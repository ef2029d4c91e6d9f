"""Fetch a trial's student from MLflow."""

from pathlib import Path

from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from orchestrator.core.errors import OperationError
from orchestrator.core.redact import first_line
from orchestrator.tracking.artifact_locations import artifacts_of
from orchestrator.tracking.runs import find_runs
from orchestrator.tracking.tags import STATUS, STUDENT
from orchestrator.tracking.tracker import STUDENT_FOLDER
from trainers.schema.digest import file_digest
from trainers.schema.record import BEST, CONFIG


def download_student(client: MlflowClient, trial_id: str, scratch: Path) -> Path:
    """Download the config and best checkpoint of a trial into ``scratch`` and return the folder that holds them.

    Raises ``OperationError`` when there is none, or when its upload has not come to its end.
    """
    run = find_runs(client, [trial_id]).get(trial_id)
    try:
        if run is None or not has_student(client, run):
            raise OperationError(f"trial {trial_id} has no student yet, neither in the store nor in MLflow")
        folder = Path(artifacts_of(client, run).download_artifacts(STUDENT_FOLDER, str(scratch)))
        wanted = run.data.tags.get(STUDENT)
        if wanted is not None and file_digest(folder / BEST) != wanted:
            raise OperationError(f"the student of trial {trial_id} is only partly in MLflow: run the study again")
    except (MlflowException, OSError) as error:
        raise OperationError(
            f"cannot fetch the student of trial {trial_id} from MLflow: {first_line(error)}"
        ) from error
    return folder


def has_student(client: MlflowClient, run: Run) -> bool:
    """Return whether a run says that its student is there, and it is; runs of earlier releases say it by their end."""
    if not {STUDENT, STATUS} & set(run.data.tags):
        return False
    return {BEST, CONFIG} <= {Path(item.path).name for item in artifacts_of(client, run).list_artifacts(STUDENT_FOLDER)}
