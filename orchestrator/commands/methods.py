"""List distillation methods and the detectors that support each."""

import argparse
import sys

from rich.console import Console
from rich.table import Table

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
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(_table())
    print(f"\nTeacher and student need equal heads, but for: {', '.join(across())}.\n")
    print("\n".join(reasons()))
    return 0


def _table() -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("method", "terms", *detectors()):
        table.add_column(title)
    for row in compatibility():
        marks = [YES if fit else NO for fit in row["detectors"].values()]
        table.add_row(row["method"], " + ".join(row["terms"]), *marks)
    return table
