"""An open search goes on after any death as if nobody had died, and trains nothing twice."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from orchestrator.plan.journal import SearchLog
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial, refreshed
from orchestrator.search.suggestions import Suggestions
from tests.unit.orchestrator.costs_on_paper import measuring_on_paper
from tests.unit.orchestrator.planning import plan_text
from trainers.schema.record import HISTORY, SELECTION_METRIC, Outcome, Record, to_lines, write_outcome

STUDY = """
name: searched
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 4, policy: {kind: constant}}
search:
  algorithm: optuna
  samples: 9
  seeds: [0, 1]
  space:
    schedule.lr: {loguniform: [0.001, 0.1]}
    schedule.batch_size: [8, 16]
"""
POPULATION = """
  algorithm: pbt
  samples: 3
  seeds: [0]
  population: {every_epochs: 2}
  space:
    schedule.lr: {loguniform: [0.001, 0.1]}
"""


class Died(Exception):
    """Stand for the death of the process."""


class World:
    """Run what is suggested on paper: an AP that follows from the trial; the process dies at step ``die_at``."""

    def __init__(self, folder: Path, text: str, *sets: str) -> None:
        self._folder, self._text, self._sets = folder, text, sets
        folder.mkdir(parents=True, exist_ok=True)
        self.trained: Counter[str] = Counter()

    def plan(self) -> Plan:
        return plan_text(self._folder, self._text, *self._sets)

    def run(self, die_at: int | None = None) -> list[str]:
        """Run to the end, one trial after the other; return the ids in the order of training."""
        self._steps, self._die_at = 0, die_at
        plan = self.plan()
        waiting = [trial for trial in plan.trials if refreshed(trial).status in ("new", "unfinished")]
        suggestions = Suggestions(plan)
        while waiting or not suggestions.over:
            waiting = waiting or suggestions.ask(1)
            if not waiting:
                continue  # all points that were left had been trained
            trial = waiting.pop(0)
            self._step()
            self._train(trial)
            self._step()
            suggestions.on_trial_complete(trial.id)
            self._step()
        return [trial.id for trial in self.plan().trials]

    def _step(self) -> None:
        self._steps += 1
        if self._steps == self._die_at:
            raise Died

    def _train(self, trial: PlannedTrial) -> None:
        self.trained[trial.id] += 1
        trial.directory.mkdir(parents=True, exist_ok=True)
        score = (int(trial.id, 16) % 1000) / 1000
        record = Record(1, 10, {SELECTION_METRIC: score}, {"time/train_s": 1.0}, final=True)
        (trial.directory / HISTORY).write_text(to_lines([record]))
        write_outcome(trial.directory, Outcome("finished"))


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


CONDITIONAL = """
  algorithm: optuna
  samples: 9
  seeds: [0, 1]
  space:
    schedule.policy: [{kind: constant}, {kind: step, milestones: [2], gamma: {uniform: [0.05, 0.5]}}]
    schedule.lr: {loguniform: [0.001, 0.1]}
