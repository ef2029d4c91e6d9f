"""Print what a study has produced, and where to look for more."""

import shlex
import sys
from typing import Any

from rich.console import Console

from orchestrator.core.json_output import print_json
from orchestrator.core.printable import printable
from orchestrator.core.redact import redacted
from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.reports.table import print_results
from orchestrator.reports.timeline import timeline_lines, timelines_json
from orchestrator.results.metric_names import AP
from orchestrator.results.result import TrialResult
from orchestrator.results.summary import best_student, summarise, summary_json
from orchestrator.tracking.flusher import Delivery
from orchestrator.tracking.reading import read_study
from orchestrator.tracking.results import results_on_disk
from orchestrator.tracking.tracker import Tracker
from trainers.schema.record import ERROR, SELECTION_METRIC, read_outcome

PIPED_WIDTH = 240  # columns: what reads a pipe folds lines by itself


def print_results_of(plan: Plan, store: Store, *, as_json: bool) -> list[TrialResult]:
    """Print the study's results as MLflow has them, or as its trials' directories where those know more."""
    results = read_study(plan, store).results
    print_all(plan, results, as_json=as_json)
    return results


def print_all(plan: Plan, results: list[TrialResult], *, as_json: bool) -> None:
    """Print a study's results."""
    if as_json:
        print_json(results_json(plan, results))
    else:
        print_results(summarise(results), Console(width=None if sys.stdout.isatty() else PIPED_WIDTH))
        for line in timeline_lines(plan):
            _say(line)


def results_json(plan: Plan, results: list[TrialResult]) -> dict[str, Any]:
    """Return results as ``run --json`` and ``compare --json`` print them."""
    events = timelines_json(plan)
    trials = [result.to_json() | {"events": events.get(result.id, [])} for result in results]
    study = {"study": plan.study.name, "fingerprint": plan.fingerprint}
    return {**study, "trials": trials, **summary_json(results)}


def print_end(plan: Plan, store: Store, tracker: Tracker, delivery: Delivery, *, as_json: bool) -> int:
    """Print the results of a run and where to look; return 1 when a trial failed or MLflow lacks something, else 0.

    Results are read from MLflow when it has them all, else from the trials' directories.
    """
    results = end_results(plan, store, tracker, delivery)
    print_all(plan, results, as_json=as_json)
    uri = plan.study.tracking.uri or store.tracking_uri
    _say(_best_line(best_student(results)))
    _say(f"MLflow:  mlflow ui --backend-store-uri {shlex.quote(uri)}")
    failed = [result for result in results if result.status == "failed"]
    for result in failed:
        directory = store.trial_dir(result.id)
        outcome = read_outcome(directory)
        reason = outcome.reason if outcome else "its directory is elsewhere"
        _say(f"failed:  {result.id} ({result.method}): {reason}; see {directory / ERROR}")
    if not delivery.complete:
        print_waiting(tracker, delivery)
    return 1 if failed or not delivery.complete else 0


def end_results(plan: Plan, store: Store, tracker: Tracker, delivery: Delivery) -> list[TrialResult]:
    """Return a run's results from MLflow, or from the trials' directories when it lacks some or is away by now."""
    if delivery.complete:
        return read_study(plan, store).results
    return results_on_disk(plan, tracker.known_runs)


def print_waiting(tracker: Tracker, delivery: Delivery) -> None:
    """Say what MLflow lacks and how it will get it."""
    lacking = f"{delivery.waiting} points of {delivery.trials} trials wait in the store"
    _say(f"behind:  MLflow at {tracker.address} lacks results: {lacking} ({delivery.reason})")
    _say("         stillhouse sync STUDY with the options of this run delivers them, and so does the next run")


def _say(line: str) -> None:
    print(printable(redacted(line)), file=sys.stderr)


def _best_line(best: TrialResult | None) -> str:
    if best is None:
        return "best:    no finished student has been evaluated"
    score = 100 * best.metrics[SELECTION_METRIC]
    return f"best:    {best.name} seed={best.seed} (trial {best.id}): {AP} {score:.1f}, {best.checkpoint}"
