"""Plan the teachers of a study: each is trained or evaluated once, as a trial of its own."""

from dataclasses import dataclass

from pydantic import JsonValue

from orchestrator.core.by_object import ByObject
from orchestrator.core.store import Store
from orchestrator.plan.making import identity_parts, make_trial
from orchestrator.plan.trial import PlannedTrial
from orchestrator.plan.weights import (
    CheckpointDigests,
    in_other_order,
    start_file,
    zoo_checkpoint,
    zoo_detector,
    zoo_digest,
)
from orchestrator.study.fingerprint import fingerprint
from orchestrator.study.schema import (
    CheckpointTeacher,
    RandomTeacher,
    StudySpec,
    TeacherSection,
    TrainedTeacher,
    ZooTeacher,
)
from orchestrator.study.substitute import belonging_to
from trainers.schema import DatasetSpec, NoDistillation, Schedule, Teacher, TrialSpec, Weights
from trainers.schema.record import BEST

EVALUATION_ONLY = Schedule(iterations=0, batch_size=1)


@dataclass(frozen=True)
class KnownTeacher:
    """Hold a teacher: its own trial, the frozen ``model`` as students see it, and the identity of its weights.

    Random weights have no ``trial``. ``file`` is a checkpoint of the user's.
    """

    section: TeacherSection
    trial: PlannedTrial | None
    model: Teacher
    digest: str
    file: str | None = None


class Teachers:
    """Plan each teacher of a study once. All see the dataset as the study has it, not as its students do."""

    def __init__(self, study: StudySpec, store: Store, digest: str, files: CheckpointDigests) -> None:
        self._study, self._store, self._digest, self._files = study, store, digest, files
        self._known: dict[str, KnownTeacher] = {}
        self._seen = ByObject[KnownTeacher]()

    def of(self, section: TeacherSection, params: dict[str, JsonValue]) -> KnownTeacher:
        """Return a teacher; those of the searched values ``params`` that are the teacher's give its name."""
        return self._seen.of(lambda: self._find(section, belonging_to("teacher", params)), section)

    def digest_of(self, model: Teacher | None) -> str | None:
        """Return the identity of the weights of a teacher that has been planned; ``None`` for no teacher."""
        known = self.known(model)
        return known.digest if known else None

    def known(self, model: Teacher | None) -> KnownTeacher | None:
        """Return a teacher that has been planned, ``None`` for no teacher."""
        return next((known for known in self._known.values() if known.model == model), None)

    def trial(self, name: str) -> PlannedTrial:
        """Return the trial of a teacher that has been planned, by its id."""
        return next(known.trial for known in self._known.values() if known.trial and known.trial.id == name)

    def section_of(self, trial: PlannedTrial) -> TeacherSection:
        """Return the study's section of a teacher that has been planned, by its trial."""
        return next(known.section for known in self._known.values() if known.trial and known.trial.id == trial.id)

    def _find(self, section: TeacherSection, params: dict[str, JsonValue]) -> KnownTeacher:
        key = section.model_dump_json()
        if key not in self._known:
            self._known[key] = self._planned(section, params)
        return self._known[key]

    def _planned(self, section: TeacherSection, params: dict[str, JsonValue]) -> KnownTeacher:
        if isinstance(section, RandomTeacher):
            return KnownTeacher(section, None, Teacher(detector=section.detector, weights=None), "random")
        if isinstance(section, TrainedTeacher):
            return self._trained(section, params)
        return self._public(section, params)

    def _trained(self, section: TrainedTeacher, params: dict[str, JsonValue]) -> KnownTeacher:
        spec = TrialSpec(
            dataset=_own_images(self._study.dataset, section),
            student=section.detector,
            method=NoDistillation(kind="none"),
            schedule=section.schedule,
            seed=section.seed,
            shares=self._study.scaling.shares,
        )
        parts = identity_parts(spec, self._digest, self._files)
        start = self._files.present(start_file(section.detector))
        trial = make_trial("teacher", spec, params, self._store, parts, start)
        weights = Weights(path=str(trial.directory / BEST))
        return KnownTeacher(section, trial, Teacher(detector=section.detector, weights=weights), trial.id)

    def _public(self, section: ZooTeacher | CheckpointTeacher, params: dict[str, JsonValue]) -> KnownTeacher:
        """Plan a teacher that exists already: it is evaluated once, before students are trained."""
        if isinstance(section, ZooTeacher):
            detector, path, file = zoo_detector(section.name), zoo_checkpoint(section.name).url, None
            digest = zoo_digest(section.name)
        else:
            detector, path, file = section.detector, section.path, section.path
            digest = self._files.of(section.path)
        if in_other_order(section, self._study.dataset):  # such teachers' results were wrong once
            digest = fingerprint(["rows in the dataset's order of classes", digest])
        weights = Weights(path=path, coverage=section.coverage)
        spec = TrialSpec(
            dataset=self._study.dataset,
            student=detector,
            init=weights,
            method=NoDistillation(kind="none"),
            schedule=EVALUATION_ONLY,
        )
        parts = identity_parts(spec, self._digest, self._files, init_digest=digest)
        trial = make_trial("teacher", spec, params, self._store, parts, self._files.present(file))
        return KnownTeacher(section, trial, Teacher(detector=detector, weights=weights), digest, file)


def _own_images(dataset: DatasetSpec, section: TrainedTeacher) -> DatasetSpec:
    """Return the dataset as the teacher's own training sees it."""
    return dataset.model_copy(update={"multi_scale": section.multi_scale}) if section.multi_scale else dataset
