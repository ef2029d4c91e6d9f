"""Export the results as a paper's table, with provenance."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.commands.common import add_store, add_study, add_workers, load, store_of
from orchestrator.commands.repeat import repeating_command

if TYPE_CHECKING:
    from orchestrator.core.store import Store
    from orchestrator.plan.plan import Plan
    from orchestrator.reports.document import Report
    from orchestrator.tracking.reading import TrialResults

FORMATS = ("md", "latex", "csv", "html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_study(parser)
    add_workers(parser)
    add_store(parser)
    parser.add_argument("--format", choices=FORMATS, default="md", help="output format (default: md)")
    parser.add_argument("--output", metavar="FILE", type=Path, help="write to FILE instead of stdout")


def run(arguments: argparse.Namespace) -> int:
    """Write the study's report from MLflow."""
    from orchestrator.core.redact import redacted
    from orchestrator.plan.plan import make_plan
    from orchestrator.reports.document import make_report
    from orchestrator.reports.fidelity_ranking import ranking_of
    from orchestrator.tracking.reading import read_study

    store, loaded = store_of(arguments), load(arguments)
    plan = make_plan(loaded, store)
    found = read_study(plan, store)
    ranking = ranking_of(loaded, store, found.results)
    report = make_report(plan, found, repeating_command(arguments), ranking)
    text = redacted(writer(arguments.format)(report))
    if arguments.format == "html":
        text = illustrated(text, plan, store, found)
    if arguments.output is None:
        print(text, end="")
    else:
        write(arguments.output, text)
    return 0


def illustrated(page: str, plan: "Plan", store: "Store", found: "TrialResults") -> str:
    """Return a report's page with the study's curves, and with detections where some are recorded."""
    from orchestrator.reports.html_page import with_pictures
    from orchestrator.reports.page_pictures import page_pictures

    return with_pictures(page, page_pictures(plan, store, found))


def writer(name: str) -> "Callable[[Report], str]":
    """Return the function that writes a format."""
    from orchestrator.reports.csv_table import csv_table
    from orchestrator.reports.html_page import html_page
    from orchestrator.reports.latex import latex
    from orchestrator.reports.markdown import markdown

    return {"md": markdown, "latex": latex, "csv": csv_table, "html": html_page}[name]


def write(path: Path, text: str) -> None:
    """Write a file whole, or leave the old file unchanged; raise ``OperationError`` when it cannot be written."""
    from orchestrator.core.errors import OperationError
    from trainers.schema.atomic import write_text

    try:
        write_text(path, text)
    except OSError as error:
        raise OperationError(f"cannot write to {path}: {error.strerror or error}") from error
