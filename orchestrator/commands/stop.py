"""Stop a submission; resume continues from its saved states."""

import argparse

from orchestrator.commands.submission import add_name, name_of, submissions_of
from orchestrator.core.json_output import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_name(parser)


def run(arguments: argparse.Namespace) -> int:
    """Stop the submission."""
    submissions = submissions_of(arguments)
    found = submissions.stop(name_of(arguments, submissions))
    if arguments.json:
        print_json(found.to_json())
    else:
        print(f"{found.id}: asked to stop; trials save their states first")
    return 0
