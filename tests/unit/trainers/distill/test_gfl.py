"""Compare the GFL adapter and the losses it feeds with level by level loops written from the formulas."""

from typing import Any, NamedTuple

import pytest
import torch
from mmdet.structures.bbox import bbox_overlaps
from torch import Tensor
from torch.nn import functional

from tests.unit.trainers.awake import CLASSES, awake
from tests.unit.trainers.scenes import CROWD, EMPTY, LARGE, UPRIGHT, Scene, preprocess
from tests.unit.trainers.tiny import detector
from trainers.detectors.detector import build_empty
from trainers.distill.adapters.base import TargetCache, Targets, adapter_for
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.errors import TrialError
from trainers.schema import Bckd, NoDistillation

ALPHA1, ALPHA2 = 0.7, 3.0
EPS32 = torch.finfo(torch.float32).eps
BATCHES = pytest.mark.parametrize(
    "scenes",
    [(CROWD, UPRIGHT), (LARGE, EMPTY, LARGE), (EMPTY, EMPTY)],
    ids=["padded-and-a-level-without-positives", "an-image-without-objects", "no-object-at-all"],
)


class Level(NamedTuple):
    """Hold what one pyramid level predicts and is asked for; all images of the batch, flattened."""

    logits: Tensor
    boxes: Tensor
    labels: Tensor
    label_weights: Tensor


@pytest.fixture(scope="module")
def student() -> Any:
    return awake(1.0, seed=1).train()


@pytest.fixture(scope="module")
def teacher() -> FrozenTeacher:
    return FrozenTeacher(awake(2.0, seed=2))


def level_by_level(model: Any, inputs: Tensor, samples: Any) -> list[Level]:
    """Decode and assign each level on its own, with the head's own parts."""
    head = model.bbox_head
    cls_scores, bbox_preds = head(model.extract_feat(inputs))
    anchors, valid = head.get_anchors([s.shape[-2:] for s in cls_scores], [s.metainfo for s in samples], device="cpu")
    objects = [sample.gt_instances for sample in samples]
    _, labels, label_weights, *_ = head.get_targets(anchors, valid, objects, [s.metainfo for s in samples])
    priors = head.prior_generator.grid_priors([s.shape[-2:] for s in cls_scores], device="cpu")
    found = []
    for level, (scores, preds, (stride, _)) in enumerate(
        zip(cls_scores, bbox_preds, head.prior_generator.strides, strict=True)
    ):
        rows, boxes = [], []
        for image in range(len(samples)):
            rows.append(scores[image].permute(1, 2, 0).reshape(-1, CLASSES))
            distances = head.integral(preds[image].permute(1, 2, 0).reshape(-1, 4 * (head.reg_max + 1)))
            boxes.append(head.bbox_coder.decode(head.anchor_center(priors[level]) / stride, distances))
        found.append(Level(torch.cat(rows), torch.cat(boxes), labels[level].flatten(), label_weights[level].flatten()))
    return found


def image_by_image(levels: list[Tensor], images: int) -> Tensor:
    """Bring values in the order level, image, cell into the order of ``Predictions``: image, level, cell."""
    return torch.cat([level.unflatten(0, (images, -1))[image] for image in range(images) for level in levels])


def positives(level: Level) -> Tensor:
    return (level.labels >= 0) & (level.labels < CLASSES)


def counted_positives(levels: list[Level], images: int) -> int:
    """Count each image's positives, at least one each: the normaliser of one worker."""
    by_image = [
        sum(int(positives(level).unflatten(0, (images, -1))[i].sum()) for level in levels) for i in range(images)
    ]
    return sum(max(count, 1) for count in by_image)


# --------------------------------------------------------------------------------------------------- the adapter


@BATCHES
def test_flattened_predictions_equal_each_levels_own(student: Any, scenes: tuple[Scene, ...]) -> None:
    inputs, samples = preprocess(student, scenes)
    found = adapter_for(student).forward(inputs)
    levels = level_by_level(student, inputs, samples)
    logits = image_by_image([level.logits for level in levels], len(scenes))
    boxes = image_by_image([level.boxes for level in levels], len(scenes))
    assert torch.equal(found.logits_AC, logits)
    torch.testing.assert_close(found.boxes_A4, boxes, rtol=1e-6, atol=1e-6)
    assert len(found.boxes_A4.unique(dim=0)) == len(found.boxes_A4)  # an anchor out of order would show


@BATCHES
def test_anchors_say_what_the_assignment_said(student: Any, scenes: tuple[Scene, ...]) -> None:
    inputs, samples = preprocess(student, scenes)
    adapter, targets = adapter_for(student), Targets()
    head_outputs = adapter.forward(inputs)
    adapter.losses(head_outputs, samples, targets)
    found = adapter.anchors(head_outputs, targets)
    levels = level_by_level(student, inputs, samples)
    images = len(scenes)
    assert torch.equal(found.weight_A, image_by_image([level.label_weights for level in levels], images))
    assert torch.equal(found.positive_A, image_by_image([positives(level) for level in levels], images))
    numbers = [torch.full_like(level.labels, number) for number, level in enumerate(levels)]
    assert torch.equal(found.level_A, image_by_image(numbers, images))
    assert found.num_levels == len(levels) == 3
    assert float(found.normaliser) == counted_positives(levels, images)


def test_the_batches_hold_the_cases_that_matter(student: Any) -> None:
    padded = level_by_level(student, *preprocess(student, (CROWD, UPRIGHT)))
    assert [bool(positives(level).any()) for level in padded] == [True, True, False]
    assert any(bool((level.label_weights == 0).any()) for level in padded)
    assert bool(positives(level_by_level(student, *preprocess(student, (LARGE,)))[2]).any())


