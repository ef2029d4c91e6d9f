"""Define the interface of a distillation term."""

from typing import Any, Protocol

from torch import Tensor

from trainers.distill.head_outputs import TeacherStudentOutputs


class Term(Protocol):
    """Compute one term of a method over one batch; holds no state, so one term may serve many batches at once."""

    @property
    def spec(self) -> Any:
        """Return the section that describes the term."""

    def __call__(self, outputs: TeacherStudentOutputs) -> Tensor:
        """Return the weighted loss, a scalar; gradient flows to the student only."""

    def focus(self, outputs: TeacherStudentOutputs) -> Tensor | None:
        """Return how much each anchor weighs in the loss (A,), without graph; ``None`` for terms without anchors."""
