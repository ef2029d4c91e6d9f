"""Whole detectors are measured with random weights, and suppression sees as many boxes whatever they are."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.trainers.tiny import CONFIG
from tests.unit.trainers.tiny_heads import config_of
from trainers.compat import nms_candidates
from trainers.compat.nms_candidates import fixed_candidates
from trainers.costs import latency
from trainers.costs.images import noise_image
from trainers.costs.measure import answer_to, main
from trainers.detectors.detector import build_empty
from trainers.schema import Detector
from trainers.schema.costs import CostAnswer, CostRequest, CostUnit, cost_value


@pytest.fixture(autouse=True)
def few_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "MOST", latency.FEWEST)


def unit(config: str = CONFIG, size: tuple[int, int] = (64, 64), **changes: Any) -> CostUnit:
    detector = Detector(config=config, weights="random", **{k: changes.pop(k) for k in ("width",) if k in changes})
    return CostUnit(key="k", detector=detector, classes=3, size=size, **changes)


@pytest.mark.parametrize("head", ["gfl", "atss", "fcos", "retinanet", "yolox", "rtmdet", "tood", "vfnet"])
def test_every_head_has_all_costs(head: str) -> None:
    answer = answer_to(unit(str(config_of(head)), latency=True))
    assert answer.problem == ""
    assert answer.cost is not None
    assert answer.cost.latency is not None
    found = answer.cost.latency
    assert answer.cost.macs
    assert 0 < found.min_ms <= found.median_ms
    assert (found.repeats, found.threads) == (latency.FEWEST, latency.THREADS)
    assert found.machine
    assert cost_value(answer.cost, "latency_ms") == found.median_ms


def test_parameters_are_those_of_the_detector_that_is_trained() -> None:
    student = build_empty(unit().detector, 3)
    answer = answer_to(unit())
    assert answer.cost is not None
    assert answer.cost.parameters == sum(weights.numel() for weights in student.parameters())
    assert answer.cost.latency is None


def test_macs_grow_with_the_image_and_parameters_do_not() -> None:
    small, large = answer_to(unit()).cost, answer_to(unit(size=(256, 128))).cost
    assert small is not None
    assert large is not None
    assert small.macs is not None
    assert large.macs is not None
    assert large.parameters == small.parameters
    assert 7.5 < large.macs / small.macs <= 8  # the coarsest levels are rounded up to whole cells


def test_sides_are_padded_as_the_detector_pads_them() -> None:
    detector = build_empty(unit().detector, 3)
    inputs, [sample] = noise_image(detector, (70, 40))
    divisor = detector.data_preprocessor.pad_size_divisor
    assert inputs.shape == (1, 3, -(-40 // divisor) * divisor, -(-70 // divisor) * divisor)
    assert sample.img_shape == (40, 70)


@pytest.mark.parametrize("head", ["gfl", "fcos", "yolox"])
def test_suppression_sees_a_fixed_number_of_boxes(head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def counted(suppress: Any) -> Any:
        def noted(boxes: torch.Tensor, *rest: Any, **settings: Any) -> Any:
            seen.append(len(boxes))
            return suppress(boxes, *rest, **settings)

        return noted

    for name in nms_candidates.LAST_STEPS:
        module = import_module(name)
        monkeypatch.setattr(module, "batched_nms", counted(module.batched_nms))
    detector = build_empty(unit(str(config_of(head))).detector, 3).eval()
    inputs, samples = noise_image(detector, (64, 64))
    with torch.inference_mode(), fixed_candidates(detector, 17):
        [found] = detector.predict(inputs, samples, rescale=True)
    assert seen == [17]
    assert 0 < len(found.pred_instances) <= 17
    assert found.pred_instances.scores.max() == found.pred_instances.scores[0]


def test_a_detector_that_cannot_be_built_is_told_in_a_sentence(tmp_path: Path) -> None:
    config = tmp_path / "odd.py"
    config.write_text(f"_base_ = {CONFIG!r}\nmodel = {{'neck': {{'type': 'NoSuchNeck'}}}}\n")
    answer = answer_to(unit(str(config)))
    assert answer.cost is None
    assert "NoSuchNeck is not in the mmdet::model registry" in answer.problem


def test_a_forward_that_fails_leaves_the_parameters(tmp_path: Path) -> None:
    config = tmp_path / "odd.py"
    config.write_text(f"_base_ = {CONFIG!r}\nmodel = {{'neck': {{'in_channels': [16, 8, 64, 128]}}}}\n")
    answer = answer_to(unit(str(config), latency=True))
    assert answer.cost is not None
    assert answer.cost.parameters > 0
    assert answer.cost.macs is None
    assert answer.problem.startswith("cannot count its multiply-adds: RuntimeError")


def test_answers_come_in_the_order_of_the_request(tmp_path: Path) -> None:
    units = (unit(), unit(width=0.5).model_copy(update={"key": "half"}))
    (tmp_path / "request").write_text(CostRequest(units=units).model_dump_json())
    main(tmp_path / "request", tmp_path / "answers")
    lines = (tmp_path / "answers").read_text().splitlines()
    whole, half = map(CostAnswer.model_validate_json, lines)
    assert (whole.key, half.key) == ("k", "half")
    assert whole.cost is not None
    assert half.cost is not None
    assert half.cost.parameters < whole.cost.parameters
