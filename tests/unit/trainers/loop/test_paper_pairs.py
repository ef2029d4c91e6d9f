"""Run every method on the paper's own pairs of detectors: the real architectures, at small images."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.unit.trainers.scenes import Scene, preprocess
from trainers.detectors.detector import build_empty
from trainers.distill.adapters.base import TargetCache
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.schema import Detector
from trainers.schema.compatibility import fits, presets
from trainers.schema.heads import find_head
from trainers.schema.method import Bckd

pytestmark = pytest.mark.long

COCO, VOC = 80, 20
GFL_R101 = "mmdet::gfl/gfl_r101_fpn_ms-2x_coco.py"
GFL_R50 = "mmdet::gfl/gfl_r50_fpn_1x_coco.py"
GFL_X101_DCN = "mmdet::gfl/gfl_x101-32x4d-dconv-c4-c5_fpn_ms-2x_coco.py"
SCENES = (
    Scene((128, 160), ((1, (10.0, 9.0, 120.0, 118.0)), (2, (40.0, 8.0, 57.0, 23.0)))),
    Scene((128, 128), ((0, (4.0, 70.0, 60.0, 127.0)),)),
)


@dataclass(frozen=True)
class Names:
    """Name a pair of the paper's tables."""

    teacher: str
    student: str
    classes: int = COCO
    student_depth: int | None = None


PAIRS = {
    "GFL R101 -> R50": Names(GFL_R101, GFL_R50),
    "GFL SwinT -> R50": Names("stillhouse::gfl_swint_fpn.py", GFL_R50),
    "GFL X101-DCN -> R50": Names(GFL_X101_DCN, GFL_R50),
    "GFL R101 -> MobileNetV2": Names(GFL_R101, "stillhouse::gfl_mobilenetv2_fpn.py"),
    "GFL R50 -> R18, VOC": Names(GFL_R50, "stillhouse::gfl_r18_fpn.py", VOC),
    "GFL R34 -> R34": Names("stillhouse::gfl_r34_fpn.py", "stillhouse::gfl_r34_fpn.py"),
    "ATSS R101 -> R50": Names("mmdet::atss/atss_r101_fpn_1x_coco.py", "mmdet::atss/atss_r50_fpn_1x_coco.py"),
    "FCOS R101 -> R50": Names(
        "mmdet::fcos/fcos_r101-caffe_fpn_gn-head_ms-640-800-2x_coco.py",
        "mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py",
    ),
    "RetinaNet R101 -> R50": Names(
        "mmdet::retinanet/retinanet_r101_fpn_1x_coco.py", "mmdet::retinanet/retinanet_r50_fpn_1x_coco.py"
    ),
    "YOLOX s -> tiny": Names("mmdet::yolox/yolox_s_8xb8-300e_coco.py", "mmdet::yolox/yolox_tiny_8xb8-300e_coco.py"),
}


@dataclass(frozen=True)
class Built:
    """Hold a pair in memory, and what both held when they were new."""

    name: str
    teacher: FrozenTeacher
    student: Any
    teacher_state: dict[str, Tensor]
    student_state: dict[str, Tensor]


def build(config: str, classes: int, seed: int) -> Any:
    return build_empty(Detector(config=config), classes, seed)


def snapshot(detector: Any) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in detector.state_dict().items()}


@pytest.fixture(scope="module", params=PAIRS, ids=lambda name: name.replace(" ", ""))
def pair(request: pytest.FixtureRequest) -> Built:
    names = PAIRS[request.param]
    teacher, student = build(names.teacher, names.classes, 1), build(names.student, names.classes, 2)
    return Built(request.param, FrozenTeacher(teacher), student.train(), snapshot(teacher), snapshot(student))


def methods(pair: Built) -> dict[str, Any]:
    """Return what the matrix allows for the pair's heads."""
    head = find_head(type(pair.student.bbox_head).__name__)
    assert head is not None
    found = {name: method for name, method in presets().items() if fits(method, head, head)}
    if head.detector == "FCOS":  # whose new heads predict boxes of two pixels, below GID's smallest side
        found["gid-response"] = found["gid-response"].model_copy(update={"min_side": 0.0})
    if head.detector == "YOLOX":
        found |= {f"bckd ({score})": Bckd(kind="bckd", score=score) for score in ("separate", "weighted")}
    return found


def test_every_method_of_the_matrix_trains_the_pair(pair: Built) -> None:
    inputs, samples = preprocess(pair.student, SCENES)
    tried = methods(pair)
    assert tried
    for name, method in tried.items():
        pair.student.load_state_dict(pair.student_state)
        distiller = Distiller(pair.student, method, teacher=pair.teacher)
        pair.teacher.serve(method)
        optimizer = torch.optim.SGD([p for p in pair.student.parameters() if p.requires_grad], lr=1e-4)
        losses = distiller(inputs, samples, pair.teacher.forward(inputs), TargetCache(), True)
        assert distiller.terms.keys() <= losses.keys(), name
        assert all(bool(torch.isfinite(value)) for value in losses.values()), (name, losses)
        assert all(losses[term].item() > 0.0 for term in distiller.terms), (name, losses)
        torch.stack(list(losses.values())).sum().backward()
        gradients = [p.grad for p in pair.student.parameters() if p.grad is not None]
        assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients), name
        optimizer.step()
        optimizer.zero_grad()
        moved = pair.student.state_dict()
        assert any(not torch.equal(moved[key], pair.student_state[key]) for key in moved if "backbone" in key), name
        assert any(not torch.equal(moved[key], pair.student_state[key]) for key in moved if "bbox_head" in key), name
    left = pair.teacher.detector.state_dict()
    assert all(torch.equal(left[key], pair.teacher_state[key]) for key in pair.teacher_state)
    assert not any(parameter.requires_grad for parameter in pair.teacher.detector.parameters())
