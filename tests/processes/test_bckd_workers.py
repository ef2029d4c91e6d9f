"""Prove BCKD's rule for N workers on two processes: when they equal one worker, and what happens when they do not."""

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.nn.parallel import DistributedDataParallel

from tests.processes.gloo import WORKERS, GlooPair
from trainers.distill.losses import classification_distillation, level_gate, localization_distillation

IMAGES, PER_LEVEL, LEVELS, CLASSES, FEATURES = 2, 5, 3, 3, 4
ANCHORS = IMAGES * LEVELS * PER_LEVEL
CASES = ("shared-levels", "lonely-level")
LONELY_LEVEL = 1
OFFICIAL_WEIGHTS = {"classification": 1.0, "localization": 4.0}

# Anchors in the order image, level, cell: image i is the whole batch of worker i.
IMAGE_A = torch.arange(IMAGES).repeat_interleave(LEVELS * PER_LEVEL)
LEVEL_A = torch.arange(LEVELS).repeat_interleave(PER_LEVEL).repeat(IMAGES)


def positives(case: str) -> Tensor:
    """Place 6 positives on image 0 and 3 on image 1; the lonely level keeps those of image 0 only."""
    cell_A = torch.arange(PER_LEVEL).repeat(IMAGES * LEVELS)
    positive_A = torch.where(IMAGE_A == 0, cell_A < 2, cell_A < 1)
    if case == "lonely-level":
        positive_A &= (IMAGE_A == 0) | (LEVEL_A != LONELY_LEVEL)
    return positive_A


def make_student() -> nn.Linear:
    """Make the shared layer: class logits and four distances from one feature vector, equal in every process."""
    torch.manual_seed(7)
    return nn.Linear(FEATURES, CLASSES + 4, dtype=torch.float64)


def make_inputs() -> tuple[Tensor, Tensor]:
    """Draw the features of every anchor and what the teacher says there, equal in every process."""
    generator = torch.Generator().manual_seed(11)
    features = torch.randn(ANCHORS, FEATURES, generator=generator, dtype=torch.float64)
    return features, torch.randn(ANCHORS, CLASSES + 4, generator=generator, dtype=torch.float64)


def split(head: Tensor) -> tuple[Tensor, Tensor]:
    """Cut a head's output into class logits and a box around the anchor."""
    distances_A4 = softplus(head[:, CLASSES:])
    return head[:, :CLASSES], torch.cat([-distances_A4[:, :2], distances_A4[:, 2:]], dim=1)


def bckd(head: Tensor, teacher: Tensor, weight_A: Tensor, normaliser: Tensor | float) -> Tensor:
    (logits, boxes), (teacher_logits, teacher_boxes) = split(head), split(teacher)
    classification = classification_distillation(logits, teacher_logits, weight_A, normaliser)
    localization = localization_distillation(boxes, teacher_boxes, logits, teacher_logits, weight_A, normaliser)
    return OFFICIAL_WEIGHTS["classification"] * classification + OFFICIAL_WEIGHTS["localization"] * localization


def worker(rank: int) -> dict[str, list[float]]:
    """Run every case on this worker's image and return the averaged gradients."""
    return {case: worker_gradient(rank, case).tolist() for case in CASES}


def worker_gradient(rank: int, case: str) -> Tensor:
    student = DistributedDataParallel(make_student())
    mine_A = rank == IMAGE_A
    features, teacher = (tensor[mine_A] for tensor in make_inputs())
    positive_A = positives(case)[mine_A]
    mean_positives = positive_A.sum().double()
    dist.all_reduce(mean_positives)
    weight_A = level_gate(positive_A, LEVEL_A[mine_A], LEVELS)
    torch.autograd.backward(bckd(student(features), teacher, weight_A, (mean_positives / WORKERS).clamp(min=1.0)))
    return flat_gradient(student)


def flat_gradient(student: nn.Module) -> Tensor:
    return torch.cat([parameter.grad.flatten() for parameter in student.parameters() if parameter.grad is not None])


@pytest.fixture(scope="module")
def gradients(gloo_pair: GlooPair, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    first, second = gloo_pair.run(worker, tmp_path_factory.mktemp("workers"))
    assert first == second  # each worker holds the same average
    return {case: torch.tensor(values, dtype=torch.float64) for case, values in first.items()}


def single_gradient(weight_A: Tensor, normaliser: float) -> Tensor:
    student = make_student()
    features, teacher = make_inputs()
    torch.autograd.backward(bckd(student(features), teacher, weight_A, normaliser))
    return flat_gradient(student)


def test_two_workers_equal_one_if_every_level_has_positives_everywhere(gradients: dict[str, Tensor]) -> None:
    positive_A = positives("shared-levels")
    assert positive_A.sum() == 9  # 4.5 per worker: a mean that is neither worker's own number
    alone = single_gradient(level_gate(positive_A, LEVEL_A, LEVELS), float(positive_A.sum()))
    torch.testing.assert_close(gradients["shared-levels"], alone, rtol=1e-6, atol=1e-9)


def test_a_level_without_positives_on_a_worker_is_dropped_there_only(gradients: dict[str, Tensor]) -> None:
    positive_A = positives("lonely-level")
    total = float(positive_A.sum())
    dropped_A = (IMAGE_A == 1) & (LEVEL_A == LONELY_LEVEL)
    torch.testing.assert_close(gradients["lonely-level"], single_gradient(~dropped_A, total), rtol=1e-6, atol=1e-9)
    alone = single_gradient(level_gate(positive_A, LEVEL_A, LEVELS), total)
    assert float((gradients["lonely-level"] - alone).norm()) > 1e-2 * float(alone.norm())
