"""List the losses with inputs for each, so that what they have in common is tested of all."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tests.unit.trainers.losses.draws import boxes, normal, weights
from trainers.distill.losses import (
    FocalWeights,
    box_distribution_distillation,
    channel_wise_distillation,
    class_distribution_distillation,
    cross_box_distillation,
    cross_distribution_distillation,
    focal_distillation,
    gid_response,
    kept_places,
    masked_generative_distillation,
    pearson_distillation,
    score_weighted_distillation,
)

LEVELS = 3


@dataclass(frozen=True)
class Case:
    """Hold one loss on anchors: what student and teacher say (axis 0: anchors), and the loss of that and a mask."""

    name: str
    student: tuple[Tensor, ...]
    teacher: tuple[Tensor, ...]
    loss: Callable[[tuple[Tensor, ...], tuple[Tensor, ...], Tensor], Tensor]

    def __call__(self, student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], keep_A: Tensor) -> Tensor:
        return self.loss(student, teacher, keep_A)


def _weight(keep_A: Tensor) -> Tensor:
    return (0.25 + weights(len(keep_A))) * keep_A


def _class_distributions(student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], keep_A: Tensor) -> Tensor:
    level_A = torch.arange(len(keep_A)) % LEVELS
    return class_distribution_distillation(*student, *teacher, keep_A, level_A, LEVELS)  # type: ignore[call-arg]


def _gid(student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], keep_A: Tensor) -> Tensor:
    return gid_response(student[0], teacher[0], student[1], teacher[1], keep_A)


COUNT = 12
CASES = [
    Case(
        "ld",
        (normal(COUNT, 4, 5, seed=1),),
        (normal(COUNT, 4, 5, seed=2),),
        lambda s, t, keep_A: box_distribution_distillation(*s, *t, _weight(keep_A)),
    ),
    Case("main-kd", (normal(COUNT, 3, seed=3),), (normal(COUNT, 3, seed=4),), _class_distributions),
    Case(
        "crosskd-distribution",
        (normal(COUNT, 4, 5, seed=5),),
        (normal(COUNT, 4, 5, seed=6),),
        lambda s, t, keep_A: cross_distribution_distillation(*s, *t, _weight(keep_A)),  # type: ignore[call-arg]
    ),
    *(
        Case(
            f"crosskd-{kind}",
            (boxes(COUNT, seed=7),),
            (boxes(COUNT, seed=8),),
            lambda s, t, keep_A, kind=kind: cross_box_distillation(  # type: ignore[misc, call-arg]
                *s, *t, _weight(keep_A), torch.tensor(2.0), iou=kind
            ),
        )
        for kind in ("giou", "iou", "log_iou")
    ),
    Case(
        "gid",
        (normal(COUNT, 3, seed=9), normal(COUNT, 4, seed=10)),
        (normal(COUNT, 3, seed=11), normal(COUNT, 4, seed=12)),
        _gid,
    ),
]


def pkd(student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], _: Tensor) -> Tensor:
    return pearson_distillation(student, teacher)


MAPS = Case(
    "pkd",
    (normal(2, 3, 4, 4, seed=13), normal(2, 3, 2, 2, seed=14)),
    (normal(2, 3, 4, 4, seed=15), normal(2, 3, 4, 4, seed=16)),
    pkd,
)


def cwd(student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], _: Tensor) -> Tensor:
    return channel_wise_distillation(student, teacher, temperature=2.0)


def mgd(student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], _: Tensor) -> Tensor:
    kept = [kept_places([1, 2], (level.shape[2], level.shape[3]), 0.4) for level in teacher]
    return masked_generative_distillation(student, teacher, kept, [torch.tanh for _ in teacher])


def fgd(student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], _: Tensor) -> Tensor:
    objects = [boxes(3, seed=17, span=0.5, smallest=0.1, largest=0.4), torch.zeros(0, 4)]
    weights = FocalWeights(foreground=0.5, background=0.25, attention=0.1)
    levels = zip(student, teacher, strict=True)
    return torch.stack([focal_distillation(s, t, objects, weights, temperature=0.5) for s, t in levels]).sum()


def feature(student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], _: Tensor) -> Tensor:
    scores = [level.detach().float()[:, :1].sigmoid() for level in teacher]
    return score_weighted_distillation(student, teacher, scores)


ON_MAPS = {"pkd": pkd, "cwd": cwd, "mgd": mgd, "fgd": fgd, "feature": feature}
EVERY = [*CASES, *(replace(MAPS, name=name, loss=loss) for name, loss in ON_MAPS.items())]
