"""Both of CrossKD's definitions equal a reference written from the formula, values and gradients, on every head.

The authors' code keeps a feature before ``conv.activate(feature)``, whose ReLU writes into it: ``after`` the activation.
Their paper says: before it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.structures.bbox import bbox_overlaps
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, kl_div

from tests.unit.trainers.scenes import LARGE, UPRIGHT, preprocess
from tests.unit.trainers.tiny_heads import config_of, woken
from trainers.distill.adapters.base import TargetCache
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.distill.head_outputs import TeacherStudentOutputs
from trainers.schema.method import CrossKd, TermSum
from trainers.schema.terms import CrossKdBox, CrossKdCls, Tap

HEADS: dict[str, Path] = {
    "gfl": Path(__file__).parents[3] / "contract" / "adapter_gfl.py",
    **{name: config_of(name) for name in ("atss", "fcos", "fcos_normed", "retinanet")},
}
PREDICTORS = {
    "gfl": ("gfl_cls", "gfl_reg"),
    "atss": ("atss_cls", "atss_reg"),
    "fcos": ("conv_cls", "conv_reg"),
    "fcos_normed": ("conv_cls", "conv_reg"),
    "retinanet": ("retina_cls", "retina_reg"),
}
EPS = torch.finfo(torch.float32).eps  # what every divisor is increased by


@pytest.mark.parametrize("where", ["after", "before"])
@pytest.mark.parametrize("name", HEADS)
def test_losses_and_gradients_equal_the_reference(name: str, where: Tap) -> None:
    iou = "log_iou" if name.startswith("fcos") else "giou"
    outputs, losses = distil(name, CrossKd(kind="crosskd", convs=1, tap=where, cls_weight=0.6, box_weight=2.0, iou=iou))
    features = [level.detach().requires_grad_() for level in outputs.student.features]
    wanted = reference(name, outputs, features, where)
    for term, weight, tolerance in (("crosskd_cls", 0.6, 1e-9), ("crosskd_box", 2.0, 1e-5)):  # boxes pass by float32
        expected = weight * wanted[term]
        torch.testing.assert_close(losses[term].double(), expected, rtol=tolerance, atol=0.0)
        found = torch.autograd.grad(losses[term], outputs.student.features, retain_graph=True)
        expected_grads = torch.autograd.grad(expected, features, retain_graph=True)
        for one, other in zip(found, expected_grads, strict=True):
            torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance * float(other.abs().max()))


@pytest.mark.parametrize("name", HEADS)
def test_the_authors_in_place_activation_is_the_definition_after_it(name: str) -> None:
    """Run a head as their code does: keep the feature, then activate it in place."""
    outputs, losses = distil(name, CrossKd(kind="crosskd", convs=1, cls_weight=1.0, iou="giou"))
    held = [kept(outputs, level) for level in zip(outputs.student.features, outputs.teacher.features, strict=True)]
    head = outputs.teacher.adapter.head
    crossed = [getattr(head, PREDICTORS[name][0])(head.cls_convs[1](aligned(*sides).relu())) for sides in held]
    loss = classification(flat(crossed, 3), outputs)
    torch.testing.assert_close(losses["crosskd_cls"].double(), loss, rtol=1e-9, atol=0.0)


@pytest.mark.parametrize("name", ["gfl", "retinanet"])
def test_the_two_definitions_differ(name: str) -> None:
    found = [distil(name, CrossKd(kind="crosskd", convs=1, tap=where))[1] for where in ("after", "before")]
    for term in ("crosskd_cls", "crosskd_box"):
        assert found[0][term].item() != pytest.approx(found[1][term].item(), rel=1e-3)


def test_terms_of_both_definitions_can_stand_side_by_side() -> None:
    """Each term reads its own features, also where another reads the other's."""
    cls = CrossKdCls(kind="crosskd-cls", convs=1, tap="before")
    box = CrossKdBox(kind="crosskd-box", convs=1, tap="after")
    _, mixed = distil("gfl", TermSum(kind="terms", terms=(cls, box)))
    _, before = distil("gfl", CrossKd(kind="crosskd", convs=1, tap="before"))
    _, after = distil("gfl", CrossKd(kind="crosskd", convs=1, tap="after"))
    assert (mixed["crosskd_cls"], mixed["crosskd_box"]) == (before["crosskd_cls"], after["crosskd_box"])


