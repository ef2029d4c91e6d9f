"""Run a study to its end: teacher, sweep, MLflow, table. Running it again does only what is missing."""

import argparse
import signal

from orchestrator.commands.common import (
    add_images_changed,
    add_json,
    add_mirror,
    add_store,
    add_study,
    add_tracker_wait,
    add_workers,
    load,
    print_findings,
    store_of,
)
from orchestrator.core.store import Store
from orchestrator.execution.interruption import Interruption, raise_interrupt
from orchestrator.execution.ownership import sole_writer
from orchestrator.execution.prepare import cluster_at, fetch_weights, require_runnable, require_tracker
from orchestrator.plan.build_check import checked_plan
from orchestrator.plan.plan import Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_study(parser)
    add_workers(parser)
    add_images_changed(parser)
    add_store(parser)
    add_json(parser)
    add_tracker_wait(parser)
    add_mirror(parser)
    parser.add_argument("--address", metavar="HOST:PORT", help="a running Ray cluster (default: start a local one)")
    parser.add_argument(
        "--on", metavar="FILE", help="bring up the cluster that FILE describes, run there, fetch results, take it down"
    )
    parser.add_argument("--keep", action="store_true", help="with --on: leave the cluster running")


def run(arguments: argparse.Namespace) -> int:
    """Run the study and print its results; exit code 1 when a trial failed."""
    if arguments.on:
        from orchestrator.commands.cluster import run_on

        return run_on(arguments)
    loaded, store = load(arguments), store_of(arguments)
    plan = checked_plan(loaded, store, cluster_at(arguments.address) if arguments.address else None)
    print_findings(tuple(finding for finding in plan.findings if finding.level != "error"))
    require_runnable(plan)
    fetch_weights(plan)
    store.prepare()
    return execute(plan, store, arguments)


def execute(plan: Plan, store: Store, arguments: argparse.Namespace) -> int:
    """Train, then print; everything heavy is imported here, Ray only once the tracking store has answered."""
    from orchestrator.core import ray_environment

    ray_environment.prepare(arguments.address)
    interruption = Interruption()
    signal.signal(signal.SIGTERM, raise_interrupt)  # before and after trials run it ends the run as Ctrl-C does
    from orchestrator.storage.copier import mirrored

    with store.only_run(), sole_writer(store), mirrored(plan, arguments.mirror) as copiers:
        from orchestrator.reports.progress import Progress
        from orchestrator.reports.study_report import print_all, print_end
        from orchestrator.tracking.results import results_on_disk
        from orchestrator.tracking.tracker import Tracker

        tracker = Tracker(plan, store)
        require_tracker(tracker)
        from orchestrator.execution.run import run_plan

        try:
            with Progress(plan) as progress:
                delivery = run_plan(
                    plan, store, tracker, [progress, *copiers], arguments.address, interruption, arguments.tracker_wait
                )
        except KeyboardInterrupt:
            if interruption.asked:  # once, and everybody has stopped in order: what there is by now is worth a table
                print_all(plan, results_on_disk(plan, tracker.known_runs), as_json=arguments.json)
            raise
        return print_end(plan, store, tracker, delivery, as_json=arguments.json)
