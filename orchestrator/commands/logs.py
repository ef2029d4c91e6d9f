"""Print what a submission's driver prints, and with -f what it goes on to print."""

import argparse
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from orchestrator.commands.submission import add_name, name_of, submissions_of
from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.json_output import print_json
from orchestrator.core.printable import printable_lines
from orchestrator.core.redact import redacted

if TYPE_CHECKING:
    from orchestrator.submit.submissions import Submissions

LOOK_S = 1.0
PATIENCE_S = 60.0  # with a cluster that does not answer any more


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_name(parser)
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the submission has ended")


def run(arguments: argparse.Namespace) -> int:
    """Print the log; with ``-f`` exit code 1 when the submission ends otherwise than finished."""
    from orchestrator.submit.states import State

    submissions = submissions_of(arguments)
    name = name_of(arguments, submissions)
    if arguments.json and arguments.follow:
        raise UserError("--json prints one object, --follow goes on: use one of them")
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
    return 0 if end.state == State.FINISHED else 1


def shown(text: str) -> str:
    """Return a log's text, safe to print and without secrets."""
    return printable_lines(redacted(text))


def followed(submissions: "Submissions", name: str) -> Iterator[str]:
    """Yield what is new in a log until its submission has ended; an answer that fails to come is waited for a while."""
    from orchestrator.submit.states import ALIVE

    seen, heard = 0, time.monotonic()
    while True:
        try:
            alive = submissions.status(name).state in ALIVE  # asked first: what is printed at the end is not missed
            text = submissions.logs(name)
        except OperationError:
            if time.monotonic() - heard > PATIENCE_S:
                raise
            alive, text = True, ""
        else:
            heard = time.monotonic()
        if len(text) > seen:
            yield text[seen:]
            seen = len(text)
        if not alive:
            return
        time.sleep(LOOK_S)
