"""Record the detections of teacher and students in MLflow.

The detectors run on chosen images; boxes, scores and the images are recorded.
"""

import argparse
import sys

from orchestrator.commands.common import add_json, add_store, add_study, add_workers, load, positive, store_of
from orchestrator.core.json_output import print_json
from orchestrator.study.wording import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_study(parser)
    add_workers(parser)
    add_store(parser)
    add_json(parser)
    parser.add_argument(
        "--trials", metavar="ID,ID", type=names, default=(),
        help="trial ids, or their first digits, or all (default: the teacher and the best student of each method)",
    )  # fmt: skip
    parser.add_argument(
        "--images", metavar="N", type=positive, default=24,
        help="number of images from the validation split, the same for all trials (default: 24)",
    )  # fmt: skip
    parser.add_argument(
        "--image-ids", metavar="ID,ID", type=ids,
        help="ids of the images in the dataset; a list that begins with a minus sign needs --image-ids=-5,7",
    )  # fmt: skip
    parser.add_argument(
        "--budget-mb", metavar="MB", type=megabytes, default=64_000_000,
        help="limit for all files about images together; images that do not fit are left out (default: 64)",
    )  # fmt: skip
    parser.add_argument(
        "--no-curves", action="store_true",
        help="leave out precision-recall curves and confusion matrices, for which each trial looks at the whole validation split",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run trials on images and print the location of the result."""
    from orchestrator.plan.plan import make_plan
    from orchestrator.reports.predict import Wanted, predict
    from trainers.schema.predictions import Limits

    store = store_of(arguments)
    plan = make_plan(load(arguments), store)
    limits = Limits(images=arguments.images, budget_bytes=arguments.budget_mb)
    found = predict(plan, store, Wanted(arguments.trials, arguments.image_ids, limits, not arguments.no_curves))
    index = found.index
    if index.left_out:
        print(
            f"left out: {counted(index.left_out, 'image')} beyond {index.budget_bytes / 1e6:g} MB (--budget-mb)",
            file=sys.stderr,
        )
    if arguments.json:
        images = [picture.id or picture.key for picture in index.images]
        print_json({"run": found.run_id, "trials": index.trials, "images": images, "left_out": index.left_out})
        return 0
    print(
        f"{counted(len(index.trials), 'trial')} looked at {counted(len(index.images), 'image')}: predictions/ of run {found.run_id}"
    )
    return 0


def ids(text: str) -> tuple[str, ...]:
    """Return ids of images that are separated by commas, for argparse."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if not found:
        raise argparse.ArgumentTypeError("names no image")
    return found


def names(text: str) -> tuple[str, ...]:
    """Return names that are separated by commas, for argparse."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if not found:
        raise argparse.ArgumentTypeError("names no trial")
    return found


def megabytes(text: str) -> int:
    """Return a size in bytes, for argparse."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
    return max(1, int(value * 1_000_000))
