"""Measure each distillation term's effect on the student, on one batch: gradient shares, and the spread of weights."""

from collections.abc import Mapping

import torch
from torch import Tensor

from trainers.distill.head_outputs import TeacherStudentOutputs
from trainers.distill.terms.base import Term

FOCUS = 0.9  # of the weight
DETECTION = "detection"


def probe(
    outputs: TeacherStudentOutputs,
    terms: Mapping[str, Term],
    detection: Mapping[str, Tensor],
    distilled: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """Return telemetry by metric name, scalars without graph; leaves losses and gradients untouched.

    ``grad_share/<term>`` is the norm of the term's gradient with respect to the student's pyramid features, as a share
    of the sum of these norms over all terms and the detector's own loss (``grad_share/detection``).
    ``focus/<term>`` is the smallest fraction of this worker's anchors that carries nine tenths of the term's weight.
    """
    losses = {DETECTION: torch.stack(list(detection.values())).sum(), **distilled}
    norms = {name: gradient_norm(loss, outputs.student.features) for name, loss in losses.items()}
    total = torch.stack(list(norms.values())).sum().clamp(min=torch.finfo(torch.float32).tiny)
    found = {f"grad_share/{name}": norm / total for name, norm in norms.items()}
    for name, term in terms.items():
        weight_A = term.focus(outputs)
        if weight_A is not None:
            found[f"focus/{name}"] = concentration(weight_A.detach())
    return found


def gradient_norm(loss: Tensor, features: list[Tensor]) -> Tensor:
    """Return the 2-norm of the gradient of ``loss`` with respect to all ``features`` together."""
    if not loss.requires_grad:
        return loss.new_zeros((), dtype=torch.float32)
    inputs = [level for level in features if level.requires_grad]
    gradients: tuple[Tensor | None, ...] = torch.autograd.grad(loss, inputs, retain_graph=True, allow_unused=True)
    squares = [gradient.float().square().sum() for gradient in gradients if gradient is not None]
    return torch.stack(squares).sum().sqrt() if squares else loss.new_zeros((), dtype=torch.float32)


def concentration(weight_A: Tensor, share: float = FOCUS) -> Tensor:
    """Return the smallest fraction of anchors, 0 to 1, whose weights sum to ``share`` of all weight; 0 without weight."""
    ordered = weight_A.double().sort(descending=True).values
    reached = ordered.cumsum(0)
    needed = (reached < share * ordered.sum()).sum() + 1
    return torch.where(ordered.sum() > 0, needed / max(len(ordered), 1), 0.0).float()
