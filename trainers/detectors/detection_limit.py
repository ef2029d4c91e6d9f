"""Set a detector's maximum number of detections per image to the study's."""

from typing import Any

from trainers.schema.image_pipeline import COCO_DETECTIONS


def limit_detections(model: Any, most: int) -> None:
    """Change mmdet's config of a model so that it keeps ``most`` detections of an image.

    At COCO's 100 the config stays as it is. Above, the candidates of each pyramid level before non-maximum suppression
    (``nms_pre``, 1000 for 100 in mmdet's configs) rise in proportion: each object takes several of them.
    """
    settings = model.get("test_cfg")
    if most == COCO_DETECTIONS or not settings:
        return
    settings.max_per_img = most
    if settings.get("nms_pre", 0) > 0 and most > COCO_DETECTIONS:
        settings.nms_pre = settings.nms_pre * most // COCO_DETECTIONS
