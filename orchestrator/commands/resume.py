"""Start another attempt of a submission that failed, was stopped or was lost."""

import argparse

from orchestrator.commands.submission import add_order, order_of, print_receipt, submissions_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_order(parser)


def run(arguments: argparse.Namespace) -> int:
    """Go on with the study from its last states; join it when it runs."""
    order = order_of(arguments)
    print_receipt(submissions_of(arguments).resume(order), as_json=arguments.json)
    return 0
