"""List the public weights that a study needs, and check whether they are on this machine."""

from functools import cache
from importlib.metadata import version
from pathlib import Path

from pydantic import JsonValue

from orchestrator.core.errors import UserError
from orchestrator.plan.digests import MISSING, file_digest
from orchestrator.study.expand import students_of, teachers_of
from orchestrator.study.fingerprint import fingerprint
from orchestrator.study.schema import (
    CheckpointTeacher,
    Domain,
    RandomTeacher,
    StudySpec,
    TeacherSection,
    TrainedTeacher,
    ZooTeacher,
)
from orchestrator.study.substitute import SPACE, written_at
from trainers.schema import DatasetSpec, Detector, class_names
from trainers.schema.checkpoint_classes import ClassOrder, OtherClasses, class_order, classes_in
from trainers.schema.class_names import COCO80
from trainers.schema.config_files import read_config
from trainers.schema.detector import CheckpointWeights, DetectorWeights, ZooWeights
from trainers.schema.pretrained import pretrained_weights
from trainers.schema.remote import cached
from trainers.schema.starting import source_of
from trainers.schema.zoo import OWN, PREFIX, ZooCheckpoint, find_checkpoint, own_config

RANDOM = {"weights": "random", "freeze": None}  # random layers are not to be frozen


def zoo_checkpoint(name: str) -> ZooCheckpoint:
    """Return a zoo checkpoint; the study's check has made sure that there is one of this name."""
    found = find_checkpoint(name)
    if found is None:
        raise UserError(f"no zoo checkpoint is called {name}")
    return found


def zoo_detector(name: str) -> Detector:
    """Return the detector of a zoo checkpoint."""
    return Detector(config=PREFIX + zoo_checkpoint(name).config.removeprefix(PREFIX))


def zoo_digest(name: str) -> str:
    """Return the identity of a public checkpoint, which is known before it is fetched."""
    return fingerprint(["zoo", name, zoo_checkpoint(name).url])


class CheckpointDigests:
    """Compute the SHA-256 of each checkpoint file of a study once: its trials share them."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def of(self, path: str) -> str:
        """Return a file's digest, ``missing`` when it is not here."""
        if path not in self._known:
            self._known[path] = file_digest(path)
        return self._known[path]

    def of_start(self, weights: DetectorWeights | None) -> str | None:
        """Return the identity of the detector that another one starts from, ``None`` without one."""
        if weights is None:
            return None
        return zoo_digest(weights.name) if isinstance(weights, ZooWeights) else self.of(weights.path)

    def present(self, *paths: str | None) -> dict[str, str]:
        """Return the digests of those paths that are files here."""
        return {path: self.of(path) for path in paths if path is not None and self.of(path) != MISSING}


def teacher_classes(teacher: TeacherSection) -> tuple[str, ...] | None:
    """Return the classes of a teacher's checkpoint, in its order; ``None`` when it has none, or names none.

    All public checkpoints know COCO's, which is true before they are fetched.
    """
    if isinstance(teacher, ZooTeacher):
        return COCO80
    return classes_in(Path(teacher.path)) if isinstance(teacher, CheckpointTeacher) else None


def teacher_order(teacher: TeacherSection, dataset: DatasetSpec) -> ClassOrder | None:
    """Return where the dataset's classes stand in a teacher's checkpoint, ``None`` when it names none.

    Raises ``OtherClasses`` when it was trained on others.
    """
    return class_order(teacher_classes(teacher), class_names(dataset))


def in_other_order(teacher: TeacherSection, dataset: DatasetSpec) -> bool:
    """Return whether the rows of a teacher's classifier are put into another order when it is loaded."""
    try:
        order = teacher_order(teacher, dataset)
    except OtherClasses:
        return False  # it is not loaded at all
    return order is not None and order.differs


def config_digest(detector: Detector) -> str:
    """Return the identity of a detector's config: mmdet's version for its own, the content for every other file.

    A local config counts with everything that it reads: the files that it builds on, opens or imports.
    """
    if detector.config.startswith(PREFIX):
        return fingerprint([_mmdet(), detector.config])
    if detector.config.startswith(OWN):
        return file_digest(own_config(detector.config))
    config = read_config(Path(detector.config))
    return file_digest(config.path) if config.stands_alone else fingerprint(config.identity())


