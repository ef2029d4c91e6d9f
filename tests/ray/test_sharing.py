"""Real Ray Tune in a store that is shared: other jobs have trials, end them, fail them, die, or take them over."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from orchestrator.core.leases import VARIABLE, Leases
from orchestrator.execution.claims import Claims
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from tests.ray.scripted import SCRIPT, ScriptedRunner
from tests.ray.test_sweep import Events, plan_of, study, write_scripts  # noqa: F401  fixtures
from trainers.schema.fence import set_fence
from trainers.schema.record import OUTCOME, Outcome, read_history, read_outcome, write_outcome
from trainers.schema.request import STOPPED_BY_USER, Request, write_request

pytestmark = pytest.mark.usefixtures("local_ray")

SCORES = [0.1, 0.2, 0.3, 0.4]
FINISHED = Outcome("finished")


@pytest.fixture
def leases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Leases]]:
    """Return a function that makes the leases of one more job; none of them beats by itself."""
    monkeypatch.setenv(VARIABLE, "5")
    yield lambda: Leases(tmp_path / "store" / "leases")
    for path in (tmp_path / "store" / "trials").iterdir():
        set_fence(path, None)


def sweep(plan: Plan, own: Leases, tmp_path: Path, doing: Callable[[], None] = lambda: None) -> Events:
    """Train the plan's students as one job of several, while ``doing`` happens beside it."""
    from orchestrator.execution.sweep import Sweep
    from orchestrator.execution.tune import run_trials

    events, beside = Events(), threading.Thread(target=doing)
    claims = Claims(own, plan)
    beside.start()
    with own:
        run_trials(Sweep(plan), plan.students, [events], tmp_path / "tune", ScriptedRunner, claims=claims)
    beside.join()
    return events


def outcomes(plan: Plan) -> list[Outcome | None]:
    return [read_outcome(trial.directory) for trial in plan.students]


def await_epoch(trial: PlannedTrial, epoch: int, beating: Leases | None = None) -> None:
    while len(read_history(trial.directory)) < epoch:
        if beating:
            beating.beat()
        time.sleep(0.1)


def end_elsewhere(job: Leases, trial: PlannedTrial, outcome: Outcome) -> None:
    # not by write_outcome: the job stands for another process, which does not share this one's fences
    (trial.directory / OUTCOME).write_text(json.dumps(asdict(outcome)))
    job.release(trial.id)


@pytest.mark.smoke
def test_a_job_trains_what_others_leave_and_waits_for_the_rest(
    study: Path,  # noqa: F811
    tmp_path: Path,
    leases: Callable[[], Leases],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    plan, other = plan_of(study), leases()
    write_scripts(plan, [{"scores": SCORES}] * 4)
    finished, failed, dead, free = plan.students
    assert other.claim(finished.id)
    assert other.claim(failed.id)
    assert leases().claim(dead.id)  # its job falls silent

    def elsewhere() -> None:
        await_epoch(free, 4, other)
        for _ in range(8):
            other.beat()
            time.sleep(1)
        end_elsewhere(other, finished, FINISHED)
        end_elsewhere(other, failed, Outcome("failed", "there"))

    events = sweep(plan, leases(), tmp_path, elsewhere)
    assert events.epochs == {free.id: [1, 2, 3, 4], dead.id: [1, 2, 3, 4]}
    assert outcomes(plan) == [FINISHED, Outcome("failed", "there"), FINISHED, FINISHED]
    assert f"waiting for trials that other jobs train: {finished.id} by " in caplog.text
    assert leases().is_free(dead.id)


def test_a_trial_that_is_taken_over_ends_here_without_a_failure(
    study: Path,  # noqa: F811
    tmp_path: Path,
    leases: Callable[[], Leases],
    caplog: pytest.LogCaptureFixture,
) -> None:
    plan, own, other = plan_of(study, "search.seeds=[0, 1]"), leases(), leases()
    write_scripts(plan, [{"scores": SCORES, "epoch_s": 1.0}, {"scores": SCORES}])
    lost, kept = plan.students
    taken: list[int] = []

    def elsewhere() -> None:
        await_epoch(lost, 1)
        mine = other.folder / lost.id / f"{other.number(lost.id) + 1}.{other.token}"
        next((other.folder / lost.id).iterdir()).rename(mine)  # as after a silence
        other._moved_in(mine)
        other._held[lost.id] = mine
        await_epoch(kept, 4, other)
        taken.append(len(read_history(lost.directory)))
        end_elsewhere(other, lost, FINISHED)

    events = sweep(plan, own, tmp_path, elsewhere)
    assert outcomes(plan) == [FINISHED, FINISHED]
    assert len(events.epochs[lost.id]) < 4
    assert len(read_history(lost.directory)) == taken[0]
    assert not (lost.directory / "events.jsonl").exists()
    assert f"{lost.id}  taken over by " in caplog.text


def test_failed_trials_are_tried_again_once_and_requests_reach_trials_that_nobody_has(
    study: Path,  # noqa: F811
    tmp_path: Path,
    leases: Callable[[], Leases],
) -> None:
    plan = plan_of(study)
    fails = {"scores": SCORES, "fails_before": 2}
    write_scripts(plan, [fails, {"scores": SCORES}, {"scores": SCORES}, {"scores": SCORES, "epoch_s": 0.5}])
    failed, stopped, resumed, last = plan.students
    write_outcome(failed.directory, Outcome("failed", "before"))
    write_request(stopped.directory, Request.STOP)
    write_request(resumed.directory, Request.PAUSE)

    def elsewhere() -> None:
        await_epoch(last, 1)
        write_request(resumed.directory, Request.RESUME)

    events = sweep(plan, leases(), tmp_path, elsewhere)
    reason = "the disk of the teacher is on fire"
    assert outcomes(plan) == [Outcome("failed", reason), Outcome("stopped", STOPPED_BY_USER), FINISHED, FINISHED]
    assert events.epochs == {failed.id: [1], resumed.id: [1, 2, 3, 4], last.id: [1, 2, 3, 4]}
    (failed.directory / SCRIPT).write_text(json.dumps({"scores": SCORES}))
    assert sweep(plan, leases(), tmp_path).epochs == {failed.id: [1, 2, 3, 4]}
    assert outcomes(plan)[0] == FINISHED
