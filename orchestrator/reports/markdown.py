"""Write a report in Markdown."""

import re

from orchestrator.core.printable import printable
from orchestrator.reports.cells import cells, titles, word_titles
from orchestrator.reports.document import Report

ACTING = re.compile(r"([\\`*_{}\[\]<>|~#&!])")


def markdown(report: Report) -> str:
    """Return the report as GitHub's Markdown; all names and values are escaped."""
    words = len(word_titles(report))
    heads = titles(report)
    rule = ["---"] * words + ["---:"] * (len(heads) - words)
    table = [heads, rule, *(list(map(escaped, cells(report, row))) for row in report.rows)]
    parts = [
        f"# {escaped(report.study)}",
        escaped(report.description),
        "\n".join(f"| {' | '.join(line)} |" for line in table),
        "\n".join(map(escaped, report.notes)),
        "\n".join(f"- {escaped(name)}: {escaped(value)}" for name, value in report.provenance),
        f"```console\n$ {printable(report.command).replace('```', '` ` `')}\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    """Return text whose characters act in no way in Markdown."""
    return ACTING.sub(r"\\\1", printable(text))