def distil(name: str, method: Any) -> tuple[TeacherStudentOutputs, dict[str, Tensor]]:
    """Return one batch as both detectors see it in float64, and the losses."""
    student = woken(HEADS[name], 1).double().train()
    teacher = FrozenTeacher(woken(HEADS[name], 2).double())
    teacher.serve(method)
    inputs, samples = preprocess(student, (LARGE, UPRIGHT))
    distiller = Distiller(student, method)
    losses = distiller(inputs.double(), samples, teacher.forward(inputs.double()), TargetCache())
    assert distiller.outputs is not None
    return distiller.outputs, losses


# ------------------------------------------------------------------------------------------------------- reference


def reference(name: str, outputs: TeacherStudentOutputs, features: list[Tensor], where: Tap) -> dict[str, Tensor]:
    """Return both terms at weight 1, from the student's pyramid features and the layers of both heads."""
    own, head = outputs.student.adapter.head, outputs.teacher.adapter.head
    sides = []
    for branch in ("cls_convs", "reg_convs"):
        mine, theirs = ([held(getattr(h, branch)[0], level, where) for level in levels] for h, levels in (
            (own, features), (head, [level.clone() for level in outputs.teacher.features])
        ))  # fmt: skip
        pairs = zip(mine, theirs, strict=True)
        sides.append([activated(getattr(head, branch)[1], aligned(s, t).relu()) for s, t in pairs])
    cls, box = (getattr(head, layer) for layer in PREDICTORS[name])
    logits = flat([cls(level) for level in sides[0]], 3)
    scales = [scale.scale for scale in head.scales] if hasattr(head, "scales") else [torch.ones(())] * 3
    outs = [scale * box(level) for scale, level in zip(scales, sides[1], strict=True)]
    return {"crosskd_cls": classification(logits, outputs), "crosskd_box": BOXES[name](outputs, outs)}


def held(block: Any, feature: Tensor, where: Tap) -> Tensor:
    """Return what a block of convolution, norm and ReLU makes of a feature, with or without the ReLU."""
    found: Tensor = block.conv(feature) if block.norm is None else block.norm(block.conv(feature))
    return found.relu() if where == "after" else found


def activated(block: Any, feature: Tensor) -> Tensor:
    return held(block, feature, "after")


def kept(outputs: TeacherStudentOutputs, levels: tuple[Tensor, Tensor]) -> list[Tensor]:
    """Return both heads' classification features as the authors keep them."""
    found = []
    for head_outputs, level in zip((outputs.student, outputs.teacher), levels, strict=True):
        block = head_outputs.adapter.head.cls_convs[0]
        hold = block(level.detach().clone(), activate=False)
        block.activate(hold)  # writes into it
        found.append(hold)
    return found