@cache
def _mmdet() -> str:
    """Return the version of mmdet, which takes a millisecond to read and is asked for twice a trial."""
    return version("mmdet")


def config_inputs(*detectors: Detector) -> dict[str, str]:
    """Return the SHA-256 of each file that the detectors' local configs read."""
    local = [Path(detector.config) for detector in detectors if "::" not in detector.config]
    return {name: found for path in local for name, found in read_config(path).digests.items()}


def needed_urls(study: StudySpec) -> dict[str, str]:
    """Return the URLs to download before the study can run: URL -> study key, for files not in the cache."""
    wanted = {start_url(student): "student.weights" for student in students_of(study)}
    for teacher in teachers_of(study):
        if isinstance(teacher, ZooTeacher):
            wanted[zoo_checkpoint(teacher.name).url] = written_at(study, "teacher.name")
        elif isinstance(teacher, TrainedTeacher):
            wanted.setdefault(start_url(teacher.detector), written_at(study, "teacher.detector.weights"))
    return {url: key for url, key in wanted.items() if url is not None and not cached(url).exists()}


def start_files(study: StudySpec) -> dict[str, str]:
    """Return the checkpoint files of the user's that detectors start from: path -> study key."""
    wanted = {start_file(student): "student.weights.path" for student in students_of(study)}
    for teacher in teachers_of(study):
        if isinstance(teacher, TrainedTeacher):
            wanted.setdefault(start_file(teacher.detector), written_at(study, "teacher.detector.weights.path"))
    return {path: key for path, key in wanted.items() if path is not None}


def with_random_weights(study: StudySpec) -> StudySpec:
    """Return the study with random weights in place of those that would have to be fetched."""
    missing = needed_urls(study)
    keys = set(missing.values())
    changes: dict[str, object] = {}
    if "student.weights" in keys:
        changes["student"] = study.student.model_copy(update=RANDOM)
    if "teacher.name" in keys and isinstance(study.teacher, ZooTeacher):
        changes["teacher"] = RandomTeacher(kind="random", detector=zoo_detector(study.teacher.name))
    if keys & {f"{SPACE}{key}" for key in ("teacher", "teacher.name")}:
        space = dict(_random_teachers(key, domain) for key, domain in study.search.space.items())
        changes["search"] = study.search.model_copy(update={"space": space})
    if study.teacher is not None and study.teacher.kind == "train" and start_url(study.teacher.detector) in missing:
        detector = study.teacher.detector.model_copy(update=RANDOM)
        changes["teacher"] = study.teacher.model_copy(update={"detector": detector})
    return study.model_copy(update=changes)


def _random_teachers(key: str, domain: Domain) -> tuple[str, Domain]:
    """Return a searched key with random weights in place of its public teachers."""
    if key == "teacher.name" and isinstance(domain, tuple):
        return "teacher", tuple(_random_teacher(str(name)) for name in domain)
    if key == "teacher" and isinstance(domain, tuple):
        public = (isinstance(value, dict) and value.get("kind") == "zoo" and value["name"] for value in domain)
        return key, tuple(_random_teacher(str(n)) if n else value for n, value in zip(public, domain, strict=True))
    return key, domain


def _random_teacher(name: str) -> JsonValue:
    return {"kind": "random", "detector": {"config": zoo_detector(name).config}}


def start_url(detector: Detector) -> str | None:
    """Return where the public weights are that a detector starts from, ``None`` when it needs none or none are known."""
    if isinstance(detector.weights, ZooWeights):
        return zoo_checkpoint(detector.weights.name).url
    found = pretrained_weights(detector) if detector.weights == "imagenet" else None
    return None if found is None else found.url


def start_file(detector: Detector) -> str | None:
    """Return the file of the user's that a detector starts from, ``None`` when it starts otherwise."""
    return detector.weights.path if isinstance(detector.weights, CheckpointWeights) else None


def local_start(detector: Detector) -> Path | None:
    """Return where on this machine the detector checkpoint is that a detector starts from; ``None`` if none is here."""
    weights = detector.detector_weights
    if weights is None:
        return None
    path = cached(source_of(weights)) if isinstance(weights, ZooWeights) else Path(weights.path)
    return path if path.is_file() else None
