"""List distillation methods and the detectors that support each."""

import argparse
from typing import Any

from orchestrator.commands.common import add_json
from orchestrator.core.json_output import print_json
from orchestrator.study.compatibility import NO, YES, across, compatibility, detectors, markdown, reasons


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--markdown", action="store_true", help="print the compatibility table of docs/methods.md")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the compatibility table with the reason for each combination that does not work."""
    if arguments.json:
        print_json({"methods": compatibility(), "across_heads": across()})
        return 0
    if arguments.markdown:
        print(markdown(), end="")
        return 0
    _print_table()
    return 0


def _print_table() -> None:
    from orchestrator.reports.fitting import TableColumn
    from orchestrator.reports.terminal_table import print_sentence, print_table

    names = detectors()
    columns = [
        TableColumn("method"),
        TableColumn("terms", wraps=True, gives_way=len(names) + 1),
        *(TableColumn(name, gives_way=place) for place, name in enumerate(names, start=1)),
    ]
    print_table(columns, [_cells(row) for row in compatibility()])
    print()
    print_sentence(f"Teacher and student need equal heads, but for: {', '.join(across())}.")
    print()
    for reason in reasons():
        print_sentence(reason)


def _cells(row: dict[str, Any]) -> list[str]:
    return [row["method"], " + ".join(row["terms"]), *(YES if fit else NO for fit in row["detectors"].values())]
