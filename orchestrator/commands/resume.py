"""Start a failed, stopped or lost submission again."""

import argparse

from orchestrator.commands.submission import add_request_options, job_request_of, print_result, submissions_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_request_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Go on with the study from its last states; join it when it runs."""
    job_request = job_request_of(arguments)
    print_result(submissions_of(arguments).resume(job_request), as_json=arguments.json)
    return 0
