"""Turn a study into the trials that ``run`` will run: their identities, places, states, and what is missing for them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from orchestrator.core.findings import Finding
from orchestrator.core.store import Store
from orchestrator.plan.digests import MISSING, annotation_digests, dataset_digest, file_digest
from orchestrator.plan.estimate import Estimate, estimate
from orchestrator.plan.journal import SearchLog
from orchestrator.plan.machine import Machine, this_machine
from orchestrator.plan.preflight import preflight
from orchestrator.plan.resources import Resources, resources
from orchestrator.plan.suggestion import suggestions_in
from orchestrator.plan.weights import config_digest, config_inputs, in_other_order, zoo_checkpoint, zoo_detector
from orchestrator.study.expand import Point, expand, point_of
from orchestrator.study.fingerprint import fingerprint, trial_fingerprint
from orchestrator.study.load import LoadedStudy
from orchestrator.study.schema import (
    CheckpointTeacher,
    RandomTeacher,
    Study,
    TeacherSection,
    TrainedTeacher,
    ZooTeacher,
)
from orchestrator.study.space import is_open
from trainers.schema import DatasetSpec, Job, NoDistillation, Placement, Schedule, Teacher, TrialSpec, Weights
from trainers.schema.record import BEST, Status, read_status
from trainers.schema.trial import Origin, Segment

ID_LENGTH = 12  # hexadecimal digits: 48 bits, no clash among millions of trials
EVALUATION_ONLY = Schedule(iterations=0, batch_size=1)
Role = Literal["teacher", "student"]
WORST_FIRST = ("error", "missing", "warning", "note")


@dataclass(frozen=True)
class PlannedTrial:
    """Hold one trial of a plan. ``params`` are the searched keys and their values; ``directory`` is its own.

    ``inputs`` are the files of its detectors that its id stands for, by their SHA-256.
    """

    id: str
    role: Role
    spec: TrialSpec
    params: dict[str, JsonValue]
    directory: Path
    status: Status
    estimate: Estimate
    inputs: dict[str, str] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class Plan:
    """Hold everything that ``run`` will do. ``findings`` name what is missing or doubtful, worst first.

    A search whose points follow from results adds to ``suggested`` while it runs; ``planner`` makes trials of them.
    """

    study: Study
    source: Path
    fingerprint: str
    teacher: PlannedTrial | None
    students: tuple[PlannedTrial, ...]
    resources: Resources
    findings: tuple[Finding, ...]
    planner: "Planner" = field(compare=False, repr=False)
    search_log: Path
    suggested: list[PlannedTrial] = field(default_factory=list)
    part: bool = False  # one of several plans that are run under one name

    @property
    def trials(self) -> tuple[PlannedTrial, ...]:
        """Return all trials that are known by now, the teacher's first, those that the search has come to last."""
        return (*([self.teacher] if self.teacher else []), *self.students, *self.suggested)

    @property
    def devices(self) -> float:
        """Return on how many GPUs a trial runs; where there are none, on how many workers."""
        return self.resources.workers * (self.resources.gpus_per_worker or 1.0)

    def job(self, trial: PlannedTrial) -> Job:
        """Return what a worker group gets to run ``trial``."""
        directory = str(trial.directory)
        return Job(
            trial=trial.spec,
            trial_id=trial.id,
            directory=directory,
            placement=self.placement(trial.role),
            inputs=self.planner.inputs | trial.inputs,
        )

    def placement(self, role: Role) -> Placement:
        """Return how trials in ``role`` are placed."""
        as_asked = self.study.scaling.model_dump(include={"checkpoint_steps", "start_timeout_s", "hang_timeout_s"})
        return self.resources.placement(role).model_copy(update=as_asked)


