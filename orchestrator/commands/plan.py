"""Show a study's trials, their resources, and missing files."""

import argparse
from typing import TYPE_CHECKING, Any

from orchestrator.commands.cluster import estimated_on
from orchestrator.commands.common import (
    add_fidelity,
    add_images_changed,
    add_json,
    add_store,
    add_study,
    add_workers,
    findings_json,
    load,
    store_of,
)
from orchestrator.commands.next_commands import commands_to_train, digest_to_name, print_obstacles
from orchestrator.commands.repeat import command_again, print_next
from orchestrator.core.json_output import print_json

if TYPE_CHECKING:
    from orchestrator.clusters.load import DescribedCluster
    from orchestrator.plan.plan import Plan
    from orchestrator.study.load import LoadedStudy


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_study(parser)
    add_fidelity(parser)
    add_workers(parser)
    add_images_changed(parser)
    add_store(parser)
    add_json(parser)
    parser.add_argument("--on", metavar="FILE", help="plan for the cluster that FILE describes, at its largest size")


def run(arguments: argparse.Namespace) -> int:
    """Print the plan; a machine without data or GPU is enough. Exit code 2 when the study or its data is wrong."""
    from orchestrator.execution.checked_plan import checked_plan
    from orchestrator.plan.forecast import forecast, forecast_json, total_line, totals_json
    from orchestrator.plan.rates import known_rates
    from orchestrator.reports.plan_table import plan_json, print_plan
    from orchestrator.reports.terminal_table import print_sentence

    store = store_of(arguments)
    loaded = load(arguments)
    described = described_for(loaded, arguments.on)
    plan = checked_plan(loaded, store, described.cluster.grown if described else None)
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
        if described:
            print_sentence(estimated_on(described.cluster, plan))
        print_obstacles(plan, loaded, arguments)
        print_next(*commands_after(plan, arguments))
    return 2 if any(finding.level == "error" for finding in plan.findings) else 0


def described_for(loaded: "LoadedStudy", file: str | None) -> "DescribedCluster | None":
    """Return the cluster that ``file`` describes, ``None`` without a file; raise ``StudyErrors`` when no trial fits there."""
    if file is None:
        return None
    from orchestrator.clusters.load import load_described

    described = load_described(file)
    described.require_room(loaded.study)
    return described


def commands_after(plan: "Plan", arguments: argparse.Namespace) -> list[str]:
    """Return the commands that go on with the plan; none where a mistake or a missing file keeps it from running."""
    from orchestrator.execution.prepare import obstacle

    if obstacle(plan) is not None:
        return []
    compare = command_again(arguments, "compare", digest=digest_to_name(plan, arguments))
    return [*commands_to_train(plan, arguments)] or [compare]
