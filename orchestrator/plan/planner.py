"""Make planned trials of the points of a study."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from pydantic import JsonValue

from orchestrator.core.by_object import ByObject
from orchestrator.core.store import Store
from orchestrator.plan.costs import Costs
from orchestrator.plan.digests import dataset_digest
from orchestrator.plan.journal import SearchLog
from orchestrator.plan.making import identity_parts, make_trial
from orchestrator.plan.suggestion import suggestions_in
from orchestrator.plan.teachers import Teachers
from orchestrator.plan.trial import ID_LENGTH, PlannedTrial
from orchestrator.plan.weights import CheckpointDigests, start_file
from orchestrator.study.expand import SearchPoint, expand, point_of, teachers_with_params
from orchestrator.study.fingerprint import PartTexts, parts_fingerprint
from orchestrator.study.schema import StudySpec
from orchestrator.study.space import is_open
from trainers.schema import DatasetSpec, Teacher, TrialSpec
from trainers.schema.agreement import bare
from trainers.schema.trial import ParentTrial, Segment


class Planner:
    """Make trials of points: everything that all students of a study have in common is looked up once."""

    def __init__(
        self,
        study: StudySpec,
        store: Store,
        digest: str,
        annotations: dict[str, str],
        files: CheckpointDigests,
    ) -> None:
        self._study, self._store, self._files = study, store, files
        self.teachers = Teachers(study, store, digest, files)
        self._texts = PartTexts()
        self._digests = ByObject[str]()  # of datasets
        self._digests.of(lambda: digest, study.dataset)
        self.settings = ByObject[dict[str, str]]()  # of sections, as results name them
        self.inputs = annotations
        self.costs = Costs(store, study.dataset)

    def teacher_trials(self, students: Iterable[PlannedTrial]) -> tuple[PlannedTrial, ...]:
        """Return the trials of the teachers of these students, and of all that an open search may come to; each once."""
        every = teachers_with_params(self._study) if is_open(self._study.search) else ()
        possible = [self.teachers.of(section, params).trial for section, params in every]
        asked = [*(trial.teacher for trial in students), *(trial.id for trial in possible if trial)]
        return tuple(self.teachers.trial(name) for name in dict.fromkeys(asked) if name is not None)

    @cached_property
    def first_teacher(self) -> Teacher | None:
        """Return the teacher beside whose students those are trained that have none."""
        return next((self.teachers.of(*taught).model for taught in teachers_with_params(self._study)), None)

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
        digest = self.teachers.digest_of(spec.teacher)
        parts = identity_parts(bare(spec), self._digest_of(spec.dataset), self._files, teacher_digest=digest)
        return parts_fingerprint(parts)[:ID_LENGTH]

    def parts_of(self, trial: PlannedTrial) -> dict[str, str]:
        """Return the parts of a planned trial's identity by name, each as canonical JSON."""
        spec = trial.spec
        own = Teacher(detector=spec.student, weights=spec.init) if spec.init else None  # as its students see it
        init, teacher = self.teachers.digest_of(own), self.teachers.digest_of(spec.teacher)
        data = self._digest_of(spec.dataset)
        return identity_parts(spec, data, self._files, init_digest=init, teacher_digest=teacher)

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
        taught = self.teachers.of(point.teacher, point.params) if point.teacher else None
        spec = TrialSpec(
            dataset=point.dataset,
            student=point.student,
            teacher=taught.model if taught else None,
            method=point.method,
            schedule=point.schedule,
            seed=point.seed,
            segment=segment,
            shares=self._study.scaling.shares,
        )
        digest = self._digest_of(point.dataset)
        parts = identity_parts(spec, digest, self._files, self._texts, teacher_digest=taught.digest if taught else None)
        files = self._files.present(taught.file if taught else None, start_file(spec.student))
        trial = make_trial("student", spec, dict(point.params), self._store, parts, files)
        return replace(
            trial, is_baseline=point.is_baseline, teacher=taught.trial.id if taught and taught.trial else None
        )

    def _digest_of(self, dataset: DatasetSpec) -> str:
        """Return the digest of the data: augmentation changes it where the data follows from the settings, or their reading."""
        return self._digests.of(lambda: dataset_digest(dataset, self.inputs), dataset)
