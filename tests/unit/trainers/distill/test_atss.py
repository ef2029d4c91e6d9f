"""Hold ATSS to what is its own: a centerness that distillation leaves alone, and CrossKD through a head with scales."""

from typing import Any

import pytest
import torch
from mmdet.structures.bbox import bbox_overlaps
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, group_norm

from tests.unit.trainers.scenes import CROWD, LARGE, UPRIGHT, preprocess
from tests.unit.trainers.tiny_heads import config_of, woken
from trainers.distill.adapters.base import TargetCache, adapter_for
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.distill.head_outputs import TeacherStudentOutputs
from trainers.schema import Bckd
from trainers.schema.method import CrossKd

CONFIG = config_of("atss")


@pytest.fixture(scope="module")
def student() -> Any:
    model = woken(CONFIG, 1).train()
    with torch.no_grad():
        for number, scale in enumerate(model.bbox_head.scales):
            scale.scale.fill_(0.5 + number)
    return model


@pytest.fixture(scope="module")
def teacher() -> FrozenTeacher:
    model = woken(CONFIG, 2)
    with torch.no_grad():
        for number, scale in enumerate(model.bbox_head.scales):
            scale.scale.fill_(1.5 - 0.4 * number)
    frozen = FrozenTeacher(model)
    frozen.serve(CrossKd(kind="crosskd", convs=1, tap="before"))
    return frozen


def distil(
    student: Any, teacher: FrozenTeacher, method: Any, *scenes: Any
) -> tuple[TeacherStudentOutputs, dict[str, Tensor]]:
    inputs, samples = preprocess(student, scenes)
    distiller = Distiller(student, method)
    losses = distiller(inputs, samples, teacher.forward(inputs), TargetCache())
    assert distiller.outputs is not None
    return distiller.outputs, losses


def flat(maps: list[Tensor], channels: int) -> Tensor:
    """Return one row a cell, image by image, in each image level by level."""
    images = range(len(maps[0]))
    return torch.cat([level[image].permute(1, 2, 0).reshape(-1, channels) for image in images for level in maps])


def test_the_centerness_is_no_part_of_what_is_distilled(student: Any, teacher: FrozenTeacher) -> None:
    _, losses = distil(student, teacher, Bckd(kind="bckd"), LARGE, UPRIGHT)
    student.zero_grad()
    torch.autograd.backward(losses["bckd_cls"] + losses["bckd_loc"])
    head = student.bbox_head
    assert head.atss_centerness.weight.grad is None
    assert bool(head.atss_cls.weight.grad.abs().sum() > 0)
    assert bool(head.atss_reg.weight.grad.abs().sum() > 0)


def test_bckd_equals_the_formula(student: Any, teacher: FrozenTeacher) -> None:
    outputs, losses = distil(student, teacher, Bckd(kind="bckd", level_gate="none"), LARGE, UPRIGHT)
    weight, count = outputs.anchors.weight_A, int(outputs.anchors.positive_A.sum())
    head = student.bbox_head
    priors = torch.cat(head.prior_generator.grid_priors([m.shape[-2:] for m in outputs.student.outs[0]], device="cpu"))
    (s, s_box), (t, t_box) = (
        (flat(outs[0], 3), head.bbox_coder.decode(priors.repeat(2, 1), flat(outs[1], 4)))
        for outs in (outputs.student.outs, outputs.teacher.outs)
    )
    p_s, p_t = s.sigmoid(), t.sigmoid()
    entropy = binary_cross_entropy_with_logits(s, p_t, reduction="none")
    classification = float((weight * ((p_t - p_s).abs() * entropy).sum(1)).sum()) / count
    giou = bbox_overlaps(s_box, t_box, mode="giou", is_aligned=True)
    localization = 4.0 * float((weight * (p_t - p_s).abs().amax(1) * (1 - giou)).sum()) / count
    assert losses["bckd_cls"].item() == pytest.approx(classification, rel=1e-4)
    assert losses["bckd_loc"].item() == pytest.approx(localization, rel=1e-4)


def test_crosskd_equals_the_teachers_layers_on_the_students_features(student: Any, teacher: FrozenTeacher) -> None:
    method = CrossKd(kind="crosskd", convs=1, tap="before", cls_weight=0.6, box_weight=2.0)
    outputs, losses = distil(student, teacher, method, LARGE, UPRIGHT)
    head = teacher.detector.bbox_head
    mine = [before_activation(student.bbox_head, level) for level in outputs.student.features]
    theirs = [before_activation(head, level) for level in outputs.teacher.features]
    cls = [aligned(s[0], t[0]) for s, t in zip(mine, theirs, strict=True)]
    box = [aligned(s[1], t[1]) for s, t in zip(mine, theirs, strict=True)]
    logits = flat([head.atss_cls(head.cls_convs[1](level.relu())) for level in cls], 3)
    deltas = flat(
        [s.scale * head.atss_reg(head.reg_convs[1](b.relu())) for s, b in zip(head.scales, box, strict=True)], 4
    )
    priors = torch.cat(head.prior_generator.grid_priors([m.shape[-2:] for m in cls], device="cpu")).repeat(2, 1)
    t_logits, t_boxes = (
        flat(outputs.teacher.outs[0], 3),
        head.bbox_coder.decode(priors, flat(outputs.teacher.outs[1], 4)),
    )
    weight, count = outputs.anchors.weight_A, int(outputs.anchors.positive_A.sum())
    p, p_t = logits.sigmoid(), t_logits.sigmoid()
    entropy = binary_cross_entropy_with_logits(logits, p_t, reduction="none")
    classification = 0.6 * float((weight * ((p_t - p).abs() * entropy).sum(1)).sum()) / count
    giou = bbox_overlaps(head.bbox_coder.decode(priors, deltas), t_boxes, mode="giou", is_aligned=True)
    localization = 2.0 * float((weight * p_t.amax(1) * (1 - giou)).sum()) / count
    assert losses["crosskd_cls"].item() == pytest.approx(classification, rel=1e-3)
    assert losses["crosskd_box"].item() == pytest.approx(localization, rel=1e-3)


def before_activation(head: Any, feature: Tensor) -> list[Tensor]:
    """Return what the first classification and the first box convolution say of a feature map, normed."""
    found = []
    for block in (head.cls_convs[0], head.reg_convs[0]):
        norm = block.norm
        found.append(group_norm(block.conv(feature), norm.num_groups, norm.weight, norm.bias, norm.eps).detach())
    return found


def aligned(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the student's map with each channel's mean and deviation, over batch and places, those of the teacher's."""
    (s_mean, s_std), (t_mean, t_std) = (
        (m.mean((0, 2, 3), True), m.std((0, 2, 3), keepdim=True)) for m in (student, teacher)
    )
    return (student - s_mean) / (s_std + 1e-6) * t_std + t_mean


def test_heads_that_code_boxes_differently_share_no_targets() -> None:
    cache, first, second = TargetCache(), woken(CONFIG, 1), woken(CONFIG, 2)
    targets = cache.of(adapter_for(first))
    assert cache.of(adapter_for(second)) is targets
    second.bbox_head.bbox_coder.stds = (0.2, 0.2, 0.4, 0.4)
    assert cache.of(adapter_for(second)) is not targets
    inputs, samples = preprocess(first, (CROWD,))
    adapter = adapter_for(first)
    adapter.losses(adapter.forward(inputs), samples, targets)
    assert targets.value is not None