def make_plan(loaded: LoadedStudy, store: Store, machine: Machine | None = None) -> Plan:
    """Plan ``loaded`` for ``store``; needs neither data nor GPU, and says what of them is missing."""
    study = loaded.study
    machine = machine or this_machine()
    granted = resources(study, machine)
    findings = (*loaded.warnings, *preflight(loaded, granted, machine))
    annotations = annotation_digests(study.dataset)
    digest = dataset_digest(study.dataset, annotations)
    checkpoint = _checkpoint(study.teacher)
    teacher, model, model_digest = _plan_teacher(study, store, digest, checkpoint)
    planner = Planner(study, store, digest, model, model_digest, annotations, checkpoint)
    students, left_out = _within_budget(study, planner.students())
    distils = any(trial.spec.teacher for trial in students) or is_open(study.search)
    trials = ([teacher] if teacher and distils else []) + students
    identity = _study_identity(study, planner, trials)
    search_log = store.search_log(fingerprint([identity, study.search.scheduler.model_dump(mode="json")])[:ID_LENGTH])
    return Plan(
        study=study,
        source=loaded.path,
        fingerprint=identity,
        teacher=teacher if distils else None,
        students=tuple(students),
        resources=granted,
        findings=worst_first((*findings, *left_out)),
        planner=planner,
        search_log=search_log,
        suggested=planner.suggested(search_log),
    )


def with_findings(plan: Plan, found: Iterable[Finding]) -> Plan:
    """Return the plan with more findings."""
    return replace(plan, findings=worst_first((*plan.findings, *found)))


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in the order of their weight."""
    return tuple(sorted(findings, key=lambda finding: WORST_FIRST.index(finding.level)))


class Planner:
    """Make trials of points: everything that all students of a study have in common is looked up once."""

    def __init__(
        self,
        study: Study,
        store: Store,
        digest: str,
        teacher: Teacher | None,
        teacher_digest: str | None,
        annotations: dict[str, str],
        checkpoint: dict[str, str],
    ) -> None:
        self._study, self._store, self._digest = study, store, digest
        self._teacher, self._teacher_digest, self._checkpoint = teacher, teacher_digest, checkpoint
        self.inputs = annotations

    @property
    def teacher(self) -> Teacher | None:
        """Return the teacher as students see it."""
        return self._teacher

    def students(self) -> list[PlannedTrial]:
        """Return the students that are known before anything has run; of equal trials the first."""
        found: dict[str, PlannedTrial] = {}
        for point in expand(self._study):
            trial = self.student(point)
            found.setdefault(trial.id, trial)
        return list(found.values())

    def at(
        self, params: dict[str, JsonValue], seed: int, epochs: tuple[int, int] | None = None, origin: str | None = None
    ) -> PlannedTrial:
        """Return the trial at a point; with ``epochs`` the segment between them, ``origin`` is whom it goes on from.

        Raises ``pydantic.ValidationError`` when the values do not fit together.
        """
        point = point_of(self._study, params, seed)
        if epochs is None:
            return self.student(point)
        begin = Origin(trial=origin, directory=str(self._store.trial_dir(origin))) if origin else None
        trial = self.student(point, Segment(from_epoch=epochs[0], until_epoch=epochs[1], origin=begin))
        where: dict[str, JsonValue] = {"epochs": f"{epochs[0] + 1}-{epochs[1]}"}
        if origin:
            where["from"] = origin
        return replace(trial, params={**trial.params, **where})

    def suggested(self, search_log: Path) -> list[PlannedTrial]:
        """Return the trials of all points that an open search has come to so far, each once."""
        if not is_open(self._study.search):
            return []
        known = {trial.id for trial in self.students()}
        found = suggestions_in(SearchLog(search_log).read(), self.at, self._study.search.seeds)
        trials = (trial for _, group in found for trial in group)
        return list({trial.id: trial for trial in trials if trial.id not in known}.values())

    def student(self, point: Point, segment: Segment | None = None) -> PlannedTrial:
        """Return the trial of one point."""
        alone = isinstance(point.method, NoDistillation)
        spec = TrialSpec(
            dataset=self._study.dataset,
            student=point.student,
            teacher=None if alone else self._teacher,
            method=point.method,
            schedule=point.schedule,
            seed=point.seed,
            segment=segment,
        )
        identity = _identity(spec, self._digest, teacher_digest=None if alone else self._teacher_digest)
        checkpoint = {} if alone else self._checkpoint
        return _planned("student", spec, dict(point.params), self._store, identity, checkpoint)


def _within_budget(study: Study, students: list[PlannedTrial]) -> tuple[list[PlannedTrial], list[Finding]]:
    """Return the first ``search.max_trials`` students, and what is to be said of the others."""
    most = study.search.max_trials
    if most is None or len(students) <= most:
        return students, []
    message = f"{most} of {len(students)} trials are run, {len(students) - most} are left out"
    return students[:most], [Finding("warning", "search.max_trials", message)]


def _study_identity(study: Study, planner: Planner, trials: Sequence[PlannedTrial]) -> str:
    """Return the fingerprint of a study: of its trials, or of how an open search finds them."""
    ids = [trial.id for trial in trials]
    if not is_open(study.search):
        return fingerprint(ids)
    deciding = {"algorithm", "space", "seeds", "objectives", "population", "warm_start", "seed"}
    content = study.search.model_dump(mode="json", include=deciding)
    return fingerprint([ids, planner.at({}, 0).id, content])


def _plan_teacher(
    study: Study, store: Store, digest: str, checkpoint: dict[str, str]
) -> tuple[PlannedTrial | None, Teacher | None, str | None]:
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
    return _plan_public_teacher(study, section, store, digest, checkpoint)


def _teachers_images(dataset: DatasetSpec, section: TrainedTeacher) -> DatasetSpec:
    """Return the dataset as the teacher's own training sees it."""
    return dataset.model_copy(update={"multi_scale": section.multi_scale}) if section.multi_scale else dataset


