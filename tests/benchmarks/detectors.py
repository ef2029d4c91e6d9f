"""Build the detectors that steps are timed on: GFL of the paper's main setting, with random weights."""

from typing import Any

from mmengine.config import Config

from tests.benchmarks.batch import CLASSES
from trainers.detectors.detector import config_path, model_config
from trainers.schema import Detector

R50 = Detector(config="mmdet::gfl/gfl_r50_fpn_1x_coco.py")
R101 = Detector(config="mmdet::gfl/gfl_r101_fpn_ms-2x_coco.py")
R18 = Detector(config="mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth=18)
LD = "mmdet::ld/ld_r50-gflv1-r101_fpn_1x_coco.py"


def build(detector: Detector) -> Any:
    """Return the detector with COCO's classes, frozen where its config freezes it, from random weights."""
    from mmdet.registry import MODELS
    from mmengine.registry import init_default_scope

    init_default_scope("mmdet")
    model = MODELS.build(model_config(detector, CLASSES))
    model.init_weights()
    return model


def build_ld() -> Any:
    """Return mmdet's own distilling detector of the same teacher and student, without its checkpoints."""
    from mmdet.registry import MODELS
    from mmengine.registry import init_default_scope

    init_default_scope("mmdet")
    model = Config.fromfile(config_path(LD)).model
    model.backbone.init_cfg = None
    model.teacher_ckpt = None
    model.teacher_config = Config({"model": model_config(R101, CLASSES)})
    built = MODELS.build(model)
    built.init_weights()
    return built
