"""Prove the BCKD losses against the formulas, and their behaviour at the edges."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from tests.unit.trainers.bckd_reference import Anchor, Switches, overlap, solve
from tests.unit.trainers.host_reads import host_reads
from trainers.distill.losses import (
    classification_distillation,
    level_gate,
    localization_distillation,
    paired_giou,
    paired_iou,
)

LEVELS = 4
EMPTY_LEVEL = 2
EPS32 = torch.finfo(torch.float32).eps
Kind = Literal["giou", "iou"]
Overlaps = Callable[[Tensor, Tensor, float], Tensor]
OVERLAPS: dict[Kind, Overlaps] = {"iou": paired_iou, "giou": paired_giou}
KINDS: tuple[Kind, Kind] = ("giou", "iou")
GATES: tuple[Literal["has_positives", "none"], ...] = ("has_positives", "none")
NORMALISERS: tuple[Literal["positives", "sum"], ...] = ("positives", "sum")
SWITCHES = [Switches(*row) for row in product((1.0, 1.5, 2.0), (False, True), KINDS, GATES, NORMALISERS)]
VARIANTS = {
    ("giou", "has_positives", "positives"): "official",
    ("iou", "none", "positives"): "paper",
    ("iou", "none", "sum"): "algorithm-a1",
}


@dataclass
class Batch:
    """Hold one flattened batch: two classes short of a detector, but every field that the losses read."""

    student_AC: Tensor
    teacher_AC: Tensor
    student_boxes_A4: Tensor
    teacher_boxes_A4: Tensor
    label_weight_A: Tensor
    positive_A: Tensor
    level_A: Tensor

    def weight_A(self, switches: Switches) -> Tensor:
        if switches.level_gate == "none":
            return self.label_weight_A
        return self.label_weight_A * level_gate(self.positive_A, self.level_A, LEVELS)

    def normaliser(self, switches: Switches) -> Tensor | None:
        return self.positive_A.sum() if switches.normaliser == "positives" else None

    def anchors(self) -> list[Anchor]:
        fields = (self.level_A, self.positive_A, self.label_weight_A, self.student_AC, self.teacher_AC)
        boxes = (self.student_boxes_A4, self.teacher_boxes_A4)
        return [Anchor(*row) for row in zip(*(field.tolist() for field in (*fields, *boxes)), strict=True)]


def boxes_like(count: int, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
    low_A2 = 3.0 * torch.rand(count, 2, generator=generator, dtype=torch.float64)
    size_A2 = 0.2 + 3.0 * torch.rand(count, 2, generator=generator, dtype=torch.float64)
    return torch.cat([low_A2, low_A2 + size_A2], dim=1).to(dtype)


def make_batch(dtype: torch.dtype = torch.float64, anchors: int = 24, classes: int = 3) -> Batch:
    """Draw overlapping and disjoint boxes, ignored and half-weighted anchors, and one level without positives."""
    generator = torch.Generator().manual_seed(20231002)
    level_A = torch.arange(anchors) % LEVELS
    label_weight_A = torch.ones(anchors, dtype=dtype)
    label_weight_A[5::7] = 0.0
    label_weight_A[6::7] = 0.5
    return Batch(
        student_AC=(3.0 * torch.randn(anchors, classes, generator=generator, dtype=torch.float64)).to(dtype),
        teacher_AC=(3.0 * torch.randn(anchors, classes, generator=generator, dtype=torch.float64)).to(dtype),
        student_boxes_A4=boxes_like(anchors, generator, dtype),
        teacher_boxes_A4=boxes_like(anchors, generator, dtype),
        label_weight_A=label_weight_A,
        positive_A=(torch.rand(anchors, generator=generator) < 0.5) & (level_A != EMPTY_LEVEL),
        level_A=level_A,
    )


def both_losses(batch: Batch, switches: Switches) -> tuple[Tensor, Tensor]:
    weight_A, normaliser = batch.weight_A(switches), batch.normaliser(switches)
    logits = (batch.student_AC, batch.teacher_AC)
    classification = classification_distillation(
        *logits, weight_A, normaliser, gamma=switches.gamma, detach_weight=switches.detach_weight
    )
    boxes = (batch.student_boxes_A4, batch.teacher_boxes_A4)
    return classification, localization_distillation(*boxes, *logits, weight_A, normaliser, iou=switches.iou)


def describe(switches: Switches) -> str:
    name = VARIANTS.get((switches.iou, switches.level_gate, switches.normaliser))
    parts = (switches.iou, switches.level_gate, switches.normaliser)
    return "-".join(
        (name or "+".join(parts), f"gamma{switches.gamma}", "detached" if switches.detach_weight else "full")
    )


def assert_matches(actual: Tensor, expected: Any, tolerance: float) -> None:
    """Compare relative to each element, with an absolute floor relative to the largest one."""
    wanted = torch.tensor(expected, dtype=torch.float64)
    floor = 1e-2 * tolerance * float(wanted.abs().max())
    torch.testing.assert_close(actual.detach().double(), wanted, rtol=tolerance, atol=floor)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-4)], ids=["f64", "f32"])
@pytest.mark.parametrize("switches", SWITCHES, ids=describe)
def test_values_and_gradients_equal_the_loop_reference(
    switches: Switches, dtype: torch.dtype, tolerance: float
) -> None:
    batch = make_batch(dtype)
    batch.student_AC.requires_grad_()
    batch.student_boxes_A4.requires_grad_()
    answer = solve(batch.anchors(), LEVELS, float(batch.positive_A.sum()), switches)

    classification, localization = both_losses(batch, switches)
    (logit_slopes_AC,) = torch.autograd.grad(classification, batch.student_AC)
    (box_slopes_A4,) = torch.autograd.grad(localization, batch.student_boxes_A4)

    assert classification.shape == localization.shape == ()
    assert classification.dtype == localization.dtype == dtype
    assert_matches(classification, answer.classification, tolerance)
    assert_matches(localization, answer.localization, tolerance)
    assert_matches(logit_slopes_AC, answer.logit_slopes, tolerance)
    assert_matches(box_slopes_A4, answer.box_slopes, tolerance)


def logit(probability: float) -> float:
    return math.log(probability) - math.log1p(-probability)


def class_slope(p_t: float, p_s: float, *, detach_weight: bool) -> float:
    student_AC = torch.tensor([[logit(p_s)]], dtype=torch.float64, requires_grad=True)
    teacher_AC = torch.tensor([[logit(p_t)]], dtype=torch.float64)
    loss = classification_distillation(student_AC, teacher_AC, torch.ones(1), None, detach_weight=detach_weight)
    return torch.autograd.grad(loss, student_AC)[0].item()


@pytest.mark.parametrize(("detach_weight", "printed"), [(False, -0.827), (True, -0.640)])
def test_the_printed_example_of_the_gradient(detach_weight: bool, printed: float) -> None:
    assert class_slope(0.9, 0.1, detach_weight=detach_weight) == pytest.approx(printed, abs=5e-4)


@pytest.mark.parametrize("p_s", [0.01, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("p_t", [0.02, 0.5, 0.97])
def test_gradient_has_the_closed_form(p_t: float, p_s: float) -> None:
    entropy = -p_t * math.log(p_s) - (1.0 - p_t) * math.log(1.0 - p_s)
    through_logit = abs(p_t - p_s) * (p_s - p_t)
    through_weight = math.copysign(1.0, p_s - p_t) * p_s * (1.0 - p_s) * entropy
    assert class_slope(p_t, p_s, detach_weight=True) == pytest.approx(through_logit, rel=1e-9)
    assert class_slope(p_t, p_s, detach_weight=False) == pytest.approx(through_logit + through_weight, rel=1e-9)


def test_near_the_teacher_the_gradient_stays_like_that_of_l1() -> None:
    assert abs(class_slope(0.5, 0.5 + 1e-9, detach_weight=False)) == pytest.approx(0.25 * math.log(2.0), rel=1e-6)
    assert abs(class_slope(0.5, 0.5 + 1e-9, detach_weight=True)) < 1e-15


def slopes(batch: Batch, switches: Switches) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return both losses and the gradient of their sum by logits and boxes."""
    student_AC = batch.student_AC.detach().requires_grad_()
    boxes_A4 = batch.student_boxes_A4.detach().requires_grad_()
    fields = {**vars(batch), "student_AC": student_AC, "student_boxes_A4": boxes_A4}
    classification, localization = both_losses(Batch(**fields), switches)
    gradient_AC, gradient_A4 = torch.autograd.grad(classification + localization, (student_AC, boxes_A4))
    return classification.detach(), localization.detach(), gradient_AC, gradient_A4


