"""Define the interface of a distillation term."""

from typing import Any, Protocol

from torch import Tensor

from trainers.distill.head_outputs import TeacherStudentOutputs


class Term(Protocol):
    """Compute one term of a method over one batch; holds no state of a batch, so one term may serve many at once.

    A term that trains something beside the student has it, a module in float32, as ``connector``; see
    ``trainers.distill.terms.pyramid``. Others need no such attribute.
    """

    @property
    def spec(self) -> Any:
        """Return the section that describes the term."""

    def __call__(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return the loss times ``spec.scale``, a scalar; gradient flows to student and connector only."""

    def focus(self, outputs: TeacherStudentOutputs) -> Tensor | None:
        """Return how much each anchor weighs in the loss (A,), without graph; ``None`` for terms without anchors."""
