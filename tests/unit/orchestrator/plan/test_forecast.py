"""A plan says what is left of it in hours and money, from the best rates there are."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.plan.budget import Budget
from orchestrator.plan.forecast import forecast, total_line
from orchestrator.plan.plan import Plan
from orchestrator.plan.rates import known_rates, remember
from tests.unit.orchestrator.planning import plan_text
from trainers.schema.record import HISTORY, Outcome, Record, to_lines, write_outcome

STUDY = """
name: priced
dataset: {kind: shapes, train_images: 160}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 10, batch_size: 16, policy: {kind: constant}}
search: {seeds: [0, 1]}
"""
STEPS = 100


def planned(folder: Path, *sets: str) -> Plan:
    return plan_text(folder, STUDY, *sets)


def ran(plan: Plan, index: int, epochs: int, seconds_per_step: float) -> None:
    directory = plan.students[index].directory
    directory.mkdir(parents=True)
    times = {"time/train_s": 9.0 * seconds_per_step, "time/evaluate_s": seconds_per_step}
    (directory / HISTORY).write_text(to_lines([Record(n, 10 * n, {}, times) for n in range(1, epochs + 1)]))
    if epochs == 10:
        write_outcome(directory, Outcome("finished"))


def test_nothing_is_known_at_first(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    assert forecast(plan, {}) == {}
    assert "unknown" in total_line(plan, {})


def test_a_given_rate_is_used_with_doubt_and_priced(tmp_path: Path) -> None:
    plan = planned(tmp_path, "scaling.seconds_per_step=36", "scaling.cost_per_gpu_hour=2")
    found = forecast(plan, {})
    assert [one.hours for one in found.values()] == [pytest.approx(1.0)] * 2  # 100 steps of 36 s
    assert all(one.low < 1 < one.high for one in found.values())
    assert "cost 4.00" in total_line(plan, found)


@pytest.mark.parametrize(("rate", "shown"), [("36", "about 2 worker hours ("), ("1.8", "about 6 worker minutes (")])
def test_less_than_an_hour_is_told_in_minutes(rate: str, shown: str, tmp_path: Path) -> None:
    plan = planned(tmp_path, f"scaling.seconds_per_step={rate}")  # two students of 100 steps
    assert shown in total_line(plan, forecast(plan, {}))


def test_own_epochs_count_more_than_trials_alike_and_those_more_than_a_given_rate(tmp_path: Path) -> None:
    plan = planned(tmp_path, "scaling.seconds_per_step=36")
    ran(plan, 0, 10, seconds_per_step=18.0)
    remember(plan, tmp_path / "rates.jsonl")
    remember(plan, tmp_path / "rates.jsonl")
    rates = known_rates(tmp_path / "rates.jsonl")
    assert list(rates.values()) == [[18.0]]
    plan = planned(tmp_path, "scaling.seconds_per_step=36")
    found = forecast(plan, rates)[plan.students[1].id]
    assert (found.hours, found.basis) == (pytest.approx(0.5), "measured on one trial alike")
    ran(plan, 1, 2, seconds_per_step=9.0)
    found = forecast(planned(tmp_path), rates)[plan.students[1].id]
    assert (found.hours, found.basis) == (pytest.approx(0.25), "measured on this trial")


@pytest.mark.parametrize("change", ["schedule.batch_size=8", "student.width=0.5", "dataset.image_size=[256, 256]"])
def test_trials_of_another_kind_say_nothing(change: str, tmp_path: Path) -> None:
    plan = planned(tmp_path)
    ran(plan, 0, 10, seconds_per_step=18.0)
    remember(plan, tmp_path / "rates.jsonl")
    assert forecast(planned(tmp_path, change), known_rates(tmp_path / "rates.jsonl")) == {}


def test_more_measurements_give_the_range_that_they_have(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    ran(plan, 0, 10, seconds_per_step=18.0)
    remember(plan, tmp_path / "rates.jsonl")
    [alike] = known_rates(tmp_path / "rates.jsonl")
    rates: dict[str, Any] = {alike: [9.0, 18.0, 36.0]}
    found = forecast(planned(tmp_path), rates)[plan.students[1].id]
    assert (found.low, found.hours, found.high) == (pytest.approx(0.25), pytest.approx(0.5), pytest.approx(1.0))


ELASTIC = "scaling.workers={min: 2, max: 8}"


def test_an_elastic_trial_costs_up_to_a_third_more_than_with_all_workers(tmp_path: Path) -> None:
    fixed, elastic = (
        planned(tmp_path, "scaling.seconds_per_step=36", f"scaling.workers={workers}")
        for workers in ("8", "{min: 2, max: 8}")
    )
    [one, *_], [other, *_] = (list(forecast(plan, {}).values()) for plan in (fixed, elastic))
    assert (other.hours, other.low, other.high) == (one.hours, one.low, pytest.approx(one.high * 4 / 3))


def test_epochs_with_fewer_workers_count_as_the_work_that_they_were(tmp_path: Path) -> None:
    """Ten steps took 160 s with two of eight workers: 40 s with eight, and 320 worker seconds."""
    plan = planned(tmp_path, ELASTIC)
    directory = plan.students[0].directory
    directory.mkdir(parents=True)
    (directory / HISTORY).write_text(to_lines([Record(1, 10, {}, {"time/train_s": 160.0}, workers=2.0)]))
    plan = planned(tmp_path, ELASTIC)
    assert forecast(plan, {})[plan.students[0].id].hours == pytest.approx(100 * 4.0 * 8 / 3600)
    assert Budget(plan).hours_left is None
    limited = planned(tmp_path, ELASTIC, "search.max_gpu_hours=1")
    assert Budget(limited).hours_left == pytest.approx(1 - 320 / 3600)
