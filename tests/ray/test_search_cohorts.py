"""Real Ray Tune and real hosts: every kind of search, with its students side by side."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from orchestrator.core.ray_environment import SETTINGS
from orchestrator.core.store import Store
from orchestrator.plan.journal import SearchLog
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.plan.race import rounds_in
from orchestrator.plan.trial import refreshed
from orchestrator.search.race import Race
from orchestrator.study.load import load_study
from orchestrator.worker_groups.entry_points import LOOP
from orchestrator.worker_groups.trainable import TrialRunner
from tests.ray.noted import BEGAN, noted_cohorts, noted_hosts
from tests.ray.noted_loop import digest
from tests.ray.paper import EPOCH_S, PaperRunner, record
from tests.ray.test_search import HYPERBAND, state, statuses
from tests.ray.test_search import STUDY as ON_PAPER
from tests.ray.test_sweep import Events
from trainers.schema.record import CARRIED, HISTORY, LAST, Outcome, read_history, to_lines, write_outcome

pytestmark = pytest.mark.usefixtures("local_ray")

TINY = Path(__file__).resolve().parents[1] / "unit" / "trainers" / "tiny_gfl.py"
TRAINED = f"""
name: trained
dataset: {{kind: shapes, train_images: 8, val_images: 4, image_size: [64, 64]}}
student: {{config: "{TINY}", weights: random}}
method: {{kind: none}}
schedule: {{epochs: 2, batch_size: 4, policy: {{kind: constant}}}}
search:
"""
RATES = "{schedule.lr: {loguniform: [0.001, 0.1]}}"
OPTUNA = f"""
  algorithm: optuna
  samples: 5
  seeds: [0, 1]
  cohort: 2
  scheduler: {{kind: asha, reduction_factor: 2}}
  space: {RATES}
"""
PARETO = """
  algorithm: optuna
  objectives: [ap, steps]
  samples: 4
  cohort: 2
  space: {schedule.lr: {loguniform: [0.001, 0.1]}, schedule.epochs: [1, 2]}
"""
RACE = """
  seeds: [0, 1, 2]
  racing: {}
  cohort: 2
  space: {schedule.epochs: [1], schedule.lr: [0.0085, 0.0095, 0.01, 0.0105, 1.0]}
