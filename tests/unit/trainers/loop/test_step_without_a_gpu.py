"""Prove on fake CUDA tensors that a step stays on its device, and that the host waits only where mmdet's own code does.

Backward passes need a device that is there: they run on fake CPU tensors, where each question for a value counts.
"""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from tests.contract.adapter_case import CONFIGS
from tests.unit.trainers.fake_step import FakeStep
from tests.unit.trainers.tiny import adamw, detector, sgd
from tests.unit.trainers.tiny_heads import woken
from trainers.compat.fake_tensors import autocast_of_a_gpu, fake_mode, make_fake
from trainers.compat.imagined import Imagined, Wait
from trainers.detectors.detector import build_empty
from trainers.distill.meters import LossMeter
from trainers.distill.terms.pkd import PkdTerm
from trainers.loop.optimise import build_optimizer
from trainers.schema.method import TermSum
from trainers.schema.schedule import Precision, Schedule
from trainers.schema.terms import Cwd, Feature, Fgd, Mgd, Pkd

HEADS = {path.stem: path for paths in CONFIGS.values() for path in paths}
OWN_LOSSES = "trainers.distill.adapters.base.losses"  # mmdet's target assignment and losses
MATCHING = "trainers.distill.terms.gid.matched"  # GID chooses boxes by their values, and mmdet assigns them

# How often a step of two images of OBJECTS objects waits in mmdet's losses, and in GID's matching.
BOUNDS = {
    "adapter_gfl": (44, 0),
    "tiny_atss": (47, 36),
    "tiny_fcos": (13, 15),
    "tiny_fcos_normed": (13, 15),
    "tiny_retinanet": (30, 40),
    "tiny_yolox": (39, 0),
    "tiny_rtmdet": (63, 0),
    "tiny_rtmdet_linear": (63, 0),
    "tiny_tood": (52, 0),
    "tiny_tood_initial": (40, 0),
    "tiny_vfnet": (37, 36),
    "tiny_vfnet_focal": (37, 36),
}
# mmdet's TOOD indexes by lists and decodes anchors by numbers of the host, in each level of its forward pass.
FORWARD = "mmdet.models.dense_heads.tood_head.forward"
FORWARD_BOUND = 6 * 3 * 2  # of each level of both detectors
PYRAMIDS = TermSum(
    kind="terms",
    terms=(Pkd(kind="pkd"), Cwd(kind="cwd"), Mgd(kind="mgd"), Fgd(kind="fgd"), Feature(kind="feature")),
)
GPU = torch.device("cuda")


def one_step(name: str, device: str, precision: Precision = "fp32") -> FakeStep:
    return FakeStep(woken(HEADS[name], 1).train(), woken(HEADS[name], 2), device, precision)


def elsewhere(waits: list[Wait]) -> list[str]:
    """Return the waits that no place of mmdet's is to blame for."""
    return [str(wait) for wait in waits if not any(map(wait.within, (OWN_LOSSES, MATCHING, FORWARD)))]


@pytest.mark.parametrize(
    ("name", "precision"),
    [(name, "fp32") for name in HEADS] + [(paths[0].stem, "bf16") for paths in CONFIGS.values()],
)
def test_the_host_waits_only_in_mmdets_own_code(name: str, precision: Precision) -> None:
    waits = one_step(name, "cuda", precision).waits()
    assert elsewhere(waits) == []
    found = [sum(wait.within(place) for wait in waits) for place in (OWN_LOSSES, MATCHING, FORWARD)]
    bounds = (*BOUNDS[name], FORWARD_BOUND if "tood" in name else 0)
    assert all(count <= bound for count, bound in zip(found, bounds, strict=True)), (found, bounds)


@pytest.mark.parametrize("name", [paths[0].stem for paths in CONFIGS.values()])
def test_probe_and_gradients_ask_for_no_value(name: str) -> None:
    assert elsewhere(one_step(name, "cpu").waits(backward=True)) == []


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_connectors_between_other_channels_wait_for_nothing(precision: Precision) -> None:
    student, teacher = (build_empty(detector(width), 3, seed=1) for width in (1.0, 2.0))
    step = FakeStep(student.train(), teacher, "cuda", precision, PYRAMIDS)
    assert {"projectors"} <= {name for term in step.distiller.connectors.values() for name, _ in term.named_children()}
    assert elsewhere(step.waits()) == []


PLANTED: dict[str, Callable[[Tensor], Any]] = {
    "item": lambda level: level.sum().item(),
    "a condition": lambda level: bool(level.sum() > 0),
    "tolist": lambda level: level.tolist(),
    "cpu": lambda level: level.cpu(),
    "a mask": lambda level: level[level > 0],
    "nonzero": lambda level: level.nonzero(),
    "unique": lambda level: level.unique(),
    "a list of indices": lambda level: level[:, [0]],
    "numbers of the host": lambda level: level.new_tensor([1.0]),
}


@pytest.fixture(scope="module")
def step() -> FakeStep:
    found = one_step("adapter_gfl", "cuda")
    assert elsewhere(found.waits()) == []
    return found


@pytest.mark.parametrize("ask", PLANTED.values(), ids=PLANTED)
def test_a_planted_wait_is_found(ask: Callable[[Tensor], Any], step: FakeStep) -> None:
    real = PkdTerm.__call__

    def asking(term: PkdTerm, outputs: Any) -> Tensor:
        ask(outputs.student.features[-1][0, 0, :1])
        return real(term, outputs)

    with patch.object(PkdTerm, "__call__", asking):
        found = elsewhere(step.waits(steps=1))
    assert found
    assert all(f"{__name__}.asking" in wait for wait in found)


def test_a_planted_tensor_of_the_host_is_refused(step: FakeStep) -> None:
    real = PkdTerm.__call__

    def mixing(term: PkdTerm, outputs: Any) -> Tensor:
        loss: Tensor = real(term, outputs) * torch.ones(1)
        return loss.sum()

    with patch.object(PkdTerm, "__call__", mixing), pytest.raises(RuntimeError, match="cuda:0 and cpu"):
        step.waits(steps=1)


@pytest.mark.parametrize("schedule", [sgd(clip_grad=5.0), adamw()], ids=["sgd", "adamw"])
def test_optimizer_and_meter_wait_for_nothing(schedule: Schedule) -> None:
    student, imagined = build_empty(detector(), 3, seed=1).train(), Imagined(GPU)
    with autocast_of_a_gpu(), fake_mode(), imagined:
        make_fake(student, GPU)
        optimizer, meter = build_optimizer(student, schedule), LossMeter()
        for _ in range(2):
            for parameter in student.parameters():
                parameter.grad = torch.empty_like(parameter)
            optimizer.step()
            optimizer.zero_grad()
            meter.add({"loss": torch.ones((), device=GPU)})
    assert list(map(str, imagined.waits)) == []
