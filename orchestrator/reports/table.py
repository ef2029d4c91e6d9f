"""Print results as a table for people: percent, one row for each point of the search."""

from collections.abc import Mapping, Sequence, Set
from types import MappingProxyType
from typing import TextIO

from orchestrator.reports.fitting import TableColumn
from orchestrator.reports.terminal_table import print_table
from orchestrator.results.amounts import amount_text, gain_text
from orchestrator.results.detector_costs import TITLES, are_shown, cost_text
from orchestrator.results.metric_names import AP, VOC_COLUMNS
from orchestrator.results.summary import Summary, SummaryLine, columns_of, lines_of

ELSEWHERE = "a wider terminal, stillhouse report or --json"
# Which metrics give way to a narrow terminal, see TableColumn.gives_way: sizes first, the headline never.
GIVES_WAY: Mapping[str, int] = MappingProxyType(
    {AP: 0, "AP50": 20, "AP75": 21} | dict.fromkeys(VOC_COLUMNS, 30) | dict.fromkeys(("APs", "APm", "APl"), 40)
)
COSTS_GIVE_WAY: Mapping[str, int] = MappingProxyType({"params": 26, "latency": 27, "MACs": 28})  # after VOC and sizes


def print_results(
    summaries: Sequence[Summary], stream: TextIO | None = None, race: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Print teacher, baseline and students with AP in percent: mean and spread over seeds, gain over none, and rank.

    Trials that do not count stand in lines of their own, marked beside their names. ``stream`` is stdout by default.
    ``race`` says by trial why its point has as many seeds as it has.
    """
    lines = lines_of(summaries)
    metrics = columns_of(lines)
    is_ranked = any(line.rank for line in lines)
    has_costs = are_shown(line.summary.row.first.cost for line in lines)
    selected = {line.summary.row.metric for line in lines}
    columns = _columns(metrics, selected, is_ranked=is_ranked, has_costs=has_costs)
    rows = [_cells(line, metrics, is_ranked=is_ranked, has_costs=has_costs) for line in lines]
    if race:
        columns.append(TableColumn("race", wraps=True, gives_way=10))
        rows = [[*cells, race.get(line.summary.row.first.id, "")] for cells, line in zip(rows, lines, strict=True)]
    print_table(columns, rows, stream, ELSEWHERE)


def _columns(metrics: Mapping[str, str], selected: Set[str], *, is_ranked: bool, has_costs: bool) -> list[TableColumn]:
    return [
        TableColumn("trial", wraps=True),
        TableColumn("seeds", gives_way=3),
        TableColumn("status", wraps=True, states=True, gives_way=2),
        *(TableColumn(title, right=True, gives_way=_gives_way(title, key, selected)) for title, key in metrics.items()),
        TableColumn("vs none", right=True, gives_way=1),
        *([TableColumn("rank", right=True, gives_way=4)] if is_ranked else []),
        *(TableColumn(title, right=True, gives_way=COSTS_GIVE_WAY[title]) for title in TITLES.values() if has_costs),
    ]


def _gives_way(title: str, metric: str, selected: Set[str]) -> int:
    return 0 if metric in selected else GIVES_WAY.get(title, 0)


def _cells(line: SummaryLine, metrics: Mapping[str, str], *, is_ranked: bool, has_costs: bool) -> list[str]:
    return [
        line.marked_name,
        line.seeds,
        line.status,
        *(amount_text(line, metric) for metric in metrics.values()),
        gain_text(line),
        *([str(line.rank or "")] if is_ranked else []),
        *(cost_text(line.summary.row.first.cost, name) for name in TITLES if has_costs),
    ]
