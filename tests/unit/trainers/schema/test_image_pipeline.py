"""Settings that contradict each other, or that would do nothing, are refused with both named."""

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from trainers.schema import DatasetSpec

SPECS = TypeAdapter(DatasetSpec)
VOC = {"kind": "voc", "root": "x"}


def read(**settings: Any) -> Any:
    return SPECS.validate_json(json.dumps({"kind": "shapes", **settings}))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"augmentation": "mosaic", "image_size": [64, 32]}, "mosaic needs a square image_size, got \\[64, 32\\]"),
        (
            {"augmentation": "mosaic", "multi_scale": {"kind": "range", "short": [64, 96]}},
            "mosaic goes with batch_scales, not with multi_scale",
        ),
        ({"mosaic": {"mixup": False}}, "only with augmentation: mosaic"),
        ({"multi_scale": {"kind": "choice", "short": [64, 200]}}, "exceeds the long side of image_size \\[128, 128\\]"),
        ({"multi_scale": {"kind": "choice", "short": [64]}, "keep_ratio": False}, "multi_scale needs keep_ratio"),
        ({"multi_scale": {"kind": "range", "short": [96, 64]}}, "short must rise, got \\[96, 64\\]"),
        ({"batch_scales": {"short": [320, 650]}}, "must be multiples of divisor \\(32\\)"),
        ({"augmentation": "mosaic", "mosaic": {"affine_scale": [2.0, 1.0]}}, "affine_scale must rise"),
        ({**VOC, "train": []}, "at least 1 item"),
        ({**VOC, "train": [{"folder": "a", "set": "../b"}]}, "must be the name of a list, not a path"),
        ({**VOC, "classes": ["a", "a"]}, "class given twice: a"),
    ],
)
def test_contradictions_are_refused(settings: Any, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        read(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"augmentation": "mosaic", "mosaic": {"affine_scale": [0.5, 1.5], "mixup": False}, "batch_scales": {}},
        {"multi_scale": {"kind": "range", "short": [64, 96]}, "repeat": 3, "test_size": [96, 64]},
        {**VOC, "multi_scale": {"kind": "choice", "short": [640, 800]}, "first_pixel": 0},
    ],
)
def test_what_is_written_out_reads_back_the_same(settings: Any) -> None:
    dataset = read(**settings)
    assert SPECS.validate_json(dataset.model_dump_json()) == dataset
    changed = {key for key in settings if key not in ("kind", "root", "first_pixel")}
    assert changed <= set(dataset.identity())
