"""Share the arguments and output of the commands about one trial of a study."""

import argparse
import os
from typing import TYPE_CHECKING

from orchestrator.commands.common import add_random_weights, add_study, add_workers, load, store_of
from orchestrator.commands.submission import add_cluster, study_of
from orchestrator.core.errors import UserError
from orchestrator.core.json_output import print_json
from orchestrator.core.printable import printable
from orchestrator.core.store import VARIABLE
from trainers.schema.request import Request

if TYPE_CHECKING:
    from orchestrator.execution.trial_requests import AcceptedRequest

HELP = "one trial only: its id as plan shows it, or its first digits"


def add_trial(parser: argparse.ArgumentParser) -> None:
    """Add to a command about submissions that one trial may be meant."""
    parser.add_argument("--trial", metavar="ID", help=HELP)
    add_random_weights(parser)


def means_trial(arguments: argparse.Namespace) -> bool:
    """Return whether a command about submissions is about one trial; raise ``UserError`` for options of such a one alone."""
    if arguments.trial is not None:
        return True
    if arguments.random_weights:
        raise UserError("--random-weights goes with --trial ID: a submission is found without it")
    return False


def add_trial_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a command that is about one trial and nothing else."""
    add_study(parser)
    parser.add_argument("--trial", metavar="ID", required=True, help=HELP)
    add_workers(parser)
    add_cluster(parser)


def ask_about_trial(arguments: argparse.Namespace, request: Request) -> int:
    """Leave a request for the trial that the arguments name, and print its effect."""
    asked = ask_there(arguments, request) if is_elsewhere(arguments) else ask_here(arguments, request)
    if arguments.json:
        print_json({"trial": asked.trial, "request": str(asked.request), "at_once": asked.at_once})
    else:
        print(printable(str(asked)))
    return 0


def is_elsewhere(arguments: argparse.Namespace) -> bool:
    """Return whether the store is a service's, or a cluster's that is not seen from here."""
    from orchestrator.submit.cluster import ADDRESS
    from orchestrator.submit.connect import SERVICE

    named = arguments.store or os.environ.get(VARIABLE)
    if not arguments.address and os.environ.get(SERVICE):
        return not named
    return bool(arguments.address or os.environ.get(ADDRESS)) and not store_of(arguments).root.is_dir()


def ask_there(arguments: argparse.Namespace, request: Request) -> "AcceptedRequest":
    """Leave the request in the store of the service, or of the cluster by a job there."""
    from orchestrator.submit.cluster import ADDRESS, RayCluster
    from orchestrator.submit.connect import SERVICE
    from orchestrator.submit.service_client import Remote
    from orchestrator.submit.trial_job import ask_on_cluster

    job_request = study_of(arguments, arguments.study).job_request(arguments.store)
    service = os.environ.get(SERVICE)
    if service and not arguments.address:
        return Remote(service).ask_about_trial(job_request, arguments.trial, request)
    cluster = RayCluster(arguments.address or os.environ[ADDRESS])
    return ask_on_cluster(cluster, job_request, arguments.trial, request)


def ask_here(arguments: argparse.Namespace, request: Request) -> "AcceptedRequest":
    """Leave the request in a store that is seen from here."""
    from orchestrator.execution.trial_requests import ask
    from orchestrator.plan.named import named
    from orchestrator.plan.plan import make_plan

    store = store_of(arguments)
    if not store.root.is_dir():
        advice = "--trial leaves a file in the store: name its folder with --store, on a machine that sees it, or its cluster"
        raise UserError(f"there is no store at {store.root}: {advice}")
    plan = make_plan(load(arguments), store)
    return ask(named(plan, arguments.trial), request, store)
