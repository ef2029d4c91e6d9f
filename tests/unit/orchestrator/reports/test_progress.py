"""Progress is a line an epoch in a log, and bars with one line a trial on a terminal."""

import io
import logging
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.cli import parser
from orchestrator.commands.run import print_start
from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.reports.progress import Progress, progress_in
from orchestrator.tracking.names import run_name
from tests.unit.orchestrator.plan.test_time_left import report
from tests.unit.orchestrator.planning import STUDIES, plan_file, teacher_of
from tests.unit.orchestrator.reports.pretended import PretendedTerminal
from trainers.schema.atomic import write_text
from trainers.schema.record import HISTORY, RECORDED_AT, SELECTION_METRIC, Outcome, Record, to_lines, write_outcome
from trainers.schema.request import Request, write_request
from trainers.schema.stop import request_stop

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
LONG = "search.space={method.alpha1: [0.123456789], method.alpha2: [2.5], schedule.lr: [0.0123456789]}"


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return plan_file(STUDIES / "quickstart.yaml", "search.cohort=1", LONG, store=tmp_path / "store")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], PretendedTerminal]:
    """Return a function that puts a terminal in the place of stderr; pytest has its own there before a test begins."""

    def put() -> PretendedTerminal:
        stream = PretendedTerminal()
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("NO_COLOR", "1")
        return stream

    return put


def run_through(progress: Progress, plan: Plan) -> None:
    """Send the events of a teacher of one epoch that ends with 32.1 AP."""
    teacher = teacher_of(plan)
    progress.started(teacher.id)
    progress.reported(teacher.id, {"epoch": 1, SELECTION_METRIC: 0.321})
    report(teacher, 80, 0.1)
    record = Record(epoch=1, step=80, metrics={SELECTION_METRIC: 0.321}, timing={"time/train_s": 8.0})
    write_text(teacher.directory / HISTORY, to_lines([record]))
    write_outcome(teacher.directory, Outcome("finished"))
    progress.ended(teacher.id)


