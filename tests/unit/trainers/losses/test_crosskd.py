"""Prove CrossKD's feature alignment and box losses against the formulas."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.unit.trainers.losses import reference
from tests.unit.trainers.losses.draws import assert_equal, assert_same_with_gradient, boxes, normal, twins, weights
from trainers.distill.losses import (
    align_statistics,
    cross_box_distillation,
    cross_distribution_distillation,
    peak_probability,
)

ANCHORS, BINS = 8, 5
KINDS = ("giou", "iou", "log_iou")
PRECISIONS = pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-8), (torch.float32, 5e-4)], ids=["f64", "f32"]
)


@PRECISIONS
@pytest.mark.parametrize("shape", [(2, 3, 4, 3), (1, 2, 1, 2), (3, 1, 1, 1)])
def test_alignment_equals_the_loop_reference(
    shape: tuple[int, int, int, int], dtype: torch.dtype, tolerance: float
) -> None:
    mine, theirs = twins(normal(*shape, seed=1, scale=2.0) + 1.0, dtype)
    teacher = (normal(*shape, seed=2, scale=0.5) - 3.0).to(dtype)
    actual, wanted = align_statistics(mine, teacher), reference.aligned(theirs, teacher.double())
    assert actual.dtype == dtype
    assert_equal(actual, wanted, tolerance)
    if shape[0] * shape[2] * shape[3] > 2:  # of two values, alignment leaves the order only, and the gradient is 0
        slope = normal(*shape, seed=3)
        pulled = ((slope.to(dtype) * actual).sum(), (slope * wanted).sum())
        assert_same_with_gradient(*pulled, (mine, theirs), tolerance)


def test_alignments_gradient_is_that_of_its_values() -> None:
    student, teacher = normal(2, 2, 3, 2, seed=4).requires_grad_(), normal(2, 2, 3, 2, seed=5)
    assert torch.autograd.gradcheck(lambda s: align_statistics(s, teacher), student)


@given(seed=st.integers(0, 10_000), scale=st.floats(0.1, 10.0), shift=st.floats(-10.0, 10.0))
def test_aligned_features_have_the_teachers_statistics_whatever_the_students_were(
    seed: int, scale: float, shift: float
) -> None:
    student, teacher = normal(2, 3, 4, 3, seed=seed), 3.0 * normal(2, 3, 4, 3, seed=seed + 1) + 2.0
    aligned = align_statistics(student, teacher)
    for statistic in (Tensor.mean, Tensor.std):
        torch.testing.assert_close(statistic(aligned, (0, 2, 3)), statistic(teacher, (0, 2, 3)), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(align_statistics(scale * student + shift, teacher), aligned, rtol=1e-3, atol=1e-3)


def test_alignment_pulls_the_student_only() -> None:
    student, teacher = normal(2, 2, 3, 2, seed=4).requires_grad_(), normal(2, 2, 3, 2, seed=5).requires_grad_()
    slope = normal(2, 2, 3, 2, seed=6)
    reached = torch.autograd.grad(
        (slope * align_statistics(student, teacher)).sum(), (student, teacher), allow_unused=True
    )
    assert reached[0] is not None
    assert reached[1] is None


def test_a_single_value_becomes_the_teachers() -> None:
    student, teacher = normal(1, 3, 1, 1, seed=6).requires_grad_(), normal(1, 3, 1, 1, seed=7)
    aligned = align_statistics(student, teacher)
    assert torch.equal(aligned, teacher)
    assert not torch.autograd.grad(aligned.sum(), student)[0].any()


def test_a_constant_channel_stays_finite() -> None:
    student = torch.full((2, 3, 4, 4), 7.0).requires_grad_()
    aligned = align_statistics(student, normal(2, 3, 4, 4, seed=8).float())
    assert aligned.isfinite().all()
    assert torch.autograd.grad(aligned.square().sum(), student)[0].isfinite().all()


@PRECISIONS
def test_distributions_equal_the_loop_reference(dtype: torch.dtype, tolerance: float) -> None:
    mine, theirs = twins(normal(ANCHORS, 4, BINS, seed=9, scale=2.0), dtype)
    teacher, weight_A = normal(ANCHORS, 4, BINS, seed=10, scale=2.0).to(dtype), weights(ANCHORS).to(dtype)
    actual = cross_distribution_distillation(mine, teacher, weight_A)
    wanted = reference.cross_distribution(theirs, teacher.double(), weight_A.tolist())
    assert_same_with_gradient(actual, wanted, (mine, theirs), tolerance)


def test_the_distribution_loss_is_a_weighted_mean() -> None:
    student, teacher = normal(ANCHORS, 4, BINS, seed=9), normal(ANCHORS, 4, BINS, seed=10)
    weight_A = weights(ANCHORS)
    loss = cross_distribution_distillation(student, teacher, weight_A)
    assert_equal(cross_distribution_distillation(student, teacher, 0.25 * weight_A), loss, 1e-5)
    twice = [torch.cat([part, part]) for part in (student, teacher, weight_A)]
    assert_equal(cross_distribution_distillation(*twice), loss, 1e-5)


def test_no_weight_at_all_is_zero_and_connected() -> None:
    student = normal(ANCHORS, 4, BINS, seed=9).requires_grad_()
    loss = cross_distribution_distillation(student, normal(ANCHORS, 4, BINS, seed=10), torch.zeros(ANCHORS))
    assert loss.item() == 0.0
    assert not torch.autograd.grad(loss, student)[0].any()


@PRECISIONS
@pytest.mark.parametrize("kind", KINDS)
def test_boxes_equal_the_loop_reference(kind: str, dtype: torch.dtype, tolerance: float) -> None:
    mine, theirs = twins(boxes(24, seed=11), dtype)
    teacher, weight_A = boxes(24, seed=12).to(dtype), weights(24).to(dtype)
    actual = cross_box_distillation(mine, teacher, weight_A, torch.tensor(3.0), iou=kind)  # type: ignore[arg-type]
    wanted = reference.cross_boxes(theirs, teacher.double(), weight_A.tolist(), 3.0, kind)
    assert_same_with_gradient(actual, wanted, (mine, theirs), tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_box_gradients_are_those_of_the_values(kind: str) -> None:
    student, teacher, weight_A = boxes(12, seed=13).requires_grad_(), boxes(12, seed=14), weights(12)
    assert torch.autograd.gradcheck(
        lambda s: cross_box_distillation(s, teacher, weight_A, None, iou=kind),  # type: ignore[arg-type]
        student,
    )


def test_an_unknown_overlap_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\['giou', 'iou', 'log_iou'\], got 'diou'"):
        cross_box_distillation(boxes(2, 1), boxes(2, 2), torch.ones(2), 1.0, iou="diou")  # type: ignore[arg-type]


def test_the_weight_is_the_teachers_highest_score_where_anchors_count() -> None:
    teacher_AC = torch.tensor([[0.0, 2.0], [torch.nan, 1.0], [-1.0, -3.0]])
    expected = [reference.sigmoid(2.0), 0.0, reference.sigmoid(-1.0)]
    for weight_A in (torch.tensor([1.0, 0.0, 0.5]), torch.tensor([True, False, True])):
        assert peak_probability(teacher_AC, weight_A).tolist() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("first", "second"), [((2, 3, 4, 4), (2, 3, 4, 5)), ((3, 4), (3, 4))])
def test_features_that_disagree_are_refused(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(B, C, H, W\)"):
        align_statistics(torch.zeros(first), torch.zeros(second))
