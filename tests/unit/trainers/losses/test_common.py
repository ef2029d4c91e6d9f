"""Prove what all the losses promise: whom gradients reach, what weight 0 hides, in which precision they compute."""

import pytest
import torch
from torch import Tensor

from tests.unit.trainers.host_reads import host_reads
from tests.unit.trainers.losses.cases import CASES, COUNT, EVERY, Case
from tests.unit.trainers.losses.draws import boxes, normal
from trainers.distill.losses import align_statistics, main_ld_weight, peak_probability, vlr_weight

KEEP_A = torch.arange(COUNT) % 4 != 0
ON_ANCHORS = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
ON_ALL = pytest.mark.parametrize("case", EVERY, ids=lambda case: case.name)


def leaves(tensors: tuple[Tensor, ...], dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    return tuple(tensor.to(dtype, copy=True).requires_grad_() for tensor in tensors)


def loss_and_slopes(
    case: Case, student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], keep_A: Tensor = KEEP_A
) -> tuple[Tensor, tuple[Tensor, ...]]:
    loss = case(student, teacher, keep_A)
    return loss, torch.autograd.grad(loss, student)


@ON_ALL
def test_only_the_student_gets_gradients(case: Case) -> None:
    student, teacher = leaves(case.student), leaves(case.teacher)
    reached = torch.autograd.grad(case(student, teacher, KEEP_A), (*student, *teacher), allow_unused=True)
    assert all(slope is not None and slope.any() for slope in reached[: len(student)])
    assert all(slope is None for slope in reached[len(student) :])


@ON_ANCHORS
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf, 1e4, -1e4])
def test_weight_zero_hides_whatever_is_there(case: Case, bad: float) -> None:
    wanted_loss, wanted = loss_and_slopes(case, leaves(case.student), leaves(case.teacher))
    student, teacher = leaves(case.student), leaves(case.teacher)
    with torch.no_grad():
        for tensor in (*student, *teacher):
            tensor[~KEEP_A] = bad
    loss, slopes = loss_and_slopes(case, student, teacher)
    assert torch.equal(loss, wanted_loss)
    for slope, expected in zip(slopes, wanted, strict=True):
        assert torch.equal(slope, expected)
        assert not slope[~KEEP_A].any()


@ON_ANCHORS
def test_a_bad_anchor_that_counts_is_not_hidden(case: Case) -> None:
    for place in range(len(case.student)):
        student = leaves(case.student)
        with torch.no_grad():
            student[place][1] = torch.nan
        assert not case(student, case.teacher, KEEP_A).isfinite()


@ON_ANCHORS
@pytest.mark.parametrize("count", [0, COUNT], ids=["no-anchors", "none-counts"])
def test_nothing_to_distil_is_zero_and_connected(case: Case, count: int) -> None:
    student = leaves(tuple(part[:count] for part in case.student))
    teacher = tuple(part[:count] for part in case.teacher)
    loss, slopes = loss_and_slopes(case, student, teacher, torch.zeros(count, dtype=torch.bool))
    assert loss.shape == ()
    assert loss.item() == 0.0
    assert not any(slope.any() for slope in slopes)


@pytest.mark.parametrize("case", [case for case in CASES if "iou" not in case.name], ids=lambda case: case.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_logits_stay_finite(case: Case, dtype: torch.dtype) -> None:
    student = leaves(tuple(1e4 * part.sign() for part in case.student), dtype)
    teacher = tuple((-1e4 * part.sign()).to(dtype) for part in case.student)
    loss, slopes = loss_and_slopes(case, student, teacher)
    assert loss.isfinite()
    assert loss > 0.0
    assert all(slope.isfinite().all() for slope in slopes)


@ON_ALL
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("autocast", [True, False])
def test_half_inputs_are_computed_in_float32(case: Case, dtype: torch.dtype, autocast: bool) -> None:
    student, teacher = leaves(case.student, dtype), leaves(case.teacher, dtype)
    wide = leaves(tuple(part.detach() for part in student), torch.float32)
    wanted_loss, wanted = loss_and_slopes(case, wide, tuple(part.detach().float() for part in teacher))
    with torch.autocast("cpu", dtype=dtype, enabled=autocast):
        loss, slopes = loss_and_slopes(case, student, teacher)
    assert loss.dtype == wanted_loss.dtype
    assert torch.equal(loss, wanted_loss)
    for slope, expected in zip(slopes, wanted, strict=True):
        assert torch.equal(slope, expected.to(dtype))


@ON_ALL
def test_no_loss_waits_for_the_device(case: Case) -> None:
    student, teacher = leaves(case.student), leaves(case.teacher)
    assert host_reads(lambda: loss_and_slopes(case, student, teacher)) == set()


def test_no_weight_waits_for_the_device() -> None:
    student, teacher = normal(2, 3, 4, 4, seed=1).requires_grad_(), normal(2, 3, 4, 4, seed=2)
    anchors_M4, objects_G4 = boxes(20, seed=3), boxes(3, seed=4)
    valid_M = torch.arange(20) % 3 != 0
    assert host_reads(lambda: align_statistics(student, teacher).sum().backward()) == set()
    assert host_reads(lambda: vlr_weight(anchors_M4, objects_G4, [12, 8], valid_M=valid_M)) == set()
    assert host_reads(lambda: main_ld_weight(teacher.flatten(1), torch.tensor([True, False]))) == set()
    assert host_reads(lambda: peak_probability(teacher.flatten(1), torch.tensor([0.5, 0.0]))) == set()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_features_are_aligned_in_float32(dtype: torch.dtype) -> None:
    student, teacher = normal(2, 3, 4, 4, seed=1).to(dtype), (normal(2, 3, 4, 4, seed=2) + 5.0).to(dtype)
    with torch.autocast("cpu", dtype=dtype):
        actual = align_statistics(student, teacher)
    assert actual.dtype == dtype
    assert torch.equal(actual, align_statistics(student.float(), teacher.float()).to(dtype))


def test_weights_of_half_logits_are_float32() -> None:
    logits = normal(6, 3, seed=1).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        weight_A = main_ld_weight(logits, torch.ones(6, dtype=torch.bool))
    assert torch.equal(weight_A, logits.float().amax(dim=1).sigmoid())