def test_a_log_gets_a_line_for_the_start_each_epoch_and_the_end(plan, caplog, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with caplog.at_level(logging.INFO):
        run_through(Progress(plan), plan)
    name = f"{teacher_of(plan).id}  teacher-{teacher_of(plan).id[:6]}"
    assert caplog.messages == [
        f"{name}: started",
        f"{name}: epoch 1/8 AP 32.1",
        f"{name}: finished, AP 32.1 (1 of 3 trials, 0 s)",
    ]


def test_a_trial_without_the_studys_metric_shows_its_ap(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    found = plan_file(STUDIES / "quickstart.yaml", "search.metric=loss/bckd_cls", store=tmp_path / "store")
    with caplog.at_level(logging.INFO):
        run_through(Progress(found), found)
    assert any(line.endswith("epoch 1/8 AP 32.1") for line in caplog.messages)


def test_a_run_of_chosen_trials_counts_these_alone(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    ids = frozenset({teacher_of(plan).id, plan.students[0].id})
    assert progress_in(Store(tmp_path / "store"), ids)(plan).summary() == "0 of 2 trials, 0 s"
    assert progress_in(Store(tmp_path / "store"), ids - {plan.students[0].id})(plan).summary() == "0 of 1 trial, 0 s"
    given = ["run", "s.yaml", "--trials", plan.students[-1].id, "--store", str(tmp_path / "store")]
    print_start(replace(plan, findings=()), parser().parse_args(given))
    assert "plan:    2 trials (2 new); each trial: " in sys.stderr.getvalue()


def test_epochs_that_an_earlier_run_has_told_are_not_told_again(plan, caplog, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    student = plan.students[0]
    known = [Record(n, 80 * n, {SELECTION_METRIC: 0.1 * n}, wall_time=1000.0 + n) for n in (1, 2)]
    student.directory.mkdir(parents=True)
    write_text(student.directory / HISTORY, to_lines(known))
    progress = Progress(plan.refreshed())
    trained_anew = Record(2, 160, {SELECTION_METRIC: 0.2}, wall_time=1010.0)  # its state was damaged
    with caplog.at_level(logging.INFO):
        for record in (*known, Record(3, 240, {SELECTION_METRIC: 0.3}, wall_time=1003.0), known[1], trained_anew):
            progress.started(student.id)
            progress.reported(student.id, {"epoch": record.epoch, RECORDED_AT: record.wall_time, **record.metrics})
    name = f"{student.id}  {run_name(student)}"
    assert caplog.messages == [
        f"{name}: goes on after epoch 2/6",
        f"{name}: epoch 3/6 AP 30.0",
        f"{name}: epoch 2/6 AP 20.0",
    ]


def test_a_trial_that_waits_for_its_user_is_not_said_to_start(plan, caplog, monkeypatch):
    """Tune gets it, so that it can go on in this run; it ends at once."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    [trial] = plan.students[:1]
    write_request(trial.directory, Request.PAUSE)
    progress = Progress(plan)
    with caplog.at_level(logging.INFO):
        progress.started(trial.id)
        progress.ended(trial.id)
        write_request(trial.directory, Request.RESUME)
        progress.started(trial.id)
    name = f"{trial.id}  {run_name(trial)}"
    assert caplog.messages == [f"{name}: paused (0 of 3 trials, 0 s)", f"{name}: started"]


def test_a_terminal_gets_one_line_when_a_trial_ends(plan, terminal, caplog):
    screen = terminal()
    with caplog.at_level(logging.INFO), Progress(plan) as progress:
        run_through(progress, plan)
    assert caplog.messages == []
    lines = [line.split("\r")[-1] for line in ESCAPE.sub("", screen.getvalue()).split("\n")]
    ends = [line for line in lines if "finished" in line]
    assert len(ends) == 1
    assert re.fullmatch(r"\w{12}  teacher-\w{6}: finished, AP 32\.1 \(1 of 3 trials, 0 s\) *", ends[0])


def test_a_run_that_trains_nothing_draws_nothing(plan, terminal):
    screen = terminal()
    with Progress(plan):
        pass
    assert screen.getvalue() == ""


def test_a_failure_is_told_with_its_reason_and_an_interruption_is_no_end(plan, terminal):
    screen = terminal()
    failed, stopped = plan.students
    with Progress(plan) as progress:
        for trial in (failed, stopped):
            progress.started(trial.id)
            trial.directory.mkdir(parents=True)
        write_outcome(failed.directory, Outcome("failed", "the loss is not finite"))
        progress.ended(failed.id)
        request_stop(stopped.directory)
        progress.ended(stopped.id)
    text = " ".join(ESCAPE.sub("", screen.getvalue()).split())
    assert ": failed: the loss is not finite (1 of 3 trials" in text
    assert ": interrupted (1 of 3 trials" in text


def test_the_time_left_appears_once_it_is_known(plan, terminal):
    terminal()
    with Progress(plan) as progress:
        run_through(progress, plan)
        assert "left" not in progress.summary()
        for student in plan.students:
            report(student, 240, 0.5)
        progress.ended(plan.students[0].id)
        progress.estimate()
        assert re.search(r"2 of 3 trials, 0 s, about 2 min left$", progress.summary())
        progress.ended(plan.students[1].id)
    assert re.search(r"3 of 3 trials, 0 s$", progress.summary())


def test_a_student_alone_that_is_the_teacher_counts_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    same = ("teacher.detector.width=0.25", "teacher.schedule.epochs=6", "teacher.schedule.val_interval=1")
    plan = plan_file(STUDIES / "quickstart.yaml", *same, store=tmp_path / "store")
    assert teacher_of(plan).id in {trial.id for trial in plan.students}
    progress = Progress(plan)
    run_through(progress, plan)
    assert progress.summary().startswith("2 of 6 trials")


def test_a_terminal_keeps_the_word_that_all_trials_stop(plan, terminal):
    screen = terminal()
    first, second = plan.students
    with Progress(plan) as progress:
        for trial in (first, second):
            progress.started(trial.id)
            trial.directory.mkdir(parents=True)
        request_stop(first.directory)
        progress.notice_stop()
        assert "stopping" not in screen.getvalue()
        request_stop(second.directory)
        progress.notice_stop()
        progress.notice_stop()
    assert ESCAPE.sub("", screen.getvalue()).count("stopping: trials save their states") == 1


@pytest.mark.parametrize("width", [60, 80, 120])
def test_bars_keep_numbers_whole_and_cut_names(plan, terminal, width, monkeypatch):
    terminal()
    monkeypatch.setenv("COLUMNS", str(width))
    shown = io.StringIO()
    console = Console(file=shown, width=width)
    with Progress(plan) as progress:
        for trial in plan.students:
            progress.started(trial.id)
            progress.reported(trial.id, {"epoch": 1, SELECTION_METRIC: 0.321})
        for part in progress._bars.get_renderables():
            console.print(part)
    lines = shown.getvalue().splitlines()
    assert len(lines) == 3
    assert max(map(len, lines)) <= width
    assert all(line.rstrip().endswith("AP 32.1") and " 0% " in line for line in lines[1:])
    assert lines[2].startswith("bckd")