def _plan_public_teacher(
    study: Study, section: ZooTeacher | CheckpointTeacher, store: Store, digest: str, checkpoint: dict[str, str]
) -> tuple[PlannedTrial, Teacher, str]:
    """Plan a teacher that exists already: it is evaluated once, before students are trained."""
    if isinstance(section, ZooTeacher):
        detector, path = zoo_detector(section.name), zoo_checkpoint(section.name).url
        model_digest = fingerprint(["zoo", section.name, path])
    else:
        detector, path, model_digest = section.detector, section.path, checkpoint.get(section.path, MISSING)
    if in_other_order(study):  # these rows were not permuted once, and results of such a teacher were wrong
        model_digest = fingerprint(["rows in the dataset's order of classes", model_digest])
    weights = Weights(path=path, coverage=section.coverage)
    spec = TrialSpec(
        dataset=study.dataset,
        student=detector,
        init=weights,
        method=NoDistillation(kind="none"),
        schedule=EVALUATION_ONLY,
    )
    identity = _identity(spec, digest, init_digest=model_digest)
    trial = _planned("teacher", spec, {}, store, identity, checkpoint)
    return trial, Teacher(detector=detector, weights=weights), model_digest


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


def _checkpoint(teacher: TeacherSection | None) -> dict[str, str]:
    """Return the file of a teacher that is a checkpoint of the user's, and its SHA-256; nothing if it is not here."""
    if not isinstance(teacher, CheckpointTeacher) or not Path(teacher.path).is_file():
        return {}
    return {teacher.path: file_digest(teacher.path)}


def _planned(
    role: Role,
    spec: TrialSpec,
    params: dict[str, JsonValue],
    store: Store,
    identity: str,
    checkpoint: dict[str, str] | None = None,
) -> PlannedTrial:
    trial_id = identity[:ID_LENGTH]
    directory = store.trial_dir(trial_id)
    detectors = [spec.student, *([spec.teacher.detector] if spec.teacher else [])]
    inputs = config_inputs(*detectors) | (checkpoint or {})
    return PlannedTrial(
        trial_id, role, spec, params, directory, read_status(directory), estimate(spec, directory), inputs
    )


def refreshed(trial: PlannedTrial) -> PlannedTrial:
    """Return ``trial`` with its present state."""
    return replace(trial, status=read_status(trial.directory))
