"""Gather a study's results into the rows of a report: mean and spread over seeds, gain over none, the paper's figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.reports.on_test_split import rows_of_test_split
from orchestrator.reports.paper import Printed, printed_for
from orchestrator.results.metric_names import shown_scale
from orchestrator.results.result import TrialResult
from orchestrator.results.sample import Sample
from orchestrator.results.summary import SummaryLine, columns_of, lines_of, row_of_best, summarise
from trainers.schema import Detector
from trainers.schema.costs import DetectorCost
from trainers.schema.record import SELECTION_METRIC


@dataclass(frozen=True)
class ReportRow:
    """Hold one row: trials that differ in the seed only, or by itself a trial that enters no mean (``mark`` says why).

    ``amounts`` are by column title, average precisions in percent, absent where nothing was measured, each over ``n`` seeds. ``evaluated``
    of the ``planned`` seeds count. ``gain`` is the difference of the mean ``metric``, of AP in points, to the student trained alone,
    ``to_paper`` to the paper's. ``best`` marks the row of the best student. ``test`` is the metric on the test split, which nothing was chosen by. ``cost`` is the detector's,
    where it was measured.
    """

    student: str
    role: str
    method: str
    label: str
    planned: int
    evaluated: int
    statuses: tuple[str, ...]
    amounts: Mapping[str, Sample]
    gain: float | None
    printed: Printed | None
    rank: int | None = None
    mark: str = ""
    test: Sample | None = None
    cost: DetectorCost | None = None
    metric: str = SELECTION_METRIC
    best: bool = False

    @property
    def complete(self) -> bool:
        """Return whether all trials of the row count; one that a scheduler stopped does not."""
        return self.evaluated == self.planned

    @property
    def to_paper(self) -> float | None:
        """Return the difference of the mean to the printed AP, in points."""
        if self.printed is None or self.printed.score is None or self.printed.headline not in self.amounts:
            return None
        return self.amounts[self.printed.headline].mean - self.printed.score


def make_rows(plan: Plan, results: Sequence[TrialResult]) -> tuple[list[str], list[ReportRow]]:
    """Return the titles of the columns and the rows, grouped by student: the teacher, students alone, the distilled.

    Students come in the order of the plan, and so do the rows of each.
    """
    planned = {trial.id: trial for trial in plan.trials}
    lines = lines_of(summarise(results))
    columns = columns_of(lines)
    best = row_of_best(results)
    tested = {trial: row.score for row in rows_of_test_split(results) for trial in row.trials}
    rows = [_row(plan, planned, line, columns, tested) for line in lines]
    rows = [replace(row, best=line.is_of(best)) for row, line in zip(rows, lines, strict=True)]
    students = list(dict.fromkeys(row.student for row in rows))
    return list(columns), sorted(
        rows, key=lambda row: (row.role != "teacher", students.index(row.student), row.method != "none")
    )


def student_name(detector: Detector) -> str:
    """Return a detector's distinguishing name, short enough for a table."""
    name = detector.config.rsplit("/", 1)[-1].removesuffix(".py")
    depth = f" R{detector.backbone_depth}" if detector.backbone_depth else ""
    blocks = f" d{detector.depth:g}" if detector.depth != 1.0 else ""
    return f"{name}{depth}{blocks}" + (f" x{detector.width:g}" if detector.width != 1.0 else "")


def _row(
    plan: Plan,
    planned: Mapping[str, PlannedTrial],
    line: SummaryLine,
    columns: Mapping[str, str],
    tested: Mapping[str, Sample | None],
) -> ReportRow:
    row = line.summary.row
    trial = planned[row.first.id]
    test = next((score for other in row.counted if (score := tested.get(other.id))), None)
    return ReportRow(
        student=student_name(trial.spec.student),
        role=row.first.role,
        method=row.first.method,
        label=f"{line.name} ({line.mark}: {line.status})" if line.mark else line.name,
        planned=1 if line.mark else len(row.trials),
        evaluated=0 if line.mark else len(row.counted),
        statuses=line.states,
        amounts={title: _scaled(key, line.samples[key]) for title, key in columns.items() if key in line.samples},
        gain=None if line.gain is None else shown_scale(row.metric) * line.gain,
        printed=None if line.mark else printed_for(plan, trial),
        rank=line.rank,
        mark=line.mark,
        test=_scaled(row.metric, test) if test and not line.mark else None,
        cost=row.first.cost,
        metric=row.metric,
    )


def _scaled(metric: str, sample: Sample) -> Sample:
    scale = shown_scale(metric)
    return Sample(scale * sample.mean, None if sample.spread is None else scale * sample.spread, sample.n)
