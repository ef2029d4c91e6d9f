"""Show a study's trials, their resources, and missing files."""

import argparse
from typing import Any

from orchestrator.commands.common import (
    add_images_changed,
    add_json,
    add_store,
    add_study,
    add_workers,
    findings_json,
    load,
    store_of,
)
from orchestrator.core.json_output import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_study(parser)
    add_workers(parser)
    add_images_changed(parser)
    add_store(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the plan; a machine without data or GPU is enough. Exit code 2 when the study or its data is wrong."""
    from orchestrator.execution.checked_plan import checked_plan
    from orchestrator.plan.forecast import forecast, forecast_json, total_line, totals_json
    from orchestrator.plan.rates import known_rates
    from orchestrator.reports.plan_table import plan_json, print_plan

    store = store_of(arguments)
    plan = checked_plan(load(arguments), store)
    rates = known_rates(store.rates)
    expected = forecast(plan, rates)
    if arguments.json:
        content: dict[str, Any] = plan_json(plan)
        content["forecast"] = forecast_json(plan, expected)
        content["totals"] = totals_json(plan, expected, rates)
        content["findings"] = findings_json(plan.findings)
        print_json(content)
    else:
        print_plan(plan)
        print(total_line(plan, expected, rates))
    return 2 if any(finding.level == "error" for finding in plan.findings) else 0
