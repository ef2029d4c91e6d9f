"""Prove that a test split which cannot be measured or is elsewhere hides no result."""

from typing import Any

import pytest

from orchestrator.plan.digests import MISSING, split_digest
from orchestrator.reports import on_test_split as module
from orchestrator.reports.on_test_split import why_not_measured
from trainers.schema.dataset import CocoDataset, VocDataset, YoloDataset


@pytest.mark.parametrize(
    "dataset",
    [
        CocoDataset.model_validate({"kind": "coco", "root": "/nowhere", "test": {"annotations": "a", "images": "b"}}),
        VocDataset.model_validate({"kind": "voc", "root": "/nowhere", "test": ({"folder": "x", "set": "test"},)}),
        YoloDataset.model_validate({"kind": "yolo", "root": "/nowhere", "test": {"images": "x"}, "classes": ("a",)}),
        YoloDataset.model_validate(
            {"kind": "yolo", "root": "/nowhere", "split": {"val": 0.2, "test": 0.1}, "classes": ("a",)}
        ),
    ],
)
def test_a_split_that_is_elsewhere_is_missing(dataset: Any) -> None:
    assert split_digest(dataset, "test") == MISSING


def test_a_fault_of_measuring_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("many words\nDefaultCPUAllocator: not enough memory")

    monkeypatch.setattr(module, "measure_test_split", fails)
    told = why_not_measured(None, None, [])  # type: ignore[arg-type]
    assert told == (
        "the test split could not be measured: DefaultCPUAllocator: not enough memory; the next run tries again"
    )
