"""Define how a trained student's precision, recall and confusions over a whole validation split are kept.

Both files lie beside its predictions (``trainers.schema.predictions``), in the run of the trial. Classes are those of
``Index.classes``, by their positions.
"""

from typing import Annotated, Literal

from pydantic import Field

from trainers.schema.base import Section

CURVES, CONFUSIONS = "curves.json", "confusions.json"
RECALLS = 101  # 0, .01, ..., 1: COCO's
IOUS = (0.5, 0.75)
SCORES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

Count = Annotated[int, Field(ge=0)]
Precision = Annotated[
    tuple[Annotated[float, Field(ge=0.0, le=1.0)], ...], Field(min_length=RECALLS, max_length=RECALLS)
]


class PrecisionRecall(Section):
    """Hold COCO's precision at each of the 101 recalls: at an IoU of .5, of .75, and the mean over .5, .55, ..., .95.

    The mean of each list is an AP: AP50, AP75 and AP.
    """

    iou50: Precision
    iou75: Precision
    mean: Precision


class PrecisionCurves(Section):
    """Hold one trial's curves: of all classes together (the mean over them) and of each, ``None`` without an object."""

    format: Literal[1] = 1
    trial: str
    images: Count
    whole: PrecisionRecall | None
    classes: tuple[PrecisionRecall | None, ...]


Cell = tuple[Count, Count, tuple[Count, ...]]


class Confusions(Section):
    """Count a trial's boxes by the class of the object they met, at several IoUs and scores.

    ``cells[i]`` belongs to ``ious[i]``: (class of the object, class of the box, one number for each of ``scores``, of which
    a box has at least that one). The position behind the last class stands for the background: as the object's class it
    counts boxes that met nothing, as the box's the objects that no box met. Cells with zeros only are left out.

    The matching is COCO's, class by class, so the diagonal counts the ``tp`` of ``ImagePredictions``; then each
    other box takes, by falling score, the object that it overlaps most of those that are left. Objects to be ignored, and the
    boxes that met one, are left out.
    """

    format: Literal[1] = 1
    trial: str
    images: Count
    ious: tuple[float, ...] = IOUS
    scores: tuple[float, ...] = SCORES
    cells: tuple[tuple[Cell, ...], ...]
