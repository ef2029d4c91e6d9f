"""A study from a mapping is the study of the file that says the same, and its mistakes name the keys."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from orchestrator.core.findings import StudyErrors
from orchestrator.study.load import load_study
from orchestrator.study.mapping import StudyMapping
from orchestrator.submit.shipment import ship
from tests.unit.orchestrator.study_text import VALID, write


def valid() -> dict[str, Any]:
    """Return the correct study as Python has it; PyYAML reads ``1e-2`` as text."""
    data: dict[str, Any] = yaml.safe_load(VALID)
    data["schedule"]["lr"] = 0.01
    return data


def mistakes(data: dict[str, Any], folder: Path, sets: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(StudyErrors) as caught:
        load_study(StudyMapping(data, folder), sets)
    return [str(finding) for finding in caught.value.findings]


def test_the_mapping_of_a_file_is_the_same_study(tmp_path: Path) -> None:
    from_file = load_study(write(tmp_path, VALID))
    assert load_study(StudyMapping(valid(), tmp_path)).study == from_file.study


def test_numbers_of_numpy_tuples_and_paths_are_plain_values(tmp_path: Path) -> None:
    data = valid()
    data["schedule"] |= {"lr": np.float32(0.5), "epochs": np.int64(12)}
    data["search"] |= {"seeds": (np.int64(0), 1)}
    split = {"annotations": "a.json", "images": "."}
    data["dataset"] = {"kind": "coco", "root": Path("photos"), "train": split, "val": split, "classes": ["cat"]}
    study = load_study(StudyMapping(data, tmp_path)).study
    assert (study.schedule.lr, study.search.seeds) == (0.5, (0, 1))
    assert study.dataset.root == f"{tmp_path}/photos"


def test_a_base_and_relative_names_start_at_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there" / "parts").mkdir(parents=True)
    (tmp_path / "there" / "parts" / "base.yaml").write_text(VALID + "description: from the base\n")
    monkeypatch.chdir(tmp_path)
    loaded = load_study(StudyMapping({"base": "parts/base.yaml", "name": "mine"}, tmp_path / "there"))
    assert (loaded.study.name, loaded.study.description) == ("mine", "from the base")
    wrong = mistakes({"base": "parts/nothing.yaml"}, tmp_path / "there")
    assert wrong == [f"study: base: no such file: {tmp_path}/there/parts/nothing.yaml"]


def test_a_pipe_is_not_called_missing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "base.yaml")
    os.mkfifo(tmp_path / "best.pth")
    assert mistakes({"base": "base.yaml", "name": "mine"}, tmp_path) == [
        f"study: base: a pipe, not a file: {tmp_path}/base.yaml"
    ]
    data = valid()
    data["teacher"] = {"kind": "checkpoint", "path": "best.pth", "detector": data["student"]}
    assert f"study: teacher.path: a pipe, not a file: {tmp_path}/best.pth" in mistakes(data, tmp_path)


def test_mistakes_name_the_key_and_all_come_together(tmp_path: Path) -> None:
    data = valid()
    data["student"]["wdth"] = 0.5
    data["method"]["alpha1"] = "much"
    found = mistakes(data, tmp_path, ("schedule.epochs=-1",))
    assert [line.split(": ")[:2] for line in found] == [
        ["--set schedule.epochs", "must be at least 1, got -1"],
        ["study", "student.wdth"],
        ["study", "method.alpha1"],
    ]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), "must be text, a number, a list or a mapping, not object"),
        ({1: 2}, "a key must be text, not 1"),
        (math.nan, "nan is not a finite number"),
        (10**100, "number with more than 100 digits"),
        ("a\0b", "holds a character that is not text"),
        (np.zeros(3), "must be text, a number, a list or a mapping, not ndarray"),
    ],
)
def test_values_that_no_file_can_hold_are_refused(value: object, message: str, tmp_path: Path) -> None:
    assert mistakes(valid() | {"tracking": {"tags": value}}, tmp_path) == [f"study: tracking.tags: {message}"]


def test_a_mapping_that_holds_itself_ends(tmp_path: Path) -> None:
    data = valid()
    data["search"]["space"] = data
    assert mistakes(data, tmp_path) == ["study: search: nested deeper than 32 levels"]


def test_a_shipped_mapping_is_the_same_study(tmp_path: Path) -> None:
    origin = StudyMapping(valid(), tmp_path)
    (tmp_path / "study.yaml").write_bytes(ship(origin).files["study.yaml"])
    assert load_study(tmp_path / "study.yaml").study == load_study(origin).study
