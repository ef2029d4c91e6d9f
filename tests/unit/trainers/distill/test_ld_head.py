"""Compare GFL with Main LD to mmdet's own ``LDHead``, which nobody here has written: losses and gradients."""

from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from torch import Tensor

from tests.unit.trainers.awake import CLASSES, awake
from tests.unit.trainers.scenes import CROWD, EMPTY, LARGE, UPRIGHT, Scene, preprocess
from tests.unit.trainers.tiny import detector
from trainers.detectors.detector import model_config
from trainers.distill.adapters.base import TargetCache
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.schema.method import Ld

SURE = 4.0  # class logits near 0: the head's two ways to keep the box losses' divisor from 0 then agree


def mmdets_own(model: Any) -> Any:
    """Return an ``LDHead`` with the weights of ``model``'s GFL head."""
    config = model_config(detector(), CLASSES)
    loss = {"type": "KnowledgeDistillationKLDivLoss", "loss_weight": 0.25, "T": 10}
    settings = {**config.bbox_head, "type": "LDHead", "loss_ld": loss}
    head = MODELS.build({**settings, "train_cfg": config.train_cfg, "test_cfg": config.test_cfg})
    head.load_state_dict(model.bbox_head.state_dict())
    return head


def gradients(losses: list[Tensor], features: list[Tensor], parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    wanted = [*features, *parameters.values()]
    found = torch.autograd.grad(torch.stack(losses).sum(), wanted, allow_unused=True)
    names = [*(f"level {index}" for index in range(len(features))), *parameters]
    return {name: value for name, value in zip(names, found, strict=True) if value is not None}


@pytest.mark.parametrize(
    "scenes",
    [(CROWD, UPRIGHT), (LARGE, EMPTY, LARGE)],
    ids=["padded-and-a-level-without-positives", "an-image-without-objects"],
)
def test_main_ld_on_gfl_is_mmdets_ld_head(scenes: tuple[Scene, ...]) -> None:
    student, teacher = awake(1.0, seed=1, score=SURE), FrozenTeacher(awake(2.0, seed=2))
    student.eval()  # LDHead gets the features that the student's distiller makes: no norm may move between the two
    inputs, samples = preprocess(student, scenes)
    distiller = Distiller(student, Ld(kind="ld"))
    losses = distiller(inputs, samples, teacher.forward(inputs), TargetCache())
    head_outputs = distiller.head_outputs
    assert head_outputs is not None
    mine = gradients(list(losses.values()), head_outputs.features, dict(student.bbox_head.named_parameters()))

    head = mmdets_own(student)
    features = [level.detach().requires_grad_() for level in head_outputs.features]
    theirs = head.loss(features, teacher.detector.bbox_head(teacher.detector.extract_feat(inputs)), samples)
    totals = {name.removeprefix("loss_"): torch.stack(levels).sum() for name, levels in theirs.items()}
    assert losses["ld_main"].item() > 0.0
    assert {**losses, "ld": losses["ld_main"]}.keys() - {"ld_main"} == totals.keys()
    for name, value in totals.items():
        own = losses["ld_main" if name == "ld" else name]
        torch.testing.assert_close(own, value, rtol=1e-5, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}")
    expected = gradients(list(totals.values()), features, dict(head.named_parameters()))
    assert mine.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(
            mine[name], value, rtol=1e-4, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}"
        )
