"""Give small detectors whose heads nobody has described: in two stages, by anchors, by centres, and by queries."""

from typing import Any

from mmengine.logging import MMLogger

from tests.unit.trainers.tiny_heads import config_of
from trainers.detectors.detector import build_empty
from trainers.schema import Detector

NARROW: dict[str, Any] = {"backbone_depth": 18, "width": 0.125}
FASTER_RCNN = Detector(config="mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py", weights="random", **NARROW)
DYNAMIC_RCNN = Detector(config="mmdet::dynamic_rcnn/dynamic-rcnn_r50_fpn_1x_coco.py", weights="random", **NARROW)
CENTERNET = Detector(
    config="mmdet::centernet/centernet-update_r18_fpn_8xb8-amp-lsj-200e_coco.py", weights="random", width=0.125
)
YOLOV3 = Detector(config="mmdet::yolo/yolov3_mobilenetv2_8xb24-320-300e_coco.py", weights="random")
DEFORMABLE_DETR = Detector(config=str(config_of("deformable_detr")), weights="random")
FAMILIES = {
    "two-stage": FASTER_RCNN,
    "centres": CENTERNET,
    "anchors": YOLOV3,
    "queries": DEFORMABLE_DETR,
}


def built(detector: Detector, seed: int = 0, classes: int = 3) -> Any:
    """Return a new detector in training mode, equal for equal seeds."""
    MMLogger.get_instance("mmengine").setLevel("WARNING")  # it prints a paragraph for every initialised tensor
    return build_empty(detector, classes, seed).train()
