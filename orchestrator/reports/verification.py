"""Check an exported student against its papers: files, identity, and the study that it comes from."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestrator.core.errors import OperationError
from orchestrator.plan.machine import Machine, this_machine
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.reports.on_test_split import MEASURE
from orchestrator.reports.papers import PAPERS, TRIAL_ID, Papers, TrialPapers, read_papers
from orchestrator.reports.plain_files import STUDENT
from orchestrator.reports.predict import run_here
from orchestrator.study.paths import value_at
from orchestrator.study.space import is_open, may_have
from orchestrator.study.substitute import section_of
from orchestrator.study.wording import counted
from trainers.schema.cpu import cpu_name
from trainers.schema.digest import file_digest
from trainers.schema.foreign_json import parse_json
from trainers.schema.predictions import Subject
from trainers.schema.record import SELECTION_METRIC
from trainers.schema.user_file import UnfitFile

COMPARED = "trainers.formats.same_student"  # imported where it runs: it brings torch
Measure = Callable[[Path], float | None]  # the AP of a student's file as a fraction, None where it has none


@dataclass(frozen=True)
class Check:
    """Hold one question about an export, whether the answer is yes, and the answer in words."""

    name: str
    passed: bool
    answer: str


@dataclass(frozen=True)
class SettingsApart:
    """Hold a difference between two trials in words, with its number of settings."""

    text: str
    settings: int


def check_folder(folder: Path) -> list[Check]:
    """Check an export by itself; raises ``UserError`` for a folder without papers."""
    papers = read_papers(folder)
    return [_files(folder, papers), _identity(papers), _student(folder, papers)]


def check_study(folder: Path, plan: Plan) -> tuple[Check, PlannedTrial | None]:
    """Return whether a study, with the data that it names here, has the exported trial, and the trial.

    A trial of a race or of an open search is found by its searched values. ``answer`` of a study that has it not names the
    trial that differs in the fewest settings, and these.
    """
    papers = read_papers(folder)
    wanted = papers.student
    known = {trial.id: trial for trial in (*_to_come(plan, wanted), *plan.trials)}
    if wanted.trial in known:
        return Check("study", True, f"{plan.study.name} has trial {wanted.trial}"), known[wanted.trial]
    return Check(
        "study", False, f"{plan.study.name} has no trial {wanted.trial}: {_nearest(plan, known, wanted)}"
    ), None


def check_retrained(folder: Path, trained: Path, ap_of: Measure, within: float | None) -> Check:
    """Return whether a student that was trained again is the exported one: all tensors equal to the bit.

    Where its tensors differ, ``within`` accepts so many points between the two APs. ``ap_of`` measures both files: the papers
    say which AP the exported one had, and nobody has to believe them.
    """
    count, differing = run_here(COMPARED, "differing_tensors", folder / STUDENT, trained)
    if not differing:
        return Check("retrained", True, f"{counted(count, 'tensor')} equal to the bit")
    said = f"{len(differing)} of {counted(count, 'tensor')} differ, first {differing[0]}"
    try:
        pair = ap_of(folder / STUDENT), ap_of(trained)
    except OperationError as error:
        return Check("retrained", False, f"{said}; AP cannot be measured: {error}")
    gap = None if pair[0] is None or pair[1] is None else 100 * abs(pair[0] - pair[1])
    said += f"; AP differs by {'an unknown amount' if gap is None else f'{gap:.1f}'}"
    if within is not None and gap is not None:
        return Check("retrained", gap <= within, f"{said}, {within:g} allowed")
    where = f"exported on {read_papers(folder).exported_on}, trained again on {cpu_name()}"
    return Check(
        "retrained",
        False,
        f"{said} ({where}; where scaling.portable is off, another kind of CPU needs --within POINTS)",
    )


def measured(trial: PlannedTrial, machine: Machine | None = None) -> Measure:
    """Return how to measure a student of a trial from its file: on the validation split, as training does."""
    where = machine or this_machine()

    def ap_of(checkpoint: Path) -> float | None:
        subject = Subject(id=trial.id, name=trial.id, spec=trial.spec, checkpoint=str(checkpoint))
        found = run_here(MEASURE, "measure", [subject], "val", where.cpus, cuda=where.gpus > 0)
        ap: float | None = found[trial.id].get(SELECTION_METRIC)
        return ap

    return ap_of


def _files(folder: Path, papers: Papers) -> Check:
    wrong = list(_wrong_files(folder, papers))
    wrong += [] if STUDENT in papers.files else [f"the papers name no {STUDENT}"]
    if wrong:
        return Check("files", False, "; ".join(wrong))
    return Check("files", True, f"{counted(len(papers.files), 'file')} with the SHA-256 of {PAPERS}")


def _wrong_files(folder: Path, papers: Papers) -> Iterator[str]:
    for name, digest in papers.files.items():
        if Path(name).name != name:
            yield f"{name!r:.80} is no name of a file in this folder"
            continue
        try:
            found = file_digest(folder / name)
        except UnfitFile as error:
            yield f"{name} {error.strerror}"
            continue
        except OSError as error:
            yield f"{name}: {error.strerror or error}"
            continue
        if found != digest:
            yield f"{name} has changed: its SHA-256 was {digest[:12]} and is {found[:12]}"


def _identity(papers: Papers) -> Check:
    wrong = [
        f"the parts of {who} make {one.derived()}, not {one.trial}"
        for who, one in (("the trial", papers.student), ("its teacher", papers.teacher))
        if one is not None and one.derived() != one.trial
    ]
    if not wrong and papers.teacher is not None and not _is_teacher(papers.teacher, papers.student):
        wrong.append(f"the trial was distilled from another teacher than {papers.teacher.trial}")
    weights = _teacher_weights(papers.student)
    if papers.teacher is None and isinstance(weights, str) and TRIAL_ID.fullmatch(weights):
        wrong.append(f"the trial was distilled from trial {weights}, whose papers are missing")
    if wrong:
        return Check("identity", False, "; ".join(wrong))
    of = f", teacher {papers.teacher.trial}" if papers.teacher else ""
    return Check(
        "identity", True, f"trial {papers.student.trial}{of}, derived again from {', '.join(papers.student.identity)}"
    )


def _is_teacher(teacher: TrialPapers, student: TrialPapers) -> bool:
    """Return whether the student's parts name the teacher: by its trial where it was trained, by its weights where it was given."""
    return _teacher_weights(student) in (teacher.trial, teacher.identity.get("init"))


