"""Draw AP over epochs, or detections on the same images."""

import argparse
from pathlib import Path

from orchestrator.commands.common import add_store, add_study, add_workers, load, positive, store_of
from orchestrator.commands.predict import names

KINDS = ("phases", "predictions")
ENDINGS = (".png", ".svg", ".pdf")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_study(parser)
    add_workers(parser)
    add_store(parser)
    parser.add_argument("--kind", choices=KINDS, default="phases", help="kind of figure (default: phases)")
    parser.add_argument(
        "--output", metavar="FILE", type=file, required=True, help="file to write; its suffix selects the format"
    )
    parser.add_argument(
        "--trials", metavar="ID,ID", type=names, default=(),
        help="predictions: trials to show as columns (default: all with predictions)",
    )  # fmt: skip
    parser.add_argument("--images", metavar="N", type=positive, default=2, help="predictions: number of images")
    parser.add_argument(
        "--thresholds", metavar="S,S", type=scores, default=(0.1, 0.3, 0.5),
        help="predictions: minimum scores, one row of boxes each (default: 0.1,0.3,0.5)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Draw a figure from the study's results in MLflow."""
    from orchestrator.plan.plan import make_plan
    from orchestrator.reports.figures import data as figure
    from orchestrator.reports.figures.canvas import write_figure

    store = store_of(arguments)
    plan = make_plan(load(arguments), store)
    if arguments.kind == "phases":
        draw = figure.training_curves(plan, store)
    else:
        draw = figure.predictions(plan, store, arguments.trials, arguments.images, arguments.thresholds)
    write_figure(draw, arguments.output)
    return 0


def file(text: str) -> Path:
    """Return a path whose ending is a format, for argparse."""
    path = Path(text)
    if path.suffix.lower() not in ENDINGS:
        raise argparse.ArgumentTypeError(f"must end in {', '.join(ENDINGS)}, got {text}")
    return path


def scores(text: str) -> tuple[float, ...]:
    """Return scores that are separated by commas, for argparse."""
    found = tuple(float(part) for part in text.split(","))
    if not all(0.0 <= score <= 1.0 for score in found):
        raise argparse.ArgumentTypeError(f"scores lie between 0 and 1, got {text}")
    return found