@pytest.mark.parametrize("gamma", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("iou", KINDS)
def test_a_student_equal_to_its_teacher_has_no_loss_and_no_gradient(gamma: float, iou: Kind) -> None:
    batch = make_batch(torch.float32)
    batch.student_AC, batch.student_boxes_A4 = batch.teacher_AC.clone(), batch.teacher_boxes_A4.clone()
    for result in slopes(batch, Switches(gamma=gamma, iou=iou)):
        assert torch.equal(result, torch.zeros_like(result))


@pytest.mark.parametrize("overlaps", OVERLAPS.values(), ids=OVERLAPS)
def test_equal_boxes_overlap_fully_with_gradient_zero(overlaps: Overlaps) -> None:
    boxes_A4 = make_batch().student_boxes_A4.requires_grad_()
    overlap_A = overlaps(boxes_A4, boxes_A4.detach().clone(), 1e-6)
    torch.testing.assert_close(overlap_A, torch.ones_like(overlap_A))
    (gradient_A4,) = torch.autograd.grad(overlap_A.sum(), boxes_A4)
    torch.testing.assert_close(gradient_A4, torch.zeros_like(gradient_A4))


def test_without_positives_the_gate_leaves_zero_and_the_paper_does_not() -> None:
    batch = make_batch()
    batch.positive_A = torch.zeros_like(batch.positive_A)
    for result in slopes(batch, Switches(normaliser="sum")):
        assert torch.equal(result, torch.zeros_like(result))
    assert all(float(loss) > 0.0 for loss in slopes(batch, Switches(level_gate="none", normaliser="sum"))[:2])


@pytest.mark.parametrize("normaliser", [None, 1.0, torch.tensor(1.0)], ids=["sum", "float", "tensor"])
def test_no_anchors_give_a_zero_that_reaches_the_student(normaliser: Tensor | float | None) -> None:
    student_AC, boxes_A4 = torch.zeros(0, 3, requires_grad=True), torch.zeros(0, 4, requires_grad=True)
    logits, weight_A = (student_AC, torch.zeros(0, 3)), torch.zeros(0)
    classification = classification_distillation(*logits, weight_A, normaliser)
    localization = localization_distillation(boxes_A4, torch.zeros(0, 4), *logits, weight_A, normaliser)
    assert classification == localization == 0.0
    gradient_AC, gradient_A4 = torch.autograd.grad(classification + localization, (student_AC, boxes_A4))
    assert gradient_AC.shape == (0, 3)
    assert gradient_A4.shape == (0, 4)
    assert level_gate(torch.zeros(0, dtype=torch.bool), torch.zeros(0, dtype=torch.int64), 5).shape == (0,)


def test_one_class_equals_the_loop_reference() -> None:
    batch = make_batch(classes=1)
    answer = solve(batch.anchors(), LEVELS, float(batch.positive_A.sum()), Switches())
    classification, localization = both_losses(batch, Switches())
    assert classification.item() == pytest.approx(answer.classification, rel=1e-6)
    assert localization.item() == pytest.approx(answer.localization, rel=1e-6)


@pytest.mark.parametrize("size", [88.0, 89.0, 104.0, 1e4])
@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_extreme_logits_stay_finite_and_exact(size: float, gamma: float) -> None:
    student_AC = torch.tensor([[size, -size, size, -size]], requires_grad=True)
    teacher_AC = torch.tensor([[size, -size, -size, size]])
    loss = classification_distillation(student_AC, teacher_AC, torch.ones(1), None, gamma=gamma)
    # Agreement costs nothing; a confident error costs its logit, with slope 1 towards the teacher.
    torch.testing.assert_close(loss, torch.tensor(2.0 * size))
    (gradient_AC,) = torch.autograd.grad(loss, student_AC)
    torch.testing.assert_close(gradient_AC, torch.tensor([[0.0, 0.0, 1.0, -1.0]]))
    box_A4 = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    shifted_A4 = torch.tensor([[2.0, 0.0, 3.0, 1.0]])
    box_loss = localization_distillation(box_A4, shifted_A4, student_AC, teacher_AC, torch.ones(1), None, iou="iou")
    assert box_loss.item() == 1.0


@pytest.mark.parametrize("iou", KINDS)
@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan, 3e38, 0.0])
def test_anchors_of_weight_zero_contribute_exactly_nothing(bad: float, iou: Kind) -> None:
    switches = Switches(iou=iou, level_gate="none")
    clean, dirty = make_batch(torch.float32), make_batch(torch.float32)
    ignored_A = dirty.label_weight_A == 0
    for field_AX in (dirty.student_AC, dirty.teacher_AC, dirty.student_boxes_A4, dirty.teacher_boxes_A4):
        field_AX[ignored_A] = bad
    for wanted, actual in zip(slopes(clean, switches), slopes(dirty, switches), strict=True):
        assert torch.equal(wanted, actual)
    logit_slopes_AC, box_slopes_A4 = slopes(dirty, switches)[2:]
    assert not logit_slopes_AC[ignored_A].any()
    assert not box_slopes_A4[ignored_A].any()


