"""Describe a trained detector as one whole config of mmdet's, which needs nothing of Stillhouse."""

import colorsys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from typing_extensions import TypeIs

from trainers.schema.config_text import PythonConfig, Unreadable
from trainers.schema.config_writing import Code, config_source
from trainers.schema.dataset import ShapesDataset, VocDataset, class_names
from trainers.schema.schedule import Schedule, Sgd
from trainers.schema.trial import TrialSpec

Steps = Sequence[Mapping[str, Any]]

TRAIN, VAL, TEST = "train.json", "val.json", "test.json"  # beside the config, in COCO's form
HEADING = """\
A trained student as a config of mmdet 3. data_root is the folder in which the names of images begin; the annotations
lie beside this file. The settings of training are the student's own, without a teacher and without the warm-up and the
fall of the learning rate; train.json is not written."""
VOC_THRESHOLDS = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
MIXING = "MultiImageMixDataset"  # mmdet's wrapper for steps that take several images
LOADING = 2  # steps of a training pipeline that belong to each single image
GOLDEN_ANGLE = 0.6180339887  # of a turn: hues that stay apart for any number of classes


def plain_config(trial: TrialSpec, model: Mapping[str, Any], train_steps: Steps, test_steps: Steps) -> str:
    """Return the text of a config with which mmdet tests the trial's student, and would train it further.

    ``model`` is mmdet's config of the detector, ``train_steps`` and ``test_steps`` are its pipelines.
    """
    return config_source(_values(trial, model, train_steps, test_steps), HEADING)


def completed(trial: TrialSpec, config: Path) -> str:
    """Return ``plain_config`` of the config that a trial has written; those of earlier releases lack parts of it.

    The file is read as data. Raises ``ValueError`` when it cannot be.
    """
    found = PythonConfig(config).evaluate({}).values
    model, train_steps, test_steps = (found.get(name) for name in ("model", "train_pipeline", "test_pipeline"))
    if not isinstance(model, dict) or not _is_pipeline(train_steps) or not _is_pipeline(test_steps):
        raise Unreadable("does not describe a detector and its pipelines")
    return plain_config(trial, model, train_steps, test_steps)


def _is_pipeline(found: Any) -> TypeIs[list[dict[str, Any]]]:
    return isinstance(found, list) and bool(found) and all(isinstance(step, dict) and "type" in step for step in found)


def _values(trial: TrialSpec, model: Mapping[str, Any], train_steps: Steps, test_steps: Steps) -> dict[str, Any]:
    return {
        "default_scope": "mmdet",
        "classes": class_names(trial.dataset),
        "metainfo": {"classes": Code("classes"), **_palette(trial)},
        "data_root": "data",
        "ann_file": _beside(VAL),
        "model": model,
        "train_pipeline": list(train_steps),
        "test_pipeline": with_annotations(test_steps),
        **_testing(trial),
        **_training(trial, train_steps),
        **_surroundings(),
    }


def with_annotations(steps: Steps) -> list[Mapping[str, Any]]:
    """Return an evaluation pipeline that also reads the boxes, in pixels of the original image.

    Metrics of Pascal VOC and mmdet's analysis compare with these; detecting in an image does not need them.
    """
    if any(step["type"] == "LoadAnnotations" for step in steps):
        return list(steps)
    return [*steps[:-1], {"type": "LoadAnnotations", "with_bbox": True}, steps[-1]]


def _beside(name: str) -> Code:
    """Return the path of a file beside the config; mmengine fills in the folder, which may hold quotes."""
    return Code(f'r"""{{{{ fileDirname }}}}/{name}"""')


def _palette(trial: TrialSpec) -> dict[str, Any]:
    """Return a colour (red, green, blue) for each class; mmdet knows those of COCO's."""
    if trial.dataset.classes == "coco80":
        return {}
    hues = [(number * GOLDEN_ANGLE) % 1.0 for number in range(len(class_names(trial.dataset)))]
    colours = [colorsys.hsv_to_rgb(hue, 0.75, 0.95) for hue in hues]
    return {"palette": [tuple(round(255 * part) for part in colour) for colour in colours]}


