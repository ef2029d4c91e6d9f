"""Compute what a distilled student loses: plain torch, tensors in, a scalar out.

Shape suffixes, always in this order::

    A  anchors (or points) of all levels and all images of the batch, flattened
    C  classes
    L  pyramid levels
    4  corners x1, y1, x2, y2 of a box

All losses compute in float32, or in float64 where an input has it, also under autocast and for half inputs.
"""

from trainers.distill.losses.bckd import classification_distillation as classification_distillation
from trainers.distill.losses.bckd import level_gate as level_gate
from trainers.distill.losses.bckd import localization_distillation as localization_distillation
from trainers.distill.losses.boxes import paired_giou as paired_giou
from trainers.distill.losses.boxes import paired_iou as paired_iou
