"""Run a student against a frozen teacher: the module that is trained, and the teacher that is not."""

from typing import Any

import torch
from mmdet.models.utils import unpack_gt_instances
from torch import Tensor, nn

from trainers.distill.adapters.base import Adapter, TargetCache, adapter_for
from trainers.distill.head_outputs import HeadOutputs, TeacherStudentOutputs
from trainers.distill.probe import probe
from trainers.distill.terms import terms
from trainers.errors import TrialError
from trainers.formats.weights import Coverage
from trainers.schema import MethodSpec
from trainers.schema.method import terms_of
from trainers.schema.schedule import Precision
from trainers.schema.terms import Need, TapPoint

Losses = dict[str, Tensor]


class FrozenTeacher:
    """Hold the teacher outside every module tree, so that no state dict, optimizer or DDP bucket can contain it."""

    def __init__(self, detector: Any, loaded: Coverage | None = None) -> None:
        """Freeze ``detector``; ``loaded`` says which of its tensors a checkpoint has filled."""
        self._detector, self.loaded = detector.eval().requires_grad_(False), loaded
        self._adapter = adapter_for(detector)
        self._needs: frozenset[Need] | None = None  # everything, until a method says what it needs

    @property
    def detector(self) -> Any:
        """Return the detector, for its preprocessing and for tests."""
        return self._detector

    @property
    def adapter(self) -> Adapter:
        """Return the adapter of the teacher's head."""
        return self._adapter

    def serve(self, method: MethodSpec) -> None:
        """Prepare the outputs that ``method`` needs, and none that no method so far needs."""
        needs = frozenset(need for term in terms_of(method) for need in term.needs)
        self._needs = needs if self._needs is None else self._needs | needs
        for point in tapped(method):
            self._adapter.tap(point)

    @torch.inference_mode()
    def forward(self, inputs: Tensor, precision: Precision = "fp32") -> HeadOutputs:
        """Return the teacher's outputs for preprocessed images (B, 3, H, W); its head runs only if a method needs it.

        Its features and raw outputs cannot be saved for a backward pass; all that the head outputs make of them can.
        """
        return self._adapter.forward(inputs, self._needs, precision)


class Distiller(nn.Module):
    """Compute all losses of one student: its detector's own, and the method's terms.

    The student is the only submodule. ``forward`` takes preprocessed images (B, 3, H, W), their data samples, the
    teacher's outputs (``None``: no distillation) and the batch's target cache, and returns named scalar losses; training
    minimises their sum. The student's network runs in ``precision``, the losses in float32. ``outputs`` is the last batch
    as both detectors saw it, ``telemetry`` the last probe's result.
    """

    def __init__(self, student: Any, method: MethodSpec, precision: Precision = "fp32") -> None:
        super().__init__()
        self.student, self._precision = student, precision
        self.adapter = adapter_for(student)
        self.terms = terms(method)
        self.outputs: TeacherStudentOutputs | None = None
        self.head_outputs: HeadOutputs | None = None
        self.telemetry: dict[str, Tensor] = {}
        for point in tapped(method):
            self.adapter.tap(point)

    def forward(
        self, inputs: Tensor, samples: Any, teacher: HeadOutputs | None, cache: TargetCache, probing: bool = False
    ) -> Losses:
        """Return the detector's losses and the terms', scalars; gradient flows to the student only."""
        head_outputs = self.adapter.forward(inputs, precision=self._precision)
        targets = cache.of(self.adapter)
        detection = self.adapter.losses(head_outputs, samples, targets)
        self.head_outputs, self.outputs = head_outputs, None
        if not self.terms or teacher is None:
            return detection
        objects, _, metas = unpack_gt_instances(samples)
        boxes = [found.bboxes for found in objects]
        self.outputs = outputs = TeacherStudentOutputs(
            head_outputs, teacher, lambda: self.adapter.anchors(head_outputs, targets), metas, boxes
        )
        require_same_anchors(outputs, self.needs())
        distilled = {name: term(outputs) for name, term in self.terms.items()}
        if probing:
            self.telemetry = probe(outputs, self.terms, detection, distilled)
        return detection | distilled

    def needs(self) -> frozenset[Need]:
        """Return everything that the terms in force need."""
        return frozenset(need for term in self.terms.values() for need in term.spec.needs)


def tapped(method: MethodSpec) -> set[TapPoint]:
    """Return at which places a method reads the heads' features."""
    return {term.point for term in terms_of(method) if term.point is not None and term.weight > 0}


def require_same_anchors(outputs: TeacherStudentOutputs, needs: frozenset[Need]) -> None:
    """Raise ``TrialError`` when terms compare anchor by anchor and the heads predict for different anchors or classes."""
    if needs <= {Need.FEATURES}:
        return
    student, teacher = outputs.student.logits_AC.shape, outputs.teacher.logits_AC.shape
    if student != teacher:
        raise TrialError(
            f"student and teacher predict different (anchors, classes): {tuple(student)} and {tuple(teacher)}"
        )
