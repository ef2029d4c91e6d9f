"""The time left follows from measured steps, by the clock, and is not guessed while a speed is unknown."""

from pathlib import Path

import pytest

from orchestrator.plan.machine import Machine
from orchestrator.plan.plan import Plan
from orchestrator.plan.rates import Likeness
from orchestrator.plan.time_left import TimeLeft
from orchestrator.plan.trial import PlannedTrial
from tests.unit.orchestrator.planning import STUDIES, plan_file, teacher_of
from trainers.schema.atomic import write_text
from trainers.schema.record import HISTORY, Record, to_lines

QUICKSTART = STUDIES / "quickstart.yaml"  # a teacher of 640 steps, five students of 480
ALONE = ("search.cohort=1",)


def planned(tmp_path: Path, *sets: str, cpus: int = 2) -> Plan:
    return plan_file(QUICKSTART, *sets, store=tmp_path / "store", machine=Machine(cpus=cpus, gpus=0))


def report(trial: PlannedTrial, steps: int, seconds: float) -> None:
    """Leave a record as the trial would after ``steps`` steps of ``seconds`` each."""
    trial.directory.mkdir(parents=True, exist_ok=True)
    record = Record(epoch=1, step=steps, metrics={}, timing={"time/train_s": steps * seconds})
    write_text(trial.directory / HISTORY, to_lines([record]))


def test_nothing_is_said_before_every_speed_is_known(tmp_path):
    plan = planned(tmp_path, *ALONE)
    assert TimeLeft(plan, {}).seconds() is None
    report(teacher_of(plan), 80, 0.1)
    assert TimeLeft(plan, {}).seconds() is None  # of no student
    report(plan.students[0], 80, 0.1)
    assert TimeLeft(plan, {}).seconds() is None  # of no distilled one


def test_the_teacher_goes_first_and_students_share_the_machine(tmp_path):
    plan = planned(tmp_path, *ALONE)
    for trial, seconds in ((teacher_of(plan), 0.1), (plan.students[0], 0.2), (plan.students[1], 0.3)):
        report(trial, 80, seconds)
    teacher, students = 560 * 0.1, [400 * 0.2, 400 * 0.3, *[480 * 0.3] * 3]
    assert TimeLeft(plan, {}).seconds() == pytest.approx(teacher + sum(students) / 2)
    assert TimeLeft(planned(tmp_path, *ALONE, cpus=1), {}).seconds() == pytest.approx(teacher + sum(students))
    most = max(students)  # five students at once
    assert TimeLeft(planned(tmp_path, *ALONE, cpus=16), {}).seconds() == pytest.approx(teacher + most)


def test_steps_within_an_epoch_count_and_ended_trials_do_not(tmp_path):
    plan = planned(tmp_path, *ALONE, cpus=1)
    for trial in plan.trials:
        report(trial, 80, 0.1)
    first, *others = plan.students
    ended = {teacher_of(plan).id, *(trial.id for trial in others)}
    assert TimeLeft(plan, {}).seconds(ended, {first.id: 25}) == pytest.approx(2.5)
    assert TimeLeft(plan, {}).seconds({*ended, first.id}) == 0


def test_the_stores_rates_tell_before_the_first_epoch(tmp_path):
    plan = planned(tmp_path, *ALONE, cpus=1)
    rates = {Likeness(plan).of(trial): [0.1, 0.2, 0.9] for trial in plan.trials}
    assert TimeLeft(plan, rates).seconds() == pytest.approx((640 + 5 * 480) * 0.2)


def test_a_cohort_is_one_group(tmp_path):
    plan = planned(tmp_path, "search.cohort=5", cpus=16)
    for trial in plan.trials:
        report(trial, 80, 0.1)
    assert TimeLeft(plan, {}).seconds({teacher_of(plan).id}) == pytest.approx(5 * 400 * 0.1)
    chosen = planned(tmp_path, "search.cohort=auto", cpus=2)  # of 3 and 2
    assert TimeLeft(chosen, {}).seconds({teacher_of(plan).id}) == pytest.approx(5 * 400 * 0.1 / 2)


def test_an_open_search_counts_with_all_its_trials(tmp_path):
    search = "search={algorithm: optuna, samples: 4, space: {method.alpha1: {uniform: [0.1, 1.0]}}, baseline: false}"
    plan = planned(tmp_path, search, "scaling.seconds_per_step=0.5", cpus=1)
    left = TimeLeft(plan, {})
    assert left.trials == 5
    assert left.seconds() == pytest.approx((640 + 4 * 480) * 0.5)
