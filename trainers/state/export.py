"""Write the plain mmdet config that belongs to a student checkpoint."""

from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import nn

from trainers.data.pipelines import test_pipeline, train_pipeline
from trainers.detectors.detector import model_config
from trainers.schema import DatasetSpec, ShapesDataset, TrialSpec, class_count, class_names
from trainers.schema.dataset import coco_parts


def student_checkpoint(student: nn.Module, trial: TrialSpec, meta: dict[str, Any]) -> dict[str, Any]:
    """Return a checkpoint of the student alone, as mmdet reads it: weights and class names."""
    classes = list(class_names(trial.dataset))
    weights = {key: value.detach().cpu() for key, value in student.state_dict().items()}
    return {"state_dict": weights, "meta": {"dataset_meta": {"classes": classes}, **meta}}


def mmdet_config(trial: TrialSpec) -> Any:
    """Return a config with which ``mmdet.apis.init_detector`` builds the student, without Stillhouse installed."""
    classes = class_names(trial.dataset)
    pipeline = test_pipeline(trial.dataset, _plain_load_step(trial.dataset))
    loader = {"batch_size": 1, "num_workers": 2, "dataset": _dataset_config(trial.dataset, pipeline, classes)}
    return Config(
        {
            "default_scope": "mmdet",
            "model": model_config(trial.student, class_count(trial.dataset), trial.dataset.max_detections),
            "classes": classes,
            "train_pipeline": [_plain_load_step(trial.dataset), *train_pipeline(trial.dataset)[1:]],
            "test_pipeline": pipeline,
            "test_dataloader": loader,
            "test_cfg": {"type": "TestLoop"},
        }
    )


def write_config(trial: TrialSpec, path: Path) -> None:
    """Write ``mmdet_config(trial)`` to ``path``."""
    mmdet_config(trial).dump(path)


def _dataset_config(spec: DatasetSpec, pipeline: list[dict[str, Any]], classes: tuple[str, ...]) -> dict[str, Any]:
    """Describe the validation split by paths relative to its root: the root is the reader's own."""
    part = coco_parts(spec, "val")[0] if spec.kind == "coco" and spec.split is None else None
    files = {"ann_file": part.annotations, "data_prefix": {"img": part.images}} if part is not None else {}
    return {
        "type": "CocoDataset",
        "data_root": "data/",
        **files,
        "metainfo": {"classes": classes},
        "test_mode": True,
        "pipeline": pipeline,
    }


def _plain_load_step(spec: DatasetSpec) -> dict[str, Any]:
    """Return mmdet's own way to read images; docs/studies.md tells which images it sees otherwise than Stillhouse."""
    as_stored = not isinstance(spec, ShapesDataset) and spec.exif == "ignore"
    return {"type": "LoadImageFromFile", **({"color_type": "color_ignore_orientation"} if as_stored else {})}
