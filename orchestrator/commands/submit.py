"""Submit a study to a Ray cluster or a service; this machine may disconnect afterwards."""

import argparse

from orchestrator.commands.submission import add_order, order_of, print_receipt, submissions_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_order(parser)


def run(arguments: argparse.Namespace) -> int:
    """Submit the study, or join the submission that is there."""
    order = order_of(arguments)
    print_receipt(submissions_of(arguments).submit(order), as_json=arguments.json)
    return 0
