"""Export a student that mmdet loads without Stillhouse."""

import argparse
from pathlib import Path

from orchestrator.commands.common import add_json, add_store, add_study, add_workers, load, store_of
from orchestrator.core.json_output import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_study(parser)
    add_workers(parser)
    add_store(parser)
    add_json(parser)
    parser.add_argument("--trial", metavar="ID", default="best", help="trial id, or its first digits (default: best)")
    parser.add_argument("--to", metavar="DIR", required=True, type=Path, help="folder for config.py and student.pth")
    parser.add_argument("--force", action="store_true", help="overwrite existing files")


def run(arguments: argparse.Namespace) -> int:
    """Write the chosen trial's best student."""
    from orchestrator.plan.plan import make_plan
    from orchestrator.reports.export import export_student

    store = store_of(arguments)
    plan = make_plan(load(arguments), store)
    exported = export_student(plan, store, arguments.trial, arguments.to, replace=arguments.force)
    if arguments.json:
        print_json({"trial": exported.trial_id, "config": str(exported.config), "checkpoint": str(exported.checkpoint)})
        return 0
    print(f"trial {exported.trial_id}: {exported.config} and {exported.checkpoint}")
    print(f"use: mmdet.apis.init_detector('{exported.config}', '{exported.checkpoint}', device='cpu')")
    return 0
