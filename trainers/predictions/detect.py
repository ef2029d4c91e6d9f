"""Run one trained detector on one image."""

from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate

from trainers.detectors.detector import build_empty
from trainers.formats.weights import load_weights
from trainers.predictions.matching import match
from trainers.schema import Weights, class_count, class_names
from trainers.schema.image_pipeline import COCO_DETECTIONS
from trainers.schema.predictions import ImagePredictions, Picture, Subject


def load_subject(subject: Subject, device: torch.device) -> Any:
    """Return a trial's best student, ready to detect; raise ``TrialError`` when its checkpoint does not fit."""
    data, what = subject.spec.dataset, f"student of trial {subject.id}"
    detector = build_empty(subject.spec.student, class_count(data), max_detections=data.max_detections)
    load_weights(detector, Weights(path=subject.checkpoint), what, class_names(data))
    return detector.to(device).eval()


@torch.no_grad()
def detect(detector: Any, item: Any, picture: Picture, trial: str, most: int = COCO_DETECTIONS) -> ImagePredictions:
    """Return the detections in a dataset's item, in pixels of the original image, matched with the objects.

    The ``most`` boxes of the highest scores are kept. Boxes are rounded to hundredths of a pixel and scores to four
    digits after they were matched; boxes that are not finite are left out.
    """
    data = detector.data_preprocessor(pseudo_collate([item]), False)
    [sample] = detector.predict(data["inputs"], data["data_samples"], rescale=True)
    found = sample.pred_instances.cpu().numpy()
    boxes, scores = np.asarray(found.bboxes, np.float64), np.asarray(found.scores, np.float64)
    order = np.argsort(-scores, kind="stable")
    order = order[np.isfinite(boxes[order]).all(axis=1) & np.isfinite(scores[order])][:most]
    return _matched(boxes[order], scores[order], np.asarray(found.labels)[order], picture, trial)


def _matched(boxes: Any, scores: Any, labels: Any, picture: Picture, trial: str) -> ImagePredictions:
    truth = np.array([item.box for item in picture.truth], np.float64).reshape(-1, 4)
    truth_labels = np.array([item.label for item in picture.truth], np.int64)
    ignore = np.array([item.ignore for item in picture.truth], bool)
    matches = match(boxes, labels, truth, truth_labels, ignore)
    met = {place for place, kind in zip(matches.met, matches.kinds, strict=True) if kind == "tp"}
    return ImagePredictions(
        image=picture.key,
        trial=trial,
        boxes=tuple((a, b, c, d) for a, b, c, d in boxes.round(2).tolist()),
        scores=tuple(scores.round(4).tolist()),
        labels=tuple(labels.tolist()),
        kinds=matches.kinds,
        matches=matches.met,
        missed=tuple(n for n, item in enumerate(picture.truth) if n not in met and not item.ignore),
    )
