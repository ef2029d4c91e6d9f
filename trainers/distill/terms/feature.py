"""Apply score-weighted feature distillation to the outputs of teacher and student."""

from typing import Any

import torch
from torch import Tensor, nn

from trainers.distill.connectors import Pyramids
from trainers.distill.head_outputs import HeadOutputs, TeacherStudentOutputs
from trainers.distill.losses import score_weighted_distillation
from trainers.distill.terms.pyramid import PyramidTerm, projecting


class FeatureTerm(PyramidTerm):
    """Pull the student's projected pyramid features to the teacher's where the teacher's class scores are high.

    Workers: each divides by the scores of its own images, so N workers average N such means.
    """

    @classmethod
    def parts(cls, spec: Any, pyramids: Pyramids) -> dict[str, nn.Module]:
        """Return the projectors, between equal channels too."""
        return projecting(spec, pyramids, always=True)

    def __call__(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return the weighted loss of the finest ``levels`` levels (all, where there are fewer)."""
        student, teacher = self.levels(outputs)
        self.part("projectors")  # refuse to go without
        scores = score_maps(outputs.teacher)
        chosen = range(len(teacher)) if self.pairs is None else [theirs for _, theirs in self.pairs]
        return self.spec.scale * score_weighted_distillation(student, teacher, [scores[level] for level in chosen])


@torch.no_grad()
def score_maps(teacher: HeadOutputs) -> list[Tensor]:
    """Return the highest class score of any anchor at each place, a list over levels of (B, 1, H, W)."""
    sizes = [(level.shape[2], level.shape[3]) for level in teacher.features]
    images = len(teacher.features[0])
    score_BA = teacher.logits_AC.amax(1).sigmoid().unflatten(0, (images, -1))
    levels = score_BA.split(teacher.level_sizes, dim=1)
    found = zip(levels, sizes, strict=True)
    return [level.reshape(images, *size, -1).amax(3)[:, None] for level, size in found]
