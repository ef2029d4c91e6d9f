"""Keep COCO's precisions as curves of precision over recall."""

import numpy as np

from trainers.evaluation.evaluate import Precisions
from trainers.schema.split_errors import PrecisionCurves, PrecisionRecall

AT_50, AT_75, ALL_SIZES = 0, 5, 0  # positions of the precisions' thresholds and areas
WHOLE_DIGITS, CLASS_DIGITS = 6, 4  # a split has one curve of the whole, and up to thousands of classes


def precision_curves(trial: str, images: int, precisions: Precisions) -> PrecisionCurves:
    """Return the curves of one trial from its precisions, float64 (thresholds, recalls, classes, areas)."""
    each = precisions[..., ALL_SIZES]
    known = each.min(axis=(0, 1)) > -1.0
    return PrecisionCurves(
        trial=trial,
        images=images,
        whole=_curve(each[..., known].mean(axis=2), WHOLE_DIGITS) if known.any() else None,
        classes=tuple(_curve(each[..., n], CLASS_DIGITS) if there else None for n, there in enumerate(known)),
    )


def _curve(precisions: Precisions, digits: int) -> PrecisionRecall:
    """Return the curve of precisions, float64 (thresholds, recalls)."""
    parts = precisions[AT_50], precisions[AT_75], precisions.mean(axis=0)
    at_50, at_75, mean = (tuple(np.clip(part, 0.0, 1.0).round(digits).tolist()) for part in parts)
    return PrecisionRecall(iou50=at_50, iou75=at_75, mean=mean)
