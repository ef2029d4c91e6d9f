"""Print results as a table for people: percent, one row for each point of the search."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TextIO

from orchestrator.reports.fitting import TableColumn
from orchestrator.reports.terminal_table import print_table
from orchestrator.results.amounts import amount_text, gain_text
from orchestrator.results.metric_names import AP, VOC_COLUMNS
from orchestrator.results.summary import Summary, SummaryLine, columns_of, lines_of

ELSEWHERE = "a wider terminal, stillhouse report or --json"
# Which metrics give way to a narrow terminal, see TableColumn.gives_way: sizes first, the headline never.
GIVES_WAY: Mapping[str, int] = MappingProxyType(
    {AP: 0, "AP50": 20, "AP75": 21} | dict.fromkeys(VOC_COLUMNS, 30) | dict.fromkeys(("APs", "APm", "APl"), 40)
)


def print_results(summaries: Sequence[Summary], stream: TextIO | None = None) -> None:
    """Print teacher, baseline and students with AP in percent: mean and spread over seeds, gain over none, and rank.

    Trials that do not count stand in lines of their own, marked beside their names. ``stream`` is stdout by default.
    """
    lines = lines_of(summaries)
    metrics = columns_of(lines)
    is_ranked = any(line.rank for line in lines)
    print_table(_columns(metrics, is_ranked=is_ranked), [_cells(line, metrics, is_ranked) for line in lines], stream,
                ELSEWHERE)  # fmt: skip


def _columns(metrics: Mapping[str, str], *, is_ranked: bool) -> list[TableColumn]:
    return [
        TableColumn("trial", wraps=True),
        TableColumn("seeds", gives_way=3),
        TableColumn("status", wraps=True, states=True, gives_way=2),
        *(TableColumn(title, right=True, gives_way=GIVES_WAY.get(title, 0)) for title in metrics),
        TableColumn("vs none", right=True, gives_way=1),
        *([TableColumn("rank", right=True, gives_way=4)] if is_ranked else []),
    ]


def _cells(line: SummaryLine, metrics: Mapping[str, str], is_ranked: bool) -> list[str]:
    return [
        line.marked_name,
        line.seeds,
        line.status,
        *(amount_text(line, metric) for metric in metrics.values()),
        gain_text(line.gain),
        *([str(line.rank or "")] if is_ranked else []),
    ]
