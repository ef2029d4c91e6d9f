"""Set a detector's maximum number of detections per image to the study's."""

from typing import Any

from trainers.schema.image_pipeline import COCO_DETECTIONS


def limit_detections(model: Any, most: int) -> None:
    """Change mmdet's config of a model so that it keeps ``most`` detections of an image.

    At COCO's 100 the config stays as it is. Above, the candidates of each pyramid level before non-maximum suppression
    (``nms_pre``, 1000 for 100 in mmdet's configs) rise in proportion: each object takes several of them. In two-stage
    detectors proposals count as such candidates. A detector with queries finds no more objects than it has of these.
    """
    settings = model.get("test_cfg")
    if most == COCO_DETECTIONS or not settings:
        return
    last = settings.get("rcnn", settings)
    last.max_per_img = min(most, model.get("num_queries", most))
    if most > COCO_DETECTIONS:
        for stage in (settings, settings.get("rpn", {})):
            _raise(stage, "nms_pre", most)
        _raise(settings.get("rpn", {}), "max_per_img", most)


def _raise(settings: Any, key: str, most: int) -> None:
    if settings.get(key, 0) > 0:
        settings[key] = settings[key] * most // COCO_DETECTIONS
