"""Measure trained students on a split of their dataset."""

from collections.abc import Sequence

from trainers.data.datasets import build_dataset
from trainers.evaluation.evaluate import Metrics, evaluate
from trainers.loop.loop import prepare_process
from trainers.predictions.detect import load_subject
from trainers.schema.annotations import SplitName
from trainers.schema.predictions import Subject


def measure(subjects: Sequence[Subject], split: SplitName, threads: int, *, cuda: bool) -> dict[str, Metrics]:
    """Return the metrics of each subject on a split of its dataset, as training names them, by trial id.

    One detector is in memory at a time. Raises ``TrialError`` when an image or a checkpoint cannot be read.
    """
    device = prepare_process(threads, cuda)
    data = subjects[0].spec.dataset
    dataset = build_dataset(data, split)
    found: dict[str, Metrics] = {}
    for subject in subjects:
        detector = load_subject(subject, device)
        metrics = evaluate(detector, dataset, data.evaluator, max_detections=data.max_detections)
        found[subject.id] = metrics or {}
    return found
