"""Estimate what a trial will take: exact counts where the data tells them, seconds only where some were measured."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from trainers.spec import CocoDataset, DatasetSpec, TrialSpec
from trainers.spec.record import read_history

READABLE = 64 * 2**20  # bytes of annotations that a plan reads to count images


@dataclass(frozen=True)
class Estimate:
    """Hold a trial's length. ``None`` where nothing is known; ``seconds`` come from the trial's own epochs so far."""

    epochs: int
    steps: int | None
    seconds: float | None


def estimate(spec: TrialSpec, directory: Path) -> Estimate:
    """Return how long ``spec`` is, from the dataset and from what its directory holds."""
    steps = _steps(spec)
    history = read_history(directory)
    spent = sum(sum(record.timing.values()) for record in history)
    done = history[-1].step if history else 0
    return Estimate(spec.schedule.epochs, steps, spent / done * steps if done and steps else None)


def _steps(spec: TrialSpec) -> int | None:
    schedule = spec.schedule
    images = _training_images(spec.dataset)
    whole = None if images is None else schedule.epochs * -(-images // schedule.batch_size)
    limits = [count for count in (whole, schedule.iterations) if count is not None]
    return min(limits) if limits else None


def _training_images(dataset: DatasetSpec) -> int | None:
    if not isinstance(dataset, CocoDataset):
        return dataset.train_images
    classes = None if dataset.classes == "coco80" else dataset.classes
    return _images_with_boxes(Path(dataset.root) / dataset.train.annotations, classes)


@cache
def _images_with_boxes(path: Path, classes: tuple[str, ...] | None) -> int | None:
    """Return how many images of a COCO file have a box of these classes: the others are not trained on."""
    try:
        if path.stat().st_size > READABLE:
            return None
        content = json.loads(path.read_bytes())
        wanted = {item["id"] for item in content["categories"] if classes is None or item["name"] in classes}
        return len({item["image_id"] for item in content["annotations"] if item["category_id"] in wanted})
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