def test_weight_may_be_a_mask() -> None:
    batch = make_batch()
    logits, mask_A = (batch.student_AC, batch.teacher_AC), batch.label_weight_A > 0
    masked = classification_distillation(*logits, mask_A, None)
    assert masked == classification_distillation(*logits, mask_A.double(), None)


def test_a_bad_anchor_that_counts_is_not_hidden() -> None:
    batch = make_batch(torch.float32)
    batch.student_AC[0], batch.student_boxes_A4[0] = math.nan, math.inf
    assert not any(torch.isfinite(loss) for loss in both_losses(batch, Switches(level_gate="none")))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]),
        ([0.0, 0.0, 0.0, 0.0], [2.0, 2.0, 3.0, 3.0]),
        ([0.0, 1.0, 4.0, 1.0], [0.0, 1.0, 4.0, 1.0]),
        ([0.0, 1.0, 4.0, 1.0], [0.0, 2.0, 4.0, 2.0]),
        ([0.0, 0.0, 1e-4, 1e-4], [5e-5, 0.0, 1e-4, 1e-4]),
        ([0.0, 0.0, 1.0, 1.0], [1.0, 0.0, 2.0, 1.0]),
    ],
    ids=["same-point", "point-and-box", "same-line", "two-lines", "below-eps", "touching"],
)
def test_degenerate_boxes_follow_the_eps_rule(kind: Kind, first: list[float], second: list[float]) -> None:
    boxes1_A4 = torch.tensor([first], dtype=torch.float64, requires_grad=True)
    boxes2_A4 = torch.tensor([second], dtype=torch.float64, requires_grad=True)
    value_A = OVERLAPS[kind](boxes1_A4, boxes2_A4, 1e-6)
    assert value_A.item() == pytest.approx(overlap(first, second, kind, 1e-6), rel=1e-9, abs=1e-12)
    gradients = torch.autograd.grad(value_A.sum(), (boxes1_A4, boxes2_A4))
    assert all(gradient_A4.isfinite().all() for gradient_A4 in gradients)


