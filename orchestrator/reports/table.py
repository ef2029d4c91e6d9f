"""Print results as a table for people: percent, one row for each point of the search."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.core.numbers import is_number
from orchestrator.core.printable import printable
from orchestrator.results.sample import Sample
from orchestrator.results.summary import Summary, SummaryLine, columns_of, lines_of

NOTHING = "-"


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
            "" if line.gain is None else f"{100 * line.gain:+.1f}",
            *([str(line.rank or "")] if is_ranked else []),
        )
    console.print(table)


def amount_text(line: SummaryLine, metric: str) -> str:
    """Return a metric in percent as mean ± spread, with the number of seeds where fewer than the row's have it."""
    sample = line.samples.get(metric)
    if sample is None:
        return NOTHING
    expected = len(line.summary.row.counted)
    few = f" ({sample.n} of {expected})" if not line.mark and sample.n < expected else ""
    return percent(sample) + few


def percent(sample: Sample) -> str:
    """Return mean ± spread in percent; a failed measurement is ``nan``."""
    if not is_number(sample.mean):
        return "nan"
    return f"{100 * sample.mean:.1f}" + ("" if sample.spread is None else f" ± {100 * sample.spread:.1f}")
