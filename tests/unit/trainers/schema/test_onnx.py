"""Tell by a detector's config whether it can be written as ONNX."""

from typing import Any

import pytest
from mmengine.config import ConfigDict

from trainers.detectors.detector import model_config
from trainers.schema import Detector
from trainers.schema.onnx import obstacle


def model(name: str) -> Any:
    return model_config(Detector(config=name, weights="random"), 3)


@pytest.mark.parametrize(
    "name",
    [
        "gfl/gfl_r50_fpn_1x_coco.py",
        "gfl/gfl_x101-32x4d_fpn_ms-2x_coco.py",
        "atss/atss_r50_fpn_1x_coco.py",
        "fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py",
        "retinanet/retinanet_r50_fpn_1x_coco.py",
        "pvt/retinanet_pvt-t_fpn_1x_coco.py",
        "yolox/yolox_s_8xb8-300e_coco.py",
        "rtmdet/rtmdet_tiny_8xb32-300e_coco.py",
    ],
)
def test_the_supported_heads_have_no_obstacle_on_any_backbone(name: str) -> None:
    assert obstacle(model(f"mmdet::{name}")) is None


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("gfl/gfl_r101-dconv-c3-c5_fpn_ms-2x_coco.py", "deformable convolutions"),
        ("fcos/fcos_r50-dcn-caffe_fpn_gn-head-center-normbbox-centeronreg-giou_1x_coco.py", "deformable convolutions"),
        ("vfnet/vfnet_r50_fpn_1x_coco.py", "VFNetHead"),
        ("tood/tood_r50_fpn_1x_coco.py", "TOODHead"),
        ("faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py", "FasterRCNN is not among the heads"),
        ("paa/paa_r50_fpn_1x_coco.py", "PAAHead is not among the heads"),
    ],
)
def test_a_detector_without_a_counterpart_is_named(name: str, named: str) -> None:
    assert named in str(obstacle(model(f"mmdet::{name}")))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"nms": {"type": "soft_nms", "iou_threshold": 0.5}}, "soft_nms"),
        ({"nms": {"type": "nms", "iou_threshold": 0.5, "max_num": 7}}, "max_num"),
        ({"min_bbox_size": 4}, "min_bbox_size"),
        ({"nms_pre": -1}, "nms_pre"),
    ],
)
def test_a_rule_of_prediction_without_a_counterpart_is_named(change: dict[str, Any], named: str) -> None:
    config = model("mmdet::gfl/gfl_r50_fpn_1x_coco.py")
    config.test_cfg.update(ConfigDict(change))
    assert named in str(obstacle(config))
