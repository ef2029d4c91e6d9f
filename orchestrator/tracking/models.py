"""Show a trial's students as MLflow's models: the epoch, location and score of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Metric
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from orchestrator.plan.trial import PlannedTrial
from orchestrator.tracking.cursor import points_of
from orchestrator.tracking.tags import TRIAL
from trainers.schema.record import BEST, FAMILIES, LAST, Record, best_record

CHECKPOINT = "stillhouse.checkpoint"  # of a model: the file that it is
EXTERNAL = "mlflow.model.isExternal"  # the bytes are an artifact of the run, or stay in the store
NO_ENDPOINT = "ENDPOINT_NOT_FOUND"  # what servers before MLflow 3 answer


@dataclass(frozen=True)
class Student:
    """Hold one of a trial's checkpoints: its file, and the record of its epoch."""

    file: str
    record: Record


def students_of(trial: PlannedTrial, history: Sequence[Record]) -> Iterator[Student]:
    """Yield the checkpoints that a trial that has ended leaves; the last one only where it is not the best as well."""
    best = best_record(list(history))
    if best is not None and (trial.directory / BEST).exists():
        yield Student(BEST, best)
    if history and history[-1] is not best and (trial.directory / LAST).exists():
        yield Student(LAST, history[-1])


def link_models(
    client: MlflowClient, experiment: str, run_id: str, trial: PlannedTrial, history: Sequence[Record], where: str
) -> None:
    """Create a model for each checkpoint that has none, link it to the run, and log its score.

    ``where`` is the folder of the best student among the run's artifacts. May be repeated after any failure: models are
    looked for before they are made, one that was made twice is deleted. A server without models is left alone.
    """
    found = _models(client, experiment, run_id)
    if found is None:
        return
    for student in students_of(trial, history):
        mine = [model for model in found if model.tags.get(CHECKPOINT) == student.file]
        model = mine[0] if mine else _create(client, experiment, run_id, trial, student, where)
        for other in mine[1:]:
            client.delete_logged_model(other.model_id)
        if model.status != LoggedModelStatus.READY:
            client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
        _link(client, run_id, model, student)


def _models(client: MlflowClient, experiment: str, run_id: str) -> list[LoggedModel] | None:
    """Return the run's models, oldest first; ``None`` where the server knows no models."""
    try:
        found = client.search_logged_models([experiment], f"source_run_id = '{run_id}'", max_results=100)
    except MlflowException as error:
        if error.error_code == NO_ENDPOINT:
            return None
        raise
    return sorted(found, key=lambda model: (model.creation_timestamp, model.model_id))


def _create(
    client: MlflowClient, experiment: str, run_id: str, trial: PlannedTrial, student: Student, where: str
) -> LoggedModel:
    place = f"runs:/{run_id}/{where}/{BEST}" if student.file == BEST else f"trials/{trial.id}/{LAST} in the store"
    return client.create_logged_model(
        experiment,
        name=f"{trial.spec.method.kind.replace('+', '-')}-{trial.id[:6]}-epoch-{student.record.epoch}",
        source_run_id=run_id,
        model_type="detector",
        tags={CHECKPOINT: student.file, TRIAL: trial.id, EXTERNAL: "true"},
        params={"epoch": str(student.record.epoch), "checkpoint": place, "config": trial.spec.student.config},
    )


def _link(client: MlflowClient, run_id: str, model: LoggedModel, student: Student) -> None:
    """Log the epoch's scores with the model: the very points that the run has, which MLflow therefore holds once."""
    points = [point for point in points_of([student.record]) if point.key.startswith(FAMILIES)]
    metrics = [Metric(*point, model_id=model.model_id) for point in points]
    for begin in range(0, len(metrics), 1000):  # MLflow's limit
        client.log_batch(run_id, metrics=metrics[begin : begin + 1000])
    outputs = client.get_run(run_id).outputs
    if model.model_id not in {output.model_id for output in (outputs.model_outputs if outputs else ())}:
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=student.record.epoch)])
