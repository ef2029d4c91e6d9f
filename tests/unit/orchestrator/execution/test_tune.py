"""Ray Tune gets the trials with the settings that records rest on, and trials that wrote no outcome get theirs afterwards."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray import tune

from orchestrator.execution import tune as module
from orchestrator.execution.interruption import Interruption
from orchestrator.execution.sweep import Sweep
from orchestrator.execution.tune import has_room, most_at_once, run_trials, settle_all
from orchestrator.failures.kinds import MOST_RESTARTS
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial, status_of
from orchestrator.worker_groups.trainable import FAILED_BECAUSE, TrialRunner
from tests.unit.orchestrator.planning import plan_text
from trainers.schema.record import ERROR, Outcome, Record, read_outcome, to_lines, write_outcome
from trainers.schema.request import Request, write_request
from trainers.schema.stop import request_stop, stop_requested

TEXT = """
name: swept
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 4, policy: {kind: constant}}
search: {seeds: [0, 1, 2, 3, 4]}
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return plan_text(tmp_path, TEXT)


def ended(trial: PlannedTrial, error: str = "", again: str = "", **metrics: object) -> Any:
    """Stand for Tune's last result of a trial; ``again`` ends its folder's name after a further start."""
    found = RuntimeError(error) if error else None
    return SimpleNamespace(path=f"/tune/{trial.id}{again}", metrics=metrics or None, error=found)


def settled(plan: Plan, *results: Any, cut_short: bool = False, starved: bool = False) -> list[tuple[str, str] | None]:
    """Settle all students, and return status and reason of each, ``None`` without an outcome."""
    ending: Any = SimpleNamespace(cut_short=cut_short, starved=starved)
    settle_all(Sweep(plan), plan.students, list(results), ending)  # type: ignore[arg-type]
    outcomes = [read_outcome(trial.directory) for trial in plan.students]
    return [outcome and (outcome.status, outcome.reason) for outcome in outcomes]


def test_each_trial_without_an_outcome_gets_the_one_that_its_end_calls_for(plan: Plan) -> None:
    first, second, third, fourth, _ = plan.students
    first.directory.mkdir(parents=True)
    write_outcome(first.directory, Outcome("finished"))
    fourth.directory.mkdir(parents=True)
    (fourth.directory / "history.jsonl").write_text(to_lines([Record(3, 9, {})]))
    found = settled(
        plan, ended(first, error="late"), ended(second, error="Traceback\nOSError: gone"),
        ended(third, **{FAILED_BECAUSE: "no such class"}), ended(fourth, done=True),
    )  # fmt: skip
    assert found == [
        ("finished", ""),
        ("failed", "crashed; last: OSError: gone"),
        ("failed", "no such class"),
        ("stopped", "stopped by the scheduler after epoch 3"),
        ("stopped", "stopped by the scheduler after epoch 0"),
    ]
    assert (second.directory / ERROR).read_text() == "Traceback\nOSError: gone"


def test_of_a_trial_that_was_started_again_the_last_end_counts(plan: Plan) -> None:
    first = plan.students[0]
    found = settled(plan, ended(first, error="lost"), ended(first, again="_a1b2", **{FAILED_BECAUSE: "no memory"}))
    assert found[0] == ("failed", "no memory")


def test_trials_that_found_no_room_have_failed_for_that(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "waited_for", lambda placement: f"no room for {placement.workers}")
    found = settled(plan, ended(plan.students[0], done=True), starved=True)
    assert found == [("stopped", "stopped by the scheduler after epoch 0"), *[("failed", "no room for 1")] * 4]


def test_a_sweep_that_was_cut_short_settles_nothing_and_forgets_its_requests_to_stop(plan: Plan) -> None:
    for trial in plan.students:
        trial.directory.mkdir(parents=True)
        request_stop(str(trial.directory))
    assert settled(plan, ended(plan.students[0], error="lost"), cut_short=True) == [None] * 5
    assert not any(stop_requested(str(trial.directory)) for trial in plan.students)


def test_a_trial_that_its_user_paused_or_lets_go_on_is_not_over_and_one_to_stop_is(plan: Plan) -> None:
    paused, resumed, stopped, *_ = plan.students
    for trial, asked in ((paused, Request.PAUSE), (resumed, Request.RESUME), (stopped, Request.STOP)):
        write_request(trial.directory, asked)
    assert settled(plan)[:2] == [None, None]
    assert status_of(stopped.directory) == "stopped"


