"""Submit a study to a Ray cluster or a service.

This machine may disconnect afterwards.
"""

import argparse

from orchestrator.commands.submission import add_request_options, job_request_of, print_result, submissions_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_request_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Submit the study, or join the submission that is there."""
    job_request = job_request_of(arguments)
    print_result(submissions_of(arguments).submit(job_request), as_json=arguments.json)
    return 0
