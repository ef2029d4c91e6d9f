"""Run a student against a frozen teacher: the module that is trained, and the teacher that is not."""

from typing import Any

import torch
from mmdet.models.utils import unpack_gt_instances
from torch import Tensor, nn

from trainers.distill import bckd, gfl
from trainers.distill.views import Predictions, TargetCache
from trainers.errors import TrialError
from trainers.spec import Bckd, MethodSpec

Losses = dict[str, Tensor]


class FrozenTeacher:
    """Hold the teacher outside every module tree, so that no state dict, optimizer or DDP bucket can contain it."""

    def __init__(self, detector: Any) -> None:
        self._detector = detector.eval().requires_grad_(False)

    @property
    def detector(self) -> Any:
        """Return the detector, for its preprocessing and for tests."""
        return self._detector

    @torch.no_grad()
    def predict(self, inputs: Tensor) -> Predictions:
        """Return the teacher's predictions for preprocessed images (B, 3, H, W)."""
        head = self._detector.bbox_head
        return gfl.predictions(head, head(self._detector.extract_feat(inputs)))


class Distiller(nn.Module):
    """Compute all losses of one student: its detector's own, and the method's terms.

    The student is the only submodule. ``forward`` takes preprocessed images (B, 3, H, W), their data samples, the
    teacher's predictions (``None``: no distillation) and the batch's target cache, and returns named scalar losses;
    their sum is what is minimised.
    """

    def __init__(self, student: Any, method: MethodSpec) -> None:
        super().__init__()
        require_supported(student)
        self.student = student
        self.terms = bckd.terms(method) if isinstance(method, Bckd) else {}

    def forward(self, inputs: Tensor, samples: Any, teacher: Predictions | None, targets: TargetCache) -> Losses:
        """Return ``{"cls", "bbox", "dfl", terms...}``, scalars; gradient flows to the student only."""
        head = self.student.bbox_head
        outs = head(self.student.extract_feat(inputs))
        losses = self._detection_losses(head, outs, samples, targets)
        if self.terms and teacher is not None:
            mine = gfl.predictions(head, outs)
            require_same_anchors(mine, teacher)
            anchors = gfl.anchors(targets.value)
            losses |= {name: term(mine, teacher, anchors) for name, term in self.terms.items()}
        return losses

    @staticmethod
    def _detection_losses(head: Any, outs: Any, samples: Any, targets: TargetCache) -> Losses:
        with targets.serving(head):
            boxes, ignored, metas = unpack_gt_instances(samples)
            losses = head.loss_by_feat(*outs, boxes, metas, ignored)
        return {key.removeprefix("loss_"): _total(value) for key, value in losses.items()}


def require_supported(detector: Any) -> None:
    """Raise ``TrialError`` for a detector that no adapter knows."""
    head = type(getattr(detector, "bbox_head", None)).__name__
    if head != gfl.HEAD:
        raise TrialError(f"no adapter for detection head {head}; supported: {gfl.HEAD}")


def require_same_anchors(student: Predictions, teacher: Predictions) -> None:
    """Raise ``TrialError`` when the two heads predict for different anchors or classes."""
    if student.logits_AC.shape != teacher.logits_AC.shape:
        raise TrialError(
            "student and teacher predict different (anchors, classes): "
            f"{tuple(student.logits_AC.shape)} and {tuple(teacher.logits_AC.shape)}"
        )


def _total(value: Tensor | list[Tensor]) -> Tensor:
    return value if isinstance(value, Tensor) else torch.stack([level.sum() for level in value]).sum()