# ---------------------------------------------------------------------------------------------------- the losses


@BATCHES
def test_detection_losses_are_plain_mmdets(student: Any, scenes: tuple[Scene, ...]) -> None:
    inputs, samples = preprocess(student, scenes)
    distiller = Distiller(student, NoDistillation(kind="none"))
    found = distiller(inputs, samples, None, TargetCache())
    plain = {name: torch.stack(levels).sum() for name, levels in student.loss(inputs, samples).items()}
    assert {f"loss_{name}": value.item() for name, value in found.items()} == {n: v.item() for n, v in plain.items()}


@BATCHES
def test_bckd_equals_the_formula_level_by_level(
    student: Any, teacher: FrozenTeacher, scenes: tuple[Scene, ...]
) -> None:
    inputs, samples = preprocess(student, scenes)
    method = Bckd(kind="bckd", alpha1=ALPHA1, alpha2=ALPHA2)
    losses = Distiller(student, method)(inputs, samples, teacher.forward(inputs), TargetCache())
    mine, theirs = level_by_level(student, inputs, samples), level_by_level(teacher.detector, inputs, samples)
    classification, localization = 0.0, 0.0
    divisor = counted_positives(mine, len(scenes)) + EPS32
    for s, t in zip(mine, theirs, strict=True):
        if not positives(s).any():
            continue  # the authors' code drops a level without positives
        p_t, p_s = t.logits.sigmoid(), s.logits.sigmoid()
        entropy = functional.binary_cross_entropy_with_logits(s.logits, p_t, reduction="none")
        classification += float((s.label_weights * ((p_t - p_s).abs() * entropy).sum(1)).sum()) / divisor
        omega = (p_t - p_s).abs().max(dim=1).values * s.label_weights
        giou = bbox_overlaps(s.boxes, t.boxes, mode="giou", is_aligned=True)
        localization += float((omega * (1 - giou)).sum()) / divisor
    assert losses["bckd_cls"].item() == pytest.approx(ALPHA1 * classification, rel=1e-4, abs=1e-9)
    assert losses["bckd_loc"].item() == pytest.approx(ALPHA2 * localization, rel=1e-4, abs=1e-9)


def test_variants_without_gate_see_the_level_without_positives(student: Any, teacher: FrozenTeacher) -> None:
    inputs, samples = preprocess(student, (CROWD, UPRIGHT))
    totals = {}
    for gate in ("has_positives", "none"):
        method = Bckd(kind="bckd", alpha2=0.0, level_gate=gate)
        losses = Distiller(student, method)(inputs, samples, teacher.forward(inputs), TargetCache())
        totals[gate] = losses["bckd_cls"].item()
        assert "bckd_loc" not in losses
    assert totals["none"] > 1.01 * totals["has_positives"]


def test_targets_are_assigned_once_for_students_side_by_side(student: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, samples = preprocess(student, (CROWD,))
    other = awake(1.0, seed=3)
    alone = Distiller(other, NoDistillation(kind="none"))(inputs, samples, None, TargetCache())
    shared = TargetCache()
    Distiller(student, NoDistillation(kind="none"))(inputs, samples, None, shared)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the targets were assigned again")

    monkeypatch.setattr(type(other.bbox_head), "get_targets", never)
    second = Distiller(other, NoDistillation(kind="none"))(inputs, samples, None, shared)
    assert {name: value.item() for name, value in second.items()} == {name: v.item() for name, v in alone.items()}


# ------------------------------------------------------------------------------------------------------ gradients


def test_gradient_reaches_all_of_the_student_and_nothing_of_the_teacher(student: Any, teacher: FrozenTeacher) -> None:
    inputs, samples = preprocess(student, (LARGE, CROWD))
    said = teacher.forward(inputs)
    assert not said.logits_AC.requires_grad
    assert not said.boxes_A4.requires_grad
    student.zero_grad()
    losses = Distiller(student, Bckd(kind="bckd"))(inputs, samples, said, TargetCache())
    (losses["bckd_cls"] + losses["bckd_loc"]).backward()
    reached = {name for name, p in student.named_parameters() if p.grad is not None and bool(p.grad.abs().sum() > 0)}
    assert reached == {name for name, _ in student.named_parameters()}
    assert all(p.grad is None and not p.requires_grad for p in teacher.detector.parameters())


def test_a_level_that_is_gated_out_gets_no_gradient(student: Any, teacher: FrozenTeacher) -> None:
    inputs, samples = preprocess(student, (CROWD,))
    student.zero_grad()
    losses = Distiller(student, Bckd(kind="bckd"))(inputs, samples, teacher.forward(inputs), TargetCache())
    (losses["bckd_cls"] + losses["bckd_loc"]).backward()
    slopes = [scale.scale.grad.abs().item() for scale in student.bbox_head.scales]
    assert slopes[0] > 0.0
    assert slopes[1] > 0.0
    assert slopes[2] == 0.0


# --------------------------------------------------------------------------------------------------------- errors


def test_other_anchors_or_classes_are_refused(student: Any) -> None:
    inputs, samples = preprocess(student, (CROWD,))
    more_classes = FrozenTeacher(build_empty(detector(), CLASSES + 1))
    with pytest.raises(TrialError, match=r"\(126, 3\) and \(126, 4\)"):
        Distiller(student, Bckd(kind="bckd"))(inputs, samples, more_classes.forward(inputs), TargetCache())
