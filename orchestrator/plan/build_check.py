"""Have every detector of a study built once before its first trial, in a process of its own.

Remember the detectors that could be built. Detectors that mmdet and Stillhouse ship were built when their list was made
(``trainers.build_check.zoo``) and are not built again.
"""

import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from itertools import compress, product
from pathlib import Path
from typing import Any

from orchestrator.core.findings import Finding, Level
from orchestrator.plan.digests import file_digest
from orchestrator.plan.extensions import extensions
from orchestrator.plan.model_process import ProcessEnd, answers_of, lacking_package
from orchestrator.plan.plan import Plan, PlannedStart
from orchestrator.plan.torch_file import problem_with
from orchestrator.plan.weights import config_digest, local_start, start_file
from orchestrator.study.fidelity import teacher_at
from orchestrator.study.fingerprint import fingerprint
from orchestrator.study.load import LoadedStudy
from orchestrator.study.schema import StudySpec, TeacherSection
from orchestrator.study.variants import Variant, forms_of
from trainers.schema import Detector, MethodSpec, Teacher, Weights, class_names
from trainers.schema.atomic import write_text
from trainers.schema.build import BuildAnswer, BuildProblem, BuildRequest, BuildUnit
from trainers.schema.compatibility import ANCHOR_FREE, needs_of
from trainers.schema.config_files import read_config
from trainers.schema.heads import find_head
from trainers.schema.method import terms_of
from trainers.schema.remote import URL, cached
from trainers.schema.terms import BUILT_IN
from trainers.schema.zoo import find_config, is_proven, mmdet_version

FORMAT = 1  # raise it when a detector that could be built may be refused now
CHECK = "trainers.build_check.check"
PACKAGES = ("torch", "torchvision", "mmdet", "mmengine", "mmcv-lite", "mmcv", "stillhouse")
UNIT_S = 60.0  # what a slow machine takes for one unit
MOST_UNITS = 40  # a distribution over widths has any number of students


@dataclass(frozen=True)
class Asked:
    """Hold one unit and where the study says its parts."""

    unit: BuildUnit
    student: str
    weights: str
    methods: tuple[str, ...] = ()
    start: str = ""

    def finding(self, problem: BuildProblem) -> Finding:
        """Return the finding for a problem."""
        if problem.part == "method" and problem.method is not None:
            return Finding("error", self.methods[problem.method], problem.message)
        places = {"weights": self.weights, "start": self.start}
        return Finding("error", places.get(problem.part, self.student), problem.message)


@dataclass
class BuildResult:
    """Hold the ``findings`` of building, and reports of the tensors that detectors start from."""

    findings: dict[Finding, None] = field(default_factory=dict)
    starts: dict[str, PlannedStart] = field(default_factory=dict)  # by the unit's key

    def add(self, one: Asked, answer: BuildAnswer | Finding) -> None:
        """Add the answer to a unit, or why there is none."""
        if isinstance(answer, Finding):
            self.findings[answer] = None
            return
        self.findings |= {one.finding(problem): None for problem in answer.problems if problem.part != "teacher"}
        if answer.start is not None:
            self.findings[Finding("note", one.start, answer.start.said)] = None
            self.starts[answer.key] = PlannedStart(one.start, answer.start.report)


def build_detectors(loaded: LoadedStudy, plan: Plan) -> BuildResult:
    """Build each detector that has not been built before; return a finding for each problem.

    Of detectors that start from another one the report comes each time, from memory where that has been built before.
    """
    found = BuildResult()
    unknown: list[Asked] = []
    for one in _asked(loaded, plan):
        known = _recall(one.unit.key)
        if known is None:
            unknown.append(one)
        else:
            found.add(one, known)
    unknown = unknown[:MOST_UNITS]
    if not unknown:
        return found
    if lacking := lacking_package():
        message = f"cannot build detectors for the check: {lacking} is not installed here"
        found.findings[Finding("note", loaded.where("student"), message)] = None
        return found
    if sys.stderr.isatty():
        print(f"building {len(unknown)} detectors once, to see that they can be trained", file=sys.stderr)
    for one, answer in _build(unknown, class_names(plan.study.dataset)):
        found.add(one, answer)
        if isinstance(answer, BuildAnswer) and not answer.problems:
            _remember(answer)
    return found


# --------------------------------------------------------------------------------------------------- what is to be built


