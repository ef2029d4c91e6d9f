"""Real Ray Tune and real training: trials that agree at first train that once, and have the bits of separate trainings."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.core.store import Store
from orchestrator.execution.prefix_order import KeptNotes, SharedStates
from orchestrator.plan.plan import Plan
from orchestrator.plan.prefixes import shared_steps, steps_saved
from orchestrator.plan.trial import refreshed
from tests.ray.noted import noted_cohorts
from tests.ray.test_search_cohorts import NOTED_LOOP, TRAINED, plan_in
from tests.ray.test_sweep import Events
from tests.unit.trainers.tiny import assert_same_run
from trainers.schema.events import read_events
from trainers.schema.record import read_history

pytestmark = pytest.mark.usefixtures("local_ray")

STUDY = TRAINED.replace("epochs: 2", "epochs: 4").replace("kind: constant", "kind: step, milestones: [3]")
FEW = """
  baseline: false
  space: {schedule.policy.milestones: [[3], [2], [2, 3], [1]]}
"""
SIXTEEN = """
  baseline: false
  space:
    schedule.epochs: [8]
    schedule.policy.milestones: [[5], [6], [7], [5, 6], [5, 7], [6, 7], [4], [4, 6]]
    schedule.policy.gamma: [0.1, 0.5]
"""


def run(folder: Path, search: str, *sets: str) -> Plan:
    """Train what is missing of a study on one host, as a run does."""
    from orchestrator.execution.sweep import Sweep
    from orchestrator.execution.tune import run_trials

    plan = plan_in(folder, STUDY + search, *sets)
    pending = [trial for trial in plan.students if refreshed(trial).status in ("new", "unfinished")]
    watchers = [Events(), SharedStates(plan), KeptNotes(plan, Store(folder / "store"))]
    run_trials(Sweep(plan), pending, watchers, folder / "tune", loop=NOTED_LOOP)
    return plan


def assert_bits_of_separate_trainings(plan: Plan, folder: Path) -> None:
    from trainers.loop.loop import train_alone

    for trial in plan.students:
        alone = plan.job(replace(trial, prefix=None, hands_on={})).model_copy(
            update={"directory": str(folder / trial.id)}
        )
        train_alone(alone)
        assert_same_run(folder / trial.id, trial.directory)


def assert_shared_as_planned(plan: Plan) -> None:
    found = shared_steps(plan.trials, steps_saved)
    assert found is not None
    assert found.whole - found.made == sum(trial.prefix.step for trial in plan.students if trial.prefix)
    assert not any(read_events(trial.directory) for trial in plan.students)
    assert not [path for trial in plan.students for path in trial.directory.glob("shared-*")]


@pytest.mark.parametrize("cohort", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_the_bits_are_those_of_separate_trainings(cohort: int, tmp_path: Path) -> None:
    plan = run(tmp_path / "shared", FEW, f"search.cohort={cohort}")
    assert_shared_as_planned(plan)
    assert_bits_of_separate_trainings(plan, tmp_path / "alone")
    if cohort > 1:  # nobody waits inside a cohort for the state of a neighbour
        starts = {trial.id: trial.prefix.trial for trial in plan.students if trial.prefix}
        assert not any(starts.get(name) in names for names in noted_cohorts(plan) for name in names)


def test_more_epochs_go_on_from_the_kept_state(tmp_path: Path) -> None:
    short, alone = "  baseline: false\n", tmp_path / "alone"
    kept = run(tmp_path / "shared", short, "scaling.keep_states=last", "schedule.epochs=4")
    longer = run(tmp_path / "shared", short, "schedule.epochs=8")
    [first], [second] = kept.students, longer.students
    assert second.prefix is not None
    assert (second.prefix.trial, second.prefix.epoch) == (first.id, 4)
    assert [record.trained_by for record in read_history(second.directory)] == [first.id] * 4 + [None] * 4
    assert_bits_of_separate_trainings(longer, alone)
    assert list(first.directory.glob("kept-4.pt"))


@pytest.mark.slow
def test_sixteen_schedules_take_two_fifths_of_the_steps_at_most(tmp_path: Path) -> None:
    plan = run(tmp_path / "shared", SIXTEEN, "search.cohort=4")
    assert_shared_as_planned(plan)
    found = shared_steps(plan.trials, steps_saved)
    assert found is not None
    assert (len(plan.students), found.trials) == (16, 15)
    assert found.made <= 0.4 * found.whole
    assert_bits_of_separate_trainings(plan, tmp_path / "alone")
