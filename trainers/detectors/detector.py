"""Build an mmdet detector from its config and the study's typed overrides."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope

from trainers.compat.mmdet_parts import complete_head, copy_without_waiting
from trainers.data.seeding import seed_everything
from trainers.detectors.classes import set_classes
from trainers.detectors.detection_limit import limit_detections
from trainers.detectors.explain import explained
from trainers.detectors.overrides import override, pad_to_coarsest_stride, start_untrained
from trainers.errors import TrialError
from trainers.formats.pretrained import imagenet_weights, load_imagenet
from trainers.schema import Detector
from trainers.schema.boxes_alone import untrainable
from trainers.schema.image_pipeline import COCO_DETECTIONS
from trainers.schema.zoo import OWN, PREFIX, own_config


def config_path(name: str) -> Path:
    """Return the file of a detector config: ``mmdet::path``, ``stillhouse::path`` or a path.

    Raises ``TrialError`` when mmdet is not installed, or when the path leads out of the collection.
    """
    if name.startswith(OWN):
        try:
            return own_config(name)
        except ValueError as error:
            raise TrialError(str(error)) from error
    return _mmdet_config(name) if name.startswith(PREFIX) else Path(name)


def model_config(detector: Detector, num_classes: int, max_detections: int = COCO_DETECTIONS) -> Any:
    """Return mmdet's model config with the overrides applied and no pretrained weights named in it.

    Raises ``TrialError`` when the config cannot be read, or cannot take the overrides.
    """
    model = _read_model(detector)
    with explained(f"use detector config {detector.config}"):
        set_classes(model, num_classes)
        model.backbone.init_cfg = None
        model.init_cfg = None
        start_untrained(model)
        # its batch-wise resizing draws from hidden state: sizes come from the study (dataset.batch_scales) instead
        model.data_preprocessor.pop("batch_augments", None)
        override(model, detector)
        pad_to_coarsest_stride(model)
        limit_detections(model, max_detections)
    return model


def _read_model(detector: Detector) -> Any:
    path = config_path(detector.config)
    with explained(f"read detector config {detector.config}"):
        model = Config.fromfile(path).get("model")
    if not isinstance(model, dict):
        raise TrialError(f"cannot read detector config {detector.config}: it describes no model")
    if (why := untrainable(model)) is not None:
        raise TrialError(f"detector config {detector.config} cannot be trained: {why}")
    return model


def _mmdet_config(name: str) -> Path:
    spec = find_spec("mmdet")
    if spec is None or spec.origin is None:
        raise TrialError("mmdet is not installed")
    folder = Path(spec.origin).parent / ".mim" / "configs"
    path = folder / name.removeprefix(PREFIX)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise TrialError(f"{name} leads out of mmdet's configs")
    return path


def build_student(
    detector: Detector,
    num_classes: int,
    seed: int,
    pretrained: bool = True,
    max_detections: int = COCO_DETECTIONS,
) -> Any:
    """Return a freshly initialised detector; its weights are a function of (detector, num_classes, seed).

    ``pretrained=False`` skips ImageNet weights that the detector asks for: all weights are about to be replaced.
    """
    model = build_empty(detector, num_classes, seed, max_detections)
    if detector.weights == "imagenet" and pretrained:
        load_imagenet(model.backbone, imagenet_weights(_read_model(detector).backbone, detector.backbone_depth))
    return model


def build_empty(detector: Detector, num_classes: int, seed: int = 0, max_detections: int = COCO_DETECTIONS) -> Any:
    """Return the detector with mmdet's random initialisation, for weights to be loaded over.

    Raises ``TrialError`` when mmdet cannot build the config's detector.
    """
    init_default_scope("mmdet")
    seed_everything(seed)
    config = model_config(detector, num_classes, max_detections)
    with explained(f"build detector {detector.config}"):
        model = MODELS.build(config)
        complete_head(model)
        model.init_weights()
    return model


def placed(detector: Any, device: torch.device, *, channels_last: bool, apart: bool = False) -> Any:
    """Return the detector on ``device``; ``channels_last``: with its convolutions' weights in that order of memory.

    On a CPU, and with ``apart``, batch norms that are synchronised between GPUs see their own worker's images. On a GPU it takes its images from pinned memory without waiting for the steps that are still under way.
    """
    copy_without_waiting(detector, device.type == "cuda")
    detector = (revert_sync_batchnorm(detector) if apart or device.type == "cpu" else detector).to(device)
    return detector.to(memory_format=torch.channels_last) if channels_last else detector