class Tuner:
    """Stand for Ray's tuner: note what it gets, and end at once without a result."""

    made: list["Tuner"]

    def __init__(self, trainable: Any, *, tune_config: tune.TuneConfig, run_config: tune.RunConfig) -> None:
        self.trainable, self.tune_config, self.run_config = trainable, tune_config, run_config
        self.made.append(self)

    def fit(self) -> list[Any]:
        return []


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Tuner]:
    monkeypatch.setattr(Tuner, "made", [], raising=False)
    monkeypatch.setattr(tune, "Tuner", Tuner)
    monkeypatch.setattr(tune, "with_resources", lambda runner, share: (runner, share))
    return Tuner.made


def test_tune_keeps_quiet_asks_for_all_trials_and_leaves_restarts_to_the_budgets_of_failures(
    plan: Plan, made: list[Tuner], tmp_path: Path
) -> None:
    run_trials(Sweep(plan), plan.students, [], tmp_path / "tune")
    [tuner] = made
    run, config = tuner.run_config, tuner.tune_config
    assert tuner.trainable == (TrialRunner, {"CPU": plan.resources.cpus("student"), "GPU": 0})
    assert (run.name, run.storage_path, run.verbose) == (plan.fingerprint[:12], str(tmp_path / "tune"), 0)
    assert (run.failure_config.max_failures, run.checkpoint_config.checkpoint_frequency) == (MOST_RESTARTS, 0)
    assert run.checkpoint_config.checkpoint_at_end is False
    assert run.stop is run.callbacks[0]
    assert (config.num_samples, config.metric, config.mode, config.reuse_actors) == (-1, "coco/bbox_mAP", "max", True)
    assert config.trial_dirname_creator is not None
    named = SimpleNamespace(config={"planned": {"id": "0123456789ab"}})
    assert config.trial_dirname_creator(named) == "0123456789ab"  # type: ignore[arg-type]


class Claims:
    """Stand for the claims of a job that shares the store: it has only some of the trials."""

    def __init__(self, *mine: PlannedTrial) -> None:
        self.mine, self.closed = mine, False

    def close(self) -> None:
        self.closed = True


def test_all_trials_of_a_run_alone_are_settled_and_of_a_shared_one_those_that_are_ours(
    plan: Plan, made: list[Tuner], tmp_path: Path
) -> None:
    claims: Any = Claims(plan.students[1])
    run_trials(Sweep(plan), plan.students, [], tmp_path / "tune", claims=claims)
    assert [status_of(trial.directory) for trial in plan.students] == ["new", "stopped", "new", "new", "new"]
    assert claims.closed
    run_trials(Sweep(plan), plan.students, [], tmp_path / "tune")
    assert [status_of(trial.directory) for trial in plan.students] == ["stopped"] * 5
    assert len(made) == 2


def test_an_interruption_is_passed_on_after_all_is_settled(plan: Plan, made: list[Tuner], tmp_path: Path) -> None:
    interruption = Interruption()
    interruption.asked = True
    claims: Any = Claims()
    with pytest.raises(KeyboardInterrupt):
        run_trials(Sweep(plan), plan.students, [], tmp_path / "tune", interruption=interruption, claims=claims)
    assert claims.closed


def test_as_many_trials_are_held_as_there_is_room_for_and_all_where_they_wait_for_each_other(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, TEXT)
    pool: Any = SimpleNamespace(places=7)
    assert most_at_once(plan, None) == plan.resources.concurrent
    assert [most_at_once(plan, None, lambda count=count: count) for count in (3, 0)] == [3, 1]  # type: ignore[misc]
    assert most_at_once(plan, pool, lambda: 3) == 7
    waiting = plan_text(tmp_path, TEXT, "search.scheduler.kind=hyperband")
    assert most_at_once(waiting, pool) == 0


@pytest.mark.parametrize(
    ("most", "statuses", "finished", "room"),
    [
        (0, ("RUNNING", "RUNNING"), False, True),
        (2, ("RUNNING", "TERMINATED"), True, True),
        (2, ("RUNNING", "PENDING"), True, False),
        (2, ("RUNNING", "TERMINATED"), False, False),
        (1, ("PAUSED", "ERROR"), True, True),
    ],
)
def test_a_trial_starts_again_where_one_more_is_within_the_limit_and_no_other_is_due(
    most: int, statuses: tuple[str, ...], finished: bool, room: bool
) -> None:
    ending = SimpleNamespace(status="RUNNING")
    trials = [ending, *(SimpleNamespace(status=status) for status in statuses)]
    controller = SimpleNamespace(get_trials=lambda: trials, search_alg=SimpleNamespace(is_finished=lambda: finished))
    assert has_room(controller, most, ending) is room
