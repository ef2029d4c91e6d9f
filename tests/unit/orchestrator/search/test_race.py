"""A race over seeds trains further seeds only of points that may still be the best, and decides the same after any death."""

import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import pytest

from orchestrator.execution.sweep import Sweep
from orchestrator.plan.journal import SearchLog
from orchestrator.plan.plan import Plan
from orchestrator.plan.race import race_texts, rounds_in
from orchestrator.plan.totals import totals
from orchestrator.plan.trial import PlannedTrial, refreshed
from orchestrator.reports.plan_table import describe_size
from orchestrator.reports.study_report import race_of, results_json
from orchestrator.reports.table import print_results
from orchestrator.results.ranking import paired, ranks
from orchestrator.results.sample import sample_of
from orchestrator.results.summary import summarise
from orchestrator.search.race import Race
from orchestrator.search.schedule import judging
from orchestrator.tracking.results import results_on_disk
from tests.unit.orchestrator.planning import plan_text
from trainers.schema.record import HISTORY, SELECTION_METRIC, Outcome, Record, to_lines, write_outcome

STUDY = """
name: raced
dataset: {kind: shapes, train_images: 160}
teacher:
  kind: random
  detector: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: bckd}
schedule: {epochs: 4, batch_size: 16, policy: {kind: constant}}
search:
  space: {method.alpha1: [0.5, 1.0, 2.0, 4.0]}
  seeds: [0, 1, 2, 3, 4]
  racing: {}
"""
MEANS = {0.5: 0.30, 1.0: 0.40, 2.0: 0.401, 4.0: 0.20, None: 0.35}  # by alpha1; None is the baseline
Score = Callable[[PlannedTrial], float | None]


class Died(Exception):
    """Stand for the death of the process."""


def score(trial: PlannedTrial) -> float | None:
    """Return the mean of a trial's point with noise of 0.01."""
    alpha = trial.params.get("method.alpha1")
    return MEANS[alpha] + random.Random(f"{alpha} {trial.spec.seed}").gauss(0, 0.01)  # type: ignore[index]


class World:
    """Train on paper; ``of`` gives a trial's AP, ``None`` for one that the scheduler stops."""

    def __init__(self, folder: Path, *sets: str, of: Score = score) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._sets, self._of = folder, sets, of
        self.trained: Counter[str] = Counter()

    def plan(self) -> Plan:
        return plan_text(self._folder, STUDY, *self._sets)

    def run(self, die_at: int | None = None, order: random.Random | None = None) -> Plan:
        """Run to the end, or die at step ``die_at``; ``order`` draws which trial of those at hand is next to end."""
        self._steps, self._die_at = 0, die_at
        plan = self.plan()
        waiting = [trial for trial in plan.trials if refreshed(trial).status == "new"]
        race = Sweep(plan).suggestions
        assert isinstance(race, Race)
        while waiting or not race.over:
            waiting += race.ask(100)
            trial = waiting.pop(order.randrange(len(waiting)) if order else 0)
            self._step()
            self.train(trial)
            self._step()
            race.on_trial_complete(trial.id)
        return self.plan()

    def _step(self) -> None:
        self._steps += 1
        if self._steps == self._die_at:
            raise Died

    def train(self, trial: PlannedTrial) -> None:
        self.trained[trial.id] += 1
        trial.directory.mkdir(parents=True, exist_ok=True)
        value = self._of(trial)
        record = Record(1, 10, {SELECTION_METRIC: value or 0.0}, {"time/train_s": 1.0}, final=value is not None)
        (trial.directory / HISTORY).write_text(to_lines([record]))
        write_outcome(trial.directory, Outcome("finished" if value is not None else "stopped"))


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def seeds_of(plan: Plan) -> dict[object, int]:
    return dict(Counter(trial.params.get("method.alpha1") for trial in plan.trials))


def texts(plan: Plan) -> dict[object, str]:
    found = race_texts(plan.study.search, plan.race, rounds_in(SearchLog(plan.search_log).read()))
    return {trial.params.get("method.alpha1"): found[trial.id] for trial in plan.trials}


def test_only_points_level_with_the_leader_get_more_seeds(tmp_path: Path) -> None:
    world = World(tmp_path)
    plan = world.run()
    assert seeds_of(plan) == {None: 5, 0.5: 2, 1.0: 5, 2.0: 5, 4.0: 2}
    assert set(world.trained.values()) == {1}
    said = texts(plan)
    assert said[None] == "baseline: as many seeds as the leader"
    assert said[1.0] == said[2.0] == "level with the leader, all seeds"
    # by hand: of five points with two seeds each
    values = {
        alpha: [score(trial) for trial in plan.students if trial.params.get("method.alpha1") == alpha][:2]
        for alpha in MEANS
    }
    samples = {alpha: sample_of(found) for alpha, found in values.items()}
    common = paired([[value or 0.0 for value in found] for found in values.values()])
    leader = max(fmean(value for value in values[alpha] if value) for alpha in (1.0, 2.0))
    assert common is not None
    assert samples[0.5] is not None
    margin = common.margin(samples[0.5], samples[0.5])
    assert (
        said[0.5]
        == f"left at seed 2: {100 * (leader - samples[0.5].mean):.1f} below the leader, margin {100 * margin:.1f}"
    )


def test_without_pairs_who_leaves_is_who_the_table_ranks_behind(tmp_path: Path) -> None:
    """At the first decision the points that leave are those with another rank than the best."""
    plan = World(tmp_path, "search.racing.paired=false").run()
    [first, *_] = rounds_in(SearchLog(plan.search_log).read())
    points = [point for point in plan.race if not point.is_baseline]
    samples = [sample_of(score(trial) for trial in point.trials[:2]) for point in plan.race]
    places = ranks([sample for sample in samples if sample])
    assert places is not None
    behind = {point.key for point, place in zip(plan.race, places, strict=True) if place > 1 and point in points}
    assert set(first.left) == behind


