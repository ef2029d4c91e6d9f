"""Which trials look at images and stand in figures: the teacher and each method's best, or those that are named."""

from dataclasses import replace

import pytest

from orchestrator.core.errors import OperationError, UserError
from orchestrator.plan.plan import Plan
from orchestrator.reports.card_settings import training_lines
from orchestrator.reports.figures.data import _columns
from orchestrator.reports.predict import _chosen, _named, default_trials
from tests.unit.orchestrator.reports.example import plan_of, results_of


@pytest.fixture
def plan(tmp_path) -> Plan:
    return plan_of(tmp_path)


def test_the_teacher_and_the_best_of_each_method_look(plan):
    results = results_of(plan)
    chosen = default_trials(plan, results)
    assert [trial.role for trial in chosen].count("teacher") == 1
    methods = [trial.spec.method.kind for trial in chosen if trial.role == "student"]
    assert sorted(methods) == sorted({trial.spec.method.kind for trial in plan.students})
    best = max(
        (one for one in results if one.method == "bckd" and one.is_finished),
        key=lambda one: one.metrics["coco/bbox_mAP"],
    )
    assert best.id in {trial.id for trial in chosen}
    unfinished = [replace(one, status="unfinished") for one in results]
    assert default_trials(plan, unfinished) == []
    with pytest.raises(OperationError, match="no finished trial of this study has been evaluated yet"):
        _chosen(plan, unfinished, ())


def test_trials_are_named_by_their_first_digits_each_once(plan):
    first, second = plan.trials[:2]
    assert _named(plan, first.id[:6]) == [first]
    assert _named(plan, "all") == list(plan.trials)
    assert _chosen(plan, [], (second.id, first.id[:5], second.id[:5])) == [second, first]
    with pytest.raises(UserError, match=r"^no trial begins with zz; the study has .*" + plan.trials[-1].id):
        _named(plan, "zz")
    with pytest.raises(UserError, match=r"^more than one trial begins with ; the study has "):
        _named(plan, "")


def test_columns_of_a_figure_are_those_that_looked_in_the_order_of_the_plan_or_of_the_wish(plan):
    ids = [trial.id for trial in plan.trials]
    looked = {ids[2]: "b", ids[0]: "a"}
    assert _columns(plan, looked, ()) == [ids[0], ids[2]]
    assert _columns(plan, looked, (ids[2][:6], ids[0])) == [ids[2], ids[0]]
    with pytest.raises(UserError, match="no trial that looked begins with"):
        _columns(plan, looked, (ids[1],))
    with pytest.raises(UserError, match="more than one trial that looked begins with"):
        _columns(plan, looked, ("",))


def test_a_card_says_the_method_whole_and_the_seed(plan):
    student = next(trial for trial in plan.students if not trial.is_baseline)
    lines = dict(training_lines(student.spec, plan.study.teacher, None))
    assert list(lines) == ["detector", "starts from", "teacher", "method", "schedule", "seed"]
    assert lines["seed"] == str(student.spec.seed)
    assert lines["method"].startswith("bckd")
    for key in ("alpha1", "alpha2", "gamma", "detach_weight"):
        assert key in lines["method"], "defaults are said, too"
