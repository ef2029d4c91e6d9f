"""Prove that the way to splits is a part of a trial's identity where it changes a result, and only there."""

import json
from pathlib import Path
from typing import Any

from orchestrator.plan.digests import dataset_digest, split_digest
from tests.unit.trainers.schema.test_joined import write
from trainers.schema.dataset import CocoDataset


def dataset(root: Path, **settings: Any) -> CocoDataset:
    content = {"kind": "coco", "root": str(root), "classes": ("cat",), **settings}
    return CocoDataset.model_validate(content)


def identity(found: CocoDataset) -> str:
    return json.dumps([found.identity(), dataset_digest(found)], sort_keys=True)


def test_a_test_split_changes_no_identity_and_a_division_does(tmp_path: Path) -> None:
    one, two, three = (write(tmp_path, name, "cat") for name in ("one", "two", "three"))
    plain = dataset(tmp_path, train=one, val=two)
    assert identity(plain) == identity(dataset(tmp_path, train=one, val=two, test=three))
    assert "split" not in plain.identity()
    assert "keep_empty" not in plain.identity()
    divided = [dataset(tmp_path, train=one, split=split) for split in ({"val": 0.5}, {"val": 0.5, "seed": 1})]
    assert len({identity(plain), *map(identity, divided)}) == 3


def test_a_test_split_is_known_by_its_annotations(tmp_path: Path) -> None:
    one, two, three = (write(tmp_path, name, "cat") for name in ("one", "two", "three"))
    found = dataset(tmp_path, train=one, val=two, test=three)
    before = split_digest(found, "test")
    (tmp_path / "two.json").write_text((tmp_path / "two.json").read_text() + " ")
    assert split_digest(found, "test") == before
    (tmp_path / "three.json").write_text((tmp_path / "three.json").read_text() + " ")
    assert split_digest(found, "test") != before
