"""A division by groups that keeps no two images together, or all, is told."""

from pathlib import Path

import pytest

from orchestrator.dataset_check.groups import useless_groups
from tests.unit.orchestrator.first_study import layouts
from trainers.schema import CocoDataset
from trainers.schema.dataset import CocoSplit

ALONE = "each of the 20 images is a group of its own"
ONE = "the 20 images form 1 group, too few for train, val"


@pytest.mark.parametrize(
    ("group", "told"),
    [({"before": "_frame"}, ALONE), ({"before": "1"}, None), ("folder", ONE), (None, None)],
)
def test_groups_that_cannot_be_meant_are_told(group: object, told: str | None, tmp_path: Path) -> None:
    layouts.labelme_coco(tmp_path)
    dataset = CocoDataset.model_validate(
        {
            "kind": "coco",
            "root": str(tmp_path),
            "classes": layouts.CLASSES,
            "train": CocoSplit(annotations="annotations.json", images="."),
            "split": {"val": 0.2, "group": group},
        }
    )
    said = useless_groups(dataset)
    assert (said and said[: len(told or "")]) == told
