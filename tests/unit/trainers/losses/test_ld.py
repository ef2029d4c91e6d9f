"""Prove LD's losses on box distributions and classes against the formulas."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.unit.trainers.losses import reference
from tests.unit.trainers.losses.draws import assert_equal, assert_same_with_gradient, normal, twins, weights
from trainers.distill.losses import (
    box_distribution_distillation,
    class_distribution_distillation,
    main_ld_weight,
)

ANCHORS, BINS, CLASSES, LEVELS = 8, 5, 3, 4
LEVEL_A = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3])
POSITIVE_A = torch.tensor([True, False, True, True, False, False, True, True])  # none on level 2
PRECISIONS = pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-4)], ids=["f64", "f32"]
)


@PRECISIONS
@pytest.mark.parametrize("bins", [1, 2, BINS])
@pytest.mark.parametrize(("temperature", "divisor"), [(10.0, 4.0), (1.0, 16.0), (0.5, 1.0)])
def test_box_distributions_equal_the_loop_reference(
    bins: int, temperature: float, divisor: float, dtype: torch.dtype, tolerance: float
) -> None:
    mine, theirs = twins(normal(ANCHORS, 4, bins, seed=1, scale=3.0), dtype)
    teacher, weight_A = normal(ANCHORS, 4, bins, seed=2, scale=3.0).to(dtype), weights(ANCHORS).to(dtype)
    actual = box_distribution_distillation(mine, teacher, weight_A, temperature=temperature, divisor=divisor)
    wanted = reference.ld(theirs, teacher.double(), weight_A.tolist(), temperature, divisor)
    if bins == 1:  # one bin has probability 1
        assert actual.item() == 0.0
        assert not torch.autograd.grad(actual, mine)[0].any()
    else:
        assert_same_with_gradient(actual, wanted, (mine, theirs), tolerance)


@PRECISIONS
@pytest.mark.parametrize("temperature", [2.0, 1.0])
def test_classes_equal_the_loop_reference(temperature: float, dtype: torch.dtype, tolerance: float) -> None:
    mine, theirs = twins(normal(ANCHORS, CLASSES, seed=3, scale=3.0), dtype)
    teacher = normal(ANCHORS, CLASSES, seed=4, scale=3.0).to(dtype)
    actual = class_distribution_distillation(mine, teacher, POSITIVE_A, LEVEL_A, LEVELS, temperature=temperature)
    wanted = reference.main_kd(theirs, teacher.double(), POSITIVE_A.tolist(), LEVEL_A.tolist(), temperature)
    assert_same_with_gradient(actual, wanted, (mine, theirs), tolerance)


def test_one_class_has_nothing_to_distil() -> None:
    student = normal(ANCHORS, 1, seed=3).requires_grad_()
    loss = class_distribution_distillation(student, normal(ANCHORS, 1, seed=4), POSITIVE_A, LEVEL_A, LEVELS)
    assert loss.item() == 0.0
    assert not torch.autograd.grad(loss, student)[0].any()


def test_each_level_counts_alike_however_many_positives_it_has() -> None:
    # Anchors are equal within a level, so that a level's mean is any one anchor's value.
    student = normal(LEVELS, CLASSES, seed=5)[LEVEL_A]
    teacher = normal(LEVELS, CLASSES, seed=6)[LEVEL_A]
    levels = [0, 1, 3]  # those with positives
    firsts = [LEVEL_A.tolist().index(level) for level in levels]
    wanted = sum(
        float(class_distribution_distillation(student[i, None], teacher[i, None], torch.tensor([True]), LEVEL_A[:1], 1))
        for i in firsts
    )
    actual = class_distribution_distillation(student, teacher, POSITIVE_A, LEVEL_A, LEVELS)
    assert actual.item() == pytest.approx(wanted, rel=1e-12)


def test_main_ld_weighs_positives_by_the_students_highest_score() -> None:
    student_AC = torch.tensor([[0.0, 2.0], [5.0, 5.0], [-1.0, -3.0], [torch.nan, 1.0]], requires_grad=True)
    weight_A = main_ld_weight(student_AC, torch.tensor([True, False, True, False]))
    expected = [reference.sigmoid(2.0), 0.0, reference.sigmoid(-1.0), 0.0]
    assert weight_A.tolist() == pytest.approx(expected, rel=1e-6)
    assert not weight_A.requires_grad


@pytest.mark.parametrize("temperature", [1.0, 10.0])
def test_gradients_are_those_of_the_values(temperature: float) -> None:
    student, teacher = normal(4, 4, BINS, seed=7).requires_grad_(), normal(4, 4, BINS, seed=8)
    logits, targets = normal(ANCHORS, CLASSES, seed=9).requires_grad_(), normal(ANCHORS, CLASSES, seed=10)
    assert torch.autograd.gradcheck(
        lambda s: box_distribution_distillation(s, teacher, weights(4), temperature=temperature), student
    )
    assert torch.autograd.gradcheck(
        lambda s: class_distribution_distillation(s, targets, POSITIVE_A, LEVEL_A, LEVELS, temperature=temperature),
        logits,
    )


SEEDS = st.integers(0, 10_000)


def distributions(seed: int, scale: float) -> Tensor:
    return normal(3, 4, BINS, seed=seed, scale=scale)


@given(seed=SEEDS, scale=st.sampled_from([0.0, 1e-3, 1.0, 1e3]), temperature=st.floats(0.1, 100.0))
def test_equal_distributions_cost_exactly_nothing(seed: int, scale: float, temperature: float) -> None:
    student = distributions(seed, scale).float().requires_grad_()
    loss = box_distribution_distillation(student, student.detach().clone(), torch.ones(3), temperature=temperature)
    assert loss.item() == 0.0
    assert torch.autograd.grad(loss, student)[0].abs().max() < 1e-4 * temperature


@given(seed=SEEDS, shift=st.floats(-50.0, 50.0), temperature=st.floats(0.5, 20.0))
def test_a_sides_level_does_not_matter_and_nothing_is_gained_by_differing(
    seed: int, shift: float, temperature: float
) -> None:
    student, teacher = distributions(seed, 2.0), distributions(seed + 1, 2.0)
    loss = box_distribution_distillation(student, teacher, torch.ones(3), temperature=temperature)
    moved = box_distribution_distillation(student + shift, teacher - shift, torch.ones(3), temperature=temperature)
    assert loss.item() > 0.0
    assert_equal(moved, loss, 1e-9)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_not_positive_is_refused(temperature: float) -> None:
    student = distributions(0, 1.0)
    with pytest.raises(ValueError, match="temperature must be positive"):
        box_distribution_distillation(student, student, torch.ones(3), temperature=temperature)
    with pytest.raises(ValueError, match="temperature must be positive"):
        class_distribution_distillation(
            student[:, 0], student[:, 0], torch.ones(3, dtype=torch.bool), LEVEL_A[:3], 1, temperature=temperature
        )


def test_a_divisor_that_is_not_positive_is_refused() -> None:
    student = distributions(0, 1.0)
    with pytest.raises(ValueError, match="divisor must be positive, got 0"):
        box_distribution_distillation(student, student, torch.ones(3), divisor=0.0)


@pytest.mark.parametrize(
    ("student", "teacher", "weight", "message"),
    [
        ((3, 4, 5), (3, 4, 6), (3,), r"\(3, 4, 5\) and \(3, 4, 6\)"),
        ((3, 5, 5), (3, 5, 5), (3,), r"\(3, 5, 5\)"),
        ((3, 4, 0), (3, 4, 0), (3,), r"K >= 1"),
        ((3, 20), (3, 20), (3,), r"\(3, 20\)"),
        ((3, 4, 5), (3, 4, 5), (3, 1), r"\(3, 4, 5\).*\(3, 1\)"),
    ],
)
def test_distributions_that_disagree_are_refused(
    student: tuple[int, ...], teacher: tuple[int, ...], weight: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        box_distribution_distillation(torch.zeros(student), torch.zeros(teacher), torch.zeros(weight))
