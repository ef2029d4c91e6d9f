"""Hold YOLOX to what is its own: class and objectness apart, exponentials that run away, the closing epochs."""

from math import log
from typing import Any

import pytest
import torch
from mmdet.structures.bbox import bbox_overlaps
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from tests.unit.trainers.scenes import CROWD, EMPTY, LARGE, preprocess
from tests.unit.trainers.tiny_heads import config_of, woken
from trainers.distill.adapters.base import TargetCache, adapter_for
from trainers.distill.adapters.yolox import joint_logits
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.schema import Bckd, NoDistillation

CONFIG = config_of("yolox")
SCORES = ("joint", "separate", "weighted")


# ---------------------------------------------------------------------------------------------- the joint logit


def test_joint_logits_are_the_logits_of_the_product() -> None:
    c, o = torch.meshgrid(*[torch.linspace(-12, 12, 25, dtype=torch.float64)] * 2, indexing="ij")
    product = c.sigmoid() * o.sigmoid()
    found = joint_logits(c.reshape(-1, 1), o.reshape(-1)).reshape(c.shape)
    torch.testing.assert_close(found.sigmoid(), product, rtol=1e-12, atol=0.0)
    torch.testing.assert_close(found, product.log() - (-product).log1p(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("c", "o", "z", "dc", "do"),
    [
        (1e4, 1e4, 1e4 - log(2.0), 0.5, 0.5),
        (-1e4, 1e4, -1e4, 1.0, 0.0),
        (1e4, -1e4, -1e4, 0.0, 1.0),
        (-1e4, -1e4, -2e4, 1.0, 1.0),
        (0.0, 1e4, 0.0, 1.0, 0.0),
    ],
)
def test_joint_logits_are_exact_far_out(c: float, o: float, z: float, dc: float, do: float) -> None:
    classes, objectness = torch.tensor([[c]], requires_grad=True), torch.tensor([o], requires_grad=True)
    found = joint_logits(classes, objectness)
    assert found.item() == pytest.approx(z, abs=1e-3)
    gradients = torch.autograd.grad(found.sum(), (classes, objectness))
    assert [gradient.item() for gradient in gradients] == pytest.approx([dc, do], abs=1e-3)  # float32 of 10000


def test_joint_logits_have_the_gradient_of_the_formula() -> None:
    generator = torch.Generator().manual_seed(0)
    c, o = (torch.randn(7, 3, generator=generator).double() * 4, torch.randn(7, generator=generator).double() * 4)
    assert torch.autograd.gradcheck(joint_logits, (c.requires_grad_(), o.requires_grad_()))


def test_joint_logits_of_half_precision_are_float32() -> None:
    c, o = torch.full((2, 3), 30000.0, dtype=torch.float16), torch.full((2,), 30000.0, dtype=torch.float16)
    found = joint_logits(c, o)
    assert found.dtype == torch.float32
    assert found[0, 0].item() == pytest.approx(30000.0, abs=1.0)  # c + o is beyond float16


# ---------------------------------------------------------------------------------------------------- the scores


@torch.no_grad()
def by_hand(detector: Any, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return class logits, objectness and boxes in pixels, each level's cells in turn, image by image."""
    head = detector.bbox_head
    outs = head(detector.extract_feat(inputs))
    priors = head.prior_generator.grid_priors([o.shape[-2:] for o in outs[0]], device="cpu", with_stride=True)
    maps = [torch.cat([m.flatten(2).transpose(1, 2) for m in levels], 1) for levels in outs]
    boxes = head._bbox_decode(torch.cat(priors), maps[1])
    return maps[0].flatten(0, 1), maps[2].flatten(), boxes.flatten(0, 1)


@pytest.mark.parametrize("score", SCORES)
def test_bckd_equals_the_formula_for_every_score(score: Any) -> None:
    student, teacher = woken(CONFIG, 1).eval(), FrozenTeacher(woken(CONFIG, 2))
    inputs, samples = preprocess(student, (LARGE, CROWD))
    method = Bckd(kind="bckd", score=score, level_gate="none")
    distiller = Distiller(student, method)
    losses = distiller(inputs, samples, teacher.forward(inputs), TargetCache())
    assert distiller.outputs is not None
    count = int(distiller.outputs.anchors.positive_A.sum())
    assert count > 0
    (s_cls, s_obj, s_box), (t_cls, t_obj, t_box) = by_hand(student, inputs), by_hand(teacher.detector, inputs)
    weight = torch.ones(len(s_obj))
    if score == "joint":
        p_s, p_t = s_cls.sigmoid() * s_obj.sigmoid()[:, None], t_cls.sigmoid() * t_obj.sigmoid()[:, None]
    elif score == "separate":
        p_s, p_t = (torch.cat([c, o[:, None]], 1).sigmoid() for c, o in ((s_cls, s_obj), (t_cls, t_obj)))
    else:
        p_s, p_t, weight = s_cls.sigmoid(), t_cls.sigmoid(), t_obj.sigmoid()
    p_s, p_t = p_s.double(), p_t.double()
    entropy = binary_cross_entropy_with_logits(p_s.logit(), p_t, reduction="none")
    classification = float((weight * ((p_t - p_s).abs() * entropy).sum(1)).sum()) / count
    giou = bbox_overlaps(s_box, t_box, mode="giou", is_aligned=True)
    localization = float((weight * (p_t - p_s).abs().amax(1) * (1 - giou)).sum()) / count
    assert losses["bckd_cls"].item() == pytest.approx(classification, rel=1e-4)
    assert losses["bckd_loc"].item() == pytest.approx(4.0 * localization, rel=1e-4)


@pytest.mark.parametrize("score", SCORES)
def test_gradient_reaches_what_the_score_is_made_of(score: Any) -> None:
    student, teacher = woken(CONFIG, 1).train(), FrozenTeacher(woken(CONFIG, 2))
    inputs, samples = preprocess(student, (LARGE, CROWD))
    losses = Distiller(student, Bckd(kind="bckd", score=score))(inputs, samples, teacher.forward(inputs), TargetCache())
    losses["bckd_cls"].backward()
    head = student.bbox_head
    assert bool(head.multi_level_conv_cls[0].weight.grad.abs().sum() > 0)
    objectness = head.multi_level_conv_obj[0].weight.grad
    assert (objectness is not None and bool(objectness.abs().sum() > 0)) == (score != "weighted")
    assert all(parameter.grad is None for parameter in teacher.detector.parameters())


# ----------------------------------------------------------------------------------------- extremes, closing epochs


@pytest.mark.parametrize("bias", [1e4, -1e4])
@pytest.mark.parametrize("score", SCORES)
def test_boxes_that_run_away_leave_losses_and_gradients_finite(bias: float, score: Any) -> None:
    student, teacher = woken(CONFIG, 1).train(), FrozenTeacher(woken(CONFIG, 2))
    with torch.no_grad():
        for layer in student.bbox_head.multi_level_conv_reg:
            layer.bias[3] += bias
    inputs, samples = preprocess(student, (CROWD, EMPTY))
    losses = Distiller(student, Bckd(kind="bckd", score=score))(inputs, samples, teacher.forward(inputs), TargetCache())
    assert all(bool(torch.isfinite(value)) for value in losses.values()), losses
    torch.autograd.backward(torch.stack(list(losses.values())).sum())
    assert all(bool(torch.isfinite(p.grad).all()) for p in student.parameters() if p.grad is not None)


def test_the_closing_epochs_add_the_l1_loss_and_leave_again() -> None:
    student = woken(CONFIG, 1).train()
    inputs, samples = preprocess(student, (LARGE, CROWD))
    distiller = Distiller(student, NoDistillation(kind="none"))
    names = []
    for closing in (False, True, False):
        distiller.adapter.close(closing)
        names.append(set(distiller(inputs, samples, None, TargetCache())))
    assert names == [{"cls", "bbox", "obj"}, {"cls", "bbox", "obj", "l1"}, {"cls", "bbox", "obj"}]


def test_students_side_by_side_assign_for_themselves() -> None:
    cache, first, second = TargetCache(), adapter_for(woken(CONFIG, 1)), adapter_for(woken(CONFIG, 1))
    assert cache.of(first) is not cache.of(second)