def test_a_death_at_any_moment_changes_no_decision(tmp_path: Path) -> None:
    undisturbed = World(tmp_path / "undisturbed").run()
    expected = [trial.id for trial in undisturbed.trials]
    decisions = rounds_in(SearchLog(undisturbed.search_log).read())
    for die_at in range(1, 2 * len(expected) + 1):
        world = World(tmp_path / str(die_at))
        with pytest.raises(Died):
            world.run(die_at)
        plan = world.run()
        assert [trial.id for trial in plan.trials] == expected
        assert rounds_in(SearchLog(plan.search_log).read()) == decisions
        assert set(world.trained.values()) == {1}


def test_the_order_in_which_trials_end_changes_no_decision(tmp_path: Path) -> None:
    expected = [trial.id for trial in World(tmp_path / "in order").run().trials]
    for seed in range(5):
        found = World(tmp_path / str(seed)).run(order=random.Random(seed))
        assert [trial.id for trial in found.trials] == expected


def test_no_trial_differs_from_that_of_a_whole_grid(tmp_path: Path) -> None:
    raced = World(tmp_path / "raced").run()
    grid = World(tmp_path / "grid", "search.racing=null").plan()
    assert {trial.id for trial in raced.trials} <= {trial.id for trial in grid.trials}
    assert raced.fingerprint != grid.fingerprint


def test_results_of_a_whole_grid_are_taken_over(tmp_path: Path) -> None:
    grid = World(tmp_path, "search.racing=null")
    for trial in grid.plan().trials:
        grid.train(trial)
    world = World(tmp_path)
    assert seeds_of(world.run()) == {None: 5, 0.5: 2, 1.0: 5, 2.0: 5, 4.0: 2}
    assert not world.trained


def test_one_point_that_is_left_ends_the_race_with_as_many_seeds_of_the_baseline(tmp_path: Path) -> None:
    def clear(trial: PlannedTrial) -> float:
        return {2.0: 0.9}.get(trial.params.get("method.alpha1"), 0.1) + 1e-3 * trial.spec.seed  # type: ignore[call-overload,no-any-return]

    plan = World(tmp_path, "search.racing.least_seeds=3", of=clear).run()
    assert set(seeds_of(plan).values()) == {3}
    assert texts(plan)[2.0] == "leads alone"
    assert texts(plan)[4.0].startswith("left at seed 3: 80.0 below the leader, margin 0.")


@pytest.mark.parametrize("scheduler", ["asha", "pasha"])
def test_with_a_scheduler_points_race_that_it_trained_to_the_end_with_one_seed(scheduler: str, tmp_path: Path) -> None:
    def stopped(trial: PlannedTrial) -> float | None:
        return None if trial.params.get("method.alpha1") == 4.0 else score(trial)

    plan = World(tmp_path, f"search.scheduler={{kind: {scheduler}}}", of=stopped).run()
    assert seeds_of(plan) == {None: 5, 0.5: 2, 1.0: 5, 2.0: 5, 4.0: 1}
    assert texts(plan)[4.0] == "left at seed 1: stopped or failed before its end"
    judges = judging(plan)
    judged = [trial for trial in plan.trials if judges(trial.id)]
    assert [(trial.params["method.alpha1"], trial.spec.seed) for trial in judged] == [
        (alpha, 0) for alpha in (0.5, 1.0, 2.0, 4.0)
    ]


def test_what_a_seed_does_to_all_alike_keeps_no_point_in_the_race(tmp_path: Path) -> None:
    """Seeds move all points by 0.1; the points differ by 0.05, and by pairs they are told apart after two of them."""

    def shifted(trial: PlannedTrial) -> float:
        return (score(trial) or 0.0) + 0.1 * (-1) ** trial.spec.seed

    def scores(trial: PlannedTrial) -> float:
        return shifted(trial) + (0.05 if trial.params.get("method.alpha1") == 1.0 else 0.0)

    by_pairs = World(tmp_path / "pairs", of=scores).run()
    apart = World(tmp_path / "apart", "search.racing.paired=false", of=scores).run()
    assert seeds_of(by_pairs) == dict.fromkeys(MEANS, 2)
    assert min(seeds_of(apart).values()) > 2


def test_table_and_json_say_why_a_point_has_as_many_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = World(tmp_path).run()
    results = results_on_disk(plan, {})
    print_results(summarise(results), race=race_of(plan))
    lines = {
        line.split()[1]: line for line in capsys.readouterr().out.splitlines() if line.startswith(("bckd", "none"))
    }
    assert "left at seed 2:" in lines["alpha1=0.5"]
    assert "level with the leader, all seeds" in lines["alpha1=1.0"]
    found = {one["params"].get("method.alpha1"): one for one in results_json(plan, results)["race"]}
    assert [len(found[alpha]["trials"]) for alpha in (None, 0.5, 1.0)] == [5, 2, 5]
    assert found[0.5]["why"] == texts(plan)[0.5]


def test_a_race_ends_where_nobody_is_left(tmp_path: Path) -> None:
    plan = World(tmp_path, of=lambda trial: None).run()
    assert set(seeds_of(plan).values()) == {2}


def test_a_plan_says_the_least_and_the_most(tmp_path: Path) -> None:
    plan = World(tmp_path).plan()
    assert describe_size(plan) == "10 trials by now, at most 25"
    found = totals(plan)
    assert (found.trials, found.steps, found.at_most) == (25, 25 * 40, True)
    ended = totals(World(tmp_path).run())
    assert (ended.trials, ended.trials_left) == (19, 0)
