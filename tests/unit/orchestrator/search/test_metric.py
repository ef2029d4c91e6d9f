"""A study's metric decides wherever trials are compared, in its own direction, and changes no trial."""

import io
import os
import random
from pathlib import Path
from typing import Any

import pytest
from ray.tune.schedulers import ASHAScheduler

from orchestrator.plan.journal import SearchLog
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.reports.cells import cells, titles
from orchestrator.reports.document import report_of
from orchestrator.reports.export import best_id
from orchestrator.reports.study_end import end_lines
from orchestrator.reports.table import print_results
from orchestrator.results.metric_names import title_of
from orchestrator.results.summary import best_student, summarise, summary_json
from orchestrator.search.pasha import PashaScheduler
from orchestrator.search.race import Race
from orchestrator.search.scheduler import RememberingScheduler
from orchestrator.search.suggestions import Suggestions
from orchestrator.study.schema import Pasha
from orchestrator.tracking.recorded import Recorded
from orchestrator.tracking.results import results_on_disk
from tests.unit.orchestrator.planning import ids, plan_text
from tests.unit.orchestrator.results.test_results import result
from tests.unit.orchestrator.search.simulated import METRIC, Killed, Simulation
from trainers.schema.record import HISTORY, Outcome, Record, to_lines, write_outcome

LOSS, CIRCLE = "loss/total", "class_AP/circle"
STUDY = """
name: by-metric
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 4, policy: {kind: constant}}
search:
  space: {schedule.lr: [0.001, 0.002, 0.003, 0.004]}
  seeds: [0, 1, 2]
  baseline: false
"""


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def train(trial: PlannedTrial) -> None:
    """Write a trial whose best epoch by AP is its first; higher learning rates have higher AP, AP of circles and loss."""
    rate = 100 * float(trial.spec.schedule.lr) + 0.001 * trial.spec.seed
    best = Record(1, 10, {METRIC: rate, CIRCLE: 0.9 * rate, LOSS: 2 * rate}, {"time/train_s": 1.0})
    last = Record(2, 20, {METRIC: 0.01, CIRCLE: 1.0 - rate, LOSS: 9.0 - rate}, {"time/train_s": 1.0}, final=True)
    trial.directory.mkdir(parents=True, exist_ok=True)
    (trial.directory / HISTORY).write_text(to_lines([best, last]))
    write_outcome(trial.directory, Outcome("finished"))


def trained(folder: Path, *sets: str) -> Plan:
    plan = plan_text(folder, STUDY, *sets)
    for trial in plan.trials:
        train(trial)
    return plan_text(folder, STUDY, *sets)


def test_the_metric_names_no_trial_anew_and_names_the_decisions_that_it_makes(tmp_path: Path) -> None:
    plans = {name: plan_text(tmp_path, STUDY, f"search.metric={name}") for name in ("AP", "AP50", LOSS)}
    assert len({tuple(ids(plan)) for plan in plans.values()}) == 1
    assert len({plan.fingerprint for plan in plans.values()}) == 1
    assert {plan.study.search.metric for plan in plans.values()} == {METRIC, "coco/bbox_mAP_50", LOSS}
    for deciding in ("search.scheduler={kind: asha}", "search.racing={}"):
        logs = {plan_text(tmp_path, STUDY, deciding, f"search.metric={name}").search_log for name in plans}
        assert len(logs) == 3
        assert plan_text(tmp_path, STUDY, deciding).search_log in logs  # AP is the default, under its old name


@pytest.mark.parametrize(("metric", "lr"), [(METRIC, 0.004), (CIRCLE, 0.004), (LOSS, 0.001)])
def test_the_best_student_has_the_best_metric_at_its_best_epoch(metric: str, lr: float, tmp_path: Path) -> None:
    plan = trained(tmp_path, f"search.metric={metric}")
    results = results_on_disk(plan, {})
    best = best_student(results)
    assert best is not None
    assert best.params == {"schedule.lr": lr}
    assert best_id(results) == best.id == summary_json(results)["best"]
    assert summary_json(results)["metric"] == metric
    ranked = {summary.row.first.params["schedule.lr"]: summary.rank for summary in summarise(results)}
    assert ranked[lr] == 1
    assert ranked[0.005 - lr] == 4


def test_a_loss_is_shown_as_it_is_and_less_of_it_is_a_gain() -> None:
    def of(loss: float, **changes: Any) -> Any:
        return result(metric=LOSS, metrics={METRIC: 0.3, LOSS: loss}, **changes)

    rows = [(0, "none", {}), (1, "none", {}), (0, "bckd", {"method.alpha1": 1.0}), (1, "bckd", {"method.alpha1": 1.0})]
    losses = (1.50, 1.52, 1.25, 1.27)
    results = [
        of(loss, method=method, params=params, seed=seed)
        for loss, (seed, method, params) in zip(losses, rows, strict=True)
    ]
    best, gain = end_lines(results, [0, 1])
    assert "Total loss 1.2500" in best
    assert gain.startswith("gain:    -0.2500 Total loss over none (2 seeds each), 95 % interval -0.3")
    stream = io.StringIO()
    print_results(summarise(results), stream)
    head, alone, taught = stream.getvalue().splitlines()
    assert "Total loss" in head
    assert "1.5100 ± 0.0141" in alone
    assert "1.2600 ± 0.0141" in taught
    assert "-0.2500" in taught
    assert taught.split()[-1] == "1"
    assert alone.split()[-1] == "2"


