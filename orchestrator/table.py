"""Print results as a table for people: percent, one row for each point of the search."""

from collections.abc import Sequence

from pydantic import JsonValue
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.points import point_text
from orchestrator.printable import printable
from orchestrator.search.rank import ranks
from orchestrator.tracking.results import COLUMNS, VOC_COLUMNS, Summary
from trainers.spec.record import SELECTION_METRIC


def print_results(summaries: Sequence[Summary], console: Console) -> None:
    """Print teacher, baseline and students with AP in percent, mean and spread over seeds, and the gain over none."""
    table = Table(box=None, pad_edge=False)
    for title in ("trial", "seeds", "status"):
        table.add_column(title, overflow="fold")
    columns = columns_of(summaries)
    places = ranking(summaries)
    for title in (*columns, "vs none", *(["rank"] if places else [])):
        table.add_column(title, justify="right", no_wrap=True)
    for row in summaries:
        cells = [_cell(row, metric) for metric in columns.values()]
        table.add_row(
            Text(printable(row_name(row))),
            _seeds(row),
            _status(row),
            *cells,
            _gain(row, baseline_of(row, summaries)),
            *([places.get(row_name(row), "")] if places else []),
        )
    console.print(table)


def columns_of(summaries: Sequence[Summary]) -> dict[str, str]:
    """Return which metrics the table shows, by title: VOC's beside COCO's where there are any."""
    shown = {title: metric for title, metric in VOC_COLUMNS.items() if any(metric in row.mean for row in summaries)}
    return COLUMNS | shown


def ranking(summaries: Sequence[Summary]) -> dict[str, str]:
    """Return students' ranks by AP, by row name; those whose difference lies within the spread share one."""
    rows = [row for row in summaries if row.role == "student" and SELECTION_METRIC in row.mean]
    counts = [row.counts.get(SELECTION_METRIC, 1) for row in rows]
    spreads = [row.spread.get(SELECTION_METRIC) for row in rows]
    found = ranks([row.mean[SELECTION_METRIC] for row in rows], spreads, counts) if len(rows) > 1 else None
    return {row_name(row): str(place) for row, place in zip(rows, found, strict=True)} if found else {}


def baseline_of(row: Summary, summaries: Sequence[Summary]) -> Summary | None:
    """Return the student trained alone at the row's student and schedule; the only one where there is just one."""
    baselines = [other for other in summaries if is_baseline(other)]
    alike = [other for other in baselines if _elsewhere(other) == _elsewhere(row)]
    return next(iter(alike), baselines[0] if len(baselines) == 1 else None)


def is_baseline(row: Summary) -> bool:
    """Tell whether a row is the student trained alone."""
    return row.role == "student" and row.method == "none"


def row_name(row: Summary) -> str:
    """Return what tells the row apart: the teacher, or the method and its searched values."""
    if row.role == "teacher":
        return "teacher"
    return f"{row.method} {point_text(row.params)}".strip()


def _seeds(row: Summary) -> str:
    return str(row.seeds[0]) if len(row.seeds) == 1 else f"{len(row.seeds)} seeds"


def _status(row: Summary) -> str:
    kinds = sorted(set(row.statuses))
    return kinds[0] if len(kinds) == 1 else ", ".join(f"{row.statuses.count(kind)} {kind}" for kind in kinds)


def _cell(row: Summary, metric: str) -> str:
    if metric not in row.mean:
        return "-"
    spread = f" ± {100 * row.spread[metric]:.1f}" if metric in row.spread else ""
    return f"{100 * row.mean[metric]:.1f}{spread}"


def _elsewhere(row: Summary) -> dict[str, JsonValue]:
    """Return what was searched outside the method."""
    return {key: value for key, value in row.params.items() if key.partition(".")[0] != "method"}


def _gain(row: Summary, baseline: Summary | None) -> str:
    own, alone = row.mean.get(SELECTION_METRIC), baseline.mean.get(SELECTION_METRIC) if baseline else None
    if alone is None or own is None or row.role == "teacher" or row.method == "none":
        return ""
    return f"{100 * (own - alone):+.1f}"
