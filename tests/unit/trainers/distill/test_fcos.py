"""Hold FCOS to what is its own: exponentials that run away, and heads that differ in units and sampling."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.structures.bbox import bbox_overlaps
from torch.nn.functional import binary_cross_entropy_with_logits

from tests.unit.trainers.scenes import CROWD, EMPTY, LARGE, UPRIGHT, preprocess
from tests.unit.trainers.tiny_heads import config_of, woken
from trainers.distill.adapters.base import TargetCache, adapter_for
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.schema import Bckd
from trainers.schema.method import CrossKd, Gid

PLAIN, NORMED = config_of("fcos"), config_of("fcos_normed")


def gradients_are_finite(detector: Any) -> bool:
    return all(bool(torch.isfinite(p.grad).all()) for p in detector.parameters() if p.grad is not None)


def run_away(detector: Any, bias: float) -> Any:
    """Let one side of every box be as far away as exp(bias)."""
    with torch.no_grad():
        detector.bbox_head.conv_reg.bias[2] += bias
    return detector


@pytest.mark.parametrize("config", [PLAIN, NORMED], ids=["exponential", "normed"])
@pytest.mark.parametrize("bias", [1e4, -1e4])
@pytest.mark.parametrize("method", [Bckd(kind="bckd"), CrossKd(kind="crosskd", convs=1), Gid(kind="gid-response")])
def test_boxes_that_run_away_leave_losses_and_gradients_finite(config: Path, bias: float, method: Any) -> None:
    student, teacher = run_away(woken(config, 1).train(), bias), FrozenTeacher(run_away(woken(config, 2), bias))
    teacher.serve(method)
    inputs, samples = preprocess(student, (CROWD, EMPTY))
    losses = Distiller(student, method)(inputs, samples, teacher.forward(inputs), TargetCache())
    assert all(bool(torch.isfinite(value)) for value in losses.values()), losses
    torch.autograd.backward(torch.stack(list(losses.values())).sum())
    assert gradients_are_finite(student)


def test_without_an_adapter_one_point_ruins_the_gradients() -> None:
    """Show what the limit is for: the head's own loss looks at positives only, and its gradient is NaN all the same."""
    detector = run_away(woken(PLAIN, 1).train(), 1e4)
    inputs, samples = preprocess(detector, (CROWD,))
    losses = detector.loss(inputs, samples)
    losses["loss_cls"].backward(retain_graph=True)
    losses["loss_bbox"].backward()
    assert not gradients_are_finite(detector)


def test_a_teacher_of_another_unit_teaches_the_same_boxes() -> None:
    """Distil a head that predicts strides in training by one that predicts pixels, and the other way round."""
    for mine, other in ((PLAIN, NORMED), (NORMED, PLAIN)):
        student, frozen = woken(mine, 1).train(), FrozenTeacher(woken(other, 2))
        inputs, samples = preprocess(student, (LARGE, CROWD))
        losses = Distiller(student, Bckd(kind="bckd", level_gate="none"))(
            inputs, samples, frozen.forward(inputs), TargetCache()
        )
        s_logits, s_boxes = pixels(woken(mine, 1).train(), inputs)  # with the batch's own statistics
        t_logits, t_boxes = pixels(woken(other, 2).eval(), inputs)
        anchors = positives(student, inputs, samples)
        p_s, p_t = s_logits.sigmoid(), t_logits.sigmoid()
        entropy = binary_cross_entropy_with_logits(s_logits, p_t, reduction="none")
        classification = float(((p_t - p_s).abs() * entropy).sum()) / anchors
        giou = bbox_overlaps(s_boxes, t_boxes, mode="giou", is_aligned=True)
        localization = 4.0 * float(((p_t - p_s).abs().amax(1) * (1 - giou)).sum()) / anchors
        assert losses["bckd_cls"].item() == pytest.approx(classification, rel=1e-4)
        assert losses["bckd_loc"].item() == pytest.approx(localization, rel=1e-4)


@torch.no_grad()
def pixels(detector: Any, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return class logits and boxes in pixels as mmdet's head decodes them in evaluation, image by image."""
    features = detector.extract_feat(inputs)
    head = detector.bbox_head.eval()
    scores, boxes, _ = head(features)
    points = head.prior_generator.grid_priors([level.shape[-2:] for level in scores], device="cpu")
    logits, decoded = [], []
    for image in range(len(inputs)):
        for place, classes, distances in zip(points, scores, boxes, strict=True):
            logits.append(classes[image].permute(1, 2, 0).flatten(0, 1))
            decoded.append(head.bbox_coder.decode(place, distances[image].permute(1, 2, 0).flatten(0, 1)))
    return torch.cat(logits), torch.cat(decoded)


def positives(detector: Any, inputs: torch.Tensor, samples: Any) -> int:
    head = detector.bbox_head
    sizes = [level.shape[-2:] for level in detector.extract_feat(inputs)]
    labels, _ = head.get_targets(
        head.prior_generator.grid_priors(sizes, device="cpu"), [sample.gt_instances for sample in samples]
    )
    return int((torch.cat(labels) < head.num_classes).sum())


@pytest.mark.parametrize(
    "change",
    [{"norm_on_bbox": True}, {"center_sampling": True}, {"regress_ranges": ((-1, 8), (8, 32), (32, 1e8))}],
    ids=lambda change: next(iter(change)),
)
def test_heads_that_assign_differently_share_no_targets(change: dict[str, Any]) -> None:
    cache, first, second = TargetCache(), woken(PLAIN, 1), woken(PLAIN, 2)
    for name, value in change.items():
        setattr(second.bbox_head, name, value)
    targets = cache.of(adapter_for(first))
    assert cache.of(adapter_for(second)) is not targets
    assert cache.of(adapter_for(woken(PLAIN, 3))) is targets


def test_points_on_padding_count_as_in_the_heads_own_loss() -> None:
    student = woken(PLAIN, 1).train()
    inputs, samples = preprocess(student, (CROWD, UPRIGHT))
    distiller = Distiller(student, Bckd(kind="bckd"))
    distiller(inputs, samples, FrozenTeacher(woken(PLAIN, 2)).forward(inputs), TargetCache())
    assert distiller.outputs is not None
    assert inputs.shape[-2:] == (96, 96)  # two images of 64 x 96 and 96 x 64
    assert bool((distiller.outputs.anchors.weight_A == 1.0).all())
