"""Write a report in Markdown."""

import re
from collections.abc import Iterable

from orchestrator.core.printable import printable
from orchestrator.reports.cells import NOTHING, cells, titles, word_titles
from orchestrator.reports.document import Report
from orchestrator.reports.rows import ReportRow

ACTING = re.compile(r"([\\`*_{}\[\]<>|~#&!])")


def markdown(report: Report) -> str:
    """Return the report as GitHub's Markdown; all names and values are escaped."""
    words = len(word_titles(report))
    heads = titles(report)
    rule = ["---"] * words + ["---:"] * (len(heads) - words)
    table = [heads, rule, *(_line(report, row) for row in report.rows)]
    parts = [
        f"# {escaped(report.study)}",
        escaped(report.description),
        _list(report.facts),
        escaped(report.answer),
        "\n".join(f"| {' | '.join(line)} |" for line in table),
        "\n".join(map(escaped, report.notes)),
        _list(report.provenance),
        f"```console\n$ {printable(report.command).replace('```', '` ` `')}\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _line(report: Report, row: ReportRow) -> list[str]:
    found = map(escaped, cells(report, row))
    return [f"**{cell}**" if row.best and cell != NOTHING else cell for cell in found]


def _list(facts: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- {escaped(name)}: {escaped(value)}" for name, value in facts)


def escaped(text: str) -> str:
    """Return text whose characters act in no way in Markdown."""
    return ACTING.sub(r"\\\1", printable(text))
