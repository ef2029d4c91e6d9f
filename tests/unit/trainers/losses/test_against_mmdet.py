"""Compare with mmdet's own losses where it has the same: LDHead's Main LD, and overlaps of paired boxes."""

from typing import Any

import pytest
import torch
from mmdet.models.dense_heads import LDHead
from mmdet.models.losses import GIoULoss, IoULoss, KnowledgeDistillationKLDivLoss
from mmengine.structures import InstanceData
from torch import Tensor

from tests.unit.trainers.losses.draws import boxes, normal, weights
from trainers.distill.losses import (
    box_distribution_distillation,
    class_distribution_distillation,
    cross_box_distillation,
    main_ld_weight,
)

CLASSES, BINS, STRIDES, SIDE = 3, 9, (8, 16, 32), 64
MAPS = [SIDE // stride for stride in STRIDES]


@pytest.fixture(scope="module")
def head() -> Any:
    return LDHead(
        num_classes=CLASSES,
        in_channels=4,
        stacked_convs=1,
        feat_channels=4,
        norm_cfg={"type": "BN"},
        anchor_generator={
            "type": "AnchorGenerator",
            "ratios": [1.0],
            "octave_base_scale": 2,
            "scales_per_octave": 1,
            "strides": list(STRIDES),
        },
        loss_cls={"type": "QualityFocalLoss", "use_sigmoid": True, "beta": 2.0, "loss_weight": 1.0},
        loss_bbox={"type": "GIoULoss", "loss_weight": 2.0},
        loss_ld={"type": "KnowledgeDistillationKLDivLoss", "loss_weight": 0.25, "T": 10},
        reg_max=BINS - 1,
        train_cfg={
            "assigner": {"type": "ATSSAssigner", "topk": 9},
            "allowed_border": -1,
            "pos_weight": -1,
            "debug": False,
        },
    )


def rows(levels: list[Tensor], channels: int) -> Tensor:
    """Flatten levels of (B, channels, H, W) level by level, as mmdet's losses do."""
    return torch.cat([level.permute(0, 2, 3, 1).reshape(-1, channels) for level in levels])


@pytest.mark.parametrize(
    "objects",
    [
        [[[4, 6, 30, 28], [20, 24, 62, 60]], [[30, 2, 44, 20]]],
        [[], [[8, 8, 20, 20]]],
        [[], []],
    ],
    ids=["crowd", "an-image-without-objects", "no-object-at-all"],
)
def test_main_ld_is_that_of_ld_head(head: Any, objects: list[list[list[float]]]) -> None:
    scores = [normal(2, CLASSES, n, n, seed=n).float() for n in MAPS]
    preds = [normal(2, 4 * BINS, n, n, seed=10 + n).float().requires_grad_() for n in MAPS]
    teacher = [normal(2, 4 * BINS, n, n, seed=20 + n, scale=3.0).float() for n in MAPS]
    things = [
        InstanceData(bboxes=torch.tensor(found).reshape(-1, 4).float(), labels=torch.arange(len(found)))
        for found in objects
    ]
    metas = [{"img_shape": (SIDE, SIDE), "pad_shape": (SIDE, SIDE)}] * 2
    wanted = torch.stack(head.loss_by_feat(scores, preds, things, metas, teacher)["loss_ld"]).sum()

    anchors, valid = head.get_anchors([(n, n) for n in MAPS], metas, device="cpu")
    labels = torch.cat([level.flatten() for level in head.get_targets(anchors, valid, things, metas)[1]])
    positive_A = labels < CLASSES
    actual = 0.25 * box_distribution_distillation(
        rows(preds, 4 * BINS).unflatten(1, (4, BINS)),
        rows(teacher, 4 * BINS).unflatten(1, (4, BINS)),
        main_ld_weight(rows(scores, CLASSES), positive_A),
        temperature=10.0,
        divisor=4.0,
    )
    assert positive_A.any() == any(objects)
    torch.testing.assert_close(actual, wanted, rtol=1e-5, atol=1e-8)
    theirs, mine = torch.autograd.grad(wanted, preds), torch.autograd.grad(actual, preds)
    for expected, slope in zip(theirs, mine, strict=True):
        torch.testing.assert_close(slope, expected, rtol=1e-4, atol=1e-8)


def test_main_kd_is_mmdets_divergence_of_each_levels_positives() -> None:
    student, teacher = normal(30, CLASSES, seed=1).float(), normal(30, CLASSES, seed=2).float()
    level_A, positive_A = torch.arange(30) % 4, torch.arange(30) % 5 < 2
    positive_A &= level_A != 2
    loss = KnowledgeDistillationKLDivLoss(reduction="mean", loss_weight=1.0, T=2)
    wanted = 0.0
    for level in (0, 1, 3):
        chosen = positive_A & (level_A == level)
        wanted += loss(student[chosen], teacher[chosen], weight=torch.ones(30)[chosen], avg_factor=int(chosen.sum()))
    actual = class_distribution_distillation(student, teacher, positive_A, level_A, 4, temperature=2.0)
    torch.testing.assert_close(actual, wanted, rtol=1e-5, atol=0.0)


@pytest.mark.parametrize(
    ("kind", "loss"),
    [("giou", GIoULoss()), ("iou", IoULoss(mode="linear")), ("log_iou", IoULoss(mode="log"))],
    ids=["giou", "iou", "log-iou"],
)
def test_box_losses_are_mmdets(kind: Any, loss: Any) -> None:
    student, teacher, weight_A = boxes(30, seed=3).float(), boxes(30, seed=4).float(), weights(30).float()
    wanted = loss(student, teacher, weight=weight_A, avg_factor=7.0)
    torch.testing.assert_close(cross_box_distillation(student, teacher, weight_A, 7.0, iou=kind), wanted)
