"""Prove that the terms' fast paths compute, to the last bit, what plain operations under autograd do."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from trainers.distill.losses.disagreement import disagreement_entropy, peak_disagreement
from trainers.distill.losses.weighting import blank

SIZES = [(0, 5), (1, 1), (333, 81), (7003, 80), (40001, 4)]  # of several blocks, none of them whole


def plain(student_AC: Tensor, teacher_AC: Tensor, weight_A: Tensor, detach_weight: bool) -> Tensor:
    """Write the formula down."""
    gone_A1 = (weight_A == 0)[:, None]
    student_AC, teacher_AC = student_AC.masked_fill(gone_A1, 0.0), teacher_AC.masked_fill(gone_A1, 0.0)
    target_AC = teacher_AC.sigmoid()
    distance_AC = (target_AC - student_AC.sigmoid()).abs()
    if detach_weight:
        distance_AC = distance_AC.detach()
    return (distance_AC * F.binary_cross_entropy_with_logits(student_AC, target_AC, reduction="none")).sum(dim=1)


def draw(anchors: int, classes: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(anchors)
    student, teacher = (3 * torch.randn(anchors, classes, generator=generator).to(dtype) for _ in range(2))
    weight = torch.rand(anchors, generator=generator) * (torch.rand(anchors, generator=generator) > 0.2)
    student[:1] = teacher[:1]  # no disagreement: the gradient of an absolute value at 0
    student[weight == 0] = torch.nan
    return student.requires_grad_(), teacher, weight.to(dtype), torch.rand(anchors, generator=generator).to(dtype)


@pytest.fixture(autouse=True)
def one_thread() -> object:
    """Several threads cut a tensor where it is, and the last bits of a sigmoid depend on where."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("detach_weight", [False, True])
def test_loss_and_gradient_are_those_of_plain_operations(
    size: tuple[int, int], dtype: torch.dtype, detach_weight: bool
) -> None:
    student, teacher, weight, grad = draw(*size, dtype)
    expected = plain(student, teacher, weight, detach_weight)
    found, _ = disagreement_entropy(student, teacher, weight, detach_weight)
    assert torch.equal(found, expected)
    assert torch.equal(*(torch.autograd.grad(loss, student, grad)[0] for loss in (found, expected)))


@pytest.mark.parametrize("size", SIZES)
def test_the_peak_is_the_largest_distance_of_an_anchors_probabilities(size: tuple[int, int]) -> None:
    student, teacher, weight, _ = draw(*size, torch.float32)
    expected = (teacher.sigmoid() - student.sigmoid()).abs().amax(dim=1).detach()
    alone = peak_disagreement(student, teacher)
    beside = disagreement_entropy(student, teacher, weight, False)[1]
    kept = weight != 0
    assert torch.equal(alone[kept], expected[kept])
    assert torch.equal(beside, torch.where(kept, expected, 0.0))
    assert not beside.requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_blank_rows_are_zero_whatever_they_held_and_others_are_untouched(dtype: torch.dtype) -> None:
    values = torch.tensor([[1.5, -0.0], [torch.nan, torch.inf], [-torch.inf, 2.0]], dtype=dtype).requires_grad_()
    found = blank(values, torch.tensor([0.5, 0.0, 1.0]))
    assert found.tolist() == [[1.5, -0.0], [0.0, 0.0], [-float("inf"), 2.0]]
    (grad,) = torch.autograd.grad(found, values, torch.full_like(found, torch.nan))
    assert torch.isnan(grad[[0, 2]]).all()
    assert torch.equal(grad[1], torch.zeros(2, dtype=dtype))
