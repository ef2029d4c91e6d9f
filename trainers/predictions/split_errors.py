"""Measure a detector's precision, recall and confusions over a whole validation split."""

from pathlib import Path
from typing import Any

from trainers.data.loaders import evaluation_batches
from trainers.evaluation.evaluate import detections, precisions_of
from trainers.predictions.confusions import confusions, objects_of
from trainers.predictions.curves import precision_curves
from trainers.schema import DatasetSpec, class_count
from trainers.schema.split_errors import CONFUSIONS, CURVES


def keep_split_errors(detector: Any, dataset: Any, data: DatasetSpec, trial: str, folder: Path) -> None:
    """Write one trial's files ``curves.json`` and ``confusions.json``; this takes as long as an evaluation."""
    found = dict(detections(detector, evaluation_batches(dataset, rank=0, world=1)))
    precisions = precisions_of(dataset, found.items(), data.evaluator, data.max_detections)
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    pairs = [(objects_of(info), found[info["img_id"]]) for info in infos]
    for name, content in (
        (CURVES, precision_curves(trial, len(pairs), precisions)),
        (CONFUSIONS, confusions(trial, class_count(data), pairs)),
    ):
        (folder / name).write_text(content.model_dump_json())
