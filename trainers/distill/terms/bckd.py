"""Apply BCKD's two losses to the outputs of teacher and student."""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainers.distill.head_outputs import Anchors, HeadOutputs, TeacherStudentOutputs
from trainers.distill.losses import classification_and_peak, level_gate, localization_distillation
from trainers.schema.terms import BckdCls, BckdLoc, BckdSwitches


@dataclass(frozen=True)
class BckdClsTerm:
    """Pull the student's class probabilities to the teacher's, over all anchors.

    Workers: N is the head's own normaliser, a mean over workers where the head reduces it; the level gate looks at this
    worker's batch. N workers equal one where every level has a positive on every worker (or the gate is off).
    """

    spec: BckdCls

    def __call__(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return ``weight`` times the classification term."""
        loss, peak_A = classification_and_peak(
            scores(outputs.student, self.spec),
            scores(outputs.teacher, self.spec),
            anchor_weight(outputs, self.spec),
            normaliser(outputs.anchors, self.spec),
            gamma=self.spec.gamma,
            detach_weight=self.spec.detach_weight,
        )
        if peak_A is not None:
            outputs.shared["peak", *alike(self.spec)] = peak_A
        return self.spec.scale * loss

    @torch.no_grad()
    def focus(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return each anchor's disagreement, summed over classes, times its weight, (A,)."""
        student_AC, teacher_AC = scores(outputs.student, self.spec), scores(outputs.teacher, self.spec)
        disagreement_A = (teacher_AC.sigmoid() - student_AC.sigmoid()).abs().pow(self.spec.gamma).sum(1)
        return disagreement_A * anchor_weight(outputs, self.spec)


@dataclass(frozen=True)
class BckdLocTerm:
    """Pull the student's boxes onto the teacher's, weighted by the disagreement about classes. Workers: as above."""

    spec: BckdLoc

    def __call__(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return ``weight`` times the localization term."""
        loss = localization_distillation(
            outputs.student.boxes_A4,
            outputs.teacher.boxes_A4,
            scores(outputs.student, self.spec),
            scores(outputs.teacher, self.spec),
            anchor_weight(outputs, self.spec),
            normaliser(outputs.anchors, self.spec),
            iou=self.spec.iou,
            peak_A=outputs.shared.get(("peak", *alike(self.spec))),
        )
        return self.spec.scale * loss

    @torch.no_grad()
    def focus(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return each anchor's largest disagreement over classes, times its weight, (A,)."""
        student_AC, teacher_AC = scores(outputs.student, self.spec), scores(outputs.teacher, self.spec)
        return (teacher_AC.sigmoid() - student_AC.sigmoid()).abs().amax(1) * anchor_weight(outputs, self.spec)


def scores(head_outputs: HeadOutputs, spec: BckdSwitches) -> Tensor:
    """Return the logits that ``spec.score`` distils, (A, C), or (A, C + 1) where the objectness is one class more."""
    if spec.score == "joint":
        return head_outputs.logits_AC
    if spec.score == "weighted":
        return head_outputs.class_logits_AC
    return torch.cat([head_outputs.class_logits_AC, head_outputs.objectness_A[:, None]], 1)


def anchor_weight(outputs: TeacherStudentOutputs, spec: BckdSwitches) -> Tensor:
    """Return each anchor's weight: assignment, level gate, and the teacher's objectness where ``spec.score`` says so."""
    key = ("weight", *alike(spec))
    if key not in outputs.shared:
        outputs.shared[key] = _anchor_weight(outputs, spec)
    return outputs.shared[key]


def alike(spec: BckdSwitches) -> tuple[str, str]:
    """Return the switches that say which anchors and which scores a term looks at."""
    return spec.score, spec.level_gate


@torch.no_grad()
def _anchor_weight(outputs: TeacherStudentOutputs, spec: BckdSwitches) -> Tensor:
    anchors = outputs.anchors
    weight_A = anchors.weight_A
    if spec.level_gate == "has_positives":
        weight_A = weight_A * level_gate(anchors.positive_A, anchors.level_A, anchors.num_levels)
    if spec.score == "weighted":
        weight_A = weight_A * outputs.teacher.objectness_A.detach().sigmoid()
    return weight_A


def normaliser(anchors: Anchors, spec: BckdSwitches) -> Tensor | None:
    """Return the loss's divisor, ``None`` for the plain sum."""
    return anchors.normaliser if spec.normaliser == "positives" else None
