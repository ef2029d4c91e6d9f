"""A plan knows the number of steps, and warns about a warm-up that outlasts the training."""

from pathlib import Path

import pytest

from tests.unit.orchestrator.plan.test_prefixes import STUDY
from tests.unit.orchestrator.planning import plan_text


def warned(folder: Path, text: str, *sets: str) -> list[str]:
    plan = plan_text(folder, text, *sets)
    return [str(one).replace(f"{folder}/", "") for one in plan.findings if "warm-up" in one.message]


def written(space: str = "{}") -> str:
    return STUDY.replace("{SPACE}", space)  # 12 epochs of 10 steps


@pytest.mark.parametrize(
    ("sets", "says"),
    [
        (["schedule.warmup.iterations=9999"], "lasts 9999 iterations and training 120: lr is never reached: write"),
        (["schedule.warmup.iterations=120"], "and training 120: lr is reached at the last step only: write iterations"),
        (["schedule.iterations=57", "schedule.warmup={epochs: 6}"], "lasts 60 iterations and training 57: lr is never"),
        (["schedule.iterations=1", "schedule.warmup.iterations=500"], "lasts 500 iterations and training 1: lr is never reached: write iterations: 0"),
        (["schedule.iterations=57", "schedule.warmup.iterations=500"], "lasts 500 iterations and training 57: lr is never reached: write iterations below 57"),
    ],
)  # fmt: skip
def test_a_warm_up_that_outlasts_the_training_is_told(sets: list[str], says: str, tmp_path: Path) -> None:
    [finding] = warned(tmp_path, written(), *sets)
    assert "schedule.warmup: warning: the warm-up" in finding
    assert says in finding


@pytest.mark.parametrize(
    "sets",
    [
        ["schedule.warmup.iterations=119"],
        ["schedule.iterations=0"],
        ["fidelity=smoke", "schedule.warmup.iterations=500"],
        ["schedule.lr=0.1"],
    ],
    ids=str,
)
def test_a_warm_up_that_ends_in_time_is_not(sets: list[str], tmp_path: Path) -> None:
    assert warned(tmp_path, written(), *sets) == []


def test_what_the_study_itself_tells_is_told_once(tmp_path: Path) -> None:
    [finding] = warned(tmp_path, written(), "schedule.warmup={epochs: 12}")
    assert "the warm-up lasts 12 epochs and training 12: lr is reached at the last step only" in finding


def test_searched_warm_ups_are_told_once_and_where_they_are_searched(tmp_path: Path) -> None:
    [finding] = warned(tmp_path, written("{schedule.warmup.iterations: [5, 130, 140]}"))
    assert "search.space.schedule.warmup.iterations: warning: the warm-up lasts 130 iterations" in finding
    assert "never reached, and of 1 other trial as well: write iterations below 120" in finding


def test_the_warm_up_of_a_teacher_is_told_at_the_teacher(tmp_path: Path) -> None:
    teacher = '{kind: train, detector: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}'
    schedule = "schedule: {epochs: 2, policy: {kind: constant}, warmup: {iterations: 30}}}"
    text = written().replace("method: {kind: none}", f"teacher: {teacher}, {schedule}\nmethod: {{kind: bckd}}")
    [finding] = warned(tmp_path, text)
    assert "teacher.schedule.warmup: warning: the warm-up lasts 30 iterations and training 20" in finding
