"""Stop a submission, which resume continues; or with --trial one trial for good, while the others go on."""

import argparse

from orchestrator.commands.submission import add_name, name_of, require_study, submissions_of
from orchestrator.commands.trial_request import add_trial, ask_about_trial
from orchestrator.core.json_output import print_json
from trainers.schema.request import Request


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_name(parser)
    add_trial(parser)


def run(arguments: argparse.Namespace) -> int:
    """Stop the submission, or one trial of a study."""
    if arguments.trial:
        arguments.study = require_study(arguments.name)
        return ask_about_trial(arguments, Request.STOP)
    submissions = submissions_of(arguments)
    found = submissions.stop(name_of(arguments, submissions))
    if arguments.json:
        print_json(found.to_json())
    else:
        print(f"{found.id}: asked to stop; trials save their states first")
    return 0
