"""Write the plain mmdet config that belongs to a student checkpoint."""

from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import nn

from trainers.data.pipelines import test_pipeline, train_pipeline
from trainers.detectors.detector import model_config
from trainers.schema import DatasetSpec, ShapesDataset, TrialSpec, class_count, class_names
from trainers.schema.atomic import write_text
from trainers.schema.plain_config import plain_config


def student_checkpoint(student: nn.Module, trial: TrialSpec, meta: dict[str, Any]) -> dict[str, Any]:
    """Return a checkpoint of the student alone, as mmdet reads it: weights and class names."""
    classes = list(class_names(trial.dataset))
    weights = {key: value.detach().cpu() for key, value in student.state_dict().items()}
    return {"state_dict": weights, "meta": {"dataset_meta": {"classes": classes}, **meta}}


def write_config(trial: TrialSpec, path: Path) -> None:
    """Write a config with which mmdet builds and tests the student, without Stillhouse installed."""
    size = class_count(trial.dataset)
    model = Config({"model": model_config(trial.student, size, trial.dataset.max_detections)}).to_dict()["model"]
    load = _plain_load_step(trial.dataset)
    train_steps = [load, *train_pipeline(trial.dataset)[1:]]
    write_text(path, plain_config(trial, model, train_steps, test_pipeline(trial.dataset, load)))


def _plain_load_step(spec: DatasetSpec) -> dict[str, Any]:
    """Return mmdet's own way to read images; docs/studies.md tells which images it sees otherwise than Stillhouse."""
    as_stored = not isinstance(spec, ShapesDataset) and spec.exif == "ignore"
    return {"type": "LoadImageFromFile", **({"color_type": "color_ignore_orientation"} if as_stored else {})}
