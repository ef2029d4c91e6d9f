"""Print a table or a sentence for people: fitted to the terminal, in full where there is none."""

import sys
from collections.abc import Sequence
from typing import TextIO

from orchestrator.core.printable import printable
from orchestrator.core.terminal import painted, painted_as, width_of
from orchestrator.reports.fitting import GAP, FittedTable, TableColumn, fit, paragraph

ELSEWHERE = "a wider terminal or --json"


def print_table(
    columns: Sequence[TableColumn],
    rows: Sequence[Sequence[str]],
    stream: TextIO | None = None,
    elsewhere: str = ELSEWHERE,
) -> None:
    """Print a table; a terminal that is too narrow also gets a line with the titles of columns that were left out.

    ``elsewhere`` names the places that show all columns.
    """
    stream = stream or sys.stdout
    table = fit(columns, [[printable(cell) for cell in row] for row in rows], width_of(stream))
    for line in table.lines():
        print(_text(table, line, stream), file=stream)
    if table.left_out:
        print_sentence(f"left out here: {', '.join(table.left_out)}; see {elsewhere}", stream)


def print_sentence(text: str, stream: TextIO | None = None, state: str | None = None) -> None:
    """Print a sentence, folded between words on a terminal, its first word in the colour of ``state``."""
    stream = stream or sys.stdout
    first, space, rest = paragraph(printable(text), width_of(stream)).partition(" ")
    print(f"{painted_as(state, first, stream) if state else first}{space}{rest}", file=stream)


def _text(table: FittedTable, cells: Sequence[str], stream: TextIO) -> str:
    shown = [
        painted(cell, stream) if column.states else cell for cell, column in zip(cells, table.columns, strict=True)
    ]
    return GAP.join(shown).rstrip()
