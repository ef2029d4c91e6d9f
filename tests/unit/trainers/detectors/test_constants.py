"""Prove that what is remembered between batches is forgotten in the end, and never mistaken."""

import torch

from tests.unit.trainers.scenes import CROWD, LARGE, UPRIGHT, preprocess
from tests.unit.trainers.tiny import detector
from trainers.detectors.detector import build_empty
from trainers.distill.adapters.base import Constants, adapter_for


def test_the_oldest_is_forgotten_first() -> None:
    constants, asked = Constants(limit=2), []
    for key in "abacbca":
        assert constants.get(key, lambda key=key: asked.append(key) or key.upper()) == key.upper()
    assert asked == ["a", "b", "c", "a"]


def test_batches_of_other_shapes_have_other_boxes() -> None:
    model = build_empty(detector(), 3).eval()
    used = adapter_for(model)
    for scenes in ((LARGE,), (CROWD,), (UPRIGHT,), (LARGE, CROWD), (LARGE,)):
        inputs, _ = preprocess(model, scenes)
        with torch.no_grad():
            known, fresh = used.forward(inputs), adapter_for(model).forward(inputs)
        assert torch.equal(known.boxes_A4, fresh.boxes_A4)
        assert torch.equal(known.strides_A, fresh.strides_A)
        assert torch.equal(known.priors_A4, fresh.priors_A4)
