"""Deliver missing results to MLflow, after an outage or a move."""

import argparse
import contextlib
import sys

from orchestrator.commands.common import add_store, add_study, add_tracker_wait, add_workers, load, store_of
from orchestrator.core.printable import printable
from orchestrator.study.wording import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_study(parser)
    add_workers(parser)
    add_store(parser)
    add_tracker_wait(parser)


def run(arguments: argparse.Namespace) -> int:
    """Bring MLflow up to date with the store; exit code 1 if results still wait at the end."""
    from orchestrator.core.errors import UserError
    from orchestrator.plan.plan import make_plan
    from orchestrator.plan.trial import refreshed

    store = store_of(arguments)
    plan = make_plan(load(arguments), store)
    begun = [trial for trial in plan.trials if refreshed(trial).status != "new"]
    if not begun:
        raise UserError(f"the store {store.root} holds no trial of this study: run it first, or name another --store")
    store.prepare()
    with store.only_run():
        from orchestrator.reports.study_report import print_waiting
        from orchestrator.tracking.faults import Unreachable
        from orchestrator.tracking.flusher import Flusher
        from orchestrator.tracking.reading import further_in_mlflow
        from orchestrator.tracking.tracker import Tracker

        tracker = Tracker(plan, store)
        with contextlib.suppress(Unreachable):  # that is waited for below; a refusal is final, and said once
            tracker.connect()
        delivery = Flusher(tracker, begun).close(arguments.tracker_wait)
    if not delivery.complete:
        print_waiting(tracker.address, delivery)
        return 1
    for sentence in further_in_mlflow(plan, store):
        print(printable(f"warning: {sentence}"), file=sys.stderr)
    sent = "1 point was" if tracker.sent == 1 else f"{tracker.sent} points were"
    print(f"MLflow at {tracker.address} has all of {counted(len(begun), 'trial')}: {sent} sent", file=sys.stderr)
    return 0
