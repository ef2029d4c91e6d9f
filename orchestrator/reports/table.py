"""Print results as a table for people: percent, one row for each point of the search."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.core.printable import printable
from orchestrator.results.amounts import amount_text, gain_text
from orchestrator.results.summary import Summary, columns_of, lines_of


def print_results(summaries: Sequence[Summary], console: Console) -> None:
    """Print teacher, baseline and students with AP in percent: mean and spread over seeds, gain over none, and rank.

    Trials that do not count stand in lines of their own, marked beside their names.
    """
    table = Table(box=None, pad_edge=False)
    for title in ("trial", "seeds", "status"):
        table.add_column(title, overflow="fold")
    lines = lines_of(summaries)
    columns = columns_of(lines)
    is_ranked = any(line.rank for line in lines)
    for title in (*columns, "vs none", *(["rank"] if is_ranked else [])):
        table.add_column(title, justify="right", no_wrap=True)
    for line in lines:
        table.add_row(
            Text(printable(line.marked_name)),
            line.seeds,
            line.status,
            *(amount_text(line, metric) for metric in columns.values()),
            gain_text(line.gain),
            *([str(line.rank or "")] if is_ranked else []),
        )
    console.print(table)
