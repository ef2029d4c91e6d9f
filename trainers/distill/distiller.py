"""Run a student against a frozen teacher: the module that is trained, and the teacher that is not."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from mmdet.models.utils import unpack_gt_instances
from torch import Tensor, nn

from trainers.distill.adapters.base import Adapter, TargetCache, adapter_for
from trainers.distill.connectors import Pyramids, Shape, pyramid_shapes
from trainers.distill.head_outputs import HeadOutputs, TeacherStudentOutputs
from trainers.distill.probe import probe
from trainers.distill.term_weights import TermWeights
from trainers.distill.terms import Term, terms
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

    @cached_property
    def pyramid(self) -> tuple[Shape, ...]:
        """Return the shapes of the teacher's pyramid."""
        return pyramid_shapes(self._detector)

    def serve(self, method: MethodSpec) -> None:
        """Prepare the outputs that ``method`` needs, and none that no method so far needs."""
        needs = frozenset(need for term in terms_of(method) for need in term.teacher_needs)
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

    The submodules are the student and the terms' connectors, which are made between the pyramids of ``student`` and
    ``teacher`` and begin as a function of ``seed``. ``forward`` takes preprocessed images (B, 3, H, W), their data samples,
    the teacher's outputs (``None``: no distillation) and the batch's target cache, and returns named scalar losses;
    training minimises their sum. The student's network runs in ``precision``, the losses in float32. ``outputs`` is the
    last batch as both detectors saw it, ``telemetry`` the last probe's result, ``weights`` the terms' weights.
    """

    def __init__(
        self,
        student: Any,
        method: MethodSpec,
        precision: Precision = "fp32",
        teacher: FrozenTeacher | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.student, self._precision = student, precision
        self.adapter = adapter_for(student)
        self.terms = terms(method, pyramids_of(method, student, teacher, seed))
        connectors = {name: getattr(term, "connector", None) for name, term in self.terms.items()}
        self.connectors = nn.ModuleDict({name: module for name, module in connectors.items() if module is not None})
        self.weights = TermWeights(self.terms)
        self._step = 0
        self.outputs: TeacherStudentOutputs | None = None
        self.head_outputs: HeadOutputs | None = None
        self.telemetry: dict[str, Tensor] = {}
        for point in tapped(method):
            self.adapter.tap(point)

    @property
    def trained(self) -> nn.Module:
        """Return all that the optimizer moves: the student alone where no term has a connector."""
        return self if len(self.connectors) else self.student

    @property
    def rests(self) -> bool:
        """Tell whether a connector gets no gradient in some steps, because its term does not act in them."""
        return not all(map(self.weights.acts_always, self.connectors))

    def begin(self, step: int) -> None:
        """Turn to a step, counted from 0: the terms' weights and random masks are functions of it."""
        self._step, self.telemetry = step, {}
        self.weights.begin(step)

    def forward(
        self, inputs: Tensor, samples: Any, teacher: HeadOutputs | None, cache: TargetCache, probing: bool = False
    ) -> Losses:
        """Return the detector's losses and the terms', scalars; gradient flows to the student only."""
        head_outputs = self.adapter.forward(inputs, precision=self._precision)
        targets = cache.of(self.adapter)
        detection = self.adapter.losses(head_outputs, samples, targets)
        self.head_outputs, self.outputs = head_outputs, None
        acting = self.weights.acting()
        if not acting or teacher is None:
            return detection
        objects, _, metas = unpack_gt_instances(samples)
        boxes = [found.bboxes for found in objects]
        self.outputs = outputs = TeacherStudentOutputs(
            head_outputs,
            teacher,
            lambda: self.adapter.anchors(head_outputs, targets),
            metas,
            boxes,
            size=(inputs.shape[-2], inputs.shape[-1]),
            step=self._step,
        )
        active = {name: self.terms[name] for name in acting}
        require_same_anchors(outputs, needs(active))
        raw = {name: term(outputs) for name, term in active.items()}
        distilled = self.weights.weigh(head_outputs.features, detection, raw)
        if probing:
            self.telemetry = probe(outputs, active, detection, distilled)
        return detection | distilled


def pyramids_of(method: MethodSpec, student: Any, teacher: FrozenTeacher | None, seed: int) -> Pyramids | None:
    """Return the pyramids that a method's terms compare; ``None`` where none does, or there is no teacher."""
    if teacher is None or not any(Need.FEATURES in term.needs for term in terms_of(method) if term.counts):
        return None
    return Pyramids(pyramid_shapes(student), teacher.pyramid, seed)


def needs(active: Mapping[str, Term]) -> frozenset[Need]:
    """Return everything that terms ask of student and teacher alike."""
    return frozenset(need for term in active.values() for need in term.spec.needs)


def tapped(method: MethodSpec) -> set[TapPoint]:
    """Return at which places a method reads the heads' features."""
    return {term.point for term in terms_of(method) if term.point is not None and term.counts}


def require_same_anchors(outputs: TeacherStudentOutputs, asked: frozenset[Need]) -> None:
    """Raise ``TrialError`` when terms compare anchor by anchor and the heads predict for different anchors or classes."""
    if asked <= {Need.FEATURES}:
        return
    student, teacher = outputs.student.logits_AC.shape, outputs.teacher.logits_AC.shape
    if student != teacher:
        raise TrialError(
            f"student and teacher predict different (anchors, classes): {tuple(student)} and {tuple(teacher)}"
        )
