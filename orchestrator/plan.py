"""Turn a study into the trials that ``run`` will run: their identities, places, states, and what is missing for them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from orchestrator.digests import dataset_digest, file_digest
from orchestrator.estimate import Estimate, estimate
from orchestrator.findings import Finding
from orchestrator.fingerprint import fingerprint, trial_fingerprint
from orchestrator.machine import Machine, this_machine
from orchestrator.preflight import preflight
from orchestrator.resources import Resources, resources
from orchestrator.store import Store
from orchestrator.study.expand import expand
from orchestrator.study.load import LoadedStudy
from orchestrator.study.schema import CheckpointTeacher, RandomTeacher, Study, TrainedTeacher, ZooTeacher
from orchestrator.weights import config_digest, zoo_checkpoint, zoo_detector
from trainers.spec import DatasetSpec, Job, NoDistillation, Schedule, Teacher, TrialSpec, Weights
from trainers.spec.record import BEST, Status, read_status

ID_LENGTH = 12  # hexadecimal digits: 48 bits, no clash among millions of trials
EVALUATION_ONLY = Schedule(iterations=0, batch_size=1)
Role = Literal["teacher", "student"]
WORST_FIRST = ("error", "missing", "warning", "note")


@dataclass(frozen=True)
class PlannedTrial:
    """Hold one trial of a plan. ``params`` are the searched keys and their values; ``directory`` is its own."""

    id: str
    role: Role
    spec: TrialSpec
    params: dict[str, JsonValue]
    directory: Path
    status: Status
    estimate: Estimate


@dataclass(frozen=True)
class Plan:
    """Hold everything that ``run`` will do. ``findings`` name what is missing or doubtful, worst first."""

    study: Study
    source: Path
    fingerprint: str
    teacher: PlannedTrial | None
    students: tuple[PlannedTrial, ...]
    resources: Resources
    findings: tuple[Finding, ...]

    @property
    def trials(self) -> tuple[PlannedTrial, ...]:
        """Return all trials, the teacher's first."""
        return (self.teacher, *self.students) if self.teacher else self.students

    def job(self, trial: PlannedTrial) -> Job:
        """Return what a worker group gets to run ``trial``."""
        as_asked = self.study.scaling.model_dump(include={"checkpoint_steps", "start_timeout_s", "hang_timeout_s"})
        placement = self.resources.placement(trial.role).model_copy(update=as_asked)
        return Job(trial=trial.spec, trial_id=trial.id, directory=str(trial.directory), placement=placement)


def make_plan(loaded: LoadedStudy, store: Store, machine: Machine | None = None) -> Plan:
    """Plan ``loaded`` for ``store``; needs neither data nor GPU, and says what of them is missing."""
    study = loaded.study
    machine = machine or this_machine()
    granted = resources(study, machine)
    findings = (*loaded.warnings, *preflight(loaded, granted, machine))
    digest = dataset_digest(study.dataset)
    teacher, model, model_digest = _plan_teacher(study, store, digest)
    students = _plan_students(study, store, digest, model, model_digest)
    distils = any(trial.spec.teacher for trial in students)
    trials = ([teacher] if teacher and distils else []) + students
    return Plan(
        study=study,
        source=loaded.path,
        fingerprint=fingerprint([trial.id for trial in trials]),
        teacher=teacher if distils else None,
        students=tuple(students),
        resources=granted,
        findings=tuple(sorted(findings, key=lambda finding: WORST_FIRST.index(finding.level))),
    )


def _plan_teacher(study: Study, store: Store, digest: str) -> tuple[PlannedTrial | None, Teacher | None, str | None]:
    """Return the trial that trains or evaluates the teacher, the teacher as students see it, and its identity."""
    section = study.teacher
    if section is None:
        return None, None, None
    if isinstance(section, RandomTeacher):
        return None, Teacher(detector=section.detector, weights=None), "random"
    if isinstance(section, TrainedTeacher):
        spec = TrialSpec(
            dataset=_teachers_images(study.dataset, section),
            student=section.detector,
            method=NoDistillation(kind="none"),
            schedule=section.schedule,
            seed=section.seed,
        )
        trial = _planned("teacher", spec, {}, store, _identity(spec, digest))
        weights = Weights(path=str(trial.directory / BEST))
        return trial, Teacher(detector=section.detector, weights=weights), trial.id
    return _plan_public_teacher(study, section, store, digest)


def _teachers_images(dataset: DatasetSpec, section: TrainedTeacher) -> DatasetSpec:
    """Return the dataset as the teacher's own training sees it."""
    return dataset.model_copy(update={"multi_scale": section.multi_scale}) if section.multi_scale else dataset


def _plan_public_teacher(
    study: Study, section: ZooTeacher | CheckpointTeacher, store: Store, digest: str
) -> tuple[PlannedTrial, Teacher, str]:
    """Plan a teacher that exists already: it is evaluated once, before students are trained."""
    if isinstance(section, ZooTeacher):
        detector, path = zoo_detector(section.name), zoo_checkpoint(section.name).url
        model_digest = fingerprint(["zoo", section.name, path])
    else:
        detector, path, model_digest = section.detector, section.path, file_digest(section.path)
    weights = Weights(path=path, coverage=section.coverage)
    spec = TrialSpec(
        dataset=study.dataset,
        student=detector,
        init=weights,
        method=NoDistillation(kind="none"),
        schedule=EVALUATION_ONLY,
    )
    trial = _planned("teacher", spec, {}, store, _identity(spec, digest, init_digest=model_digest))
    return trial, Teacher(detector=detector, weights=weights), model_digest


def _plan_students(
    study: Study, store: Store, digest: str, teacher: Teacher | None, teacher_digest: str | None
) -> list[PlannedTrial]:
    found: dict[str, PlannedTrial] = {}
    for point in expand(study):
        alone = isinstance(point.method, NoDistillation)
        spec = TrialSpec(
            dataset=study.dataset,
            student=point.student,
            teacher=None if alone else teacher,
            method=point.method,
            schedule=point.schedule,
            seed=point.seed,
        )
        identity = _identity(spec, digest, teacher_digest=None if alone else teacher_digest)
        trial = _planned("student", spec, dict(point.params), store, identity)
        found.setdefault(trial.id, trial)
    return list(found.values())


def _identity(
    spec: TrialSpec, digest: str, *, init_digest: str | None = None, teacher_digest: str | None = None
) -> str:
    return trial_fingerprint(
        spec,
        dataset_digest=digest,
        init_digest=init_digest,
        teacher_digest=teacher_digest,
        student_config_digest=config_digest(spec.student),
        teacher_config_digest=config_digest(spec.teacher.detector) if spec.teacher else None,
    )


def _planned(role: Role, spec: TrialSpec, params: dict[str, JsonValue], store: Store, identity: str) -> PlannedTrial:
    trial_id = identity[:ID_LENGTH]
    directory = store.trial_dir(trial_id)
    return PlannedTrial(trial_id, role, spec, params, directory, read_status(directory), estimate(spec, directory))


def refreshed(trial: PlannedTrial) -> PlannedTrial:
    """Return ``trial`` with its present state."""
    return replace(trial, status=read_status(trial.directory))
