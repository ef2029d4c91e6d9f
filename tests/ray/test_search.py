"""Real Ray Tune over trials on paper: searches and schedulers end alike, undisturbed or killed in their midst."""

import gc
import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.plan.trial import PlannedTrial, refreshed
from orchestrator.study.load import load_study
from tests.ray.paper import EPOCH_S, PaperRunner, score
from trainers.schema.record import read_history, read_outcome

pytestmark = pytest.mark.usefixtures("local_ray")

ROOT = Path(__file__).resolve().parents[2]
STUDY = """
name: paper
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 9, policy: {kind: constant}}
scaling: {max_concurrent: 1}
search:
"""
OPTUNA = "  {algorithm: optuna, samples: 8, space: {schedule.lr: {loguniform: [0.0001, 1.0]}}, scheduler: %s}"
ASHA = "{kind: asha, reduction_factor: 2}"
RANDOM = "  {algorithm: random, samples: 9, space: {schedule.lr: {loguniform: [0.0001, 1.0]}}, scheduler: %s}"
HYPERBAND = RANDOM % "{kind: hyperband}"
PASHA = RANDOM % "{kind: pasha, reduction_factor: 2}"
RACE = "  {seeds: [0, 1, 2], racing: {}, space: {schedule.epochs: [3], schedule.lr: [0.009, 0.01, 0.1, 0.2]}, scheduler: %s}"
RACE_OF_FEW = RACE % "{kind: pasha, reduction_factor: 2}"
PBT = "  {algorithm: pbt, samples: 3, population: {every_epochs: 3}, space: {schedule.lr: {loguniform: [0.0001, 1.0]}}}"


class Died(BaseException):
    """Stand for the death of the process."""


class Watcher:
    """Let the sweep die with report number ``die_at``."""

    def __init__(self, die_at: int | None) -> None:
        self._left = die_at

    def planned(self, trial: PlannedTrial) -> None:
        """Do nothing."""

    def started(self, trial_id: str) -> None:
        """Do nothing."""

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                raise Died

    def ended(self, trial_id: str) -> None:
        """Do nothing."""


def plan_in(folder: Path, search: str) -> Plan:
    folder.mkdir(parents=True, exist_ok=True)
    study = (
        STUDY
        if search not in (HYPERBAND, PASHA, RACE_OF_FEW)
        else STUDY.replace("max_concurrent: 1", "cpus_per_worker: 1")
    )
    (folder / "study.yaml").write_text(study + search)
    return make_plan(load_study(folder / "study.yaml", []), Store(folder / "store"))


def sweep(folder: Path, search: str, die_at: int | None = None) -> dict[str, Any]:
    """Run what is missing; return how each trial ended and what it reported."""
    from orchestrator.execution.sweep import Sweep
    from orchestrator.execution.tune import run_trials

    plan = plan_in(folder, search)
    pending = [trial for trial in plan.trials if refreshed(trial).status in ("new", "unfinished")]
    run_trials(Sweep(plan), pending, [Watcher(die_at)], folder / "tune", PaperRunner)
    return state(plan_in(folder, search))


def die(folder: Path, search: str, die_at: int) -> None:
    """Run until the sweep dies; let go of its error, which holds on to actors and their CPUs."""
    try:
        sweep(folder, search, die_at)
    except BaseException as error:
        if "Died" not in repr(error) + str(error):
            raise
    else:
        pytest.fail("nobody died")
    gc.collect()


def state(plan: Plan) -> dict[str, Any]:
    return {
        trial.id: (read_outcome(trial.directory), [record.metrics for record in read_history(trial.directory)])
        for trial in plan.trials
    }


def statuses(found: dict[str, Any]) -> set[str]:
    return {outcome.status for outcome, _ in found.values() if outcome}


@pytest.mark.parametrize(
    ("search", "ends", "deaths"),
    [
        (OPTUNA % ASHA, {"finished", "stopped"}, (2, 9)),
        (HYPERBAND, {"finished", "stopped"}, (5, 11)),
        pytest.param(PASHA, {"finished", "stopped"}, (3, 8), marks=pytest.mark.slow),
        pytest.param(RACE % "{kind: fifo}", {"finished"}, (5, 13), marks=pytest.mark.slow),
        pytest.param(RACE_OF_FEW, {"finished", "stopped"}, (3, 7), marks=pytest.mark.slow),
        (PBT, {"finished"}, (4,)),
    ],
    ids=["optuna and asha", "hyperband", "pasha", "race", "race and pasha", "pbt"],
)
def test_a_killed_search_ends_as_an_undisturbed_one(
    search: str, ends: set[str], deaths: tuple[int, ...], tmp_path: Path
) -> None:
    expected = sweep(tmp_path / "undisturbed", search)
    assert statuses(expected) == ends
    for die_at in deaths:
        die(tmp_path / "killed", search, die_at)
    assert sweep(tmp_path / "killed", search) == expected


def test_a_population_copies_and_lasts_as_long_as_its_schedule(tmp_path: Path) -> None:
    found = sweep(tmp_path, PBT)
    trials = {trial.id: trial for trial in plan_in(tmp_path, PBT).trials}
    assert len(found) == 9
    assert {trial.spec.segment.until_epoch for trial in trials.values() if trial.spec.segment} == {3, 6, 9}
    first = [trial for trial in trials.values() if trial.spec.segment and trial.spec.segment.until_epoch == 3]
    second = [trial for trial in trials.values() if trial.spec.segment and trial.spec.segment.until_epoch == 6]
    origins = [trial.spec.segment.origin.trial for trial in second if trial.spec.segment and trial.spec.segment.origin]
    best, worst = (choose(first, key=lambda trial: score(trial.spec, 3)) for choose in (max, min))
    assert worst.id not in origins
    assert origins.count(best.id) == 2


@pytest.mark.parametrize(
    "budget", [f"max_gpu_hours: {5 * EPOCH_S / 3600}", "stop_when: {at_least: 0.0}"], ids=["hours", "goal"]
)
def test_a_spent_budget_leaves_trials_that_a_larger_one_goes_on_with(budget: str, tmp_path: Path) -> None:
    grid = "  {space: {schedule.lr: [0.001, 0.01, 0.1]}%s}"
    cut = sweep(tmp_path, grid % f", {budget}")
    assert None in {outcome for outcome, _ in cut.values()}
    done = sum(len(history) for _, history in cut.values())
    assert 1 <= done <= 7
    whole = sweep(tmp_path, grid % "")
    assert statuses(whole) == {"finished"}
    assert [len(history) for _, history in whole.values()] == [9, 9, 9]


def test_what_was_decided_is_on_disk_in_order(tmp_path: Path) -> None:
    sweep(tmp_path, OPTUNA % ASHA)
    lines = plan_in(tmp_path, OPTUNA % ASHA).search_log.read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["number"] for event in events if event["event"] == "ask"] == list(range(8))
    assert [event["number"] for event in events if event["event"] == "tell"] == list(range(8))
