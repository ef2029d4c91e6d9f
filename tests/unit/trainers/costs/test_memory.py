"""Forecasts of memory follow from what a step keeps; they agree with the training memory that mmdet publishes."""

from typing import Any

import pytest
import torch

from tests.benchmarks.memory import CHOSEN, in_gb, published
from tests.benchmarks.memory import unit as as_published
from tests.unit.trainers.tiny import CONFIG
from tests.unit.trainers.tiny_heads import config_of
from trainers.compat.fake_tensors import fake_mode
from trainers.compat.live_bytes import BLOCK, LiveBytes
from trainers.costs.memory import answer_to, forecast
from trainers.detectors.detector import build_empty
from trainers.schema import Bckd, Detector, NoDistillation, Schedule
from trainers.schema.dataset import CocoDataset
from trainers.schema.memory import GIB, OBJECTS, OUTSIDE, MemoryForecast, MemoryUnit, mixed_images, training_size
from trainers.schema.schedule import AdamW, Ema

MIB = 2**20


def unit(config: str = CONFIG, images: int = 2, **changes: Any) -> MemoryUnit:
    schedule = {key: changes.pop(key) for key in ("ema", "optimizer", "precision") if key in changes}
    values = {
        "teacher": None, "method": NoDistillation(kind="none"), "classes": 3, "size": (256, 192), "images": images, "key": "k",
        "student": Detector(config=config, weights="random"),
        "schedule": Schedule(epochs=12, batch_size=images, **schedule),
    }  # fmt: skip
    return MemoryUnit(**{**values, **changes})


@pytest.fixture(scope="module")
def plain() -> MemoryForecast:
    return forecast(unit())


