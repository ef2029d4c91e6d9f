"""Compute how far two sets of class probabilities are apart, in one pass over memory and with a gradient by hand.

The same sums as plain operations under autograd, to the last bit, but rows are handled block by block: a block stays in a
CPU's cache from its logits to its loss, where whole tensors, (A, C) each, would travel to memory and back a dozen times.
On a GPU there is one block. Between the passes two tensors of the logits' size are kept beside the logits; autograd keeps six.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from trainers.distill.losses.weighting import kept

_BLOCK = 1 << 17  # about how many elements a block holds for each CPU thread
_ALIGNMENT = 64  # rows: a block that ends within a vector register would differ from the whole in its last bits


def disagreement_entropy(
    student_AC: Tensor, teacher_AC: Tensor, weight_A: Tensor, detach_weight: bool
) -> tuple[Tensor, Tensor]:
    """Return ``sum_j |p_t - p_s|_ij * BCEWithLogits(s_ij, p_t_ij)`` and ``max_j |p_t - p_s|_ij``, both (A,).

    ``p`` is the logits' sigmoid. Logits are of one dtype, float32 or wider; rows of weight 0 count as logits of 0.
    Gradient flows from the sum to ``student_AC``, once (there is no second derivative): through the entropy's logit, and
    through ``|p_t - p_s|`` unless ``detach_weight``. It is exactly 0 where the weight is 0. The maximum has no graph.
    """
    found: tuple[Tensor, Tensor] = _Entropy.apply(student_AC, teacher_AC.detach(), weight_A.detach(), detach_weight)
    return found


@torch.no_grad()
def peak_disagreement(student_AC: Tensor, teacher_AC: Tensor) -> Tensor:
    """Return ``max_j |p_t - p_s|_ij``, (A,), without graph; logits are of one dtype, float32 or wider."""
    peaks = [
        (teacher_AC[rows].sigmoid() - student_AC[rows].sigmoid()).abs_().amax(dim=1) for rows in _blocks(student_AC)
    ]
    return torch.cat(peaks)


class _Entropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, student_AC: Tensor, teacher_AC: Tensor, weight_A: Tensor, detach_weight: bool
    ) -> tuple[Tensor, Tensor]:
        loss_A, peak_A = (student_AC.new_empty(len(student_AC)) for _ in range(2))
        gap_AC, entropy_AC = torch.empty_like(student_AC), torch.empty_like(student_AC)
        for rows in _blocks(student_AC):
            kept_A = weight_A[rows] != 0
            student, target = kept(student_AC[rows], kept_A), kept(teacher_AC[rows], kept_A).sigmoid_()
            size = torch.sub(target, student.sigmoid(), out=gap_AC[rows]).abs()
            # in the order in which torch's own binary_cross_entropy_with_logits computes it
            entropy = torch.mul(torch.rsub(target, 1.0), student, out=entropy_AC[rows]).sub_(F.logsigmoid(student))
            torch.amax(size, dim=1, out=peak_A[rows])
            torch.sum(size.mul_(entropy), dim=1, out=loss_A[rows])
        ctx.save_for_backward(student_AC, gap_AC, entropy_AC, weight_A)
        ctx.detach_weight = detach_weight
        ctx.mark_non_differentiable(peak_A)
        return loss_A, peak_A

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_A: Tensor, _: Tensor) -> tuple[Tensor, None, None, None]:
        student_AC, gap_AC, entropy_AC, weight_A = ctx.saved_tensors
        grad_AC = torch.empty_like(gap_AC)
        for rows in _blocks(gap_AC):
            lead, grad_A1 = gap_AC[rows].neg(), grad_A[rows, None]  # p_s - p_t
            grad = torch.mul(lead.abs().mul_(grad_A1), lead, out=grad_AC[rows])
            if not ctx.detach_weight:
                through_weight = (entropy_AC[rows] * grad_A1).mul_(lead.sgn_())
                grad += torch.ops.aten.sigmoid_backward(through_weight, student_AC[rows].sigmoid())
            kept(grad, weight_A[rows] != 0, out=grad)
        return grad_AC, None, None, None


def _blocks(values_AC: Tensor) -> Iterator[slice]:
    """Yield slices of rows: all at once on a GPU, as many as stay in the cache on a CPU."""
    rows, classes = values_AC.shape
    alike = _BLOCK * torch.get_num_threads() // (classes * _ALIGNMENT)
    step = max(1, rows) if values_AC.is_cuda else max(1, alike) * _ALIGNMENT
    return (slice(first, first + step) for first in range(0, max(1, rows), step))
