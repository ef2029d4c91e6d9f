"""Gather a study's results into the rows of a table: mean and spread over seeds, gain over none, the paper's figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.plan import Plan, PlannedTrial
from orchestrator.reports.paper import Printed, printed_for
from orchestrator.table import baseline_of, columns_of, row_name
from orchestrator.tracking.results import Summary, TrialResult, summarise
from trainers.spec import Detector
from trainers.spec.record import SELECTION_METRIC

AP = "AP"


@dataclass(frozen=True)
class Amount:
    """Hold a mean over seeds and its sample standard deviation (``None`` for a single seed), in percent."""

    mean: float
    spread: float | None = None


@dataclass(frozen=True)
class Row:
    """Hold one row: trials that differ in the seed only.

    ``amounts`` are by column title, absent where nothing was measured; ``evaluated`` of the ``planned`` seeds have an
    AP. ``gain`` is the difference of mean AP, in points, to the student trained alone, ``to_paper`` to the paper's.
    """

    student: str
    role: str
    method: str
    label: str
    planned: int
    evaluated: int
    statuses: tuple[str, ...]
    amounts: Mapping[str, Amount]
    gain: float | None
    printed: Printed | None

    @property
    def complete(self) -> bool:
        """Tell whether all trials of the row ended as planned; one that a scheduler stopped did not."""
        return set(self.statuses) == {"finished"}

    @property
    def to_paper(self) -> float | None:
        """Return the difference of mean AP to the paper's, in points."""
        if self.printed is None or AP not in self.printed.values or AP not in self.amounts:
            return None
        return self.amounts[AP].mean - self.printed.values[AP]


def make_rows(plan: Plan, results: Sequence[TrialResult]) -> tuple[list[str], list[Row]]:
    """Return the titles of the columns and the rows, grouped by student: the teacher, students alone, the distilled.

    Students come in the order of the plan, and so do the rows of each.
    """
    planned = {trial.id: trial for trial in plan.trials}
    summaries = summarise(list(results))
    rows = [_row(plan, planned, summary, _results_of(summary, results), summaries) for summary in summaries]
    students = list(dict.fromkeys(row.student for row in rows))
    return list(columns_of(summaries)), sorted(
        rows, key=lambda row: (row.role != "teacher", students.index(row.student), _rank(row))
    )


def student_name(detector: Detector) -> str:
    """Return what tells detectors apart, short enough for a table."""
    name = detector.config.rsplit("/", 1)[-1].removesuffix(".py")
    depth = f" R{detector.backbone_depth}" if detector.backbone_depth else ""
    return f"{name}{depth}" + (f" x{detector.width:g}" if detector.width != 1.0 else "")


def _results_of(row: Summary, results: Sequence[TrialResult]) -> list[TrialResult]:
    return [r for r in results if (r.role, r.method, r.params) == (row.role, row.method, row.params)]


def _row(
    plan: Plan,
    planned: Mapping[str, PlannedTrial],
    summary: Summary,
    results: Sequence[TrialResult],
    summaries: Sequence[Summary],
) -> Row:
    trial = planned[results[0].id]
    return Row(
        student=student_name(trial.spec.student),
        role=summary.role,
        method=summary.method,
        label=row_name(summary),
        planned=len(results),
        evaluated=sum(SELECTION_METRIC in result.metrics for result in results),
        statuses=summary.statuses,
        amounts={title: _amount(summary, key) for title, key in columns_of(summaries).items() if key in summary.mean},
        gain=_gain(summary, summaries),
        printed=printed_for(plan, trial),
    )


def _amount(summary: Summary, key: str) -> Amount:
    spread = summary.spread.get(key)
    return Amount(100 * summary.mean[key], None if spread is None else 100 * spread)


def _gain(summary: Summary, summaries: Sequence[Summary]) -> float | None:
    if summary.role == "teacher" or summary.method == "none":
        return None
    alone = baseline_of(summary, summaries)
    if alone is None or not {SELECTION_METRIC} <= summary.mean.keys() & alone.mean.keys():
        return None
    return 100 * (summary.mean[SELECTION_METRIC] - alone.mean[SELECTION_METRIC])


def _rank(row: Row) -> bool:
    return row.method != "none"
