"""The hours of a study's runs by the clock add up over its runs, and end it."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.plan import time_left, wall_clock
from orchestrator.plan.budget import Budget
from orchestrator.plan.forecast import forecast, total_line, totals_json
from orchestrator.plan.plan import Plan
from orchestrator.plan.time_left import TimeLeft
from orchestrator.plan.totals import totals
from orchestrator.plan.wall_clock import WallClock
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID


class Time:
    """Stand for the clock."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    found = Time()
    for module in (wall_clock, time_left):  # not the interpreter's: servers of other tests sleep by that
        monkeypatch.setattr(module, "time", found)
    return found


def planned(tmp_path: Path, *sets: str) -> Plan:
    return plan_text(tmp_path, VALID, "scaling.workers=1", "scaling.seconds_per_step=1", *sets)


def run_for(plan: Plan, time: Time, hours: float) -> Budget:
    budget = Budget(plan)
    with budget.counting():
        time.now += 3600 * hours
    return budget


def test_runs_add_up_and_a_larger_budget_goes_on(tmp_path: Path, time: Time) -> None:
    two = planned(tmp_path, "search.max_hours=2")
    assert run_for(two, time, 1.5).reason is None
    time.now += 3600  # between two runs
    assert Budget(two).clock_hours_left == pytest.approx(0.5)
    assert run_for(two, time, 0.6).reason == "search.max_hours: 2.1 of 2 are spent"
    assert totals(two).trials_left == 0
    assert total_line(two, {}, {}).startswith("nothing left to run: search.max_hours: 2.1 of 2 are spent")
    three = planned(tmp_path, "search.max_hours=3")
    assert (Budget(three).reason, totals(three).trials_left) == (None, 7)


def test_the_budget_is_spent_within_a_run(tmp_path: Path, time: Time) -> None:
    budget = Budget(planned(tmp_path, "search.max_hours=1"))
    with budget.counting():
        assert budget.reason is None
        time.now += 3600
        assert budget.reason is not None


def test_a_killed_run_has_counted_by_then(tmp_path: Path, time: Time) -> None:
    clock = WallClock(tmp_path / "study.hours")
    with clock.counting():
        time.now += 25
        clock.keep()
        time.now += 3
        clock.keep()
        assert WallClock(tmp_path / "study.hours").seconds == 25


@pytest.mark.parametrize("content", ["", "nan", "-3", "many"])
def test_a_damaged_file_counts_nothing(content: str, tmp_path: Path) -> None:
    (tmp_path / "study.hours").write_text(content)
    assert WallClock(tmp_path / "study.hours").seconds == 0.0


def test_plan_tells_what_is_left(tmp_path: Path, time: Time) -> None:
    plan = planned(tmp_path, "search.max_hours=2")
    run_for(plan, time, 0.5)
    expected = forecast(plan, {})
    assert totals_json(plan, expected, {})["clock_hours_left"] == pytest.approx(1.5)
    assert total_line(plan, expected, {}).endswith("given rate; search.max_hours leaves 1.5 hours by the clock")
    assert totals(plan).at_most
    assert totals_json(planned(tmp_path), {}, {})["clock_hours_left"] is None


def test_the_time_left_is_within_the_budget(tmp_path: Path, time: Time) -> None:
    whole: Any = TimeLeft(planned(tmp_path), {}).seconds()
    tenth = TimeLeft(planned(tmp_path, f"search.max_hours={whole / 36000}"), {})
    assert tenth.seconds() == pytest.approx(whole / 10)
    time.now += whole / 20
    assert tenth.seconds() == pytest.approx(whole / 20)


def test_a_study_without_the_key_writes_nothing(tmp_path: Path, time: Time) -> None:
    run_for(planned(tmp_path), time, 1)
    assert not (tmp_path / "store").exists()


def test_a_disk_that_takes_nothing_does_not_end_the_run(tmp_path: Path, time: Time) -> None:
    (tmp_path / "file").touch()
    clock = WallClock(tmp_path / "file" / "seconds")
    with clock.counting():
        time.now += 3600
        clock.keep()
    assert clock.seconds == 3600
