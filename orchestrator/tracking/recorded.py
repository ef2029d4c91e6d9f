"""Read the provenance of a study's results from MLflow, or the smaller part that the directories hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlflow.entities import Run

from orchestrator.plan.digests import dataset_digest
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.tracking.tags import DATA, LOCK_DIGEST, REVISION, STUDENT
from trainers.schema.manifest import read_manifest
from trainers.schema.record import BEST, DamagedFile


@dataclass(frozen=True)
class Recorded:
    """Hold digests, sorted; several of a kind when trials were run at different times, none when nobody recorded it."""

    revisions: tuple[str, ...]
    locks: tuple[str, ...]
    data: tuple[str, ...]
    teacher: str | None


def read_recorded(plan: Plan, runs: Mapping[str, Run]) -> Recorded:
    """Return the provenance from the runs of the plan's trials, by trial id.

    Without a run, only that of the directory.
    """
    tags = [run.data.tags for run in runs.values()]
    teacher = runs.get(plan.teacher.id) if plan.teacher else None
    return Recorded(
        revisions=_values(tags, REVISION),
        locks=_values(tags, LOCK_DIGEST),
        data=_values(tags, DATA) or (dataset_digest(plan.study.dataset),),
        teacher=teacher.data.tags.get(STUDENT) if teacher else _student(plan.teacher),
    )


def _student(trial: PlannedTrial | None) -> str | None:
    if trial is None:
        return None
    try:
        manifest = read_manifest(trial.directory)
    except DamagedFile:
        return None
    entry = manifest.students.get(BEST) if manifest else None
    return entry.sha256 if entry else None


def _values(tags: Sequence[dict[str, str]], key: str) -> tuple[str, ...]:
    return tuple(sorted({found[key] for found in tags if key in found}))
