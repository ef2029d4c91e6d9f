"""Apply CrossKD's losses: the teacher's head judges the student's head features."""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainers.distill.head_outputs import TeacherStudentOutputs
from trainers.distill.losses import (
    classification_distillation,
    cross_box_distillation,
    cross_distribution_distillation,
    peak_probability,
)
from trainers.schema.heads import find_head
from trainers.schema.terms import CrossKdBox, CrossKdCls, Need


@dataclass(frozen=True)
class CrossKdClsTerm:
    """Pull the cross-head class probabilities to the teacher's, hardest where they disagree most.

    Workers: the features' statistics are this worker's; N is the head's own normaliser.
    """

    spec: CrossKdCls

    def __call__(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return ``weight`` times the classification loss."""
        crossed_AC = outputs.cross(self.spec.point).logits_AC
        return self.spec.scale * classification_distillation(
            crossed_AC, outputs.teacher.logits_AC, outputs.anchors.weight_A, outputs.anchors.normaliser
        )

    @torch.no_grad()
    def focus(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return each anchor's disagreement, summed over classes, times its weight, (A,)."""
        crossed_AC = outputs.cross(self.spec.point).logits_AC
        return (outputs.teacher.logits_AC.sigmoid() - crossed_AC.sigmoid()).abs().sum(1) * outputs.anchors.weight_A


@dataclass(frozen=True)
class CrossKdBoxTerm:
    """Pull the cross-head boxes to the teacher's, weighted by the teacher's highest class score.

    Workers: as above; with box distributions the divisor is this worker's sum of weights.
    """

    spec: CrossKdBox

    def __call__(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return ``weight`` times the KL divergence over bins, or times GIoU loss for heads without distributions."""
        crossed, weight_A = outputs.cross(self.spec.point), self.focus(outputs)
        if gives_distributions(outputs):
            loss = cross_distribution_distillation(
                crossed.distributions_A4K, outputs.teacher.distributions_A4K, weight_A
            )
        else:
            loss = cross_box_distillation(
                crossed.boxes_A4, outputs.teacher.boxes_A4, weight_A, outputs.anchors.normaliser, iou=self.spec.iou
            )
        return self.spec.scale * loss

    @torch.no_grad()
    def focus(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return the teacher's highest class score of each anchor that counts, (A,)."""
        return peak_probability(outputs.teacher.logits_AC, outputs.anchors.weight_A)


def gives_distributions(outputs: TeacherStudentOutputs) -> bool:
    """Return whether the head predicts boxes as distributions over bins."""
    head = find_head(type(outputs.teacher.adapter.head).__name__)
    return head is not None and Need.DISTRIBUTIONS in head.gives
