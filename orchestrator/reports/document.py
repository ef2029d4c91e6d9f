"""Gather the contents of a study's report, independent of its format."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.reports.fidelity_ranking import ranking_line
from orchestrator.reports.on_test_split import rows_of_test_split, test_sentence
from orchestrator.reports.rows import ReportRow, make_rows
from orchestrator.reports.study_facts import study_facts
from orchestrator.results.detector_costs import are_shown, cost_note
from orchestrator.results.gain import gain_sentence
from orchestrator.results.metric_names import VOC_COLUMNS, VOC_MEANING, title_of
from orchestrator.results.rank_correlation import RankAgreement
from orchestrator.results.ranking import RANK_RULE
from orchestrator.results.result import TrialResult
from orchestrator.results.summary import row_of_best, state_of
from orchestrator.study.schema import CheckpointTeacher, ZooTeacher
from orchestrator.study.wording import counted
from orchestrator.tracking.reading import TrialResults
from orchestrator.tracking.recorded import Recorded, read_recorded

UNKNOWN = "not recorded"
STUDY = "study"  # the first line of the provenance: name and fingerprint


@dataclass(frozen=True)
class Report:
    """Hold a study's facts, its table and its provenance. ``columns`` are titles of amounts; facts and provenance are in order.

    ``answer`` says in a sentence whether distillation helped, empty where no student counts yet.
    """

    study: str
    fingerprint: str
    description: str
    columns: tuple[str, ...]
    rows: tuple[ReportRow, ...]
    notes: tuple[str, ...]
    provenance: tuple[tuple[str, str], ...]
    command: str
    facts: tuple[tuple[str, str], ...] = ()
    answer: str = ""

    @property
    def has_paper(self) -> bool:
        """Return whether some row has a figure of the paper beside it."""
        return any(row.printed for row in self.rows)

    @property
    def has_ranks(self) -> bool:
        """Return whether seeds were repeated, so that rows have ranks."""
        return any(row.rank is not None for row in self.rows)

    @property
    def has_costs(self) -> bool:
        """Return whether the detectors of the rows were measured and differ in their costs."""
        return are_shown(row.cost for row in self.rows)

    @property
    def has_students(self) -> bool:
        """Return whether there is more than one student, so that each has to be named."""
        return len({row.student for row in self.rows if row.role == "student"}) > 1


def make_report(plan: Plan, found: TrialResults, command: str, ranking: RankAgreement | None = None) -> Report:
    """Return the report of a study's results as they were read; ``command`` is the command that repeats the study.

    A short study comes with its ``ranking`` beside the full one. The same results make the same report.
    """
    return report_of(plan, found.results, read_recorded(plan, found.runs, found.client), command, ranking)


def report_of(
    plan: Plan,
    results: Sequence[TrialResult],
    recorded: Recorded,
    command: str,
    ranking: RankAgreement | None = None,
) -> Report:
    """Return the report of these results."""
    columns, rows = make_rows(plan, results)
    return Report(
        study=plan.study.name,
        fingerprint=plan.fingerprint,
        description=plan.study.description,
        columns=tuple(columns),
        rows=tuple(rows),
        notes=(*_notes(rows, results), *([] if ranking is None else [f"{ranking_line(ranking)}."])),
        provenance=tuple(_provenance(plan, results, recorded)),
        command=command,
        facts=tuple(study_facts(plan, recorded.counts)),
        answer=_answer(plan, results),
    )


def _answer(plan: Plan, results: Sequence[TrialResult]) -> str:
    best = row_of_best(results)
    return f"Gain: {gain_sentence(best, plan.study.search.seeds)}." if best is not None else ""


def _notes(rows: Sequence[ReportRow], results: Sequence[TrialResult]) -> list[str]:
    notes = [
        "AP in percent, of each trial's best epoch by AP on the validation split; mean ± sample standard deviation over seeds."
    ]
    if any(title in VOC_COLUMNS for row in rows for title in row.amounts):
        notes.append(f"AP, AP50 and the like are COCO's; {', '.join(VOC_COLUMNS)}: {VOC_MEANING}.")
    if any(row.gain is not None for row in rows):
        notes.append(f"vs none: difference of mean {_selected(rows)} to the same student trained alone.")
    if any(row.best for row in rows):
        notes.append("Bold: the row of the best student.")
    if any(row.evaluated for row in rows) and not any(row.evaluated > 1 for row in rows):
        notes.append(
            "One seed says nothing about how far trainings scatter: each difference between rows may be chance."
        )
    if any(row.rank is not None for row in rows):
        notes.append(f"rank: by mean {_selected(rows)}; {RANK_RULE}.")
    printed = sorted({row.printed.where for row in rows if row.printed})
    if printed:
        headlines = ", ".join(dict.fromkeys(row.printed.headline for row in rows if row.printed))
        notes.append(f"paper: {headlines} as the paper prints it ({', '.join(printed)}); vs paper: ours minus theirs.")
    if test := test_sentence(rows_of_test_split(results)):
        notes.append(test)
    if are_shown(row.cost for row in rows):
        notes.append(cost_note(row.cost for row in rows))
    if any(row.mark for row in rows):
        notes.append(
            f"A row marked in brackets is one trial that enters no mean and no rank, at its last evaluation{_lacking(rows)}."
        )
    return [*notes, *_unended_note(results)]


def _lacking(rows: Sequence[ReportRow]) -> str:
    """Return at which epoch trials are shown that lack the metric of the study."""
    return (
        ", one that only lacks the metric at its best epoch" if any(row.mark.startswith("no ") for row in rows) else ""
    )


def _unended_note(results: Sequence[TrialResult]) -> list[str]:
    ends = [state_of(result) for result in results]
    other = {kind: ends.count(kind) for kind in dict.fromkeys(ends) if kind != "finished"}
    said = ", ".join(f"{count} {kind}" for kind, count in other.items())
    return [f"Not final: of {counted(len(ends), 'trial')} {said}."] if other else []


def _seed_notes(rows: Sequence[ReportRow]) -> list[str]:
    """Return the meaning of bold, and a warning where no seed was repeated."""
    notes = ["Bold: the row of the best student."] if any(row.best for row in rows) else []
    if max((row.evaluated for row in rows), default=0) == 1:
        scatter = "One seed says nothing about how far trainings scatter: each difference between rows may be chance."
        notes.append(scatter)
    return notes


def _selected(rows: Sequence[ReportRow]) -> str:
    return title_of(rows[0].metric)


def _provenance(plan: Plan, results: Sequence[TrialResult], recorded: Recorded) -> list[tuple[str, str]]:
    finished = sum(result.status == "finished" for result in results)
    return [
        (STUDY, f"{plan.study.name} {plan.fingerprint[:12]}"),
        ("trials", f"{finished} of {len(results)} finished"),
        ("revision", ", ".join(recorded.revisions) or UNKNOWN),
        ("lock (SHA-256)", ", ".join(recorded.locks) or UNKNOWN),
        ("data (SHA-256)", ", ".join(recorded.data) or UNKNOWN),
        ("teacher (SHA-256)", _teacher(plan, recorded)),
    ]


def _teacher(plan: Plan, recorded: Recorded) -> str:
    if not plan.teachers:
        section = plan.study.teacher
        return "none" if section is None else f"{section.kind}, not evaluated"
    return "; ".join(_one_teacher(plan, teacher, recorded) for teacher in plan.teachers)


def _one_teacher(plan: Plan, trial: PlannedTrial, recorded: Recorded) -> str:
    section, name = plan.planner.teachers.section_of(trial), ""
    if isinstance(section, ZooTeacher):
        name = f" of {section.name}"
    elif isinstance(section, CheckpointTeacher):
        name = f" of {section.path}"
    return f"{recorded.teachers.get(trial.id) or UNKNOWN}{name}, trial {trial.id}"
