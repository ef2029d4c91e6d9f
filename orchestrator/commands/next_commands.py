"""Name the commands that go on with a study: train the rest of it, let paused trials go on, or use its results."""

import argparse
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestrator.commands.repeat import command_again
from trainers.schema import ShapesDataset

if TYPE_CHECKING:
    from orchestrator.plan.budget import BudgetEnd
    from orchestrator.plan.plan import Plan
    from orchestrator.results.result import TrialResult
    from orchestrator.study.load import LoadedStudy

FOLDER = "student"  # where the suggested export writes


def commands_with_results(
    plan: "Plan", results: "Sequence[TrialResult]", arguments: argparse.Namespace
) -> tuple[str, ...]:
    """Return commands that use a study's results; where no student has finished, those that train the rest.

    Trials that were asked to go on come first. A study without either has no student left that could finish: its measured trials can be looked at.
    """
    from orchestrator.results.summary import best_student

    digest = digest_to_name(plan, arguments)
    looks = (_dashboard(plan, arguments), command_again(arguments, "report", digest=digest))
    if best_student(results) is not None:
        goes_on = commands_to_train(plan, arguments) if asked_trials(plan) else ()
        return (*goes_on, looks[0], command_again(arguments, "export", "--to", FOLDER, digest=digest), looks[1])
    return commands_to_train(plan, arguments) or (looks if any(result.last for result in results) else ())


def commands_to_train(plan: "Plan", arguments: argparse.Namespace) -> tuple[str, ...]:
    """Return the commands that train the rest of a study, none where nothing is left.

    A spent budget is raised, and a pause is ended where nothing else can be trained before it.
    """
    from orchestrator.plan.totals import further, to_train

    digest, end, paused = digest_to_name(plan, arguments), budget_end(plan), paused_trials(plan)
    on = ("--on", arguments.on) if getattr(arguments, "on", None) else ("--share",) if shares(plan, arguments) else ()
    if end:
        other = [one for one in arguments.sets if one.partition("=")[0] != end.key]
        raised = argparse.Namespace(**vars(arguments) | {"sets": [*other, f"{end.key}={end.larger}"]})
        return (command_again(raised, "run", *on, digest=digest),)
    run = command_again(arguments, "run", *on, digest=digest)
    waits_for_pauses = not (to_train(plan.trials) or further(plan)) or any(
        teacher.id in paused for teacher in plan.teachers
    )
    if paused and waits_for_pauses:
        return (*(command_again(arguments, "resume", "--trial", trial, digest=digest) for trial in paused), run)
    return () if waits_for_pauses else (run,)


def print_obstacles(plan: "Plan", loaded: "LoadedStudy", arguments: argparse.Namespace) -> None:
    """Print which trials are paused or were asked to go on, and which key of the study keeps the rest from being trained, with the remedy."""
    from orchestrator.reports.study_report import say

    paused, end = paused_trials(plan), budget_end(plan)
    if paused:
        resume = command_again(arguments, "resume", "--trial", "ID", digest=digest_to_name(plan, arguments))
        say(f"paused:  {', '.join(paused)}; {resume}, then run again", "paused")
    if asked := asked_trials(plan):
        say(f"asked:   {', '.join(asked)} to go on; unless a run that is in progress starts it, the next run does")
    if end:
        say(f"budget:  {loaded.where(end.key)}: {end.detail}; {end.remedy} trains the rest", "stopped")


def budget_end(plan: "Plan") -> "BudgetEnd | None":
    """Return the end that a budget sets to the study while something is left to train, ``None`` where none does."""
    from orchestrator.plan.budget import Budget
    from orchestrator.plan.totals import not_proposed, to_train

    end = Budget(plan).end
    return end if end and (to_train(plan.trials) or not_proposed(plan)) else None


def paused_trials(plan: "Plan") -> list[str]:
    """Return the ids of the trials that wait for their user."""
    from orchestrator.plan.trial import PAUSED

    return list(dict.fromkeys(trial.id for trial in plan.trials if trial.status == PAUSED))


def asked_trials(plan: "Plan") -> list[str]:
    """Return the ids of the trials that were asked to go on, or to be tried again, and that no run has started since."""
    from orchestrator.plan.trial import is_asked_to_go_on

    return list(dict.fromkeys(trial.id for trial in plan.trials if is_asked_to_go_on(trial)))


def shares(plan: "Plan", arguments: argparse.Namespace) -> bool:
    """Return whether the next run has to share the store: this one did, or others that use it do."""
    from orchestrator.commands.common import store_of
    from orchestrator.plan.independence import is_independent

    if getattr(arguments, "share", False):
        return True
    return is_independent(plan.study.search) and store_of(arguments).is_shared()


def digest_to_name(plan: "Plan", arguments: argparse.Namespace) -> str | None:
    """Return the digest of the images that ``--images-changed`` took as new ones; drawn images have none."""
    if not getattr(arguments, "images_changed", False) or isinstance(plan.study.dataset, ShapesDataset):
        return None
    return plan.study.dataset.images_digest


def _dashboard(plan: "Plan", arguments: argparse.Namespace) -> str:
    store, uri = arguments.store, plan.study.tracking.uri
    told = [*(["--store", store] if store else []), *(["--tracking-uri", uri] if uri else [])]
    return shlex.join(["stillhouse", "dashboard", "serve", *told])
