"""Print the results: teacher, baseline, students, means over seeds."""

import argparse

from orchestrator.commands.common import add_fidelity, add_json, add_store, add_study, add_workers, load, store_of
from orchestrator.commands.next_commands import commands_with_results, print_obstacles
from orchestrator.commands.repeat import print_next


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_study(parser)
    add_fidelity(parser)
    add_workers(parser)
    add_store(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the study's results from MLflow."""
    from orchestrator.plan.plan import make_plan
    from orchestrator.reports.study_report import print_best, print_results_of

    store, loaded = store_of(arguments), load(arguments)
    plan = make_plan(loaded, store)
    results = print_results_of(plan, loaded, store, as_json=arguments.json)
    if not arguments.json:
        print_best(plan, results)
        print_obstacles(plan, loaded, arguments)
        print_next(*commands_with_results(plan, results, arguments))
    return 0
