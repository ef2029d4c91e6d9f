"""Prove PKD's loss against the formula, and that it is the Pearson correlation it claims to be."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.unit.trainers.losses import reference
from tests.unit.trainers.losses.draws import assert_equal, assert_same_with_gradient, normal, twins
from trainers.distill.losses import pearson_distillation

SHAPES = [(2, 3, 4, 3), (2, 3, 2, 2), (2, 3, 1, 2)]


def pyramids(seed: int) -> tuple[list[Tensor], list[Tensor]]:
    """Draw two pyramids whose channels differ in mean and spread."""
    levels: tuple[list[Tensor], list[Tensor]] = ([], [])
    for i, shape in enumerate(SHAPES):
        for pyramid, offset in zip(levels, (0, 50), strict=True):
            spread, mean = normal(1, shape[1], 1, 1, seed=seed + offset + i).exp(), normal(1, shape[1], 1, 1, seed=i)
            pyramid.append(spread * normal(*shape, seed=seed + offset + 10 + i) + mean)
    return levels


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-4)], ids=["f64", "f32"])
@pytest.mark.parametrize("level", range(len(SHAPES)))
def test_a_level_equals_the_loop_reference(level: int, dtype: torch.dtype, tolerance: float) -> None:
    student, teacher = (levels[level] for levels in pyramids(1))
    mine, theirs = twins(student, dtype)
    teacher = teacher.to(dtype)
    wanted = reference.pkd([theirs], [teacher.double()])
    assert_same_with_gradient(pearson_distillation([mine], [teacher]), wanted, (mine, theirs), tolerance)


def test_levels_are_added() -> None:
    student, teacher = pyramids(2)
    wanted = sum(reference.pkd([s], [t]).item() for s, t in zip(student, teacher, strict=True))
    assert pearson_distillation(student, teacher).item() == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("size", [(3, 2), (8, 5), (4, 6), (1, 1)])
def test_the_students_map_is_resized_to_the_teachers(size: tuple[int, int]) -> None:
    mine, theirs = twins(normal(2, 2, 4, 3, seed=3), torch.float64)
    teacher = normal(2, 2, *size, seed=4)
    wanted = reference.pkd([theirs], [teacher])
    assert_same_with_gradient(pearson_distillation([mine], [teacher]), wanted, (mine, theirs), 1e-9)


def test_gradients_are_those_of_the_values() -> None:
    student, teacher = normal(2, 2, 3, 2, seed=5).requires_grad_(), normal(2, 2, 3, 2, seed=6)
    wide = normal(2, 2, 2, 4, seed=7)
    assert torch.autograd.gradcheck(lambda s: pearson_distillation([s, s], [teacher, wide]), student)


def test_the_loss_is_one_minus_the_correlation() -> None:
    student, teacher = normal(4, 3, 5, 5, seed=8), normal(4, 3, 5, 5, seed=9)
    student = student + teacher
    rows = [level.transpose(0, 1).flatten(1).numpy() for level in (student, teacher)]
    correlations = [np.corrcoef(mine, theirs)[0, 1] for mine, theirs in zip(*rows, strict=True)]
    count = rows[0].shape[1]
    wanted = (
        (1.0 - np.mean(correlations)) * (count - 1) / count
    )  # the deviation is unbiased, the mean of squares is not
    assert pearson_distillation([student], [teacher]).item() == pytest.approx(wanted, rel=1e-5)


@given(
    seed=st.integers(0, 10_000),
    scales=st.tuples(*[st.floats(0.1, 10.0)] * 3),
    shifts=st.tuples(*[st.floats(-10.0, 10.0)] * 3),
)
def test_scale_and_shift_of_a_channel_do_not_matter(
    seed: int, scales: tuple[float, ...], shifts: tuple[float, ...]
) -> None:
    student, teacher = normal(2, 3, 4, 3, seed=seed), normal(2, 3, 4, 3, seed=seed + 1)
    scale, shift = (torch.tensor(row, dtype=torch.float64).view(1, 3, 1, 1) for row in (scales, shifts))
    loss = pearson_distillation([student], [teacher])
    assert_equal(pearson_distillation([scale * student + shift], [teacher]), loss, 1e-4)
    assert_equal(pearson_distillation([student], [scale * teacher + shift]), loss, 1e-4)
    assert pearson_distillation([scale * teacher + shift], [teacher]).item() < 1e-8


def test_a_single_value_says_nothing() -> None:
    student = normal(1, 3, 1, 1, seed=10).requires_grad_()
    loss = pearson_distillation([student], [normal(1, 3, 1, 1, seed=11)])
    assert loss.item() == 0.0
    assert torch.autograd.grad(loss, student)[0].tolist() == torch.zeros(1, 3, 1, 1).tolist()


def test_constant_channels_stay_finite() -> None:
    student = torch.full((2, 3, 4, 4), 7.0).requires_grad_()
    teacher = normal(2, 3, 4, 4, seed=12).float()
    for loss in (pearson_distillation([student], [teacher]), pearson_distillation([student], [student.detach()])):
        assert torch.isfinite(loss)
        assert torch.autograd.grad(loss, student)[0].isfinite().all()


def test_a_level_without_elements_is_zero_and_connected() -> None:
    student = torch.zeros(0, 3, 4, 4, requires_grad=True)
    loss = pearson_distillation([student], [torch.zeros(0, 3, 4, 4)])
    assert loss.item() == 0.0
    assert torch.autograd.grad(loss, student)[0].shape == student.shape


MAP = torch.zeros(2, 3, 4, 4)


@pytest.mark.parametrize(
    ("student", "teacher", "message"),
    [
        ([], [], "at least 1: got 0 and 0"),
        ([MAP], [MAP, MAP], "got 1 and 2"),
        ([MAP], [MAP[:1]], r"\(2, 3, 4, 4\) and \(1, 3, 4, 4\)"),
        ([MAP], [MAP[:, :2]], r"\(2, 3, 4, 4\) and \(2, 2, 4, 4\)"),
        ([MAP[0]], [MAP[0]], r"\(3, 4, 4\)"),
    ],
)
def test_pyramids_that_disagree_are_refused(student: list[Tensor], teacher: list[Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pearson_distillation(student, teacher)
