"""Write a report's table in LaTeX, for the package booktabs."""

import re

from orchestrator.core.printable import printable
from orchestrator.reports.cells import NOTHING, cells, groups, titles, word_titles
from orchestrator.reports.document import Report
from orchestrator.reports.rows import ReportRow

ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "±": r"$\pm$",
}  # fmt: skip
SIGNED = re.compile(r"^([+-])(?=\d)")
EMPTY = "--"  # a cell without a number
ASCII = re.compile(r"[^\x20-\x7e]")


def latex(report: Report) -> str:
    """Return a ``table`` environment for the package booktabs; the study's facts and provenance precede it in comments.

    The text is ASCII: other characters, which pdfLaTeX may lack, are written as ``U+`` and their number.
    """
    words, heads = len(word_titles(report)), titles(report)
    lines = [
        "% needs \\usepackage{booktabs}",
        *(f"% {name}: {value}" for name, value in (*report.facts, *report.provenance)),
        f"% {report.command}",
    ]
    caption = " ".join(part for part in (report.description, report.answer, *report.notes) if part)
    return "\n".join(
        [
            *map(_comment, lines),
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(caption)}}}",
            rf"\label{{tab:{re.sub(r'[^A-Za-z0-9-]', '-', report.study)}}}",
            rf"\begin{{tabular}}{{{'l' * words}{'r' * (len(heads) - words)}}}",
            r"\toprule",
            _line(list(map(escaped, heads))),
            *(line for rows in groups(report) for line in (r"\midrule", *(_row(report, row) for row in rows))),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def escaped(text: str) -> str:
    """Return ``text`` so that LaTeX prints it as it is."""
    shown = "".join(ESCAPES.get(character, character) for character in printable(text))
    return ASCII.sub(lambda found: f"U+{ord(found[0]):04X}", shown)


def _row(report: Report, row: ReportRow) -> str:
    words = len(word_titles(report))
    found = cells(report, row)
    shown = [*map(escaped, found[:words]), *map(_number, found[words:])]
    return _line([rf"\textbf{{{cell}}}" if row.best and cell != EMPTY else cell for cell in shown])


def _number(cell: str) -> str:
    """Return a number with a minus sign instead of a hyphen; a dash where there is none."""
    return EMPTY if cell == NOTHING else SIGNED.sub(r"$\1$", escaped(cell))


def _line(cells_of_line: list[str]) -> str:
    return f"{' & '.join(cells_of_line)} \\\\"


def _comment(line: str) -> str:
    return ASCII.sub("?", printable(line))
