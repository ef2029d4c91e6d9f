"""Apply LD's losses to the outputs of teacher and student."""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainers.distill.head_outputs import TeacherStudentOutputs
from trainers.distill.losses import (
    box_distribution_distillation,
    class_distribution_distillation,
    main_ld_weight,
    vlr_weight,
)
from trainers.schema.terms import KdMain, LdMain, LdVlr

MAIN_DIVISOR, VLR_DIVISOR = 4.0, 16.0  # the authors' own: sides of a box, and four times that for the region around


@dataclass(frozen=True)
class LdMainTerm:
    """Pull the student's box distributions to the teacher's on positives.

    Workers: a plain sum over this worker's positives, as the authors' code has it: with more images a worker the loss
    grows, with more workers (each with fewer images) it shrinks.
    """

    spec: LdMain

    def __call__(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return ``weight`` times Main LD."""
        return self.spec.scale * box_distribution_distillation(
            outputs.student.distributions_A4K,
            outputs.teacher.distributions_A4K,
            self.focus(outputs),
            temperature=self.spec.temperature,
            divisor=MAIN_DIVISOR,
        )

    def focus(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return each positive's highest class score by the student, (A,)."""
        return main_ld_weight(outputs.student.logits_AC, outputs.anchors.positive_A)


@dataclass(frozen=True)
class LdVlrTerm:
    """Pull the student's box distributions to the teacher's in the region around objects. Workers: as above."""

    spec: LdVlr

    def __call__(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return ``weight`` times VLR LD."""
        return self.spec.scale * box_distribution_distillation(
            outputs.student.distributions_A4K,
            outputs.teacher.distributions_A4K,
            self.focus(outputs),
            temperature=self.spec.temperature,
            divisor=VLR_DIVISOR,
        )

    @torch.no_grad()
    def focus(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return each region anchor's IoU with its object, 0 outside the region and on padding, (A,)."""
        head_outputs, images = outputs.student, len(outputs.objects)
        counts = head_outputs.level_sizes
        priors = head_outputs.priors_A4.unflatten(0, (images, -1))
        valid = (outputs.anchors.weight_A > 0).unflatten(0, (images, -1))
        each = zip(priors, outputs.objects, valid, strict=True)
        return torch.cat([vlr_weight(p, o, counts, valid_M=v, overlap=self.spec.overlap) for p, o, v in each])


@dataclass(frozen=True)
class KdMainTerm:
    """Pull the student's softmax over classes to the teacher's on positives.

    Workers: divided by this worker's positives of each level, so N workers average N such means.
    """

    spec: KdMain

    def __call__(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return ``weight`` times Main KD."""
        anchors = outputs.anchors
        return self.spec.scale * class_distribution_distillation(
            outputs.student.logits_AC,
            outputs.teacher.logits_AC,
            anchors.positive_A & (anchors.weight_A > 0),
            anchors.level_A,
            anchors.num_levels,
            temperature=self.spec.temperature,
        )

    def focus(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return 1 on positives, (A,)."""
        return outputs.anchors.positive_A * outputs.anchors.weight_A
