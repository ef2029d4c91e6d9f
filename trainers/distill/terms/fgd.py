"""Apply FGD's losses to the outputs of teacher and student."""

from typing import Any

import torch
from torch import Tensor, nn

from trainers.distill.connectors import Pyramids, context_block
from trainers.distill.head_outputs import TeacherStudentOutputs
from trainers.distill.losses import FocalWeights, focal_distillation, global_distillation
from trainers.distill.losses.maps import matched
from trainers.distill.terms.pyramid import PyramidTerm, projecting


class FgdTerm(PyramidTerm):
    """Pull the student's pyramid features to the teacher's, weighed by objects and attention, and their context.

    Each side's context block is trained beside the student. Workers: a mean over images, so N workers with as many
    images each, of one size, have the loss of one.
    """

    @classmethod
    def parts(cls, spec: Any, pyramids: Pyramids) -> dict[str, nn.Module]:
        """Return a context block for each side and level, and projectors where channels differ."""
        sides = ("student", "teacher")
        blocks = {side: pyramids.of_each_level(spec.kind, side, spec.levels, context_block) for side in sides}
        return projecting(spec, pyramids) | blocks

    def __call__(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return the weighted loss of the finest ``levels`` levels (all, where there are fewer)."""
        objects, contexts = shares(outputs), zip(self.part("student"), self.part("teacher"), strict=True)
        levels = zip(*self.levels(outputs), contexts, strict=True)
        return self.spec.scale * torch.stack([self._level(*level, objects) for level in levels]).sum()

    def _level(
        self, student: Tensor, teacher: Tensor, contexts: tuple[nn.Module, nn.Module], objects: list[Tensor]
    ) -> Tensor:
        spec = self.spec
        weights = FocalWeights(spec.foreground, spec.background, spec.attention)
        focal = focal_distillation(student, teacher, objects, weights, temperature=spec.temperature)
        student, teacher = matched(student, teacher.clone())  # a frozen teacher's own maps cannot be kept for backward
        return focal + spec.relation * global_distillation(contexts[0](student), contexts[1](teacher))


def shares(outputs: TeacherStudentOutputs) -> list[Tensor]:
    """Return each image's objects, (G, 4), as shares of the padded image's width and height."""
    height, width = outputs.size
    return [
        torch.stack([boxes_G4[:, 0::2] / width, boxes_G4[:, 1::2] / height], 2).flatten(1)
        for boxes_G4 in outputs.objects
    ]
