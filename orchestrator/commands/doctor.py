"""Check this machine for problems that keep studies from running."""

import argparse

from orchestrator.commands.common import add_json, add_store, store_of
from orchestrator.core.json_output import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_store(parser)
    add_json(parser)
    parser.add_argument(
        "--clean", action="store_true", help="end processes and delete files left by runs that have ended"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print one line a check; exit code 1 when one failed, or when something is left of earlier runs."""
    from orchestrator.execution.doctor import examine
    from orchestrator.execution.leaks import clean, find_leaks
    from orchestrator.reports.fitting import TableColumn
    from orchestrator.reports.terminal_table import print_table

    store = store_of(arguments)
    leaks = find_leaks(store)
    if arguments.clean:
        clean(leaks)
        leaks = find_leaks(store)
    checks = examine(store, leaks)
    failed = any(check.level == "fail" for check in checks)
    if arguments.json:
        print_json({"ok": not failed, "checks": [dict(vars(check)) for check in checks]})
    else:
        columns = (TableColumn("", states=True), TableColumn(""), TableColumn("", wraps=True, whole=True))
        print_table(columns, [(check.level, check.subject, check.message) for check in checks])
    return 1 if failed else 0
