"""Write a report's numbers as text, the same in every format for people."""

from collections.abc import Iterator, Sequence

from orchestrator.core.numbers import is_number
from orchestrator.reports.document import Report
from orchestrator.reports.rows import ReportRow
from orchestrator.results.detector_costs import TITLES, cost_text
from orchestrator.results.metric_names import decimals
from orchestrator.results.sample import Sample
from orchestrator.study.selection import KEYS
from trainers.schema.record import SELECTION_METRIC

NOTHING = "-"


def titles(report: Report) -> list[str]:
    """Return the titles of the columns; the first two or three hold words, the others numbers."""
    paper = ["paper", "vs paper"] if report.has_paper else []
    rank = ["rank"] if report.has_ranks else []
    costs = list(TITLES.values()) if report.has_costs else []
    return [*word_titles(report), "seeds", *report.columns, "vs none", *rank, *paper, *costs]


def word_titles(report: Report) -> list[str]:
    """Return the titles of the columns that hold words."""
    return ["student", "method"] if report.has_students else ["method"]


def cells(report: Report, row: ReportRow) -> list[str]:
    """Return a row's cells in the order of ``titles``."""
    words = [row.student, row.label] if report.has_students else [row.label]
    paper = [_printed(row), _signed(row.to_paper)] if report.has_paper else []
    rank = [NOTHING if row.rank is None else str(row.rank)] if report.has_ranks else []
    costs = [cost_text(row.cost, name) for name in TITLES] if report.has_costs else []
    return [*words, _seeds(row), *_amounts(row, report.columns), _signed(row.gain, row.metric), *rank, *paper, *costs]


def groups(report: Report) -> Iterator[list[ReportRow]]:
    """Yield the rows that stand together between two rules: a teacher's, then each student's."""
    keys = dict.fromkeys((row.role, row.student) for row in report.rows)
    for key in keys:
        yield [row for row in report.rows if (row.role, row.student) == key]


def _seeds(row: ReportRow) -> str:
    return str(row.planned) if row.complete else f"{row.evaluated} of {row.planned}"


def _amounts(row: ReportRow, columns: Sequence[str]) -> Iterator[str]:
    for title in columns:
        amount = row.amounts.get(title)
        yield NOTHING if amount is None else _amount(title, amount, row)


def _amount(title: str, amount: Sample, row: ReportRow) -> str:
    """Return mean ± spread, with the number of seeds where fewer than the row's have the metric."""
    if not is_number(amount.mean):
        return "nan"
    few = f" ({amount.n} of {row.evaluated})" if not row.mark and amount.n < row.evaluated else ""
    digits = decimals(KEYS.get(title, row.metric))  # a column that is none of the usual ones is the selected metric's
    spread = "" if amount.spread is None else f" ± {amount.spread:.{digits}f}"
    return f"{amount.mean:.{digits}f}{spread}{few}"


def _printed(row: ReportRow) -> str:
    value = row.printed.score if row.printed else None
    return NOTHING if value is None else f"{value:.1f}"


def _signed(value: float | None, metric: str = SELECTION_METRIC) -> str:
    """Return a difference with its sign; one that rounds to zero has none."""
    if value is None:
        return NOTHING
    text = f"{value:+.{decimals(metric)}f}"
    return text if text.strip("+-0.") else text[1:]
