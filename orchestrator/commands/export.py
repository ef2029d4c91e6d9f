"""Export a student that mmdet, or onnxruntime, loads without Stillhouse."""

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.commands.common import add_json, add_store, add_study, add_workers, load, store_of
from orchestrator.core.json_output import print_json

if TYPE_CHECKING:
    from orchestrator.core.store import Store
    from orchestrator.plan.plan import Plan
    from orchestrator.reports.mmdet_export import Exported


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_study(parser)
    add_workers(parser)
    add_store(parser)
    add_json(parser)
    parser.add_argument("--trial", metavar="ID", default="best", help="trial id, or its first digits (default: best)")
    parser.add_argument(
        "--to", metavar="DIR", required=True, type=Path,
        help="folder for config.py, student.pth, annotations, README.md and provenance.json, or for student.onnx and detect.py",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=("mmdet", "onnx"), default="mmdet",
        help="mmdet: files of mmdet's own; onnx: an ONNX file and a reader, which need neither torch nor mmdet "
        "(default: mmdet)",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="overwrite existing files")


def run(arguments: argparse.Namespace) -> int:
    """Write the chosen trial's best student."""
    from orchestrator.plan.plan import make_plan

    store = store_of(arguments)
    plan = make_plan(load(arguments), store)
    return (_as_onnx if arguments.format == "onnx" else _for_mmdet)(plan, store, arguments)


def _for_mmdet(plan: "Plan", store: "Store", arguments: argparse.Namespace) -> int:
    from orchestrator.reports.mmdet_export import export_student

    words = study_words(arguments)
    exported = export_student(plan, store, arguments.trial, arguments.to, replace=arguments.force, words=words)
    if arguments.json:
        print_json(_as_json(exported))
        return 0
    print(f"trial {exported.trial_id}: {exported.config} and {exported.checkpoint}")
    for path in (*exported.annotations.values(), exported.card, exported.papers):
        print(f"      {path}")
    for note in exported.notes:
        print(f"note: {note}")
    print(f"use: mmdet.apis.DetInferencer({str(exported.config)!r}, {str(exported.checkpoint)!r}, device='cpu')")
    return 0


def _as_onnx(plan: "Plan", store: "Store", arguments: argparse.Namespace) -> int:
    from orchestrator.reports.onnx_export import export_onnx

    exported = export_onnx(plan, store, arguments.trial, arguments.to, replace=arguments.force)
    if arguments.json:
        print_json({"trial": exported.trial_id, "model": str(exported.model), "reader": str(exported.reader)})
        return 0
    print(f"trial {exported.trial_id}: {exported.model} and {exported.reader}")
    print(f"use: python {shlex.quote(str(exported.reader))} IMAGE")
    return 0


def study_words(arguments: argparse.Namespace) -> list[str]:
    """Return the study and the options that change how it is read, as commands take them."""
    words = [str(arguments.study)]
    words += [word for setting in arguments.sets for word in ("--set", setting)]
    words += ["--random-weights"] if arguments.random_weights else []
    words += ["--trust-config"] if arguments.trust_config else []
    return words


def _as_json(exported: "Exported") -> dict[str, object]:
    return {
        "trial": exported.trial_id,
        "config": str(exported.config),
        "checkpoint": str(exported.checkpoint),
        "card": str(exported.card),
        "papers": str(exported.papers),
        "annotations": {split: str(path) for split, path in exported.annotations.items()},
        "notes": list(exported.notes),
    }
