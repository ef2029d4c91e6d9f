"""Read the provenance of a study's results from MLflow, or the smaller part that the directories hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from orchestrator.plan.digests import dataset_digest
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.tracking.counts import read_counts
from orchestrator.tracking.tags import DATA, LOCK_DIGEST, REVISION, STUDENT
from trainers.schema.manifest import read_manifest
from trainers.schema.record import BEST, DamagedFile


@dataclass(frozen=True)
class Recorded:
    """Hold digests, sorted; several of a kind when trials were run at different times, none when nobody recorded it.

    ``counts`` are the images and boxes of the splits, as ``read_counts`` gives them. ``teachers`` are the digests of the
    teachers' checkpoints, by their trials.
    """

    revisions: tuple[str, ...]
    locks: tuple[str, ...]
    data: tuple[str, ...]
    teachers: Mapping[str, str | None]
    counts: Mapping[str, Any] | None = None


def read_recorded(plan: Plan, runs: Mapping[str, Run], client: MlflowClient | None = None) -> Recorded:
    """Return the provenance from the runs of the plan's trials, by trial id.

    Without a run, only that of the directory. ``client`` fetches what the directories do not hold.
    """
    tags = [run.data.tags for run in runs.values()]
    return Recorded(
        revisions=_values(tags, REVISION),
        locks=_values(tags, LOCK_DIGEST),
        data=_values(tags, DATA) or (dataset_digest(plan.study.dataset),),
        teachers={teacher.id: _checkpoint(teacher, runs.get(teacher.id)) for teacher in plan.teachers},
        counts=read_counts(plan.trials, runs, client),
    )


def _checkpoint(trial: PlannedTrial, run: Run | None) -> str | None:
    if run is not None:
        return run.data.tags.get(STUDENT)
    try:
        manifest = read_manifest(trial.directory)
    except DamagedFile:
        return None
    entry = manifest.students.get(BEST) if manifest else None
    return entry.sha256 if entry else None


def _values(tags: Sequence[dict[str, str]], key: str) -> tuple[str, ...]:
    return tuple(sorted({found[key] for found in tags if key in found}))