def weights_of(width: float = 1.0) -> int:
    student = build_empty(Detector(config=CONFIG, width=width, weights="random"), 3)
    return sum(-(-tensor.nbytes // BLOCK) * BLOCK for tensor in (*student.parameters(), *student.buffers()))


# ----------------------------------------------------------------------------------------------------- counting


def test_a_tensor_counts_as_long_as_somebody_has_it() -> None:
    live = LiveBytes()
    with fake_mode(), live:
        one = torch.empty(MIB // 4)
        view = one[:10]
        other = one * 2
        assert live.now == 2 * MIB
        del one
        assert live.now == 2 * MIB  # the view has it still
        del view
        assert live.now == MIB
        (other * 3).sum()
        assert (live.now, live.peak) == (MIB, 2 * MIB + BLOCK)


def test_maps_that_a_backward_pass_needs_count_until_then() -> None:
    live = LiveBytes()
    with fake_mode(), live:
        weight = torch.empty(MIB // 4, requires_grad=True)
        loss = (weight.sigmoid() * 2).sum()
        assert live.now == 2 * MIB + BLOCK  # the sigmoid's result is kept, the product's is not
        loss.backward()
        del loss
        assert live.now == 2 * MIB  # the weight and its gradient


# ----------------------------------------------------------------------------------------------------- the parts


def test_a_student_has_weights_and_momentum_and_what_else_it_asks_for(plain: MemoryForecast) -> None:
    momentum = plain.gradients
    assert plain.teacher == 0
    assert plain.student == pytest.approx(weights_of() + momentum, rel=0.02)
    more = {
        "ema and workers": forecast(unit(ema=Ema(), workers=2)).student - plain.student,
        "adamw": forecast(unit(optimizer=AdamW(kind="adamw"))).student - plain.student,
    }
    assert more["ema and workers"] == pytest.approx(weights_of() + plain.gradients, rel=0.02)
    assert more["adamw"] == pytest.approx(momentum, rel=0.05)  # two means in place of one momentum


def test_workers_hold_their_gradients_in_the_exchange_buffers_alone(plain: MemoryForecast) -> None:
    found = forecast(unit(workers=2))
    assert found.gradients == 0
    assert found.student - plain.student == pytest.approx(plain.gradients, rel=0.02)
    assert found.step < plain.step
    assert found.peak() < plain.peak() + plain.gradients


def test_a_mosaic_has_the_objects_of_all_its_images() -> None:
    values = {"kind": "coco", "root": "data", "image_size": (640, 640), "augmentation": "mosaic"}
    alone = CocoDataset.model_validate({"kind": "coco", "root": "data"})
    mixed = [CocoDataset.model_validate({**values, "mosaic": {"mixup": mixup}}) for mixup in (True, False)]
    assert [mixed_images(dataset) for dataset in (alone, *mixed)] == [1, 5, 4]
    assert unit().objects == OBJECTS


def test_twice_as_many_images_need_twice_the_maps(plain: MemoryForecast) -> None:
    def maps(found: MemoryForecast) -> int:
        return found.step - found.workspace - found.gradients

    assert maps(forecast(unit(images=4))) / maps(plain) == pytest.approx(2.0, rel=0.1)


def test_half_precision_needs_less_and_a_layout_no_more(plain: MemoryForecast) -> None:
    assert forecast(unit(precision="bf16")).step < 0.9 * plain.step
    assert forecast(unit(channels_last=True)).step == pytest.approx(plain.step, rel=0.05)


def test_a_teacher_adds_its_weights_its_look_and_its_outputs(plain: MemoryForecast) -> None:
    teacher = Detector(config=CONFIG, width=2.0, weights="random")
    found = forecast(unit(teacher=teacher, method=Bckd(kind="bckd")))
    assert found.teacher == weights_of(2.0)
    assert found.look > 0
    assert found.batch > plain.batch
    assert found.step > plain.step  # the terms


def test_students_side_by_side_share_all_but_themselves(plain: MemoryForecast) -> None:
    assert plain.peak(4) - plain.peak(1) == 3 * (plain.student + plain.evidence)


@pytest.mark.parametrize("students", [1, 3, 8])
def test_as_many_students_fit_as_the_forecast_says(plain: MemoryForecast, students: int) -> None:
    enough = int(1.1 * plain.peak(students)) + OUTSIDE + 8
    assert plain.students_in(enough) == students
    assert plain.students_in(enough - int(1.1 * (plain.student + plain.evidence))) == students - 1


def test_the_largest_batch_fits_and_a_larger_one_does_not(plain: MemoryForecast) -> None:
    memory = int(1.1 * plain.peak()) * 3 + OUTSIDE
    most = plain.images_in(memory)
    assert most > plain.images
    assert forecast(unit(images=most)).students_in(memory) >= 1
    assert forecast(unit(images=2 * most)).students_in(memory) == 0


def test_what_exceeds_a_gpu_is_told_from_what_may(plain: MemoryForecast) -> None:
    assert plain.exceeds(OUTSIDE + plain.peak() - plain.workspace - 1)
    assert not plain.exceeds(OUTSIDE + plain.peak() - plain.workspace)
    assert not plain.exceeds(80 * GIB)


@pytest.mark.parametrize("head", ["atss", "retinanet", "yolox", "tood"])
def test_every_head_has_a_forecast(head: str) -> None:
    config = str(config_of(head))
    answer = answer_to(
        unit(config, size=(96, 64), teacher=Detector(config=config, weights="random"), method=Bckd(kind="bckd"))
    )
    assert answer.problem == ""
    assert answer.forecast is not None
    assert answer.forecast.step > answer.forecast.gradients > 0


def test_a_detector_that_cannot_be_built_has_a_problem_and_no_forecast() -> None:
    answer = answer_to(unit("mmdet::gfl/none_such.py"))
    assert answer.forecast is None
    assert "none_such" in answer.problem


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({}, (1333, 800)),
        ({"multi_scale": {"kind": "range", "short": (480, 960)}}, (1333, 960)),
        ({"image_size": (640, 640), "augmentation": "mosaic", "batch_scales": {"short": (320, 800)}}, (800, 800)),
        ({"pad_to_square": True}, (1333, 1333)),
    ],
)
def test_the_largest_training_size_counts(changes: dict[str, Any], size: tuple[int, int]) -> None:
    dataset = CocoDataset.model_validate({"kind": "coco", "root": "data", **changes})
    assert training_size(dataset) == size


# ----------------------------------------------------------------------------------------------------- anchors

FAR = {"yolox/yolox_s_8xb8-300e_coco": 0.15}  # one number stands for cuDNN's workspace, which YOLOX's large maps exceed


@pytest.mark.parametrize("config", ["atss/atss_r50_fpn_1x_coco"])
def test_it_agrees_with_mmdets_training_memory(config: str) -> None:
    assert in_gb(forecast(as_published(config))) == pytest.approx(published(config, CHOSEN[config]), rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("config", CHOSEN)
def test_it_agrees_with_all_chosen_figures(config: str) -> None:
    known = published(config, CHOSEN[config])
    assert in_gb(forecast(as_published(config))) == pytest.approx(known, rel=FAR.get(config, 0.1))