"""


@pytest.mark.parametrize("search", ["optuna", "conditional", "pbt"])
def test_a_death_at_any_moment_changes_no_point(search: str, tmp_path: Path) -> None:
    searches = {"pbt": POPULATION, "conditional": CONDITIONAL}
    text = STUDY[: STUDY.index("\n  algorithm")] + searches[search] if search in searches else STUDY
    expected = World(tmp_path / "undisturbed", text).run()
    assert len(expected) == len(set(expected)) == (6 if search == "pbt" else 18)
    for die_at in range(1, 3 * len(expected) + 1, 1 if search == "pbt" else 5):
        world = World(tmp_path / str(die_at), text)
        with pytest.raises(Died):
            world.run(die_at)
        assert world.run() == expected
        assert set(world.trained.values()) == {1}


def test_a_search_of_an_earlier_release_goes_on_as_it_began(tmp_path: Path) -> None:
    world = World(tmp_path, STUDY)
    with pytest.raises(Died):
        world.run(die_at=30)
    log = world.plan().search_log
    log.write_text(log.read_text().replace(', "by": "multivariate"', ""))  # as it wrote its points
    world.run()
    asked = [event for event in SearchLog(log).read() if event["event"] == "ask"]
    assert len(asked) == 9
    assert not any("by" in event for event in asked)
    assert set(world.trained.values()) == {1}


def test_a_point_that_comes_again_is_not_trained_again(tmp_path: Path) -> None:
    sets = ["search.space={schedule.batch_size: [4, 8, 16]}", "search.seeds=[0]", "search.samples=9"]
    world = World(tmp_path, STUDY, *sets)
    assert 1 <= len(world.run()) <= 3
    assert set(world.trained.values()) == {1}


def test_points_come_in_batches_for_who_asks_for_them(tmp_path: Path) -> None:
    plan = World(tmp_path, STUDY, "search.seeds=[0]").plan()
    suggestions = Suggestions(plan)
    batch = suggestions.ask(4)
    assert len({trial.id for trial in batch}) == 4
    assert plan.suggested == batch
    assert not suggestions.over


def test_no_more_trials_than_the_budget_has(tmp_path: Path) -> None:
    world = World(tmp_path, STUDY, "search.max_trials=5")
    assert len(world.run()) == 6  # both seeds of a point belong together


def test_a_population_goes_on_from_the_trial_that_it_copies(tmp_path: Path) -> None:
    world = World(tmp_path, STUDY[: STUDY.index("\n  algorithm")] + POPULATION)
    world.run()
    first, second = world.plan().suggested[:3], world.plan().suggested[3:]
    ids: dict[Any, PlannedTrial] = {trial.id: trial for trial in first}
    for trial in second:
        segment = trial.spec.segment
        assert segment is not None
        assert segment.until_epoch == 4
        assert segment.origin is not None
        assert segment.origin.directory == str(ids[segment.origin.trial].directory)
    worst = min(first, key=lambda trial: int(trial.id, 16) % 1000)
    assert worst.id not in {trial.spec.segment.origin.trial for trial in second}  # type: ignore[union-attr]


BOUNDED = ["search.seeds=[0]", "search.samples=12", "search.constraints={parameters: 4.0e6}"]
WIDTHS = "search.space={student.width: {uniform: [0.125, 1.0]}, schedule.lr: {loguniform: [0.001, 0.1]}}"


def test_a_search_trains_no_student_over_a_bound_and_goes_on_after_any_death(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = measuring_on_paper(monkeypatch, tmp_path / "cache")
    world = World(tmp_path / "undisturbed", STUDY, *BOUNDED, WIDTHS)
    expected = world.run()
    widths = [trial.spec.student.width for trial in world.plan().suggested]
    assert all(width**2 <= 0.4 for width in widths)
    asked = [event for event in SearchLog(world.plan().search_log).read() if event["event"] == "ask"]
    left_out = [event for event in asked if event["excess"][0] > 0]
    assert len(asked) == 12
    assert len(expected) == 12 - len(left_out) > 6  # the sampler learns what is too large: a uniform draw is in half
    [told] = [finding.message for finding in world.plan().findings if "left out" in finding.message]
    assert told.startswith(f"left out over their bounds, {len(left_out)} of 12 points so far: student.width=0.")
    assert "> 4,000,000" in told
    assert sum(len(request.units) for request in measured.requests) <= 13  # one process a new width, and the base's
    for die_at in range(1, 3 * len(expected) + 1, 4):
        again = World(tmp_path / str(die_at), STUDY, *BOUNDED, WIDTHS)
        with pytest.raises(Died):
            again.run(die_at)
        assert again.run() == expected
        assert set(again.trained.values()) == {1}


def test_two_objectives_are_ap_and_what_a_student_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measuring_on_paper(monkeypatch, tmp_path / "cache")
    listed = "search.space={student.width: [0.25, 0.5, 1.0]}"
    sets = ["search.objectives=[ap, latency_ms]", "search.seeds=[0]", "search.samples=5", listed]
    world = World(tmp_path, STUDY, *sets)
    world.run()
    log = SearchLog(world.plan().search_log).read()
    points = {event["number"]: event["params"]["student.width"] for event in log if event["event"] == "ask"}
    told = {event["number"]: event["values"] for event in log if event["event"] == "tell"}
    assert len(told) == 5
    assert all(values[1] == pytest.approx(-50 * points[number] ** 2) for number, values in told.items())
