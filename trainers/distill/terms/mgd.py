"""Apply MGD's loss to the outputs of teacher and student."""

from typing import Any

from torch import Tensor, nn

from trainers.data.seeding import derive
from trainers.distill.connectors import Pyramids, generator
from trainers.distill.head_outputs import TeacherStudentOutputs
from trainers.distill.losses import kept_places, masked_generative_distillation
from trainers.distill.terms.pyramid import PyramidTerm, projecting


class MgdTerm(PyramidTerm):
    """Let two convolutions make the teacher's pyramid features from a part of the student's.

    The hidden places are a function of the seed, the step, the level and the image: they depend neither on the other
    students of this process nor on the worker that has the image. Workers: a mean over images, so N workers with as many images
    each, of one size, have the loss of one.
    """

    @classmethod
    def parts(cls, spec: Any, pyramids: Pyramids) -> dict[str, nn.Module]:
        """Return the generators, and projectors where channels differ."""
        generators = pyramids.of_each_level(spec.kind, "generators", spec.levels, generator)
        return projecting(spec, pyramids) | {"generators": generators}

    def __call__(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return the weighted loss of the finest ``levels`` levels (all, where there are fewer)."""
        student, teacher = self.levels(outputs)
        kept = [self.kept(outputs, number, level) for number, level in enumerate(teacher)]
        return self.spec.scale * masked_generative_distillation(student, teacher, kept, self.part("generators"))

    def kept(self, outputs: TeacherStudentOutputs, number: int, level_BCHW: Tensor) -> Tensor:
        """Return which places of a level's maps are kept, bool (B, 1, H, W)."""
        names = [meta.get("img_id", place) for place, meta in enumerate(outputs.metas)]
        seed = 0 if self.pyramids is None else self.pyramids.seed
        seeds = [derive(seed, "mask", outputs.step, number, name) for name in names]
        size = level_BCHW.shape[2], level_BCHW.shape[3]
        return kept_places(seeds, size, self.spec.mask_ratio).to(level_BCHW.device, non_blocking=True)
