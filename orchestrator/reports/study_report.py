"""Print a study's results and where to find more."""

import sys
from typing import TYPE_CHECKING, Any

from orchestrator.core.json_output import print_json
from orchestrator.core.redact import redacted
from orchestrator.core.store import Store
from orchestrator.plan.digests import has_test_split
from orchestrator.plan.journal import SearchLog
from orchestrator.plan.plan import Plan
from orchestrator.plan.prefixes import shared_steps, steps_saved
from orchestrator.plan.race import race_texts, rounds_in
from orchestrator.reports.on_test_split import rows_of_test_split, test_json, test_lines
from orchestrator.reports.study_end import end_lines
from orchestrator.reports.table import print_results
from orchestrator.reports.terminal_table import print_sentence
from orchestrator.reports.timeline import timeline_lines, timelines_json
from orchestrator.results.result import TrialResult
from orchestrator.results.summary import summarise, summary_json
from orchestrator.study.load import LoadedStudy
from orchestrator.study.wording import counted

if TYPE_CHECKING:
    from orchestrator.tracking.flusher import Delivery


def print_results_of(plan: Plan, loaded: LoadedStudy, store: Store, *, as_json: bool) -> list[TrialResult]:
    """Print the study's results as MLflow has them, or as its trials' directories where those know more.

    Of a short study it also prints the rank correlation with the full one.
    """
    from orchestrator.reports.fidelity_ranking import ranking_line, ranking_of
    from orchestrator.tracking.reading import read_study  # brings MLflow, and a run says its first line without it

    results = read_study(plan, store).results
    ranking = ranking_of(loaded, store, results)
    if as_json:
        print_json(results_json(plan, results) | ({} if ranking is None else {"ranking": dict(vars(ranking))}))
        return results
    print_all(plan, results, as_json=False)
    if ranking is not None:
        say(ranking_line(ranking))
    return results


def print_all(plan: Plan, results: list[TrialResult], *, as_json: bool) -> None:
    """Print a study's results."""
    if as_json:
        print_json(results_json(plan, results))
    else:
        print_results(summarise(results), race=race_of(plan))
        for line in (*timeline_lines(plan), *shared_lines(plan), *test_lines(rows_of_test_split(results))):
            say(line)


def shared_lines(plan: Plan) -> list[str]:
    """Return how many steps were trained once for several trials; nothing where none were."""
    found = shared_steps(plan.trials, steps_saved)
    if found is None:
        return []
    count = counted(found.whole - found.made, "step")
    return [
        f"shared:  {count} of {found.whole:,} were made by another trial, for {found.trials} of {found.of} students"
    ]


def results_json(plan: Plan, results: list[TrialResult]) -> dict[str, Any]:
    """Return results as ``run --json`` and ``compare --json`` print them."""
    events = timelines_json(plan)
    trials = [result.to_json() | {"events": events.get(result.id, [])} for result in results]
    study = {"study": plan.study.name, "fingerprint": plan.fingerprint}
    test = {"test": test_json(rows_of_test_split(results))} if has_test_split(plan.study.dataset) else {}
    race = {"race": _race_json(plan)} if plan.race else {}
    return {**study, "trials": trials, **summary_json(results), **test, **race}


def race_of(plan: Plan) -> dict[str, str]:
    """Return for each student of a race why its point has as many seeds as it has; nothing without a race."""
    return race_texts(plan.study.search, plan.race, rounds_in(SearchLog(plan.search_log).read())) if plan.race else {}


def _race_json(plan: Plan) -> list[dict[str, Any]]:
    texts, known = race_of(plan), {trial.id for trial in plan.trials}
    found = [(point.params, [trial.id for trial in point.trials if trial.id in known]) for point in plan.race]
    return [{"params": params, "trials": trials, "why": texts[trials[0]]} for params, trials in found]


def print_best(plan: Plan, results: list[TrialResult]) -> None:
    """Print the best student, the location of its weights, and its gain over the student alone."""
    for line in end_lines(results, plan.study.search.seeds):
        say(line)


def print_waiting(address: str, delivery: "Delivery") -> None:
    """Print results that wait for MLflow, and how to deliver them."""
    waiting = f"{counted(delivery.waiting, 'point')} of {counted(delivery.trials, 'trial')}"
    say(f"behind:  MLflow at {address} lacks results; waiting in the store: {waiting} ({delivery.reason})")
    say("         stillhouse sync STUDY with the options of this run delivers them, and so does the next run")


def say(line: str, state: str | None = None) -> None:
    """Print one sentence about the study on stderr, its first word in the colour of ``state``."""
    print_sentence(redacted(line), sys.stderr, state)
