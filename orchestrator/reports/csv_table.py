"""Write a report as CSV: one line a row of the table, numbers in full, provenance in every line."""

import csv
import io

from orchestrator.core.printable import printable
from orchestrator.reports.document import STUDY, Report
from orchestrator.reports.rows import ReportRow
from trainers.schema.costs import COSTS, cost_value

TEST = ("test AP", "test AP spread")  # on the test split, which nothing was chosen by
FORMULA = ("=", "+", "-", "@")  # how a cell begins that a spreadsheet would compute


def csv_table(report: Report) -> str:
    """Return the report as CSV (RFC 4180, without a mark of the byte order).

    Figures are in percent with all their digits, empty where there is none. The study's name has a column at the start, its
    fingerprint one among the provenance. A text that a spreadsheet would take for a formula gets an
    apostrophe in front.
    """
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(_titles(report))
    writer.writerows(_line(report, row) for row in report.rows)
    return stream.getvalue()


def _titles(report: Report) -> list[str]:
    measured = [name for title in report.columns for name in (title, f"{title} spread")]
    paper = [f"paper {title}" for title in report.columns]
    words = ["study", "role", "student", "method", "row", "status", "seeds", "evaluated"]
    return [
        *words,
        *measured,
        "vs none",
        "rank",
        *paper,
        "vs paper",
        *(TEST if _is_tested(report) else ()),
        *COSTS,
        *(name for name, _ in _provenance(report)),
        "command",
    ]


def _line(report: Report, row: ReportRow) -> list[str | int]:
    amounts = [row.amounts.get(title) for title in report.columns]
    measured = [value for found in amounts for value in ((found.mean, found.spread) if found else (None, None))]
    printed = [row.printed.values.get(title) if row.printed else None for title in report.columns]
    words = (report.study, row.role, row.student, row.method, row.label, ", ".join(row.statuses))
    rest = (*(value for _, value in _provenance(report)), report.command)
    test = (row.test.mean, row.test.spread) if row.test else (None, None)
    costs = [cost_value(row.cost, name) for name in COSTS]
    numbers = [
        *measured, row.gain, row.rank, *printed, row.to_paper, *(test if _is_tested(report) else ()), *costs,
    ]  # fmt: skip
    return [*map(_text, words), row.planned, row.evaluated, *map(_number, numbers), *map(_text, rest)]


def _is_tested(report: Report) -> bool:
    return any(row.test for row in report.rows)


def _provenance(report: Report) -> list[tuple[str, str]]:
    """Return the provenance of the numbers; of the study only its fingerprint, because each line has its name."""
    return [
        ("fingerprint", report.fingerprint) if name == STUDY else (name, value) for name, value in report.provenance
    ]


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)


def _text(text: str) -> str:
    shown = printable(text)
    return f"'{shown}" if shown.startswith(FORMULA) else shown
