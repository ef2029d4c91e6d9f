"""Keep predictions in MLflow, beside the runs that they belong to, and read them back."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from pydantic import ValidationError

from orchestrator.core.errors import OperationError
from orchestrator.tracking.artifact_locations import artifacts_of
from orchestrator.tracking.faults import plainly
from orchestrator.tracking.pages import all_experiments
from orchestrator.tracking.runs import find_runs
from orchestrator.tracking.tags import FINGERPRINT, KIND
from trainers.schema.predictions import FOLDER, IMAGES, INDEX, TRIALS, ImagePredictions, Index, Picture

PREDICTIONS = "stillhouse.predictions"  # of a trial's and a study's run: on how many images, written behind the files


def find_study(client: MlflowClient, fingerprint: str) -> Run | None:
    """Return a study's own run, ``None`` where MLflow has none; of several, in any experiment, the oldest."""
    with plainly():
        experiments = [experiment.experiment_id for experiment in all_experiments(client)]
        wanted = f"tags.`{FINGERPRINT}` = '{fingerprint}' and tags.`{KIND}` = 'study'"
        runs = client.search_runs(experiments, wanted, max_results=100)
    return min(runs, key=lambda run: int(run.info.start_time), default=None)


def log_predictions(client: MlflowClient, study: Run, runs: Mapping[str, Run], folder: Path) -> None:
    """Copy the output of ``trainers.predictions`` in ``folder`` to the study's run and the trials' ``runs``, by id.

    May be repeated after any failure: files of one name replace each other. The index comes last, so that every file
    that it names exists; trials that looked at the same images before stay in it. Raises ``Unreachable`` or
    ``OperationError``.
    """
    index = Index.model_validate_json((folder / INDEX).read_text())
    with plainly():
        for trial, run in runs.items():
            client.log_artifacts(run.info.run_id, str(folder / TRIALS / trial), FOLDER)
            client.set_tag(run.info.run_id, PREDICTIONS, str(len(index.images)))
        study_id = study.info.run_id
        client.log_artifacts(study_id, str(folder / IMAGES), f"{FOLDER}/{IMAGES}")
        whole = _joined(read_index(client, study), index)
        client.log_text(study_id, whole.model_dump_json(indent=1), f"{FOLDER}/{INDEX}")
        client.set_tag(study_id, PREDICTIONS, str(len(index.images)))


def _joined(before: Index | None, index: Index) -> Index:
    if before is None or before.images != index.images:
        return index
    curves = tuple(dict.fromkeys((*before.curves, *index.curves)))
    return index.model_copy(update={"trials": before.trials | index.trials, "curves": curves})


def read_index(client: MlflowClient, study: Run) -> Index | None:
    """Return the list of a study's images, ``None`` when nobody has looked at any."""
    if PREDICTIONS not in study.data.tags:
        return None
    with _fetched(client, study, f"{FOLDER}/{INDEX}") as path:
        return Index.model_validate_json(path.read_text())


def read_picture(client: MlflowClient, study: Run, picture: Picture) -> bytes:
    """Return a chosen image as JPEG."""
    with _fetched(client, study, f"{FOLDER}/{IMAGES}/{picture.key}.jpg") as path:
        return path.read_bytes()


def read_predictions(client: MlflowClient, trial_id: str, key: str) -> ImagePredictions:
    """Return a trial's detections in an image."""
    run = find_runs(client, [trial_id], PREDICTIONS).get(trial_id)
    if run is None:
        raise OperationError(f"trial {trial_id} has no run in MLflow")
    with _fetched(client, run, f"{FOLDER}/{key}.json") as path:
        return ImagePredictions.model_validate_json(path.read_text())


@contextmanager
def _fetched(client: MlflowClient, run: Run, name: str) -> Iterator[Path]:
    """Download one artifact for as long as it is read.

    Raise ``OperationError`` if it has changed since it was written.
    """
    with tempfile.TemporaryDirectory(prefix="stillhouse-") as scratch:
        with plainly():
            path = Path(artifacts_of(client, run).download_artifacts(name, scratch))
        try:
            yield path
        except (ValidationError, ValueError) as error:
            raise OperationError(f"{name} of run {run.info.run_id} is damaged: run stillhouse predict again") from error
