"""Prove each loss's rule for N workers: two equal shares of a batch, the mean of their gradients, against one batch."""

import pytest
import torch
from torch import Tensor

from tests.unit.trainers.losses.draws import boxes, normal, weights
from trainers.distill.losses import (
    box_distribution_distillation,
    class_distribution_distillation,
    cross_box_distillation,
    cross_distribution_distillation,
    gid_response,
    pearson_distillation,
)

ANCHORS = 12
FIRST, SECOND = slice(0, 6), slice(6, 12)
SHARES = (FIRST, SECOND)
BALANCED_A = torch.tensor([True, False, True, False, True, False] * 2)
LOPSIDED_A = torch.tensor([True, True, True, True, True, True, True, False, False, False, False, False])
LEVEL_A = torch.tensor([0, 0, 1, 1, 1, 0] * 2)


def slope(loss: Tensor, student: Tensor) -> Tensor:
    return torch.autograd.grad(loss, student)[0]


def assert_equals(shares: Tensor, alone: Tensor) -> None:
    torch.testing.assert_close(shares, alone, rtol=1e-6, atol=1e-12)


def assert_differs(shares: Tensor, alone: Tensor) -> None:
    assert (shares - alone).norm() > 1e-2 * alone.norm()


def test_ld_is_a_sum_so_two_workers_pull_half_as_hard() -> None:
    student, teacher = normal(ANCHORS, 4, 5, seed=1).requires_grad_(), normal(ANCHORS, 4, 5, seed=2)
    weight_A = weights(ANCHORS)
    alone = slope(box_distribution_distillation(student, teacher, weight_A), student)
    losses = [box_distribution_distillation(student[s], teacher[s], weight_A[s]) for s in SHARES]
    assert_equals(slope((losses[0] + losses[1]) / 2, student), alone / 2)


@pytest.mark.parametrize(("positive_A", "agrees"), [(BALANCED_A, True), (LOPSIDED_A, False)])
def test_main_kd_agrees_if_each_level_has_as_many_positives_on_each_worker(positive_A: Tensor, agrees: bool) -> None:
    student, teacher = normal(ANCHORS, 3, seed=3).requires_grad_(), normal(ANCHORS, 3, seed=4)
    alone = slope(class_distribution_distillation(student, teacher, positive_A, LEVEL_A, 2), student)
    losses = [class_distribution_distillation(student[s], teacher[s], positive_A[s], LEVEL_A[s], 2) for s in SHARES]
    (assert_equals if agrees else assert_differs)(slope((losses[0] + losses[1]) / 2, student), alone)


@pytest.mark.parametrize("agrees", [True, False])
def test_crosskds_distributions_agree_if_weights_add_up_to_the_same_on_each_worker(agrees: bool) -> None:
    student, teacher = normal(ANCHORS, 4, 5, seed=5).requires_grad_(), normal(ANCHORS, 4, 5, seed=6)
    weight_A = weights(6).repeat(2)
    if not agrees:
        weight_A[FIRST] *= 0.1
    alone = slope(cross_distribution_distillation(student, teacher, weight_A), student)
    losses = [cross_distribution_distillation(student[s], teacher[s], weight_A[s]) for s in SHARES]
    (assert_equals if agrees else assert_differs)(slope((losses[0] + losses[1]) / 2, student), alone)


def test_crosskds_boxes_agree_if_the_normaliser_is_the_mean_over_workers() -> None:
    student, teacher = boxes(ANCHORS, seed=7).requires_grad_(), boxes(ANCHORS, seed=8)
    weight_A, positives = weights(ANCHORS), 9.0
    alone = slope(cross_box_distillation(student, teacher, weight_A, positives), student)
    losses = [cross_box_distillation(student[s], teacher[s], weight_A[s], positives / 2) for s in SHARES]
    assert_equals(slope((losses[0] + losses[1]) / 2, student), alone)


@pytest.mark.parametrize(("matched_A", "agrees"), [(BALANCED_A, True), (LOPSIDED_A, False)])
def test_gid_agrees_if_as_many_anchors_are_matched_on_each_worker(matched_A: Tensor, agrees: bool) -> None:
    student, teacher = normal(ANCHORS, 3, seed=9).requires_grad_(), normal(ANCHORS, 3, seed=10)
    deltas, targets = normal(ANCHORS, 4, seed=11), normal(ANCHORS, 4, seed=12)
    alone = slope(gid_response(student, teacher, deltas, targets, matched_A), student)
    losses = [gid_response(student[s], teacher[s], deltas[s], targets[s], matched_A[s]) for s in SHARES]
    (assert_equals if agrees else assert_differs)(slope((losses[0] + losses[1]) / 2, student), alone)


@pytest.mark.parametrize("agrees", [True, False])
def test_pkd_agrees_if_each_workers_features_have_the_same_statistics(agrees: bool) -> None:
    student, teacher = normal(1, 3, 16, 16, seed=13), normal(1, 3, 16, 16, seed=14)
    other = student.flip(3) if agrees else 4.0 * student.flip(3) + 2.0
    both = torch.cat([student, other]).requires_grad_()
    targets = torch.cat([teacher, teacher.flip(3)])
    alone = slope(pearson_distillation([both], [targets]), both)
    losses = [pearson_distillation([both[i, None]], [targets[i, None]]) for i in range(2)]
    shares = slope((losses[0] + losses[1]) / 2, both)
    if agrees:  # up to the unbiased deviation, which divides by one less for two shares than for one batch
        torch.testing.assert_close(shares, alone, rtol=1e-2, atol=1e-2 * float(alone.abs().max()))
    else:
        assert_differs(shares, alone)