def aligned(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the student's map with each channel's mean and deviation, over batch and places, those of the teacher's."""
    (mean, deviation), (t_mean, t_deviation) = (
        (m.mean((0, 2, 3), True), m.std((0, 2, 3), keepdim=True)) for m in (student, teacher)
    )
    return (student - mean) / (deviation + 1e-6) * t_deviation + t_mean


def flat(maps: list[Tensor], channels: int) -> Tensor:
    """Return one row an anchor, image by image, in each image level by level."""
    images = range(len(maps[0]))
    return torch.cat([level[image].permute(1, 2, 0).reshape(-1, channels) for image in images for level in maps])


def classification(logits: Tensor, outputs: TeacherStudentOutputs) -> Tensor:
    p, p_t = logits.sigmoid(), flat(outputs.teacher.outs[0], 3).sigmoid()
    entropy = binary_cross_entropy_with_logits(logits, p_t, reduction="none")
    per_anchor = ((p_t - p).abs() * entropy).sum(1)
    return (outputs.anchors.weight_A * per_anchor).sum() / (outputs.anchors.normaliser.double() + EPS)


def peak(outputs: TeacherStudentOutputs) -> Tensor:
    return outputs.anchors.weight_A * flat(outputs.teacher.outs[0], 3).sigmoid().amax(1)


def gfl_boxes(outputs: TeacherStudentOutputs, outs: list[Tensor]) -> Tensor:
    s, t = (flat(levels, 12).reshape(-1, 4, 3) for levels in (outs, outputs.teacher.outs[1]))
    divergence = kl_div(s.log_softmax(2), t.double().softmax(2), reduction="none").sum(2).mean(1)
    return (peak(outputs) * divergence).sum() / (peak(outputs).sum() + EPS)


def anchored_boxes(outputs: TeacherStudentOutputs, outs: list[Tensor]) -> Tensor:
    head = outputs.teacher.adapter.head
    priors = head.prior_generator.grid_priors([level.shape[-2:] for level in outs], device="cpu")
    anchors = torch.cat(priors).double().repeat(2, 1)
    mine, theirs = (
        decoded(anchors, flat(levels, 4), head.bbox_coder.stds) for levels in (outs, outputs.teacher.outs[1])
    )
    return overlaps(outputs, mine, theirs, lambda iou: 1 - iou, "giou")


def decoded(anchors: Tensor, deltas: Tensor, stds: Any) -> Tensor:
    """Return boxes from deltas: centres move by anchor sides, sides grow by exponents."""
    size, centre = anchors[:, 2:] - anchors[:, :2], (anchors[:, 2:] + anchors[:, :2]) / 2
    scaled = deltas.double() * torch.tensor(stds, dtype=torch.float64)
    middle, half = centre + scaled[:, :2] * size, scaled[:, 2:].exp() * size / 2
    return torch.cat([middle - half, middle + half], 1)


def point_boxes(exponent: bool) -> Callable[[TeacherStudentOutputs, list[Tensor]], Tensor]:
    """Return the box loss of a head of points: distances are exponents of pixels, or clamped and in strides."""

    def loss(outputs: TeacherStudentOutputs, outs: list[Tensor]) -> Tensor:
        head = outputs.teacher.adapter.head
        strides = zip(outs, head.strides, strict=True)
        distances = [level.exp() if exponent else level.clamp(min=0) * stride for level, stride in strides]
        points = torch.cat(head.prior_generator.grid_priors([level.shape[-2:] for level in outs], device="cpu"))
        centres = points.double().repeat(2, 1)
        mine, theirs = (boxed(centres, flat(levels, 4).double()) for levels in (distances, outputs.teacher.outs[1]))
        return overlaps(outputs, mine, theirs, lambda iou: -iou.clamp(min=1e-6).log(), "iou")

    return loss


def boxed(centres: Tensor, distances: Tensor) -> Tensor:
    return torch.cat([centres - distances[:, :2], centres + distances[:, 2:]], 1)


def overlaps(
    outputs: TeacherStudentOutputs, mine: Tensor, theirs: Tensor, loss: Callable[[Tensor], Tensor], mode: str
) -> Tensor:
    values = loss(bbox_overlaps(mine, theirs, mode=mode, is_aligned=True))
    return (peak(outputs) * values).sum() / (outputs.anchors.normaliser.double() + EPS)


BOXES: dict[str, Callable[[TeacherStudentOutputs, list[Tensor]], Tensor]] = {
    "gfl": gfl_boxes,
    "atss": anchored_boxes,
    "retinanet": anchored_boxes,
    "fcos": point_boxes(exponent=True),
    "fcos_normed": point_boxes(exponent=False),
}
