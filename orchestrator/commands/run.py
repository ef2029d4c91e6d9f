"""Train teacher and students, and print the table of results.

Results are recorded in MLflow. Finished trials are skipped, unfinished ones resume from their last epoch.
"""

import argparse
import shlex
import signal
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from orchestrator.api import Study
from orchestrator.commands.common import (
    add_fidelity,
    add_images_changed,
    add_json,
    add_mirror,
    add_store,
    add_study,
    add_tracker_wait,
    add_workers,
    load,
    store_of,
)
from orchestrator.commands.next_commands import commands_with_results, print_obstacles
from orchestrator.commands.predict import names
from orchestrator.commands.repeat import print_commands, print_next
from orchestrator.core.durations import duration
from orchestrator.core.findings import print_findings
from orchestrator.core.outcome import ExitStatus
from orchestrator.execution.interruption import raise_interrupt
from orchestrator.plan.plan import Plan

if TYPE_CHECKING:
    from orchestrator.execution.study_run import RunResult
    from orchestrator.results.result import TrialResult
    from orchestrator.study.load import LoadedStudy


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_study(parser)
    add_fidelity(parser)
    add_workers(parser)
    add_images_changed(parser)
    add_store(parser)
    add_json(parser)
    add_tracker_wait(parser)
    add_mirror(parser)
    parser.add_argument(
        "--address", metavar="HOST:PORT", help="address of a running Ray cluster (default: start a local one)"
    )
    parser.add_argument(
        "--on", metavar="FILE", help="start the cluster that FILE describes, run there, fetch results, and stop it"
    )
    parser.add_argument(
        "--trials", metavar="ID,ID", type=names, default=(),
        help="train only these trials, by their ids or first digits, and the teacher if they need it (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--share", action="store_true",
        help="train together with other runs in the same store that have this option, here or on other machines",
    )  # fmt: skip
    parser.add_argument("--keep", action="store_true", help="with --on: leave the cluster running")


def run(arguments: argparse.Namespace) -> int | ExitStatus:
    """Run the study and print its results; exit code 1 when a trial failed."""
    if arguments.on:
        from orchestrator.commands.cluster import run_on

        return run_on(arguments)
    from orchestrator.execution.study_run import RunInterrupted

    began = time.monotonic()
    study = Study(tuple(arguments.sets), arguments.trust_config, load(arguments))
    signal.signal(signal.SIGTERM, raise_interrupt)  # before and after trials run it ends the run as Ctrl-C does
    try:
        result = study.run(
            arguments.store, address=arguments.address, mirror=arguments.mirror, tracker_wait_s=arguments.tracker_wait,
            trials=arguments.trials, share=arguments.share, progress=True, on_plan=partial(print_start, arguments=arguments),
        )  # fmt: skip
    except RunInterrupted as stop:  # every trial has saved its state: what there is by now is worth a table
        from orchestrator.reports.study_report import print_all

        print_all(stop.result.plan, list(stop.result), as_json=arguments.json)
        raise
    print_end(result, study.loaded, arguments, time.monotonic() - began)
    return result.outcome


def print_start(plan: Plan, arguments: argparse.Namespace) -> None:
    """Print a plan's warnings and notes, and its size; errors end the command elsewhere."""
    from orchestrator.execution.prepare import obstacle
    from orchestrator.plan.forecast import forecast, total_line
    from orchestrator.plan.named import chosen, only
    from orchestrator.plan.rates import known_rates
    from orchestrator.reports.plan_table import plan_sentence
    from orchestrator.reports.study_report import say

    print_findings((finding for finding in plan.findings if finding.level != "error"), sys.stderr)
    if obstacle(plan) is not None:
        return
    plan = only(plan, chosen(plan, arguments.trials) if arguments.trials else None)
    rates = known_rates(store_of(arguments).rates)
    expected = forecast(plan, rates)
    left = f"; {total_line(plan, expected, rates)}" if expected else ""
    say(f"plan:    {plan_sentence(plan)}{left}")


def print_end(result: "RunResult", loaded: "LoadedStudy", arguments: argparse.Namespace, took_s: float) -> None:
    """Print the results of a run, how it ended, and the next commands."""
    from orchestrator.reports.study_report import print_all, print_best, print_waiting, say

    results = list(result)
    print_all(result.plan, results, as_json=arguments.json)
    print_best(result.plan, results)
    say(f"time:    {duration(took_s)}")
    for failed in result.failed:
        print_failure(result, failed)
    present = result.plan.refreshed()
    print_obstacles(present, loaded, arguments)
    if not result.delivery.complete:
        print_waiting(result.tracker.address, result.delivery)
    for lacking in filter(None, (result.unwritten, result.uncopied, result.unmeasured, result.unpredicted)):
        say(f"stillhouse: {lacking}")
    uri = result.plan.study.tracking.uri or result.store.tracking_uri
    print_commands("MLflow:", mlflow_pages(uri))
    print_next(*commands_with_results(present, results, arguments))


def mlflow_pages(uri: str) -> str:
    """Return the address of a server's own pages, and for a database the command that shows them."""
    if uri.startswith(("http://", "https://")):
        return uri
    return shlex.join(["mlflow", "ui", "--backend-store-uri", uri])


def print_failure(result: "RunResult", failed: "TrialResult") -> None:
    """Print which trial failed and why, and the command that shows more."""
    from orchestrator.reports.study_report import say
    from trainers.schema.record import ERROR

    say(f"failed:  {failed.id} ({failed.name} seed={failed.seed}): {result.reason(failed)}", "failed")
    error = result.store.trial_dir(failed.id) / ERROR
    if error.exists():
        print_commands("", shlex.join(["cat", str(error)]))
