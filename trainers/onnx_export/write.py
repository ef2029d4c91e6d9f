"""Write a trial's student as an ONNX file, and the reader beside it."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from trainers.data.pipelines import test_pipeline
from trainers.detectors.detector import model_config
from trainers.errors import TrialError
from trainers.onnx_export import reader
from trainers.onnx_export.agreement import require_agreement
from trainers.onnx_export.graph import OPSET, graph
from trainers.predictions.detect import load_subject
from trainers.schema import DatasetSpec, ShapesDataset, class_count, class_names
from trainers.schema.onnx import MODEL, READER, OnnxJob, obstacle
from trainers.schema.predictions import Subject

KEY = "stillhouse"  # of the file's metadata: one JSON object


def write(job: OnnxJob) -> None:
    """Write ``MODEL`` and ``READER`` into the job's folder.

    Raises ``TrialError`` before it writes, where the detector has no counterpart in ONNX or onnxruntime finds other
    objects, and where the checkpoint does not fit.
    """
    subject = job.subject
    data = subject.spec.dataset
    config = model_config(subject.spec.student, class_count(data), data.max_detections)
    if (why := obstacle(config)) is not None:
        raise TrialError(f"trial {subject.id} cannot be written as ONNX: {why}")
    detector = load_subject(subject, torch.device("cpu"))
    model = graph(detector)
    require_agreement(model, detector)
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, json.dumps(description(subject, config))
    folder = Path(job.directory)
    (folder / MODEL).write_bytes(model.SerializeToString())
    shutil.copyfile(reader.__file__, folder / READER)


def description(subject: Subject, config: Any) -> dict[str, Any]:
    """Return the facts that a reader needs, and where the file comes from, as JSON."""
    preprocessor, test = config.data_preprocessor, config.test_cfg
    return {
        "trial": subject.id,
        "head": config.bbox_head.type,
        "classes": list(class_names(subject.spec.dataset)),
        **preparation(subject.spec.dataset),
        "mean": preprocessor.get("mean"),
        "std": preprocessor.get("std"),
        "pad_size_divisor": preprocessor.get("pad_size_divisor", 1),
        "score_threshold": test.get("score_thr", 0),
        "iou_threshold": test.nms.iou_threshold,
        "opset": OPSET,
    }


def preparation(data: DatasetSpec) -> dict[str, Any]:
    """Return how an image is prepared for the network, in the words of the reader."""
    steps = {step["type"]: step for step in test_pipeline(data)}
    pad = steps.get("Pad")
    return {
        "size": list(steps["Resize"]["scale"]),
        "keep_ratio": steps["Resize"]["keep_ratio"],
        "pad_to_square": None if pad is None else int(pad["pad_val"]["img"][0]),
        "upright": isinstance(data, ShapesDataset) or data.exif != "ignore",
    }
