"""Apply GID's response loss to the outputs of teacher and student."""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainers.distill.head_outputs import TeacherStudentOutputs
from trainers.distill.losses import general_instances, gid_response
from trainers.schema.terms import GidResponse


@dataclass(frozen=True)
class GidResponseTerm:
    """Pull the student's responses to the teacher's on anchors matched to the boxes where the two disagree most.

    Workers: divided by this worker's own number of matched anchors, so N workers average N such means. Choosing the
    boxes reads values on the host, once a batch.
    """

    spec: GidResponse

    def __call__(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return ``weight`` times the response loss."""
        student, teacher = outputs.student, outputs.teacher
        return self.spec.scale * gid_response(
            student.logits_AC,
            teacher.logits_AC,
            student.deltas_A4,
            teacher.deltas_A4,
            self.matched(outputs),
            cls_weight=self.spec.cls_weight,
            box_weight=self.spec.box_weight,
        )

    @torch.no_grad()
    def matched(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return which anchors (bool, (A,)) the student's own assigner gives to the general instances."""
        student, teacher = outputs.student, outputs.teacher
        strides_A1 = student.strides_A[:, None]
        boxes = general_instances(
            student.logits_AC,
            teacher.logits_AC,
            student.boxes_A4 * strides_A1,
            teacher.boxes_A4 * strides_A1,
            len(outputs.metas),
            image_sizes=[meta["img_shape"][:2] for meta in outputs.metas],
            top_k=self.spec.top_k,
            iou=self.spec.iou,
            min_side=self.spec.min_side,
            gap=self.spec.gap,
        )
        return student.adapter.match(student, boxes, outputs.metas)

    def focus(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return 1 on matched anchors, (A,)."""
        return self.matched(outputs).float()