def _asked(loaded: LoadedStudy, plan: Plan) -> Iterator[Asked]:
    """Yield the detectors to build: the teachers, each student alone, and with each method against each teacher."""
    study = plan.study
    teachers: tuple[Variant[TeacherSection], ...] = forms_of(study, "teacher").variants
    students: tuple[Variant[Detector], ...] = forms_of(study, "student").variants
    methods: tuple[Variant[MethodSpec], ...] = forms_of(study, "method").variants
    distilling = _distinct(variant for variant in methods if variant.section.kind != "none")
    known: set[str] = set()
    models = [plan.planner.teachers.of(teacher_at(one.section, study), {}).model for one in teachers if distilling]
    readable = [_is_readable(model.detector) for model in models]
    for teacher, model in compress(zip(teachers, models, strict=False), readable):
        yield from _asked_teacher(loaded, study, teacher, model)
    here: list[Teacher | None] = [
        Teacher(detector=model.detector, weights=_local(model.weights)) for model in compress(models, readable)
    ]
    for variant, taught in product((one for one in students if _is_readable(one.section)), here or [None]):
        one = _asked_student(loaded, study, variant, taught, distilling)
        if one is not None and one.unit.key not in known:
            known.add(one.unit.key)
            yield one


def _asked_teacher(
    loaded: LoadedStudy, study: StudySpec, teacher: Variant[TeacherSection], model: Teacher
) -> Iterator[Asked]:
    """Yield a teacher to build, unless it was built before and its weights are not here."""
    weights, kind = _local(model.weights), teacher.section.kind
    where = loaded.locations.where(teacher.origin("name" if kind == "zoo" else "detector"))
    unit = _unit(model.detector, weights, None, (), study.dataset)
    if unit.starts or not (_is_proven(model.detector) and weights is None):
        path = loaded.locations.where(teacher.origin("path")) if kind == "checkpoint" else where
        yield Asked(unit, where, path, start=loaded.locations.where(teacher.origin("detector", "weights")))


def _asked_student(
    loaded: LoadedStudy,
    study: StudySpec,
    variant: Variant[Detector],
    teacher: Teacher | None,
    distilling: Sequence[Variant[MethodSpec]],
) -> Asked | None:
    """Return a student to build, with the methods that have to be tried with a teacher; ``None`` where all is known."""
    pairs = [
        one for one in distilling if teacher and not _is_proven_pair(one.section, teacher.detector, variant.section)
    ]
    if _is_proven(variant.section) and not pairs and local_start(variant.section) is None:
        return None
    unit = _unit(variant.section, None, teacher if pairs else None, [one.section for one in pairs], study.dataset)
    where = loaded.locations.where(variant.origin("config") if variant.sources else ("student",))
    methods_at = tuple(loaded.locations.where(method.origin("kind")) for method in pairs)
    return Asked(unit, where, where, methods_at, loaded.locations.where(variant.origin("weights")))


def _distinct(methods: Iterator[Variant[MethodSpec]]) -> list[Variant[MethodSpec]]:
    """Return methods that differ in more than numbers: a weight decides nothing about whether shapes fit."""
    found = {
        fingerprint(_structure(variant.section.model_dump(mode="json"))): variant for variant in reversed(list(methods))
    }
    return list(reversed(found.values()))


