"""Hold RetinaNet to what is its own: several anchors a place, ignored anchors, and GID's response loss."""

from typing import Any

import pytest
import torch
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
from mmdet.structures.bbox import bbox_overlaps
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from tests.unit.trainers.scenes import CROWD, LARGE, UPRIGHT, preprocess
from tests.unit.trainers.tiny_heads import CLASSES, config_of, woken
from trainers.distill.adapters.anchored import boxes_of
from trainers.distill.adapters.base import TargetCache
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.distill.head_outputs import TeacherStudentOutputs
from trainers.distill.terms.gid import GidResponseTerm
from trainers.schema import Bckd
from trainers.schema.method import Gid

CONFIG = config_of("retinanet")


@pytest.fixture(scope="module")
def student() -> Any:
    return woken(CONFIG, 1).train()


@pytest.fixture(scope="module")
def teacher() -> FrozenTeacher:
    return FrozenTeacher(woken(CONFIG, 2))


def distil(
    student: Any, teacher: FrozenTeacher, method: Any, *scenes: Any
) -> tuple[Distiller, TeacherStudentOutputs, dict[str, Any]]:
    inputs, samples = preprocess(student, scenes)
    distiller = Distiller(student, method)
    losses = distiller(inputs, samples, teacher.forward(inputs), TargetCache())
    assert distiller.outputs is not None
    return distiller, distiller.outputs, losses


def overlaps(outputs: TeacherStudentOutputs, image: int) -> Tensor:
    """Return each anchor's largest IoU with the objects of an image."""
    priors = outputs.student.priors_A4[outputs.anchors.image_A == image]
    found: Tensor = bbox_overlaps(priors, outputs.objects[image]).amax(1)
    return found


def test_anchors_between_the_thresholds_weigh_nothing(student: Any, teacher: FrozenTeacher) -> None:
    _, outputs, _ = distil(student, teacher, Bckd(kind="bckd"), LARGE)
    iou = overlaps(outputs, 0)
    anchors = outputs.anchors
    between = (iou >= 0.4) & (iou < 0.5) & ~anchors.positive_A  # the best anchor of an object is positive anyhow
    assert int(between.sum()) > 3
    assert bool((anchors.weight_A[between] == 0).all())
    assert bool((anchors.weight_A[iou < 0.4] == 1).all())
    assert bool(anchors.positive_A[iou >= 0.5].all())


def test_ignored_anchors_get_no_gradient_of_bckd(student: Any, teacher: FrozenTeacher) -> None:
    _, outputs, losses = distil(student, teacher, Bckd(kind="bckd", level_gate="none"), LARGE, UPRIGHT)
    found = torch.autograd.grad(losses["bckd_cls"] + losses["bckd_loc"], outputs.student.logits_AC)[0]
    ignored = outputs.anchors.weight_A == 0
    assert int(ignored.sum()) > 3
    assert bool((found[ignored] == 0).all())
    assert bool((found[~ignored] != 0).any(1).all())


def test_bckd_equals_the_formula(student: Any, teacher: FrozenTeacher) -> None:
    _, outputs, losses = distil(student, teacher, Bckd(kind="bckd", level_gate="none"), LARGE, UPRIGHT)
    s, t = (torch.cat(logits_by_hand(model, outputs)).double() for model in (student, teacher.detector))
    weight = outputs.anchors.weight_A.double()
    per_image = [int(outputs.anchors.positive_A[outputs.anchors.image_A == image].sum()) for image in range(2)]
    entropy = binary_cross_entropy_with_logits(s, t.sigmoid(), reduction="none")
    expected = (weight * ((t.sigmoid() - s.sigmoid()).abs() * entropy).sum(1)).sum() / sum(per_image)
    assert min(per_image) > 0
    assert losses["bckd_cls"].item() == pytest.approx(expected.item(), rel=1e-5)


@torch.no_grad()
def logits_by_hand(model: Any, outputs: TeacherStudentOutputs) -> list[Tensor]:
    """Return each image's class logits, place by place, the nine anchors of a place one after the other."""
    head_outputs = outputs.student if model is outputs.student.adapter.detector else outputs.teacher
    found = []
    for image in range(head_outputs.images):  # type: ignore[attr-defined]
        rows = []
        for level in head_outputs.outs[0]:
            _, height, width = level[image].shape
            for y in range(height):
                for x in range(width):
                    rows += [level[image, a * CLASSES : (a + 1) * CLASSES, y, x] for a in range(9)]
        found.append(torch.stack(rows))
    return found


def test_gid_equals_the_formula_on_what_the_assigner_matches(student: Any, teacher: FrozenTeacher) -> None:
    method = Gid(kind="gid-response", min_side=0.0, top_k=3, cls_weight=0.3, box_weight=0.7)
    distiller, outputs, losses = distil(student, teacher, method, CROWD, LARGE)
    term = distiller.terms["gid_response"]
    assert isinstance(term, GidResponseTerm)
    matched = term.matched(outputs)
    s, t = outputs.student, outputs.teacher
    entropy = binary_cross_entropy_with_logits(s.logits_AC, t.logits_AC.sigmoid(), reduction="none").sum(1)
    deltas = (s.deltas_A4 - t.deltas_A4).abs().sum(1)
    expected = (0.3 * entropy + 0.7 * deltas)[matched].sum() / matched.sum()
    assert 2 <= int(matched.sum()) < len(matched) // 2
    assert losses["gid_response"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_boxes_are_those_of_mmdets_coder_to_the_bit() -> None:
    coder = DeltaXYWHBBoxCoder(target_means=(0.1, 0.0, -0.1, 0.2), target_stds=(0.1, 0.1, 0.2, 0.3))
    corners_A2 = torch.rand(500, 2, generator=torch.Generator().manual_seed(0)) * 200 - 20
    priors_A4 = torch.cat([corners_A2, corners_A2 + torch.rand(500, 2).exp() * 30], 1)
    deltas_A4 = torch.randn(500, 4, generator=torch.Generator().manual_seed(1)) * 30  # some sides reach the limit
    means_4, stds_4 = deltas_A4.new_tensor(coder.means), deltas_A4.new_tensor(coder.stds)
    found_A4 = boxes_of(priors_A4, deltas_A4 * stds_4 + means_4)
    assert torch.equal(found_A4, coder.decode(priors_A4, deltas_A4))
