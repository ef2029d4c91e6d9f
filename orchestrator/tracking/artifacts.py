"""Fetch a trial's student from MLflow."""

from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from orchestrator.errors import OperationError
from orchestrator.tracking.tracker import STUDENT_FOLDER, find_runs, first_line
from trainers.spec.record import BEST, CONFIG


def download_student(client: MlflowClient, trial_id: str, scratch: Path) -> Path:
    """Download the config and best checkpoint of a trial into ``scratch`` and return the folder that holds them."""
    run = find_runs(client, [trial_id]).get(trial_id)
    try:
        listed = client.list_artifacts(run.info.run_id, STUDENT_FOLDER) if run else []
        if run is None or not {BEST, CONFIG} <= {Path(item.path).name for item in listed}:
            raise OperationError(f"trial {trial_id} has no student yet, neither in the store nor in MLflow")
        return Path(client.download_artifacts(run.info.run_id, STUDENT_FOLDER, str(scratch)))
    except (MlflowException, OSError) as error:
        raise OperationError(
            f"cannot fetch the student of trial {trial_id} from MLflow: {first_line(error)}"
        ) from error
