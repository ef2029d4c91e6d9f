"""Two searched keys never set the same setting: each trial has all the values that it is named after."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from orchestrator.core.findings import StudyErrors
from orchestrator.study.expand import SearchPoint, expand
from orchestrator.study.load import load_study
from orchestrator.study.mapping import StudyMapping
from tests.examples import examples
from tests.unit.orchestrator.study_text import VALID, findings_of, write

TWICE = "another searched key sets {} too, and a trial can have one of them: leave it out of one (the other: {})"
DOMAINS: dict[str, list[Any]] = {
    "method": [{"kind": "bckd", "alpha1": 1.0}, {"kind": "bckd", "gamma": 2.0}, {"kind": "bckd"}],
    "method.kind": ["bckd"],
    "method.alpha1": [3.0, 5.0],
    "method.gamma": [1.0, 4.0],
    "schedule": [{"epochs": 13}, {"lr": 0.02, "ema": {"momentum": 0.1}}],
    "schedule.epochs": [12, 14],
    "schedule.lr": [0.001],
    "schedule.ema": [None, {"momentum": 0.5}],
    "schedule.ema.momentum": [0.2, 0.3],
    "schedule.ema.gamma": [1000],
    "schedule.policy": [{"kind": "cosine"}, {"kind": "step", "milestones": [3]}],
    "schedule.policy.kind": ["cosine", "constant"],
    "teacher": [{"detector": {"width": 0.25}}, {"seed": 4}],
    "teacher.seed": [1, 2],
    "teacher.detector": [{"width": 1.0}],
    "dataset": [{"flip": 0.1}, {"multi_scale": None}],
    "dataset.flip": [0.0, 0.5],
    "student.width": [0.5, 1.0],
}
STUDY: dict[str, Any] = {
    "name": "x",
    "dataset": {"kind": "shapes", "train_images": 8},
    "teacher": {"kind": "train", "detector": {"config": "mmdet::gfl/gfl_r50_fpn_1x_coco.py"}},
    "student": {"config": "mmdet::gfl/gfl_r50_fpn_1x_coco.py", "weights": "random"},
    "method": {"kind": "bckd"},
    "schedule": {"policy": {"kind": "constant"}},
}


def written(lines: str) -> str:
    """Return the correct study with other searched keys, which begin on line 20."""
    return VALID.replace("    method.alpha2: [2.0, 4.0]\n", lines)


@pytest.mark.parametrize(
    ("lines", "line", "key", "other"),
    [
        (
            "    method.alpha1: [3.0, 5.0]\n    method:\n      - {kind: bckd}\n      - {kind: bckd, alpha1: 1.0}\n",
            20,
            "method.alpha1",
            "study.yaml:23: search.space.method[1].alpha1",
        ),
        (
            "    schedule: [{lr: 0.1}, {epochs: 13}]\n    schedule.epochs: [14, 15]\n",
            21,
            "schedule.epochs",
            "study.yaml:20: search.space.schedule[1].epochs",
        ),
        (
            "    teacher: [{seed: 1}]\n    teacher.seed: [2, 3]\n",
            21,
            "teacher.seed",
            "study.yaml:20: search.space.teacher[0].seed",
        ),
        (
            "    dataset.flip: [0.5]\n    dataset: [{flip: 0.1}, {flip: 0.2}]\n",
            20,
            "dataset.flip",
            "study.yaml:21: search.space.dataset[0].flip",
        ),
        (
            "    schedule.ema: [{momentum: 0.1}, null]\n    schedule.ema.gamma: [100, 200]\n",
            21,
            "schedule.ema.gamma",
            "study.yaml:20: search.space.schedule.ema[1]",
        ),
    ],
)
def test_both_keys_are_named_with_their_lines(lines: str, line: int, key: str, other: str, tmp_path: Path) -> None:
    found = findings_of(write(tmp_path, written(lines)))
    assert found == [("error", f"study.yaml:{line}: search.space.{key}", TWICE.format(key, other))]


def test_keys_of_a_base_and_of_the_command_line_meet(tmp_path: Path) -> None:
    write(tmp_path, VALID, "base.yaml")
    study = write(tmp_path, "base: base.yaml\nname: other\n")
    found = findings_of(study, ("search.space.method=[{kind: bckd, alpha2: 1.0}]",))
    other = "--set search.space.method: search.space.method[0].alpha2"
    assert found == [("error", "base.yaml:20: search.space.method.alpha2", TWICE.format("method.alpha2", other))]


def test_other_settings_of_a_searched_mapping_may_be_searched(tmp_path: Path) -> None:
    lines = "    method: [{kind: bckd, alpha1: 1.0}, {kind: bckd, alpha1: 2.0}]\n    method.alpha2: [2.0, 4.0]\n"
    assert findings_of(write(tmp_path, written(lines))) == []


@given(st.lists(st.sampled_from(sorted(DOMAINS)), min_size=2, max_size=4, unique=True))
@settings(max_examples=examples(80), deadline=None)
def test_trials_have_the_values_that_they_are_named_after(keys: list[str]) -> None:
    data = STUDY | {"search": {"space": {key: DOMAINS[key] for key in keys}, "baseline": False}}
    try:
        study = load_study(StudyMapping(json.loads(json.dumps(data)), Path())).study
    except StudyErrors:
        return
    for point in expand(study):
        assert all(holds(used(point, key), value) for key, value in point.params.items()), point.params


def used(point: SearchPoint, key: str) -> Any:
    """Return what a trial uses for a searched key, as plain data."""
    section, *inner = key.split(".")
    found = getattr(point, section).model_dump(mode="json")
    for name in inner:
        found = found[name]
    return found


def holds(used: Any, named: JsonValue) -> bool:
    """Return whether a setting has a value, of a mapping all that it names."""
    if not isinstance(named, dict) or not isinstance(used, dict):
        return bool(used == named)
    return all(holds(used[key], value) for key, value in named.items())
