"""Check a dataset's annotations and images before training, or convert it to COCO JSON."""

import argparse
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.commands.common import add_json, findings_json
from orchestrator.core.errors import UserError
from orchestrator.core.findings import print_findings
from orchestrator.core.json_output import print_json
from orchestrator.core.terminal import width_of

if TYPE_CHECKING:
    from orchestrator.core.findings import Finding
    from orchestrator.dataset_check.check import DatasetReport
    from trainers.schema.annotations import FileDataset

OK, WRONG = 0, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("action", choices=["check", "convert"], help="check the data, or write it as COCO JSON")
    parser.add_argument(
        "study", metavar="STUDY", help="study file, or a YAML file with only a dataset section; convert: or a folder"
    )
    parser.add_argument(
        "--set", dest="sets", metavar="KEY=VALUE", action="append", default=[],
        help="override a key of the study, e.g. --set dataset.root=/data (may be repeated)",
    )  # fmt: skip
    parser.add_argument("--decode", action="store_true", help="decode every image and compare contents (slow)")
    parser.add_argument("--to", metavar="DIR", help="convert: folder for train.json, val.json and dataset.yaml")
    parser.add_argument("--copy-images", action="store_true", help="convert: copy the images to DIR/images as well")
    parser.add_argument("--force", action="store_true", help="convert: overwrite existing files")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the dataset's contents and problems; exit code 2 if there are errors."""
    if arguments.action == "convert":
        from orchestrator.commands.data_convert import convert_data

        return convert_data(arguments)
    if arguments.to or arguments.copy_images or arguments.force:
        raise UserError("--to, --copy-images and --force go with data convert")
    from orchestrator.core.findings import Finding, StudyErrors
    from orchestrator.dataset_check.source import read_dataset
    from orchestrator.reports.fitting import paragraph
    from trainers.schema import ShapesDataset

    section = read_dataset(Path(arguments.study), arguments.sets)
    dataset = section.dataset
    if isinstance(dataset, ShapesDataset):
        return _say_nothing_to_check(arguments)
    if not Path(dataset.root).is_dir():
        raise StudyErrors([Finding("error", section.where("dataset.root"), f"no such folder: {dataset.root}")])
    report = _check(dataset, arguments)
    findings = tuple(section.located(report.findings.listed()))
    if arguments.json:
        print_json(_content(report, findings))
    else:
        for line in "\n".join(map(str, report.summaries)).splitlines():
            print(paragraph(line, width_of(sys.stdout)))  # uncut: a dataset may have a thousand classes
        print_findings(findings, sys.stderr)
    return WRONG if report.findings.has_errors else OK


def _say_nothing_to_check(arguments: argparse.Namespace) -> int:
    if arguments.json:
        print_json({"ok": True, "splits": [], "counts": {}, "findings": []})
    else:
        print("shapes are drawn on the fly: nothing to check")
    return OK


def _check(dataset: "FileDataset", arguments: argparse.Namespace) -> "DatasetReport":
    from orchestrator.dataset_check.check import check_dataset

    bars = _bars()
    with bars if bars is not None else nullcontext():

        def begin(split: str, images: int) -> Any:
            if bars is None:
                return lambda: None
            task = bars.add_task(split, total=images)
            return lambda: bars.advance(task)

        return check_dataset(dataset, decode=arguments.decode, begin=begin)


def _bars() -> Any:
    """Return progress bars on a terminal, else ``None``."""
    if not sys.stderr.isatty():
        return None
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _content(report: "DatasetReport", findings: "tuple[Finding, ...]") -> dict[str, Any]:
    return {
        "ok": not report.findings.has_errors,
        "splits": [asdict(summary) for summary in report.summaries],
        "counts": dict(report.findings.counts),
        "findings": findings_json(findings),
    }
