"""Show the status of a submission."""

import argparse

from orchestrator.commands.submission import add_name, name_of, print_submissions, require_cluster, submissions_of
from orchestrator.core.json_output import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_name(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the state and its reason; exit code 1 when the submission failed or was lost."""
    from orchestrator.submit.states import SubmissionState

    require_cluster(arguments, "status shows a submission", "stillhouse plan STUDY shows the trials of any other run")
    submissions = submissions_of(arguments)
    found = submissions.status(name_of(arguments, submissions))
    if arguments.json:
        print_json(found.to_json())
    else:
        print_submissions([found])
    return 1 if found.state in (SubmissionState.FAILED, SubmissionState.LOST) else 0
