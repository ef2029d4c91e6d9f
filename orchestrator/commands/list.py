"""List the submissions of a cluster, its store or a service."""

import argparse

from orchestrator.commands.submission import add_cluster, print_submissions, submissions_of
from orchestrator.core.json_output import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_cluster(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print one line for each submission."""
    found = submissions_of(arguments).all()
    if arguments.json:
        print_json({"submissions": [one.to_json() for one in found]})
    else:
        print_submissions(found)
    return 0
