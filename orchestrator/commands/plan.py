"""Show a study's trials, their resources, and missing files."""

import argparse
from typing import TYPE_CHECKING, Any

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
from orchestrator.commands.repeat import command_again, digest_to_name, print_next
from orchestrator.core.json_output import print_json

if TYPE_CHECKING:
    from orchestrator.plan.plan import Plan


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
    from orchestrator.reports.terminal_table import print_sentence

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
        print_sentence(total_line(plan, expected, rates))
        print_next(*commands_after(plan, arguments))
    return 2 if any(finding.level == "error" for finding in plan.findings) else 0


def commands_after(plan: "Plan", arguments: argparse.Namespace) -> list[str]:
    """Return the command that goes on with the plan; none where a mistake or a missing file keeps it from running."""
    from orchestrator.execution.prepare import obstacle
    from orchestrator.plan.totals import totals

    if obstacle(plan) is not None:
        return []
    verb = "run" if totals(plan).trials_left else "compare"
    return [command_again(arguments, verb, digest=digest_to_name(plan, arguments))]