def _teacher_weights(student: TrialPapers) -> Any:
    """Return what a student's parts say of its teacher's weights: a trial's id, or the digest of a file."""
    part = student.identity.get("teacher")
    return part.get("weights") if isinstance(part, dict) else None


def _student(folder: Path, papers: Papers) -> Check:
    try:
        written_by = run_here(COMPARED, "trial_of", folder / STUDENT)
    except OperationError as error:
        return Check("student", False, str(error))
    if written_by != papers.student.trial:
        return Check("student", False, f"{STUDENT} was written by trial {written_by!s:.40}, not {papers.student.trial}")
    return Check("student", True, f"{STUDENT} was written by trial {papers.student.trial}")


def _to_come(plan: Plan, wanted: TrialPapers) -> Iterator[PlannedTrial]:
    """Yield trials that the study may come to: all of a race, of an open search the one at the exported one's point."""
    for point in plan.race:
        yield from point.trials
    if is_open(plan.study.search) and wanted.seed in plan.study.search.seeds:
        yield from _at_its_point(plan, wanted)


def _at_its_point(plan: Plan, wanted: TrialPapers) -> Iterator[PlannedTrial]:
    """Yield the trial at the exported one's searched values; keys that were not searched there have the study's own."""
    space, own = plan.study.search.space, plan.study.model_dump(mode="json")
    keys = [key for key in space if wanted.identity.get("teacher") or section_of(key) != "teacher"]
    values = {key: wanted.params.get(key, value_at(own, tuple(key.split(".")))) for key in keys}
    if wanted.params.keys() <= values.keys() and all(may_have(space[key], value) for key, value in values.items()):
        with suppress(ValidationError):
            yield plan.planner.at(values, wanted.seed)


def _nearest(plan: Plan, known: Mapping[str, PlannedTrial], wanted: TrialPapers) -> str:
    """Name the trial that differs from the exported one in the fewest settings, and say which."""
    apart = {name: _differences(plan, trial, wanted) for name, trial in known.items()}
    if not apart:
        return "it has no trial"
    nearest = min(apart, key=lambda name: sum(one.settings for one in apart[name]))
    trial = known[nearest]
    what = "; ".join(one.text for one in apart[nearest])
    return f"the nearest is {nearest} ({trial.name}, seed {trial.spec.seed}), and differs in {what}"


def _differences(plan: Plan, trial: PlannedTrial, wanted: TrialPapers) -> list[SettingsApart]:
    """Return the parts in which a planned trial differs from the exported one."""
    parts = {name: parse_json(text) for name, text in plan.planner.parts_of(trial).items()}
    names = sorted({*parts, *wanted.identity})
    return [found for name in names for found in _apart(name, wanted.identity.get(name), parts.get(name))]


def _apart(name: str, exported: Any, here: Any) -> Iterator[SettingsApart]:
    if isinstance(exported, dict) and isinstance(here, dict):
        for key in sorted({*exported, *here}):
            yield from _apart(f"{name}.{key}", exported.get(key), here.get(key))
    elif _are_sections(exported, here):
        for number, (one, other) in enumerate(zip(exported, here, strict=True)):
            yield from _apart(f"{name}[{number}]", one, other)
    elif exported != here:
        text = f"{name}: exported {_short(exported)}, here {_short(here)}"
        yield SettingsApart(text, max(_settings_in(exported), _settings_in(here)))


def _are_sections(exported: Any, here: Any) -> bool:
    """Return whether both are lists of as many sections, such as the terms of a method."""
    are_lists = isinstance(exported, list) and isinstance(here, list) and len(exported) == len(here)
    return are_lists and all(isinstance(one, dict) for one in (*exported, *here))


def _settings_in(value: Any) -> int:
    """Return how many settings a part has: a section that is missing is all of them apart."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max(1, sum(map(_settings_in, inner)))


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
