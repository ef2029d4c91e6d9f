"""Hold the adapter of heads that are not described to mmdet's own losses, gradients and sampling."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.unit.trainers.other_detectors import DYNAMIC_RCNN, FAMILIES, FASTER_RCNN, built
from tests.unit.trainers.scenes import CROWD, UPRIGHT, Scene, preprocess
from tests.unit.trainers.tiny_heads import config_of
from trainers.data.seeding import seed_everything
from trainers.distill.adapters.base import TargetCache, Targets, adapter_for
from trainers.distill.adapters.other import OtherAdapter, scalars
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.distill.pairing import require_pair
from trainers.errors import TrialError
from trainers.schema import Bckd, Detector, NoDistillation
from trainers.schema.method import CwdMethod, FgdMethod
from trainers.schema.terms import Need

SCENES = (CROWD, UPRIGHT)


def gradients(detector: Any) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in detector.named_parameters() if p.grad is not None}


def step(detector: Any, distiller: Distiller, teacher: FrozenTeacher | None = None) -> dict[str, Tensor]:
    """Return the losses of one batch, with their gradients in the detector."""
    inputs, samples = preprocess(detector, SCENES)
    seed_everything(0)
    outputs = None if teacher is None else teacher.forward(inputs)
    losses = distiller(inputs, samples, outputs, TargetCache(), probing=True)
    torch.stack(list(losses.values())).sum().backward()
    return losses


@pytest.mark.parametrize("family", FAMILIES)
def test_losses_and_gradients_are_those_that_mmdet_minimises(family: str) -> None:
    detector, plain = built(FAMILIES[family]), built(FAMILIES[family])
    losses = step(detector, Distiller(detector, NoDistillation(kind="none")))
    inputs, samples = preprocess(plain, SCENES)
    seed_everything(0)
    total, _ = plain.parse_losses(plain.loss(inputs, samples))
    total.backward()
    torch.testing.assert_close(torch.stack(list(losses.values())).sum(), total)
    assert total > 0
    found, expected = gradients(detector), gradients(plain)
    assert found.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("family", FAMILIES)
def test_terms_read_the_maps_that_the_head_reads(family: str) -> None:
    student, teacher = built(FAMILIES[family]), FrozenTeacher(built(FAMILIES[family], seed=1))
    distiller = Distiller(student, FgdMethod(kind="fgd", levels=2), teacher=teacher)
    losses = step(student, distiller, teacher)
    assert losses["fgd"] > 0
    shares = {name: float(value) for name, value in distiller.telemetry.items() if name.startswith("grad_share")}
    assert shares.keys() == {"grad_share/detection", "grad_share/fgd"}
    assert sum(shares.values()) == pytest.approx(1.0)
    assert all(share > 0 for share in shares.values())
    assert "extract_feat" not in vars(student)


def test_a_described_detector_and_another_teach_each_other_features() -> None:
    gfl = Detector(config="mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights="random", backbone_depth=18, width=0.125)
    method = CwdMethod(kind="cwd")
    for student, teacher in ((gfl, FASTER_RCNN), (FASTER_RCNN, gfl)):
        model, frozen = built(student), FrozenTeacher(built(teacher, seed=1))
        distiller = Distiller(model, method, teacher=frozen)
        require_pair(method, frozen.adapter, distiller.adapter)
        frozen.serve(method)
        assert step(model, distiller, frozen)["cwd"] > 0


def test_terms_that_read_a_head_are_refused_with_those_that_can_be_read() -> None:
    adapters = [OtherAdapter(built(FASTER_RCNN)) for _ in range(2)]
    with pytest.raises(TrialError, match=r"bckd needs .*, which FasterRCNN does not give: GFL, .*VFNet do"):
        require_pair(Bckd(kind="bckd"), *adapters)


def test_what_the_head_does_not_give_is_not_made_up() -> None:
    adapter = adapter_for(built(FASTER_RCNN))
    inputs, _ = preprocess(adapter.detector, SCENES)
    found = adapter.forward(inputs)
    assert found.outs == ()
    for name in ("logits_AC", "boxes_A4", "deltas_A4", "priors_A4"):
        with pytest.raises(NotImplementedError, match="StandardRoIHead does not give"):
            getattr(found, name)
    with pytest.raises(NotImplementedError, match=f"does not give {Need.ASSIGNMENT}"):
        adapter.anchors(found, Targets())


def test_half_precision_leaves_features_and_losses_in_float32() -> None:
    detector = built(FASTER_RCNN)
    whole = step(detector, Distiller(detector, NoDistillation(kind="none")))
    half = step(detector, distiller := Distiller(detector, NoDistillation(kind="none"), "bf16"))
    assert distiller.head_outputs is not None
    assert {level.dtype for level in distiller.head_outputs.features} == {torch.float32}
    for name, loss in whole.items():
        assert half[name].dtype is torch.float32
        torch.testing.assert_close(half[name], loss, rtol=0.1, atol=0.05)


def test_names_lose_their_loss_unless_two_would_be_equal() -> None:
    one = torch.ones(2, 3)
    found = scalars({"loss_cls": one, "d0.loss_cls": [one, 2 * one], "loss_a": one, "a_loss": one, "acc": one})
    assert {name: float(value) for name, value in found.items()} == {"cls": 1, "d0.cls": 3, "a": 1, "a_loss": 1}
    assert set(scalars({"enc_loss_cls": one, "loss_enc_cls": one})) == {"enc_loss_cls", "loss_enc_cls"}


def test_dynamic_thresholds_go_on_from_a_state() -> None:
    first, second = built(DYNAMIC_RCNN), built(DYNAMIC_RCNN)
    for detector in (first, second):
        detector.roi_head.train_cfg.dynamic_rcnn.update_iter_interval = 2
    states = []
    for _ in range(2):
        step(first, distiller := Distiller(first, NoDistillation(kind="none")))
        states.append(distiller.adapter.state())
    assert states[0] != states[1]
    resumed = Distiller(second, NoDistillation(kind="none"))
    resumed.adapter.load_state(states[0])
    assert resumed.adapter.state() == states[0]
    step(second, resumed)
    assert resumed.adapter.state() == states[1]
    assert adapter_for(built(FASTER_RCNN)).state() == {}


def test_layers_that_ddq_names_twice_in_its_loss_have_one_name_afterwards() -> None:
    detector = built(Detector(config=str(config_of("ddq")), weights="random"))
    names = list(detector.state_dict())
    step(detector, Distiller(detector, NoDistillation(kind="none")))
    assert list(detector.state_dict()) == names
    assert any(p.grad is not None for p in detector.bbox_head.aux_reg_branches.parameters())


def test_ssd_predicts() -> None:
    config = "mmdet::ssd/ssdlite_mobilenetv2-scratch_8xb24-600e_coco.py"
    detector = built(Detector(config=config, weights="random")).eval()
    inputs, samples = preprocess(detector, (Scene((320, 320)),))
    with torch.no_grad():
        [found] = detector.predict(inputs, samples, rescale=True)
    assert found.pred_instances.bboxes.isfinite().all()
