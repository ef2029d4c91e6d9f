"""Gather the facts for a model card of a trial's student, independent of the card's format."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.reports.card_settings import UNKNOWN, Named, data_lines, training_lines, without_folders
from orchestrator.reports.licences import licence_lines
from orchestrator.reports.on_test_split import rows_of_test_split
from orchestrator.results.metric_names import columns_for
from orchestrator.results.result import TrialResult
from orchestrator.results.rows import Row
from orchestrator.results.sample import Sample, sample_of
from orchestrator.results.summary import summarise
from orchestrator.study.selection import is_fraction
from orchestrator.tracking.provenance import package_versions
from orchestrator.tracking.reading import TrialResults
from orchestrator.tracking.recorded import Recorded, read_recorded
from trainers.schema import TrialSpec, class_names
from trainers.schema.costs import DetectorCost
from trainers.schema.digest import file_digest


@dataclass(frozen=True)
class CardRow:
    """Hold one line of the table of results: a name, the seeds that it rests on, and mean and spread by metric."""

    name: str
    seeds: tuple[int, ...]
    samples: Mapping[str, Sample]


@dataclass(frozen=True)
class CardFacts:
    """Hold the facts of a card; ``columns`` are metrics by title, ``files`` digests, the rest names with their values."""

    study: str
    description: str
    trial: str
    role: str
    spec: TrialSpec
    classes: tuple[str, ...]
    columns: Mapping[str, str]
    rows: tuple[CardRow, ...]
    costs: tuple[tuple[str, DetectorCost], ...]
    data: tuple[Named, ...]
    training: tuple[Named, ...]
    licences: tuple[Named, ...]
    files: tuple[Named, ...]
    provenance: tuple[Named, ...]
    commands: tuple[str, ...]

    def has(self, name: str) -> bool:
        """Return whether the export holds a file of this name."""
        return any(name == file for file, _ in self.files)


def card_facts(
    plan: Plan, trial: PlannedTrial, found: TrialResults | None, made: Path, words: Sequence[str]
) -> CardFacts:
    """Gather the facts about a trial; ``found`` are the study's results, ``made`` is the folder of the written files.

    ``words`` name the study, with its options, in the commands.
    """
    recorded = read_recorded(plan, found.runs if found else {})
    rows = tuple(_rows(plan, found.results, trial.id)) if found else ()
    taught = plan.planner.teachers.known(trial.spec.teacher)
    section = taught.section if taught else None
    return CardFacts(
        study=plan.study.name,
        description=without_folders(plan.study.description),
        trial=trial.id,
        role=trial.role,
        spec=trial.spec,
        classes=class_names(trial.spec.dataset),
        columns=columns_for(metric for row in rows for metric in row.samples),
        rows=rows,
        costs=tuple(_costs(plan, found.results, trial.id)) if found else (),
        data=tuple(data_lines(trial, recorded.data)),
        training=tuple(training_lines(trial.spec, section, recorded.teachers.get(trial.teacher or ""))),
        licences=tuple(licence_lines(trial.spec, section)),
        files=tuple((path.name, file_digest(path)) for path in sorted(made.iterdir())),
        provenance=tuple(_provenance(plan, recorded)),
        commands=tuple(_commands(trial, words)),
    )


def _rows(plan: Plan, results: Sequence[TrialResult], wanted: str) -> Iterator[CardRow]:
    """Yield the student, its setting over seeds, the same student alone, the teacher, and the test split."""
    own = next(result for result in results if result.id == wanted)
    where = "best epoch" if own.best_epoch is None else f"epoch {own.best_epoch}"
    yield CardRow(f"this {own.role}, {where}", (own.seed,), _single(own))
    summary = next((found for found in summarise(results) if own in found.row.trials), None)
    if summary is not None and len(summary.row.counted) > 1:
        yield _row("its setting, all seeds", summary.row)
    if summary is not None and summary.baseline is not None:
        yield _row("the same student alone", summary.baseline)
    teacher = next((result for result in results if result.id == _teacher_of(plan, wanted)), None)
    if teacher is not None and teacher is not own and teacher.best:
        yield CardRow("teacher", (teacher.seed,), _single(teacher))
    for row in rows_of_test_split(results):
        if wanted in row.trials and row.score is not None:
            yield CardRow("test split", _seeds(results, row.trials), _test_samples(row.trials))


def _costs(plan: Plan, results: Sequence[TrialResult], wanted: str) -> Iterator[tuple[str, DetectorCost]]:
    """Yield the measured costs of the student and its teacher."""
    found = {result.id: result for result in results}
    names = {wanted: f"this {found[wanted].role}"}
    if teacher := _teacher_of(plan, wanted):
        names.setdefault(teacher, "teacher")
    for trial, name in names.items():
        if trial in found and (cost := found[trial].cost) is not None:
            yield name, cost


def _teacher_of(plan: Plan, wanted: str) -> str | None:
    """Return the trial of a student's teacher; of one that is trained alone that of the study's, where it has only one."""
    own = next((trial.teacher for trial in plan.trials if trial.id == wanted), None)
    return own or (plan.teachers[0].id if len(plan.teachers) == 1 else None)


def _single(result: TrialResult) -> dict[str, Sample]:
    return {key: Sample(value, None, 1) for key, value in result.best.items() if is_fraction(key)}


def _row(name: str, row: Row[TrialResult]) -> CardRow:
    return CardRow(name, tuple(trial.seed for trial in row.counted), row.samples)


def _seeds(results: Sequence[TrialResult], ids: Mapping[str, object]) -> tuple[int, ...]:
    return tuple(result.seed for result in results if result.id in ids)


def _test_samples(trials: Mapping[str, Mapping[str, float]]) -> dict[str, Sample]:
    keys = {key for metrics in trials.values() for key in metrics if is_fraction(key)}
    found = {key: sample_of(metrics.get(key) for metrics in trials.values()) for key in sorted(keys)}
    return {key: sample for key, sample in found.items() if sample is not None}


def _provenance(plan: Plan, recorded: Recorded) -> Iterator[Named]:
    yield "study", f"{plan.study.name} {plan.fingerprint[:12]}"
    yield "revision of Stillhouse", ", ".join(recorded.revisions) or UNKNOWN
    yield "lock of the packages (SHA-256)", ", ".join(recorded.locks) or UNKNOWN
    yield "packages where it was exported", ", ".join(f"{name} {text}" for name, text in package_versions().items())


def _commands(trial: PlannedTrial, words: Sequence[str]) -> Iterator[str]:
    """Yield the commands that train the study and export the student again, without folders of this machine."""
    study = list(map(without_folders, words))
    yield shlex.join(["stillhouse", "run", *study])
    yield shlex.join(["stillhouse", "export", *study, "--trial", trial.id, "--to", "student"])