def _dataset(annotations: Code, pipeline: Code | Steps, **settings: Any) -> dict[str, Any]:
    return {
        "type": "CocoDataset",
        "data_root": Code("data_root"),
        "ann_file": annotations,
        "data_prefix": {"img": ""},
        "metainfo": Code("metainfo"),
        **settings,
        "pipeline": pipeline,
    }


def _loader(dataset: Mapping[str, Any], batch_size: int, *, shuffle: bool) -> dict[str, Any]:
    return {
        "batch_size": batch_size,
        "num_workers": 2,
        "persistent_workers": True,
        "drop_last": False,
        "sampler": {"type": "DefaultSampler", "shuffle": shuffle},
        "dataset": dataset,
    }


def _testing(trial: TrialSpec) -> dict[str, Any]:
    """Return how mmdet tests; validating is the same."""
    data = _dataset(Code("ann_file"), Code("test_pipeline"), test_mode=True)
    return {
        "test_dataloader": _loader(data, 1, shuffle=False),
        "test_evaluator": _evaluator(trial),
        "test_cfg": {"type": "TestLoop"},
        "val_dataloader": Code("test_dataloader"),
        "val_evaluator": Code("test_evaluator"),
        "val_cfg": {"type": "ValLoop"},
    }


def _evaluator(trial: TrialSpec) -> Any:
    coco = {"type": "CocoMetric", "ann_file": Code("ann_file"), "metric": "bbox"}
    if not isinstance(trial.dataset, VocDataset):
        return coco
    return [coco, {"type": "VOCMetric", "eval_mode": "11points", "iou_thrs": VOC_THRESHOLDS, "prefix": "voc"}]


def _training(trial: TrialSpec, steps: Steps) -> dict[str, Any]:
    schedule = trial.schedule
    length = {"type": "EpochBasedTrainLoop", "max_epochs": schedule.epochs, "val_interval": schedule.val_interval}
    if schedule.epochs is None:
        length = {"type": "IterBasedTrainLoop", "max_iters": schedule.iterations, "val_interval": schedule.iterations}
    return {
        "train_dataloader": _loader(_training_data(trial, steps), schedule.batch_size, shuffle=True),
        "train_cfg": length,
        "optim_wrapper": _optimizer(schedule),
    }


def _training_data(trial: TrialSpec, steps: Steps) -> dict[str, Any]:
    dataset = trial.dataset
    if isinstance(dataset, ShapesDataset):
        return _dataset(_beside(TRAIN), Code("train_pipeline"))
    kept = {"filter_empty_gt": not dataset.keep_empty, "min_size": dataset.min_side}
    if dataset.augmentation != "mosaic":
        return _dataset(_beside(TRAIN), Code("train_pipeline"), filter_cfg=kept)
    single = _dataset(_beside(TRAIN), list(steps[:LOADING]), filter_cfg=kept | {"filter_empty_gt": False})
    return {"type": MIXING, "dataset": single, "pipeline": list(steps[LOADING:])}


def _optimizer(schedule: Schedule) -> dict[str, Any]:
    rule = schedule.optimizer
    momentum = {"momentum": rule.momentum, "nesterov": rule.nesterov} if isinstance(rule, Sgd) else {}
    kind = "SGD" if isinstance(rule, Sgd) else "AdamW"
    clip = {} if schedule.clip_grad is None else {"clip_grad": {"max_norm": schedule.clip_grad, "norm_type": 2}}
    optimizer = {"type": kind, "lr": schedule.effective_lr, "weight_decay": rule.weight_decay, **momentum}
    return {"type": "OptimWrapper", "optimizer": optimizer, **clip}


def _surroundings() -> dict[str, Any]:
    """Return the settings of mmengine's runner that mmdet's own configs have, too."""
    return {
        "visualizer": {
            "type": "DetLocalVisualizer",
            "vis_backends": [{"type": "LocalVisBackend"}],
            "name": "visualizer",
        },
        "default_hooks": {"visualization": {"type": "DetVisualizationHook"}},
        "log_processor": {"type": "LogProcessor", "window_size": 50, "by_epoch": True},
        "log_level": "INFO",
        "load_from": None,
        "resume": False,
    }
