"""Real Ray Tune over trials on paper: one is stopped, paused, resumed or tried again while the others go on."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.plan import wall_clock
from orchestrator.plan.journal import SearchLog
from orchestrator.plan.plan import Plan
from orchestrator.plan.totals import totals
from tests.ray import test_cohorts as cohorts
from tests.ray.paper import PaperRunner
from tests.ray.scripted import SCRIPT, ScriptedRunner
from tests.ray.test_search import plan_in
from tests.ray.test_sweep import Events, plan_of, study, write_scripts  # noqa: F401  fixtures
from trainers.schema.record import Outcome, read_history, read_outcome, read_status
from trainers.schema.request import STOPPED_BY_USER, Request, is_paused, read_request, write_request

pytestmark = pytest.mark.usefixtures("local_ray")

STOPPED, FINISHED = Outcome("stopped", STOPPED_BY_USER), Outcome("finished")
SCORES = [0.1, 0.2, 0.3, 0.4]
OPTUNA = "  {algorithm: optuna, samples: 3, baseline: false, space: {schedule.lr: {loguniform: [0.0001, 1.0]}}}"


class User(Events):
    """Ask for something at a trial's first event of a kind, as somebody at another terminal would."""

    def __init__(self, wishes: dict[tuple[str, str, int], Callable[[], None]]) -> None:
        super().__init__()
        self._wishes, self.order = dict(wishes), list[str]()
        self.active: set[str] = set()
        self.most = 0

    def planned(self, trial: Any) -> None:
        """Do nothing."""

    def started(self, trial_id: str) -> None:
        super().started(trial_id)
        self.order.append(trial_id)
        self.active.add(trial_id)
        self.most = max(self.most, len(self.active))

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        super().reported(trial_id, result)
        self._wish("reported", trial_id, result["epoch"])

    def ended(self, trial_id: str) -> None:
        super().ended(trial_id)
        self.active.discard(trial_id)
        self._wish("ended", trial_id, 0)

    def _wish(self, event: str, trial_id: str, epoch: int) -> None:
        self._wishes.pop((event, trial_id, epoch), lambda: None)()


def test_each_request_is_obeyed_while_the_others_go_on(study: Path, tmp_path: Path) -> None:  # noqa: F811
    plan = plan_of(study, "scaling.max_concurrent=1")
    slow = {"scores": SCORES, "epoch_s": 0.2}
    write_scripts(plan, [slow, slow, {**slow, "fails_before": 3}, slow])
    paused, stopped, failed, last = plan.students

    def repair() -> None:
        (failed.directory / SCRIPT).write_text(json.dumps(slow))
        write_request(failed.directory, Request.RETRY)
        write_request(paused.directory, Request.RESUME)

    user = User(
        {
            ("reported", paused.id, 2): lambda: write_request(paused.directory, Request.PAUSE),
            ("reported", stopped.id, 1): lambda: write_request(stopped.directory, Request.STOP),
            ("ended", failed.id, 0): repair,
        }
    )
    run(plan, user, tmp_path)
    assert [read_outcome(trial.directory) for trial in plan.students] == [FINISHED, STOPPED, FINISHED, FINISHED]
    assert [len(read_history(trial.directory)) for trial in plan.students] == [4, 1, 4, 4]
    assert [read_request(trial.directory) for trial in plan.students] == [None] * 4
    assert user.epochs[paused.id] == [1, 2, 1, 2, 3, 4]  # the run reports what it had once more, and no epoch 0
    # what comes again takes its place behind those that had none yet, and is never one too many
    assert user.order == [paused.id, stopped.id, failed.id, last.id, paused.id, failed.id]
    assert user.most == 1


def test_a_search_hears_of_a_stopped_trial_and_leaves_a_paused_one_open(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, OPTUNA)

    class Searching(User):
        """Stop the first trial that the search comes to, pause the second, and let the third run."""

        def reported(self, trial_id: str, result: dict[str, Any]) -> None:
            super().reported(trial_id, result)
            number = [trial.id for trial in plan.suggested].index(trial_id)
            if result["epoch"] == 2 and number < 2:
                write_request(plan.suggested[number].directory, (Request.STOP, Request.PAUSE)[number])

    run(plan, Searching({}), tmp_path, PaperRunner)
    first, second, third = plan.suggested
    assert (read_outcome(first.directory), read_outcome(third.directory)) == (STOPPED, FINISHED)
    assert (is_paused(second.directory), read_status(second.directory)) == (True, "unfinished")
    told = [event for event in SearchLog(plan.search_log).read() if event["event"] == "tell"]
    assert [event["number"] for event in told] == [0, 2]
    assert told[0]["values"] is not None
    write_request(second.directory, Request.RESUME)
    again = plan_in(tmp_path, OPTUNA)
    run(again, User({}), tmp_path, PaperRunner)
    assert read_outcome(second.directory) == FINISHED
    assert len(again.suggested) == 3


def test_when_the_hours_are_over_a_larger_budget_goes_on(
    study: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sets = ("search.seeds=[0, 1]", "scaling.max_concurrent=1")
    plan = plan_of(study, *sets, "search.max_hours=1")
    write_scripts(plan, [{"scores": SCORES, "epoch_s": 0.5}, {"scores": SCORES}])
    first = plan.students[0]

    def an_hour_later() -> None:
        monkeypatch.setattr(wall_clock, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + 3600))

    run(plan, User({("reported", first.id, 1): an_hour_later}), tmp_path)
    monkeypatch.undo()
    assert [read_status(trial.directory) for trial in plan.students] == ["unfinished", "new"]
    assert totals(plan_of(study, *sets, "search.max_hours=1")).trials_left == 0
    run(plan_of(study, *sets, "search.max_hours=2"), User({}), tmp_path)
    assert [read_outcome(trial.directory) for trial in plan.students] == [FINISHED, FINISHED]
    assert [len(read_history(trial.directory)) for trial in plan.students] == [4, 4]


def test_one_of_a_cohort_leaves_and_comes_back(study: Path, tmp_path: Path) -> None:  # noqa: F811
    plan = cohorts.plan_with(study, "search.cohort=2")
    write_scripts(plan, [{"scores": SCORES, "epoch_s": 0.3}] * 4)
    stopped, _, paused, _ = plan.students
    user = User(
        {
            ("reported", stopped.id, 1): lambda: write_request(stopped.directory, Request.STOP),
            ("reported", paused.id, 1): lambda: write_request(paused.directory, Request.PAUSE),
            ("ended", paused.id, 0): lambda: write_request(paused.directory, Request.RESUME),
        }
    )
    cohorts.sweep(plan, tmp_path, user)
    assert [read_outcome(trial.directory) for trial in plan.students] == [STOPPED, FINISHED, FINISHED, FINISHED]
    assert len(read_history(stopped.directory)) < 4
    assert cohorts.cohorts_of(plan)[0][:1] == cohorts.cohorts_of(plan)[1][:1] == [[0, 1]]
    assert cohorts.cohorts_of(plan)[2] == [[2, 3], [2]]


def run(plan: Plan, user: User, folder: Path, runner: Any = ScriptedRunner) -> None:
    from orchestrator.execution.sweep import Sweep
    from orchestrator.execution.tune import run_trials

    sweep = Sweep(plan)
    with sweep.budget.counting():
        run_trials(sweep, [*plan.students, *plan.suggested], [user], folder / "tune", runner)
