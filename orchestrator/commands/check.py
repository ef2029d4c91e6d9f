"""Report all mistakes of a study at once; start nothing."""

import argparse
import sys

from orchestrator.commands.common import add_json, add_study, findings_json, load
from orchestrator.commands.repeat import command_again, print_next
from orchestrator.core.findings import StudyErrors, print_findings
from orchestrator.core.json_output import print_json
from orchestrator.core.printable import printable
from orchestrator.dataset_check.study_check import check_study


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_study(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the study's mistakes; exit code 2 if there are any."""
    try:
        findings = check_study(load(arguments))
    except StudyErrors as errors:
        if not arguments.json:
            raise
        print_json({"ok": False, "findings": findings_json(errors.findings)})
        return 2
    if arguments.json:
        print_json({"ok": True, "findings": findings_json(findings)})
        return 0
    print_findings(findings, sys.stderr)
    print(printable(f"{arguments.study}: ok"))
    print_next(command_again(arguments, "plan"))
    return 0
