"""Stop a submission, which resume continues; or with --trial one trial for good, while the others go on."""

import argparse
from typing import TYPE_CHECKING

from orchestrator.commands.common import store_of
from orchestrator.commands.submission import add_name, name_of, require_cluster, require_study, submissions_of
from orchestrator.commands.trial_request import add_trial, ask_about_trial, means_trial
from orchestrator.core.json_output import print_json
from orchestrator.core.printable import printable
from trainers.schema.request import Request

if TYPE_CHECKING:
    from orchestrator.submit.submissions import Submission


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_name(parser)
    add_trial(parser)


def run(arguments: argparse.Namespace) -> int:
    """Stop the submission, or one trial of a study."""
    if means_trial(arguments):
        arguments.study = require_study(arguments.name)
        return ask_about_trial(arguments, Request.STOP)
    require_cluster(arguments, "stop ends a submission", how_to_end_a_run(arguments))
    submissions = submissions_of(arguments)
    found = submissions.stop(name_of(arguments, submissions))
    if arguments.json:
        print_json(found.to_json())
    else:
        print(printable(f"{found.id}: {how_it_stops(found)}"))
    return 0


def how_it_stops(found: "Submission") -> str:
    """Return what stop has achieved: a service stops a study at once that waits, and others when the cluster answers."""
    if found.state.is_over:
        return found.reason
    asked = found.reason if found.state == "stopping" else "asked to stop"
    return f"{asked}; trials save their states first"


def how_to_end_a_run(arguments: argparse.Namespace) -> str:
    """Return in a sentence how a run that is no submission ends."""
    from orchestrator.execution.ownership import running_driver

    store = store_of(arguments)
    driver = running_driver(store)
    run = f"the run in {store.root} (process {driver.pid})" if driver else "a run"
    kill = f", or kill -TERM {driver.pid}" if driver else ""
    return f"{run} ends by Ctrl-C in its terminal{kill}, and --trial ID ends one trial"
