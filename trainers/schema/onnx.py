"""Define which students can be written as ONNX files, and the request to write one. Imports nothing heavy."""

from collections.abc import Iterator, Mapping
from typing import Any

from trainers.schema.base import Section
from trainers.schema.predictions import Subject

MODEL, READER = "student.onnx", "detect.py"
HEADS = ("GFLHead", "ATSSHead", "FCOSHead", "RetinaHead", "YOLOXHead", "RTMDetSepBNHead")
DEFORMING = ("VFNetHead", "TOODHead")  # heads that bend a convolution by their own boxes
NMS_KEYS = {"type", "iou_threshold", "class_agnostic", "split_thr"}


class OnnxJob(Section):
    """Ask for ``MODEL`` and ``READER`` of a student, in a folder that exists."""

    subject: Subject
    directory: str


def obstacle(model: Mapping[str, Any]) -> str | None:
    """Return why a detector cannot be written as an ONNX file, by mmdet's config of its model; ``None`` if it can."""
    return next(_obstacles(model), None)


def _obstacles(model: Mapping[str, Any]) -> Iterator[str]:
    head, test = model.get("bbox_head") or {}, model.get("test_cfg") or {}
    name = head.get("type", model.get("type"))
    if name in DEFORMING or any(_deforms(model)):
        part = name if name in DEFORMING else "its backbone, neck or head"
        yield f"{part} has deformable convolutions, for which onnxruntime has no operator"
    if name not in HEADS:
        yield f"{name} is not among the heads whose detections are written: {', '.join(HEADS)}"
    nms = test.get("nms") or {}
    if nms.get("type", "nms") != "nms" or not nms.keys() <= NMS_KEYS or "iou_threshold" not in nms:
        yield f"ONNX has no operator for its suppression of overlaps, test_cfg.nms: {dict(nms)}"
    if test.get("min_bbox_size", 0) > 0:
        yield f"test_cfg.min_bbox_size ({test['min_bbox_size']}) is in pixels of images that the network does not see"
    if name != "YOLOXHead" and test.get("nms_pre", 0) < 1:
        yield "test_cfg.nms_pre, the number of candidates of each pyramid level, must be at least 1"


def _deforms(value: Any) -> Iterator[bool]:
    """Yield whether each part of a config asks for deformable convolutions."""
    if isinstance(value, Mapping):
        yield str(value.get("type", "")).startswith(("DCN", "DeformConv", "ModulatedDeformConv"))
        yield value.get("dcn") is not None and any(value.get("stage_with_dcn", (True,)))
        yield bool(value.get("dcn_on_last_conv"))
        yield from (found for part in value.values() for found in _deforms(part))
    elif isinstance(value, list | tuple):
        yield from (found for part in value for found in _deforms(part))