"""
PBT = f"  {{algorithm: pbt, samples: 3, cohort: 3, space: {RATES}}}"
PAPER_LOOP, NOTED_LOOP = "tests.ray.paper_cohort", "tests.ray.noted_loop"


class Searched(Events):
    """Hear of proposals as well."""

    def planned(self, trial: Any) -> None:
        """Do nothing."""

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        """Do nothing: a paused trial repeats its history."""


def plan_in(folder: Path, study: str, *sets: str) -> Plan:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.yaml").write_text(study)
    plan = make_plan(load_study(folder / "study.yaml", sets, trust_python=True), Store(folder / "store"))
    return replace(plan, resources=replace(plan.resources, concurrent=1))


def sweep(
    folder: Path, study: str, *sets: str, runner: type[TrialRunner] = TrialRunner, loop: str = PAPER_LOOP
) -> Plan:
    """Run what is missing of a study with one host; return its plan, with all trials that the search came to."""
    from orchestrator.execution.sweep import Sweep
    from orchestrator.execution.tune import run_trials

    plan = plan_in(folder, study, *sets)
    pending = [trial for trial in plan.trials if refreshed(trial).status in ("new", "unfinished")]
    run_trials(Sweep(plan), pending, [Searched()], folder / "tune", runner, loop=loop)
    return plan


def sizes(plan: Plan) -> list[int]:
    return [len(cohort) for cohort in noted_cohorts(plan)]


def numbered(plan: Plan) -> list[list[int]]:
    numbers = {trial.id: number for number, trial in enumerate(plan.students)}
    return sorted([numbers[name] for name in cohort] for cohort in noted_cohorts(plan))


def test_optuna_proposes_in_waves_of_a_cohort_for_each_seed(tmp_path: Path) -> None:
    first, second = (sweep(tmp_path / name, ON_PAPER + OPTUNA) for name in ("first", "second"))
    assert state(first) == state(second)
    assert len(first.trials) == 10
    seeds = {trial.id: trial.spec.seed for trial in first.trials}
    assert all(len({seeds[name] for name in cohort}) == 1 for cohort in noted_cohorts(first))
    assert sizes(first).count(2) >= 4


def test_a_spent_budget_ends_a_wave_and_a_larger_one_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "TUNE_DISABLE_STRICT_METRIC_CHECKING"  # as in every run: whoever is asked to stop reports no AP
    monkeypatch.setenv(name, SETTINGS[name])
    cut = state(sweep(tmp_path, ON_PAPER + OPTUNA, f"search.max_gpu_hours={12 * EPOCH_S / 3600}"))
    assert None in {outcome for outcome, _ in cut.values()}
    assert sum(len(history) for _, history in cut.values()) >= 12
    whole = sweep(tmp_path, ON_PAPER + OPTUNA)
    assert statuses(state(whole)) == {"finished", "stopped"}
    assert len(state(whole)) == 10
    for trial, (_, history) in cut.items():
        assert state(whole)[trial][1][: len(history)] == history


def test_hyperband_stops_and_pauses_inside_cohorts_and_decides_the_same(tmp_path: Path) -> None:
    study = ON_PAPER.replace("max_concurrent: 1", "cpus_per_worker: 1") + HYPERBAND
    of_eight = ("search.samples=8", "search.seed=1")
    alone = sweep(tmp_path / "alone", study, *of_eight, runner=PaperRunner)
    together = sweep(tmp_path / "together", study, *of_eight, "search.cohort=3")
    assert state(together) == state(alone)
    # by hand: a bracket of three goes to the end; of five the best two, no. 4 and 5, go on after a pause at epoch 3
    lasted = [len(read_history(trial.directory)) for trial in together.students]
    assert lasted == [9, 9, 9, 3, 9, 9, 3, 3]
    assert numbered(together) == [[0, 1, 2], [3, 4, 5], [4, 5], [6, 7]]
    assert len(noted_hosts(together)) == 1


def test_a_race_refills_its_cohorts_and_decides_as_it_does_one_by_one(tmp_path: Path) -> None:
    study = ON_PAPER.replace("max_concurrent: 1", "cpus_per_worker: 1") + RACE
    expected = raced_without_ray(plan_in(tmp_path / "one by one", study))
    together = sweep(tmp_path / "together", study)
    assert state(together) == state(expected)
    [first, last] = rounds_in(SearchLog(together.search_log).read())
    assert [first, last] == rounds_in(SearchLog(expected.search_log).read())
    assert len(first.stays) == 4
    seeds = {trial.id: trial.spec.seed for trial in together.trials}
    sizes_of = {seed: [len(one) for one in noted_cohorts(together) if seeds[one[0]] == seed] for seed in range(3)}
    assert sizes_of == {0: [2, 2, 1], 1: [2, 2, 1], 2: [2, 2]}


def raced_without_ray(plan: Plan) -> Plan:
    """Let each trial have its records on paper at once, one after the other."""
    race, waiting = Race(plan), list(plan.students)
    while waiting or not race.over:
        waiting += race.ask(1)
        trial = waiting.pop(0)
        trial.directory.mkdir(parents=True)
        (trial.directory / HISTORY).write_text(to_lines([record(trial.spec, 1, final=True)]))
        write_outcome(trial.directory, Outcome("finished"))
        race.on_trial_complete(trial.id)
    return plan


def test_a_population_trains_side_by_side_and_is_the_one_that_trains_one_after_the_other(tmp_path: Path) -> None:
    together = sweep(tmp_path / "together", TRAINED + PBT, loop=NOTED_LOOP)
    apart = sweep(tmp_path / "apart", TRAINED + PBT, "search.cohort=1", loop=LOOP)
    assert results(together) == results(apart)
    generations = [[trial.id for trial in together.suggested[first : first + 3]] for first in (0, 3)]
    assert noted_cohorts(together) == generations
    assert len(noted_hosts(together)) == 1
    trials = {trial.id: trial for trial in together.trials}
    origins = {name: trials[name].spec.segment.origin.trial for name in generations[1]}
    assert len(set(origins.values())) == 2  # the worst has copied the best
    for name, origin in origins.items():
        carried = torch.load(trials[origin].directory / CARRIED, weights_only=True)
        assert (trials[name].directory / BEGAN).read_text() == digest(carried["student"])


def test_a_pareto_search_trains_side_by_side(tmp_path: Path) -> None:
    plan = sweep(tmp_path, TRAINED + PARETO, loop=NOTED_LOOP)
    assert statuses(state(plan)) == {"finished"}
    assert sizes(plan) == [2, 2]
    told = [json.loads(line) for line in plan.search_log.read_text().splitlines() if "tell" in line]
    assert {len(event["values"]) for event in told} == {2}


def results(plan: Plan) -> dict[str, Any]:
    """Return each trial's metrics and its weights' digest."""
    found = {}
    for trial in plan.trials:
        weights = torch.load(trial.directory / LAST, weights_only=True)["state_dict"]
        found[trial.id] = ([record.metrics for record in read_history(trial.directory)], digest(weights))
    return found
