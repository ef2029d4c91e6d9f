"""Make planned trials of the points of a study, and plan its teacher."""

from dataclasses import replace
from pathlib import Path

from pydantic import JsonValue

from orchestrator.core.by_object import ByObject
from orchestrator.core.store import Store
from orchestrator.plan.costs import Costs
from orchestrator.plan.estimate import estimate
from orchestrator.plan.journal import SearchLog
from orchestrator.plan.suggestion import suggestions_in
from orchestrator.plan.trial import ID_LENGTH, PlannedTrial, Role, status_of
from orchestrator.plan.weights import (
    CheckpointDigests,
    config_digest,
    config_inputs,
    in_other_order,
    start_file,
    zoo_checkpoint,
    zoo_detector,
    zoo_digest,
)
from orchestrator.study.expand import SearchPoint, expand, point_of
from orchestrator.study.fingerprint import PartTexts, fingerprint, parts_fingerprint, trial_parts
from orchestrator.study.schema import (
    CheckpointTeacher,
    RandomTeacher,
    StudySpec,
    TeacherSection,
    TrainedTeacher,
    ZooTeacher,
)
from orchestrator.study.space import is_open
from trainers.schema import DatasetSpec, NoDistillation, Schedule, Teacher, TrialSpec, Weights
from trainers.schema.agreement import bare
from trainers.schema.record import BEST
from trainers.schema.trial import ParentTrial, Segment

EVALUATION_ONLY = Schedule(iterations=0, batch_size=1)


class Planner:
    """Make trials of points: everything that all students of a study have in common is looked up once."""

    def __init__(
        self,
        study: StudySpec,
        store: Store,
        digest: str,
        teacher: Teacher | None,
        teacher_digest: str | None,
        annotations: dict[str, str],
        files: CheckpointDigests,
    ) -> None:
        self._study, self._store, self._digest = study, store, digest
        self._teacher, self._teacher_digest, self._files = teacher, teacher_digest, files
        self._texts = PartTexts()
        self.settings = ByObject[dict[str, str]]()  # of sections, as results name them
        self.inputs = annotations
        self.costs = Costs(store, study.dataset)

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
        begin = ParentTrial(trial=origin, directory=str(self._store.trial_dir(origin))) if origin else None
        trial = self.student(point, Segment(from_epoch=epochs[0], until_epoch=epochs[1], origin=begin))
        where: dict[str, JsonValue] = {"epochs": f"{epochs[0] + 1}-{epochs[1]}"}
        if origin:
            where["from"] = origin
        return replace(trial, params={**trial.params, **where})

    def root_of(self, spec: TrialSpec) -> str:
        """Return the name that a student shares with all that make the same first steps, whatever comes later."""
        alone = isinstance(spec.method, NoDistillation)
        digest = None if alone else self._teacher_digest
        parts = _parts(bare(spec), self._digest, self._files, teacher_digest=digest)
        return parts_fingerprint(parts)[:ID_LENGTH]

    def parts_of(self, trial: PlannedTrial) -> dict[str, str]:
        """Return the parts of a planned trial's identity by name, each as canonical JSON."""
        init = self._teacher_digest if trial.spec.init else None
        teacher = self._teacher_digest if trial.spec.teacher else None
        return _parts(trial.spec, self._digest, self._files, init_digest=init, teacher_digest=teacher)

    def suggested(self, search_log: Path) -> list[PlannedTrial]:
        """Return the trials of all points that an open search has come to so far, each once."""
        if not is_open(self._study.search):
            return []
        known = {trial.id for trial in self.students()}
        found = suggestions_in(SearchLog(search_log).read(), self.at, self._study.search.seeds)
        trials = (trial for _, group in found for trial in group)
        return list({trial.id: trial for trial in trials if trial.id not in known}.values())

    def student(self, point: SearchPoint, segment: Segment | None = None) -> PlannedTrial:
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
            shares=self._study.scaling.shares,
        )
        teacher_digest = None if alone else self._teacher_digest
        parts = _parts(spec, self._digest, self._files, self._texts, teacher_digest=teacher_digest)
        files = self._files.present(None if alone else _users_file(self._study.teacher), start_file(spec.student))
        trial = _planned("student", spec, dict(point.params), self._store, parts, files)
        return replace(trial, is_baseline=point.is_baseline)


def plan_teacher(
    study: StudySpec, store: Store, digest: str, files: CheckpointDigests
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
            shares=study.scaling.shares,
        )
        start = files.present(start_file(section.detector))
        trial = _planned("teacher", spec, {}, store, _parts(spec, digest, files), start)
        weights = Weights(path=str(trial.directory / BEST))
        return trial, Teacher(detector=section.detector, weights=weights), trial.id
    return _plan_public_teacher(study, section, store, digest, files)


def _teachers_images(dataset: DatasetSpec, section: TrainedTeacher) -> DatasetSpec:
    """Return the dataset as the teacher's own training sees it."""
    return dataset.model_copy(update={"multi_scale": section.multi_scale}) if section.multi_scale else dataset


def _plan_public_teacher(
    study: StudySpec, section: ZooTeacher | CheckpointTeacher, store: Store, digest: str, files: CheckpointDigests
) -> tuple[PlannedTrial, Teacher, str]:
    """Plan a teacher that exists already: it is evaluated once, before students are trained."""
    if isinstance(section, ZooTeacher):
        detector, path = zoo_detector(section.name), zoo_checkpoint(section.name).url
        model_digest = zoo_digest(section.name)
    else:
        detector, path, model_digest = section.detector, section.path, files.of(section.path)
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
    parts = _parts(spec, digest, files, init_digest=model_digest)
    trial = _planned("teacher", spec, {}, store, parts, files.present(_users_file(section)))
    return trial, Teacher(detector=detector, weights=weights), model_digest


def _parts(
    spec: TrialSpec,
    digest: str,
    files: CheckpointDigests,
    texts: PartTexts | None = None,
    *,
    init_digest: str | None = None,
    teacher_digest: str | None = None,
) -> dict[str, str]:
    return trial_parts(
        spec,
        texts=texts,
        dataset_digest=digest,
        init_digest=init_digest,
        teacher_digest=teacher_digest,
        student_config_digest=config_digest(spec.student),
        teacher_config_digest=config_digest(spec.teacher.detector) if spec.teacher else None,
        start_digest=files.of_start(spec.student.detector_weights),
    )


def _users_file(teacher: TeacherSection | None) -> str | None:
    """Return the file of a teacher that is a checkpoint of the user's."""
    return teacher.path if isinstance(teacher, CheckpointTeacher) else None


def _planned(
    role: Role,
    spec: TrialSpec,
    params: dict[str, JsonValue],
    store: Store,
    parts: dict[str, str],
    files: dict[str, str],
) -> PlannedTrial:
    trial_id = parts_fingerprint(parts)[:ID_LENGTH]
    directory = store.trial_dir(trial_id)
    detectors = [spec.student, *([spec.teacher.detector] if spec.teacher else [])]
    inputs = config_inputs(*detectors) | files
    return PlannedTrial(
        trial_id, role, spec, params, directory, status_of(directory), estimate(spec, directory), inputs
    )
