"""A study becomes the same trials in the same order every time, none of them twice."""

from pathlib import Path

import pytest

from orchestrator.study.expand import SearchPoint, expand
from orchestrator.study.load import load_study
from tests.unit.orchestrator.study_text import edit, write
from trainers.schema import Bckd, NoDistillation
from trainers.schema.schedule import AdamW, CosinePolicy, Sgd

SPACE = "  space:\n    method.alpha2: [2.0, 4.0]\n  seeds: [0, 1]\n"


def points_of(folder: Path, search: str, *sets: str) -> tuple[SearchPoint, ...]:
    return expand(load_study(write(folder, edit(SPACE, search)), sets).study)


def brief(points: tuple[SearchPoint, ...]) -> list[tuple[object, ...]]:
    return [(point.is_baseline, *point.params.values(), point.seed) for point in points]


def test_grid_is_a_product_in_file_order_with_baselines_first(tmp_path: Path) -> None:
    search = "  space:\n    schedule.lr: [0.2, 0.1]\n    method.alpha1: [2, 1]\n  seeds: [3, 0]\n"
    assert brief(points_of(tmp_path, search)) == [
        (True, 0.2, 3),
        (True, 0.2, 0),
        (True, 0.1, 3),
        (True, 0.1, 0),
        (False, 0.2, 2, 3),
        (False, 0.2, 2, 0),
        (False, 0.2, 1, 3),
        (False, 0.2, 1, 0),
        (False, 0.1, 2, 3),
        (False, 0.1, 2, 0),
        (False, 0.1, 1, 3),
        (False, 0.1, 1, 0),
    ]


def test_points_hold_the_sections_with_their_values(tmp_path: Path) -> None:
    [baseline, point] = points_of(tmp_path, "  space: {method.alpha2: [3], schedule.lr: [0.5]}\n")
    assert baseline.method == NoDistillation(kind="none")
    assert point.method == Bckd(kind="bckd", alpha1=1.0, alpha2=3.0)
    assert baseline.schedule == point.schedule
    assert point.schedule.lr == 0.5
    assert point.schedule.epochs == 12
    assert baseline.params == {"schedule.lr": 0.5}
    assert point.params == {"method.alpha2": 3, "schedule.lr": 0.5}


def test_no_baseline_when_not_wanted_or_nothing_distils(tmp_path: Path) -> None:
    assert brief(points_of(tmp_path, "  baseline: false\n  seeds: [1]\n")) == [(False, 1)]
    assert brief(points_of(tmp_path, "  seeds: [1]\n", "method.kind=none")) == [(False, 1)]


def test_searched_mappings_are_merged_and_another_kind_replaces(tmp_path: Path) -> None:
    search = """\
  space:
    schedule:
    - {epochs: 4, policy: {kind: cosine}}
    - {optimizer: {momentum: 0.5}}
    - {optimizer: {kind: adamw}}
  baseline: false
"""
    schedules = [point.schedule for point in points_of(tmp_path, search)]
    assert schedules[0].policy == CosinePolicy(kind="cosine")
    assert schedules[0].lr == 0.01
    assert schedules[1].optimizer == Sgd(kind="sgd", momentum=0.5)
    assert schedules[2].optimizer == AdamW(kind="adamw")


def test_kind_goes_in_before_its_neighbours(tmp_path: Path) -> None:
    search = (
        "  space:\n    schedule.policy.final_factor: [0.1]\n    schedule.policy.kind: [cosine]\n  baseline: false\n"
    )
    [point] = points_of(tmp_path, search)
    assert point.schedule.policy == CosinePolicy(kind="cosine", final_factor=0.1)


def test_equal_trials_are_kept_once_and_the_baseline_wins(tmp_path: Path) -> None:
    search = """\
  space:
    method:
    - {kind: none}
    - {variant: paper}
    - {iou: iou, level_gate: none}
    - {alpha1: 0, alpha2: 0}
"""
    points = points_of(tmp_path, search)
    assert [(point.is_baseline, point.method.kind) for point in points] == [
        (True, "none"),
        (False, "bckd"),
        (False, "bckd"),
    ]
    assert points[1].params == {"method": {"variant": "paper"}}


def test_random_search_draws_the_same_points_every_time(tmp_path: Path) -> None:
    search = """\
  algorithm: random
  samples: 50
  space:
    method.alpha1: {uniform: [1, 2]}
    schedule.lr: {loguniform: [1e-4, 1e-1]}
    schedule.epochs: [12, 24]
"""
    points = points_of(tmp_path, search)
    assert points == points_of(tmp_path, search)
    assert points != points_of(tmp_path, search, "search.seed=1")
    [baseline, *drawn] = points
    assert (baseline.params, baseline.schedule.lr) == ({}, 0.01)
    assert len(drawn) == 50
    assert all(isinstance(point.method, Bckd) and 1 <= point.method.alpha1 <= 2 for point in drawn)
    rates = sorted(point.schedule.lr for point in drawn)
    assert 1e-4 <= rates[0] < 1e-3 < rates[25] < 1e-2 < rates[-1] <= 1e-1
    assert {point.schedule.epochs for point in drawn} == {12, 24}


@pytest.mark.parametrize("values", ["[0, 1, 2]", "[2, 0]"])
def test_every_point_runs_with_every_seed(values: str, tmp_path: Path) -> None:
    search = f"  algorithm: random\n  samples: 2\n  space: {{method.alpha1: {{uniform: [1, 2]}}}}\n  seeds: {values}\n"
    points = points_of(tmp_path, search)
    seeds = [point.seed for point in points]
    assert seeds == 3 * [int(value) for value in values.strip("[]").split(",")]


def test_study_without_a_space_is_one_point_and_its_baseline(tmp_path: Path) -> None:
    assert brief(points_of(tmp_path, "  space: {}\n")) == [(True, 0), (False, 0)]
