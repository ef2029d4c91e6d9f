"""A study's section ``search.scheduler`` becomes the scheduler that it describes: rungs, factor, direction and length."""

from pathlib import Path
from typing import Any

import pytest
from ray.tune.schedulers import ASHAScheduler, HyperBandScheduler

from orchestrator.plan.journal import SearchLog
from orchestrator.search.live_trials import InOrder
from orchestrator.search.pasha import PashaScheduler
from orchestrator.search.schedule import make_scheduler
from tests.unit.orchestrator.planning import plan_text, teacher_of
from trainers.schema.record import HISTORY, Outcome, Record, to_lines, write_outcome

STUDY = """
name: rules
dataset: {kind: shapes}
teacher: {kind: train, detector: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: bckd}
schedule: {epochs: 20, policy: {kind: constant}}
search:
  space: {schedule.epochs: [20, 37], method.alpha1: [0.5, 1.0, 2.0]}
"""


def inner(folder: Path, rule: str, *sets: str) -> Any:
    """Return the scheduler that decides, without those that remember and choose for it."""
    plan = plan_text(folder, STUDY, f"search.scheduler={rule}", *sets)
    return make_scheduler(plan, plan.students)._scheduler._scheduler


def test_asha_has_rungs_of_the_longest_schedule_a_factor_apart(tmp_path):
    found = inner(tmp_path, "{kind: asha, grace_epochs: 2, reduction_factor: 4}")
    assert isinstance(found, ASHAScheduler)
    [bracket] = found._brackets
    assert [rung[0] for rung in bracket._rungs] == [32, 8, 2]  # below 37 epochs, the last first
    assert (bracket.rf, found._max_t, found._time_attr, found._mode) == (4, 37, "epoch", "max")


def test_the_defaults_of_asha(tmp_path):
    [bracket] = inner(tmp_path, "{kind: asha}")._brackets
    assert [rung[0] for rung in bracket._rungs] == [27, 9, 3, 1]


def test_phases_are_counted_in_the_studys_own_schedule(tmp_path):
    found = inner(tmp_path, "{kind: asha, grace_epochs: 2, reduction_factor: 4, rungs: phase}")
    assert [rung[0] for rung in found._brackets[0]._rungs] == [8, 2]  # below 20 epochs
    assert inner(tmp_path, "{kind: pasha, grace_epochs: 2, rungs: phase}").levels == [2, 6, 18, 20]


def test_hyperband_has_the_factor_and_the_longest_schedule(tmp_path):
    found = inner(tmp_path, "{kind: hyperband, reduction_factor: 4}")
    assert isinstance(found, HyperBandScheduler)
    assert (found._eta, found._max_t_attr, found._time_attr, found._metric_op) == (4, 37, "epoch", 1.0)


def test_pasha_has_levels_percentile_finalists_and_waits_for_the_students(tmp_path):
    found = inner(tmp_path, "{kind: pasha, grace_epochs: 2, reduction_factor: 4, percentile: 80, finalists: 2}")
    assert isinstance(found, PashaScheduler)
    assert found.levels == [2, 8, 32, 37]
    assert (found._factor, found._percentile, found._count) == (4, 80.0, 2)
    plan = plan_text(tmp_path, STUDY)
    assert found._expected == {trial.id for trial in plan.students if not trial.is_baseline}
    assert len(found._expected) == 6


def test_the_metric_of_the_study_is_compared(tmp_path):
    for rule in ("{kind: asha}", "{kind: pasha}", "{kind: hyperband}"):
        assert inner(tmp_path, rule, "search.metric=AP75")._metric == "coco/bbox_mAP_75"


def test_without_a_rule_and_for_teachers_trials_run_in_their_order(tmp_path):
    plan = plan_text(tmp_path, STUDY, "search.scheduler={kind: fifo}")
    assert isinstance(make_scheduler(plan, plan.students), InOrder)
    plan = plan_text(tmp_path, STUDY, "search.scheduler={kind: asha}")
    assert isinstance(make_scheduler(plan, [teacher_of(plan)]), InOrder)


def test_asha_judges_the_baseline_and_pasha_lets_it_train_to_its_end(tmp_path):
    for kind, judges in (("asha", True), ("hyperband", True), ("pasha", False)):
        plan = plan_text(tmp_path, STUDY, f"search.scheduler={{kind: {kind}}}")
        [baseline] = [trial for trial in plan.students if trial.is_baseline and trial.spec.schedule.length == 20]
        assert make_scheduler(plan, plan.students)._judges(baseline.id) is judges


@pytest.mark.parametrize(("kind", "taken"), [("asha", True), ("pasha", True), ("hyperband", False)])
def test_students_that_ended_before_the_log_began_count_unless_brackets_need_their_beginning(kind, taken, tmp_path):
    plan = plan_text(tmp_path, STUDY, f"search.scheduler={{kind: {kind}}}")
    ended = next(trial for trial in plan.students if not trial.is_baseline)
    ended.directory.mkdir(parents=True)
    history = [Record(epoch, epoch, {"coco/bbox_mAP": 0.1}, final=epoch == 20) for epoch in range(1, 21)]
    (ended.directory / HISTORY).write_text(to_lines(history))
    write_outcome(ended.directory, Outcome("finished"))
    scheduler = make_scheduler(plan, plan.students)._scheduler
    assert scheduler.has_trial(ended.id) is taken
    if not taken:  # one that the log has seen begin is taken up where the log ends
        SearchLog(plan.search_log).append(event="add", trial=ended.id)
        assert make_scheduler(plan, plan.students)._scheduler._states[ended.id].gone
