"""Print the results: teacher, baseline, students, means over seeds."""

import argparse

from orchestrator.commands.common import add_json, add_store, add_study, add_workers, load, store_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_study(parser)
    add_workers(parser)
    add_store(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the study's results from MLflow."""
    from orchestrator.plan.plan import make_plan
    from orchestrator.reports.study_report import print_results_of

    store = store_of(arguments)
    print_results_of(make_plan(load(arguments), store), store, as_json=arguments.json)
    return 0