def test_a_metric_that_nobody_recorded_is_named(tmp_path: Path) -> None:
    results = results_on_disk(trained(tmp_path, "search.metric=loss/dfl"), {})
    with pytest.raises(Exception, match="no student of this study has the metric loss/dfl: choose another"):
        best_id(results)


def test_a_race_is_won_by_the_lowest_loss(tmp_path: Path) -> None:
    sets = ("search.racing={}", f"search.metric={LOSS}")
    plan = plan_text(tmp_path, STUDY, *sets)
    race, waiting = Race(plan), list(plan.trials)
    while waiting or not race.over:
        waiting += race.ask(100)
        trial = waiting.pop(0)
        train(trial)
        race.on_trial_complete(trial.id)
    seeds: dict[float, int] = {}
    for trial in plan_text(tmp_path, STUDY, *sets).trials:
        seeds[float(trial.spec.schedule.lr)] = seeds.get(float(trial.spec.schedule.lr), 0) + 1
    assert seeds == {0.001: 2, 0.002: 2, 0.003: 2, 0.004: 2}  # one point is left after two seeds: it leads alone
    [decision] = [event for event in SearchLog(plan.search_log).read() if event["event"] == "round"]
    [leader] = decision["stays"]
    assert next(trial for trial in plan.trials if trial.id == leader).params == {"schedule.lr": 0.001}


OPEN = {
    "optuna": ("search.algorithm=optuna", "search.samples=6", "search.space={schedule.lr: {uniform: [0.001, 0.004]}}"),
    "pbt": (
        "search.algorithm=pbt", "search.samples=3", "search.seeds=[0]", "search.population={every_epochs: 2}",
        "search.space={schedule.lr: {uniform: [0.001, 0.004]}}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("search", OPEN)
def test_a_search_is_told_the_metric_so_that_higher_is_better(search: str, tmp_path: Path) -> None:
    plan = plan_text(tmp_path, STUDY, *OPEN[search], f"search.metric={LOSS}")
    suggestions = Suggestions(plan)
    asked = suggestions.ask(1)
    while asked:
        for trial in asked:
            train(trial)
            suggestions.on_trial_complete(trial.id)
        asked = suggestions.ask(1)
    told = [event["values"][0] for event in SearchLog(plan.search_log).read() if event["event"] == "tell"]
    assert len(told) == 6
    if search == "optuna":  # the loss at the best epoch by AP is twice the rate
        assert all(-0.81 < value < -0.19 for value in told)
    else:  # a population goes on from the last state, whose loss is 9 less the rate
        assert all(-9.0 < value < -8.5 for value in told)


@pytest.mark.parametrize("kind", ["asha", "pasha"])
def test_a_scheduler_stops_the_highest_losses_and_no_kill_changes_that(kind: str, tmp_path: Path) -> None:
    """The same numbers as losses and, negated, as AP lead to the same decisions."""
    names = [f"t{number}" for number in range(7)]
    draws = random.Random(5)
    curves = {name: [draws.random() * (1.5 - epoch / 9) for epoch in range(9)] for name in names}

    def simulation(folder: Path, metric: str, on_disk: dict[str, int]) -> Simulation:
        told: dict[str, Any] = {"time_attr": "epoch", "metric": metric, "mode": "max"}
        inner: Any = (
            ASHAScheduler(grace_period=1, reduction_factor=2, max_t=9, **told)
            if kind == "asha"
            else PashaScheduler(Pasha(kind="pasha", reduction_factor=2), 9, names, time="epoch", metric=metric)
        )
        scheduler = RememberingScheduler(inner, SearchLog(folder / "search.jsonl"), metric)
        sign = -1 if metric == METRIC else 1
        scores = {name: [sign * value for value in curve] for name, curve in curves.items()}
        return Simulation(scheduler, scores, on_disk, folder, 1, metric)

    expected = simulation(tmp_path / "ap", METRIC, {})
    expected.run()
    assert len(set(expected.stopped.values())) > 1
    on_disk = dict[str, int]()
    for _ in range(sum(expected.stopped.values()) // 3):
        with pytest.raises(Killed):
            simulation(tmp_path / "loss", LOSS, on_disk).run(kill_at=3)
    last = simulation(tmp_path / "loss", LOSS, on_disk)
    last.run()
    assert last.stopped == expected.stopped


@pytest.mark.parametrize(("metric", "shown"), [(LOSS, ["1.2500", "1.5000"]), (CIRCLE, ["20.0", "30.0"])])
def test_a_report_has_the_metric_in_its_unit(metric: str, shown: list[str], tmp_path: Path) -> None:
    plan = plan_text(
        tmp_path, STUDY, "search.seeds=[0]", f"search.metric={metric}", "search.space={schedule.lr: [0.001, 0.002]}"
    )
    values = {LOSS: (1.25, 1.5), CIRCLE: (0.2, 0.3)}[metric]
    results = [
        result(id=trial.id, metric=metric, method="none", params=trial.params, metrics={METRIC: 0.3, metric: value})
        for trial, value in zip(plan.students, values, strict=True)
    ]
    report = report_of(plan, results, Recorded((), (), (), {}), "stillhouse run study.yaml")
    place = titles(report).index(title_of(metric))
    assert [cells(report, row)[place] for row in report.rows] == shown