@pytest.mark.parametrize("scale", [1.0, 8.0, 128.0])
def test_overlaps_do_not_depend_on_the_unit(scale: float) -> None:
    batch = make_batch()
    student_A4, teacher_A4 = batch.student_boxes_A4, batch.teacher_boxes_A4
    for overlaps in OVERLAPS.values():
        scaled_A = overlaps(scale * student_A4, scale * teacher_A4, 1e-6)
        torch.testing.assert_close(scaled_A, overlaps(student_A4, teacher_A4, 1e-6), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("autocast", [True, False])
def test_half_inputs_are_computed_in_float32(dtype: torch.dtype, autocast: bool) -> None:
    half, full = make_batch(dtype), make_batch(dtype)
    for name in ("student_AC", "teacher_AC", "student_boxes_A4", "teacher_boxes_A4", "label_weight_A"):
        setattr(full, name, getattr(half, name).float())
    wanted = slopes(full, Switches())
    with torch.autocast("cpu", dtype=dtype, enabled=autocast):
        actual = slopes(half, Switches())
        assert torch.equal(
            paired_giou(half.student_boxes_A4, half.teacher_boxes_A4),
            paired_giou(full.student_boxes_A4, full.teacher_boxes_A4),
        )
    assert all(loss.dtype == torch.float32 for loss in actual[:2])
    assert all(torch.equal(a, b) for a, b in zip(wanted[:2], actual[:2], strict=True))
    assert all(torch.equal(a.to(dtype), b) for a, b in zip(wanted[2:], actual[2:], strict=True))


def test_only_the_student_gets_gradients() -> None:
    batch = make_batch()
    logits, boxes = (batch.student_AC, batch.teacher_AC), (batch.student_boxes_A4, batch.teacher_boxes_A4)
    weight_A, normaliser = batch.label_weight_A, torch.tensor(3.0)
    every = [leaf.requires_grad_() for leaf in (*logits, *boxes, weight_A, normaliser)]
    classification = classification_distillation(*logits, weight_A, normaliser)
    reached = torch.autograd.grad(classification, every, allow_unused=True)
    assert [gradient is not None for gradient in reached] == [True, False, False, False, False, False]
    localization = localization_distillation(*boxes, *logits, weight_A, normaliser)
    reached = torch.autograd.grad(localization, every, allow_unused=True)
    assert [gradient is not None for gradient in reached] == [False, False, True, False, False, False]


def test_normaliser_gains_epsilon_and_the_plain_sum_does_not() -> None:
    batch = make_batch()
    arguments = (batch.student_AC, batch.teacher_AC, batch.label_weight_A)
    total = classification_distillation(*arguments, None).item()
    for normaliser in (7.0, 7, torch.tensor(7), torch.tensor([7.0]), torch.tensor(7.0, dtype=torch.float64)):
        loss = classification_distillation(*arguments, normaliser)
        assert loss.shape == ()
        assert loss.item() == pytest.approx(total / (7.0 + EPS32), rel=1e-15)


def test_gate_passes_whole_levels() -> None:
    level_A = torch.tensor([0, 0, 1, 1, 2, 2, 4])
    positive_A = torch.tensor([False, True, False, False, True, True, False])
    assert level_gate(positive_A, level_A, 5).tolist() == [True, True, False, False, True, True, False]


def test_gate_refuses_what_it_would_misread() -> None:
    level_A = torch.tensor([0, 1])
    with pytest.raises(TypeError, match=r"bool.*int64"):
        level_gate(torch.tensor([0, 80]), level_A, 2)
    with pytest.raises(TypeError, match=r"bool.*int64"):
        level_gate(torch.tensor([True, False]), level_A.double(), 2)
    with pytest.raises(ValueError, match=r"\(3,\) and \(2,\)"):
        level_gate(torch.zeros(3, dtype=torch.bool), level_A, 2)
    with pytest.raises(IndexError):
        level_gate(torch.tensor([True, False]), level_A, 1)


@pytest.mark.parametrize("iou", KINDS)
def test_nothing_waits_for_the_device(iou: Kind) -> None:
    batch = make_batch()
    batch.student_boxes_A4[0] = 0.0
    assert host_reads(lambda: slopes(batch, Switches(gamma=2.0, iou=iou))) == set()


def test_a_wait_would_be_seen() -> None:
    assert host_reads(lambda: bool(torch.ones(1) > 0)) >= {"aten::item"}


LOGITS, BOXES, WEIGHT = torch.zeros(6, 3), torch.zeros(6, 4), torch.ones(6)


@pytest.mark.parametrize(
    ("student_AC", "teacher_AC", "weight_A", "message"),
    [
        (LOGITS, LOGITS[:5], WEIGHT, r"\(6, 3\) and \(5, 3\)"),
        (LOGITS, LOGITS[:, :2], WEIGHT, r"\(6, 3\) and \(6, 2\)"),
        (LOGITS[:, :0], LOGITS[:, :0], WEIGHT, r"C >= 1.*\(6, 0\)"),
        (LOGITS[None], LOGITS[None], WEIGHT, r"\(1, 6, 3\)"),
        (LOGITS, LOGITS, WEIGHT[:, None], r"\(6, 3\).*\(6, 1\)"),
        (LOGITS, LOGITS, WEIGHT[:1], r"\(6, 3\).*\(1,\)"),
    ],
)
def test_both_losses_name_the_shapes_that_disagree(
    student_AC: Tensor, teacher_AC: Tensor, weight_A: Tensor, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        classification_distillation(student_AC, teacher_AC, weight_A, 1.0)
    with pytest.raises(ValueError, match=message):
        localization_distillation(BOXES, BOXES, student_AC, teacher_AC, weight_A, 1.0)


@pytest.mark.parametrize(
    ("boxes", "teacher_boxes", "message"),
    [
        (BOXES, BOXES[:1], r"\(6, 4\) and \(1, 4\)"),
        (BOXES[:, :3], BOXES[:, :3], r"\(6, 3\)"),
        (BOXES[:5], BOXES[:5], r"\(5, 4\).*\(6,\)"),
    ],
)
def test_boxes_that_disagree_are_refused(boxes: Tensor, teacher_boxes: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        localization_distillation(boxes, teacher_boxes, LOGITS, LOGITS, WEIGHT, 1.0)


@pytest.mark.parametrize("overlaps", OVERLAPS.values(), ids=OVERLAPS)
def test_overlaps_are_paired_never_broadcast(overlaps: Overlaps) -> None:
    with pytest.raises(ValueError, match=r"\(6, 4\) and \(1, 4\)"):
        overlaps(BOXES, BOXES[:1], 1e-6)


@pytest.mark.parametrize("gamma", [0.999, 0.0, -1.0, math.nan])
def test_gamma_below_one_is_refused(gamma: float) -> None:
    with pytest.raises(ValueError, match="gamma must be at least 1"):
        classification_distillation(LOGITS, LOGITS, WEIGHT, 1.0, gamma=gamma)


@pytest.mark.parametrize("normaliser", [0.0, -1.0, math.nan, torch.ones(2)])
def test_a_normaliser_that_is_not_one_positive_number_is_refused(normaliser: Tensor | float) -> None:
    with pytest.raises(ValueError, match="normaliser"):
        classification_distillation(LOGITS, LOGITS, WEIGHT, normaliser)


def test_an_unknown_overlap_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\['giou', 'iou'\], got 'diou'"):
        localization_distillation(BOXES, BOXES, LOGITS, LOGITS, WEIGHT, 1.0, iou="diou")  # type: ignore[arg-type]
