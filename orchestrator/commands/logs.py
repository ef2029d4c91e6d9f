"""Print the driver log of a submission; -f follows it."""

import argparse
import sys

from orchestrator.commands.submission import add_name, name_of, require_cluster, submissions_of
from orchestrator.core.errors import UserError
from orchestrator.core.json_output import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_name(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="follow the log until the submission ends")


def run(arguments: argparse.Namespace) -> int:
    """Print the log; with ``-f`` exit code 1 when the submission ends otherwise than finished."""
    from orchestrator.submit.logs import followed, shown
    from orchestrator.submit.states import SubmissionState

    require_cluster(arguments, "logs prints the output of a submission", "any other run prints it in its own terminal")
    if arguments.json and arguments.follow:
        raise UserError("--json prints one object, and --follow streams: use only one of them")
    submissions = submissions_of(arguments)
    name = name_of(arguments, submissions)
    if arguments.json:
        print_json({"id": submissions.status(name).id, "logs": submissions.logs(name)})
        return 0
    if not arguments.follow:
        sys.stdout.write(shown(submissions.logs(name)))
        return 0
    for text in followed(submissions, submissions.status(name).id):
        sys.stdout.write(shown(text))
        sys.stdout.flush()
    end = submissions.status(name)
    print(shown(f"{end.id}: {end.state} ({end.reason})"), file=sys.stderr)
    return 0 if end.state == SubmissionState.FINISHED else 1
