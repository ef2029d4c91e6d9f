"""Start a failed, stopped or lost submission again; or with --trial let one paused trial go on."""

import argparse

from orchestrator.commands.submission import add_request_options, job_request_of, print_result, submissions_of
from orchestrator.commands.trial_request import add_trial, ask_about_trial, means_trial
from trainers.schema.request import Request


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_request_options(parser)
    add_trial(parser)


def run(arguments: argparse.Namespace) -> int:
    """Go on with the study from its last states, or join it when it runs; or go on with one paused trial."""
    if means_trial(arguments):
        return ask_about_trial(arguments, Request.RESUME)
    job_request = job_request_of(arguments)
    print_result(submissions_of(arguments).resume(job_request), as_json=arguments.json)
    return 0