def _structure(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _structure(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_structure(item) for item in value]
    return None if isinstance(value, float) else value


def _local(weights: Weights | None) -> Weights | None:
    """Return weights that can be loaded here; those of a teacher that is yet to be trained, or fetched, can not.

    Nor can a file that ``preflight`` reports.
    """
    if weights is None or (not weights.path.startswith(URL) and problem_with(Path(weights.path))):
        return None
    path = cached(weights.path) if weights.path.startswith(URL) else Path(weights.path)
    return weights.model_copy(update={"path": str(path)}) if path.is_file() else None


def _is_readable(detector: Detector) -> bool:
    """Return whether a detector's config and start can be read; ``preflight`` reports their mistakes."""
    path, start = Path(detector.config), start_file(detector)
    if start is not None and problem_with(Path(start)):
        return False
    return "::" in detector.config or not path.is_file() or not read_config(path).problems


def _is_described(detector: Detector) -> bool:
    """Return whether the head is surely one that takes images of any size; of a local config nobody has looked yet."""
    config = find_config(detector.config)
    return config is not None and find_head(config.head) is not None


def _is_proven(detector: Detector) -> bool:
    """Return whether a detector is one that could be built when the list of shipped configs was made, for this mmdet."""
    try:
        return version("mmdet") == mmdet_version() and "::" in detector.config and is_proven(detector.config)
    except PackageNotFoundError:
        return False


def _is_proven_pair(method: MethodSpec, teacher: Detector, student: Detector) -> bool:
    """Return whether two such detectors suit each other for a method that the study's check has passed.

    Terms of installed packages have never been tried.
    """
    ours = all(type(term) in BUILT_IN for term in terms_of(method))
    if not (ours and _is_proven(teacher) and _is_proven(student)):
        return False
    codings = {config.coding for one in (teacher, student) if (config := find_config(one.config))}
    return needs_of(method) <= ANCHOR_FREE or len(codings) == 1


def _unit(
    student: Detector, init: Weights | None, teacher: Teacher | None, methods: Sequence[MethodSpec], dataset: Any
) -> BuildUnit:
    start = local_start(student) if init is None else None
    canvas = (
        None if all(map(_is_described, (student, *([teacher.detector] if teacher else [])))) else dataset.image_size
    )
    unit = BuildUnit(
        key="-", student=student, canvas=canvas, init=init, starts=start is not None, teacher=teacher,
        methods=tuple(methods),
    )  # fmt: skip
    content = [
        FORMAT,
        _versions(),
        len(class_names(dataset)) if init is None and start is None else class_names(dataset),
        _identity(student, init),
        _identity(teacher.detector, None) if teacher else None,
        [_structure(method.model_dump(mode="json")) for method in methods],
        *([{"start": file_digest(start)}] if start else []),
        *([{"canvas": list(canvas)}] if canvas else []),
    ]
    added = extensions()
    return unit.model_copy(update={"key": fingerprint([*content, added] if added else content)})


def _identity(detector: Detector, weights: Weights | None) -> list[Any]:
    left_out = {"config"} if detector.detector_weights is None else {"config", "weights"}
    settings = {key: value for key, value in detector.settings().items() if key not in left_out}
    return [settings, config_digest(detector), weights and [file_digest(weights.path), weights.coverage]]


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


# ---------------------------------------------------------------------------------------------------------- the process


def _build(asked: list[Asked], classes: tuple[str, ...]) -> Iterator[tuple[Asked, BuildAnswer | Finding]]:
    """Yield each unit with its answer; after one that ended the process go on with the next in a new one."""
    while asked:
        units = tuple(one.unit for one in asked)
        with tempfile.TemporaryDirectory(prefix="stillhouse-build-") as folder:
            answers, end = _run(BuildRequest(classes=classes, units=units), Path(folder))
        yield from zip(asked, answers, strict=False)
        asked = asked[len(answers) :]
        if asked:
            yield asked[0], end_finding(end, asked[0])
            asked = asked[1:] if end.is_crash else []


def end_finding(end: ProcessEnd, asked: Asked) -> Finding:
    """Return the finding for the detector that a process was building at its end."""
    if end.code is None:
        return Finding(
            "warning", asked.student, "building it was given up, it takes too long; it is trained all the same"
        )
    if end.is_crash:
        name = signal.Signals(-end.code).name
        # the system kills a process that takes too much memory, which another machine may have
        level: Level = "warning" if -end.code == signal.SIGKILL else "error"
        return Finding(level, asked.student, f"building it ended the process that did so ({name})")
    return Finding("error", asked.student, f"it cannot be built: {end.said}")


def _run(request: BuildRequest, folder: Path) -> tuple[list[BuildAnswer], ProcessEnd]:
    """Run the check on a request; return its answers, in order, and how it ended."""
    lines, end = answers_of(CHECK, request, UNIT_S * len(request.units), folder)
    return [BuildAnswer.model_validate_json(line) for line in lines], end


# ------------------------------------------------------------------------------------------------ what is known already


def _remembered(key: str) -> Path:
    return cached("x").parent.parent / "built" / key


def _recall(key: str) -> BuildAnswer | None:
    """Return the answer to a unit that could be built before; the file of one that starts from no detector is empty."""
    try:
        text = _remembered(key).read_text(encoding="utf-8")
        return BuildAnswer.model_validate_json(text) if text else BuildAnswer(key=key)
    except (OSError, ValueError):  # none, or not as this release writes it: the detector is built again
        return None


def _remember(answer: BuildAnswer) -> None:
    target = _remembered(answer.key)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_text(target, answer.model_dump_json() if answer.start else "")
    except OSError:
        return  # a cache that we only read: the detector is built again the next time
