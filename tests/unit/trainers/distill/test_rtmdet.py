"""Hold RTMDet to what is its own: boxes without exponents, levels with norms of their own, a SiLU, shared kernels."""

from typing import Any

import pytest
import torch
from mmdet.structures.bbox import bbox_overlaps
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, silu

from tests.unit.trainers.scenes import CROWD, LARGE, UPRIGHT, preprocess
from tests.unit.trainers.tiny_heads import CLASSES, config_of, fitting, woken
from trainers.distill.adapters.base import TargetCache, adapter_for
from trainers.distill.adapters.rtmdet import RtmdetOutputs
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.distill.head_outputs import TeacherStudentOutputs
from trainers.loop.optimise import build_optimizer
from trainers.schema import Bckd, Schedule
from trainers.schema.method import CrossKd
from trainers.schema.schedule import AdamW
from trainers.schema.terms import Tap

CONFIG, LINEAR = config_of("rtmdet"), config_of("rtmdet_linear")


def distil(method: Any) -> tuple[TeacherStudentOutputs, dict[str, Tensor]]:
    """Return one batch as both detectors see it, and the losses; norms that know no image would let features vanish."""
    student, teacher = fitting(woken(CONFIG, 1)).train(), FrozenTeacher(fitting(woken(CONFIG, 2)))
    teacher.detector.train()
    teacher.serve(method)
    inputs, samples = preprocess(student, (LARGE, UPRIGHT))
    distiller = Distiller(student, method)
    losses = distiller(inputs, samples, teacher.forward(inputs), TargetCache())
    assert distiller.outputs is not None
    return distiller.outputs, losses


def flat(maps: Any) -> Tensor:
    """Return one row a point, image by image, in each image level by level."""
    images = range(len(maps[0]))
    return torch.cat([level[image].permute(1, 2, 0).reshape(-1, level.shape[1]) for image in images for level in maps])


def classification(logits: Tensor, outputs: TeacherStudentOutputs) -> Tensor:
    logits = logits.double()
    p, p_t = logits.sigmoid(), flat(outputs.teacher.outs[0]).double().sigmoid()
    entropy = binary_cross_entropy_with_logits(logits, p_t, reduction="none")
    per_point = ((p_t - p).abs() * entropy).sum(1)
    return (outputs.anchors.weight_A * per_point).sum() / outputs.anchors.normaliser.double()


def test_bckd_equals_the_formula() -> None:
    outputs, losses = distil(Bckd(kind="bckd", level_gate="none"))
    scores, distances = (flat(levels) for levels in outputs.student.outs)
    t_scores, t_distances = (flat(levels) for levels in outputs.teacher.outs)
    assert losses["bckd_cls"].item() == pytest.approx(classification(scores, outputs).item(), rel=1e-5)
    sizes = [level.shape[-2:] for level in outputs.student.outs[0]]
    points = torch.cat(outputs.student.adapter.head.prior_generator.grid_priors(sizes, device="cpu")).repeat(2, 1)
    mine, theirs = (torch.cat([points - d[:, :2], points + d[:, 2:]], 1) for d in (distances, t_distances))
    giou = bbox_overlaps(mine, theirs, mode="giou", is_aligned=True)
    gap = (t_scores.sigmoid() - scores.sigmoid()).abs().amax(1)
    expected = 4.0 * (outputs.anchors.weight_A * gap * (1 - giou)).sum() / outputs.anchors.normaliser
    assert losses["bckd_loc"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_n_is_the_sum_of_the_positives_ious() -> None:
    outputs, _ = distil(Bckd(kind="bckd"))
    assert 1.0 < float(outputs.anchors.normaliser) < int(outputs.anchors.positive_A.sum())


@pytest.mark.parametrize("where", ["after", "before"])
def test_crosskd_uses_each_levels_own_norms_and_the_silu_once(where: Tap) -> None:
    outputs, losses = distil(CrossKd(kind="crosskd", convs=1, tap=where))
    own, head = outputs.student.adapter.head, outputs.teacher.adapter.head
    crossed = []
    for level, (mine, theirs) in enumerate(zip(outputs.student.features, outputs.teacher.features, strict=True)):
        held = [
            block.norm(block.conv(feature.clone()))
            for block, feature in ((own.cls_convs[level][0], mine), (head.cls_convs[level][0], theirs))
        ]
        if where == "after":
            held = [silu(feature) for feature in held]
        features = aligned(*held)
        rest = head.cls_convs[level][1]
        features = silu(rest.norm(rest.conv(features if where == "after" else silu(features))))
        crossed.append(head.rtm_cls[level](features))
    expected = classification(flat(crossed), outputs)
    torch.testing.assert_close(losses["crosskd_cls"].double(), expected, rtol=1e-4, atol=0.0)


def aligned(student: Tensor, teacher: Tensor) -> Tensor:
    (mean, deviation), (t_mean, t_deviation) = (
        (m.mean((0, 2, 3), True), m.std((0, 2, 3), keepdim=True)) for m in (student, teacher)
    )
    return (student - mean) / (deviation + 1e-6) * t_deviation + t_mean


def test_negative_distances_count_as_zero() -> None:
    detector = woken(LINEAR, 1)
    with torch.no_grad():
        for layer in detector.bbox_head.rtm_reg:
            layer.bias[:] = torch.tensor([-9.0, -9.0, 1.0, 1.0])
    inputs, _ = preprocess(detector, (CROWD,))
    found = adapter_for(detector).forward(inputs)
    assert isinstance(found, RtmdetOutputs)
    assert bool((found.deltas_A4[:, :2] < 0).all())
    assert torch.equal(found.boxes_A4[:, :2], torch.cat(found.priors()) / found.strides_A[:, None])
    assert bool((found.boxes_A4[:, 2:] >= found.boxes_A4[:, :2]).all())


def test_kernels_that_levels_share_are_optimised_once() -> None:
    student = woken(CONFIG, 1, CLASSES)
    rule = AdamW(kind="adamw", norm_weight_decay=False, bias_weight_decay=False)
    groups = build_optimizer(student, Schedule(optimizer=rule)).optimizer.param_groups
    found = [id(weight) for group in groups for weight in group["params"]]
    assert sorted(found) == sorted(id(weight) for weight in student.parameters())
