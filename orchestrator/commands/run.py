"""Run a study to its end: teacher, sweep, MLflow, table. Running it again does only what is missing."""

import argparse

from orchestrator.commands.common import (
    add_json,
    add_store,
    add_study,
    add_workers,
    load,
    print_findings,
    store_of,
)
from orchestrator.errors import OperationError, UserError
from orchestrator.findings import StudyErrors
from orchestrator.plan import Plan, make_plan
from orchestrator.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_study(parser)
    add_workers(parser)
    add_store(parser)
    add_json(parser)
    parser.add_argument("--address", metavar="HOST:PORT", help="a running Ray cluster (default: start a local one)")


def run(arguments: argparse.Namespace) -> int:
    """Run the study and print its results; exit code 1 when a trial failed."""
    plan = make_plan(load(arguments), store_of(arguments))
    store = store_of(arguments)
    print_findings(plan.findings)
    require_runnable(plan, arguments.address)
    fetch_weights(plan)
    store.prepare()
    return execute(plan, store, arguments)


def require_runnable(plan: Plan, address: str | None) -> None:
    """Raise when the study is wrong, when its data is not here, or when a trial fits nowhere."""
    errors = [finding for finding in plan.findings if finding.level == "error"]
    if errors:
        raise StudyErrors(errors)
    if any(f.level == "missing" and ".weights" not in f.where and ".name" not in f.where for f in plan.findings):
        raise UserError("what is named as missing above must be there before the study can run")
    if plan.resources.concurrent == 0 and not address:
        raise UserError("not one trial fits on this machine: lower scaling, or give --address of a cluster")


def fetch_weights(plan: Plan) -> None:
    """Fetch public weights before anything is started; raise ``OperationError`` when they cannot be had."""
    from orchestrator.weights import needed_urls
    from trainers.spec.remote import FetchError, fetch

    for url in needed_urls(plan.study).values():
        try:
            fetch(url)
        except FetchError as error:
            raise OperationError(str(error)) from error


def execute(plan: Plan, store: Store, arguments: argparse.Namespace) -> int:
    """Train, then print; everything heavy is imported here."""
    from orchestrator import ray_environment

    ray_environment.prepare(arguments.address)
    from orchestrator.progress import Progress
    from orchestrator.report import print_end
    from orchestrator.run import only_run, run_plan
    from orchestrator.tracking.tracker import Tracker

    with only_run(store):
        tracker = Tracker(plan, store)
        with Progress(plan) as progress:
            run_plan(plan, store, tracker, [progress], arguments.address)
    return print_end(plan, store, as_json=arguments.json)
