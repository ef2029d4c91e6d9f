"""What a plan says is the least is what the cheapest run trains, and no run trains less."""

import itertools
import os
import random
from pathlib import Path
from typing import Any

import pytest

from orchestrator.plan.least import Least, least
from orchestrator.plan.plan import Plan
from orchestrator.plan.race import race_state
from orchestrator.plan.trial import PlannedTrial
from orchestrator.search.race import decide
from orchestrator.search.schedule import judging, make_scheduler
from tests.unit.orchestrator.plan.test_totals import STUDY
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.search.simulated import Simulation

EPOCH = 10  # steps
SHAPES = list(itertools.product((2, 5, 7), (2, 3), (1, 2), (2, 4, 9)))  # points, factor, grace, epochs


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def planned(folder: Path, points: int, rule: dict[str, Any], epochs: int, *sets: str) -> Plan:
    folder.mkdir()
    given = ", ".join(f"{key}: {value}" for key, value in rule.items())
    lengths = (f"search.samples={points}", f"schedule.epochs={epochs}", f"search.scheduler={{{given}}}")
    return plan_text(folder, STUDY.replace("SEARCH", "random"), *lengths, *sets)


def trained(plan: Plan, places: dict[str, float], noise: float = 0.0) -> Least:
    """Return what a run trains whose points keep their ``places``, but for noise."""
    epochs, chance = plan.study.schedule.epochs or 0, random.Random(7)

    def curve(trial: PlannedTrial) -> list[float]:
        return [places[trial.id] + 1e-4 * epoch + chance.gauss(0, noise) for epoch in range(epochs)]

    first = [trial for trial in plan.students if judging(plan)(trial.id)]
    in_order = sorted(first, key=lambda trial: -places[trial.id])  # the best come first: nobody is promoted in vain
    scores = {trial.id: curve(trial) for trial in in_order}
    run = Simulation(make_scheduler(plan, plan.students), scores, {}, plan.students[0].directory.parent, 1)
    run.run()
    further = raced(plan, {name for name, stopped in run.stopped.items() if stopped == epochs}, places)
    whole = [*plan.teachers, *(trial for trial in plan.students if trial.id not in run.stopped), *further]
    steps = sum(trial.estimate.steps or 0 for trial in whole) + EPOCH * sum(run.stopped.values())
    return Least(len(whole) + len(run.stopped), steps)


def raced(plan: Plan, finished: set[str], places: dict[str, float]) -> list[PlannedTrial]:
    """Return the further seeds of a race in which all decisions fall as early as they may."""
    search, rounds = plan.study.search, []
    if search.racing is None:
        return []
    alone = {point.key for point in plan.race if point.is_baseline}
    state, added = race_state(search, plan.race, rounds)
    while not state.over:
        values = {
            point.key: [
                places[point.key] + 1e-6 * (seed % 2) if {point.key} & (finished | alone) else None
                for seed in range(state.seeds)
            ]
            for point in state.points
        }
        rounds.append(decide(state.points, state.stays, values, state.seeds, len(search.seeds), search.racing))
        state, added = race_state(search, plan.race, rounds)
    return added


def places_of(plan: Plan) -> dict[str, float]:
    return {trial.id: 0.9 - 0.1 * number for number, trial in enumerate(plan.students)}


@pytest.mark.parametrize("finalists", ["null", 1, 2])
@pytest.mark.parametrize("race", [(), ("search.seeds=[0, 1, 2, 3]", "search.racing={least_seeds: 3}")], ids=len)
def test_the_least_of_pasha_is_what_the_cheapest_run_trains(
    race: tuple[str, ...], finalists: Any, tmp_path: Path
) -> None:
    for number, (points, factor, grace, epochs) in enumerate(SHAPES):
        if finalists == 2 >= points:
            continue
        rule = {"kind": "pasha", "reduction_factor": factor, "grace_epochs": grace, "finalists": finalists}
        plan = planned(tmp_path / str(number), points, rule, epochs, *(race or ["search.seeds=[0]"]))
        assert trained(plan, places_of(plan)) == least(plan), (points, factor, grace, epochs)


def test_a_rung_is_reached_after_all_steps_of_its_epochs(tmp_path: Path) -> None:
    """Also where iterations end a schedule early: two points for an epoch of ten steps, one of them to its end."""
    plan = planned(tmp_path / "study", 2, {"kind": "asha"}, 10, "schedule.iterations=25", "search.baseline=false")
    found = least(plan)
    assert found is not None
    assert found.steps == sum(trial.estimate.steps or 0 for trial in plan.teachers) + 4 * 10 + 15


@pytest.mark.parametrize("kind", ["asha", "pasha"])
@pytest.mark.parametrize("race", [(), ("search.seeds=[0, 1, 2, 3]", "search.racing={least_seeds: 3}")], ids=len)
def test_no_run_trains_less(race: tuple[str, ...], kind: str, tmp_path: Path) -> None:
    for number, (points, factor, grace, epochs) in enumerate(SHAPES):
        rule = {"kind": kind, "reduction_factor": factor, "grace_epochs": grace}
        plan = planned(tmp_path / str(number), points, rule, epochs, *(race or ["search.seeds=[0]"]))
        found, bound = trained(plan, places_of(plan), noise=0.1), least(plan)
        assert bound is not None
        assert bound.trials <= found.trials
        assert (bound.steps or 0) <= (found.steps or 0)
