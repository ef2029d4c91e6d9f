"""Print what a study has produced, and where to look for more."""

import sys
from typing import Any

from rich.console import Console

from orchestrator.json_output import print_json
from orchestrator.plan import Plan
from orchestrator.points import point_text
from orchestrator.printable import printable
from orchestrator.redact import redacted
from orchestrator.store import Store
from orchestrator.table import print_results
from orchestrator.timeline import timeline_lines, timelines_json
from orchestrator.tracking.results import COLUMNS, TrialResult, best_student, read_results, summarise
from orchestrator.tracking.client import open_results
from trainers.spec.record import ERROR, read_outcome


def print_results_of(plan: Plan, store: Store, *, as_json: bool) -> list[TrialResult]:
    """Print the study's results as MLflow has them, and return them."""
    results = read_results(plan, open_results(plan, store))
    if as_json:
        print_json(results_json(plan, results))
    else:
        print_results(summarise(results), Console(width=None if sys.stdout.isatty() else 140))
        for line in timeline_lines(plan):
            _say(line)
    return results


def results_json(plan: Plan, results: list[TrialResult]) -> dict[str, Any]:
    """Return results as ``run --json`` and ``compare --json`` print them."""
    events = timelines_json(plan)
    trials = [result.to_json() | {"events": events.get(result.id, [])} for result in results]
    return {"study": plan.study.name, "fingerprint": plan.fingerprint, "trials": trials}


def print_end(plan: Plan, store: Store, *, as_json: bool) -> int:
    """Print the results of a run and where to look; return 1 when a trial failed, else 0."""
    results = print_results_of(plan, store, as_json=as_json)
    uri = plan.study.tracking.uri or store.tracking_uri
    _say(_best_line(best_student(results)))
    _say(f"MLflow:  mlflow ui --backend-store-uri {uri}")
    failed = [result for result in results if result.status == "failed"]
    for result in failed:
        directory = store.trial_dir(result.id)
        outcome = read_outcome(directory)
        reason = outcome.reason if outcome else "its directory is elsewhere"
        _say(f"failed:  {result.id} ({result.method}): {reason}; see {directory / ERROR}")
    return 1 if failed else 0


def _say(line: str) -> None:
    print(printable(redacted(line)), file=sys.stderr)


def _best_line(best: TrialResult | None) -> str:
    if best is None:
        return "best:    no student has been evaluated"
    points = point_text(best.params)
    score = 100 * best.metrics[COLUMNS["AP"]]
    return f"best:    {best.method} {points} seed={best.seed} (trial {best.id}): AP {score:.1f}, {best.checkpoint}"
