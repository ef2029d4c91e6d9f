"""stop, pause, resume and retry of one trial, as they are typed: what they say, and what they leave."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.commands.common import with_random_weights
from orchestrator.core.leases import Leases
from orchestrator.core.store import Store
from orchestrator.execution.ownership import single_writer_lock
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.plan.totals import to_train
from orchestrator.study.load import load_study
from tests.unit.orchestrator.command import Answer, runner
from tests.unit.orchestrator.planning import plan_text, teacher_of
from tests.unit.orchestrator.study_text import write
from trainers.schema.fence import FencedOff, set_fence
from trainers.schema.record import Outcome, read_outcome, write_outcome
from trainers.schema.request import STOPPED_BY_USER, Request, read_request

TEXT = """
name: asked
dataset: {kind: shapes}
teacher: {kind: train, detector: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random, width: 0.5}
method: {kind: ld}
schedule: {epochs: 4, policy: {kind: constant}}
"""
Say = Callable[..., Answer]


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    found = plan_text(tmp_path, TEXT)
    found.students[0].directory.mkdir(parents=True)
    return found


@pytest.fixture
def stillhouse(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    """Return a function that runs the command, where neither a service nor a cluster is named."""
    for variable in ("STILLHOUSE_URL", "RAY_API_SERVER_ADDRESS"):
        monkeypatch.delenv(variable, raising=False)
    return runner(capsys)


@pytest.fixture
def say(plan: Plan, tmp_path: Path, stillhouse: Say) -> Say:
    """Return a function that says one of the verbs about a trial."""

    def run(verb: str, trial: str, *more: str) -> Answer:
        return stillhouse(verb, tmp_path / "study.yaml", "--store", tmp_path / "store", "--trial", trial, *more)

    return run


def refreshed_plan(tmp_path: Path) -> Plan:
    return plan_text(tmp_path, TEXT)


def test_a_paused_trial_waits_until_it_is_resumed(plan: Plan, say: Say, tmp_path: Path) -> None:
    one = plan.students[0]
    answer = say("pause", one.id[:6])
    assert (answer.code, answer.out) == (
        0,
        f"{one.id}: paused: no run trains it before stillhouse resume STUDY --trial {one.id}\n",
    )
    waiting = refreshed_plan(tmp_path)
    assert [trial.status for trial in waiting.trials] == ["new", "paused", "new"]
    assert one.id not in [trial.id for trial in to_train(waiting.trials)]
    assert say("pause", one.id).complaints == [
        f"stillhouse: {one.id} is paused already: stillhouse resume STUDY --trial {one.id} lets it go on"
    ]
    assert say("resume", one.id, "--json").json == {"trial": one.id, "request": "resume", "at_once": True}
    assert [trial.status for trial in refreshed_plan(tmp_path).trials] == ["new", "new", "new"]


def test_an_actor_that_outlived_its_killed_job_writes_nothing_to_a_trial_that_was_stopped(
    plan: Plan, say: Say, tmp_path: Path
) -> None:
    one, store = plan.students[0], Store(tmp_path / "store")
    fence = Leases(store.leases).claim(one.id)  # of the job: nothing holds the store's lock any more
    assert say("stop", one.id, "--json").json["at_once"]
    set_fence(one.directory, fence)
    try:
        with pytest.raises(FencedOff):
            write_outcome(one.directory, Outcome("finished"))
    finally:
        set_fence(one.directory, None)
    assert read_outcome(one.directory) == Outcome("stopped", STOPPED_BY_USER)


def test_a_stopped_trial_is_over(plan: Plan, say: Say, tmp_path: Path) -> None:
    one = plan.students[0]
    for name in ("resume-8.pt", "best.pth", "history.jsonl"):
        (one.directory / name).touch()
    assert say("stop", one.id).out == f"{one.id}: stopped for good\n"
    assert sorted(path.name for path in one.directory.iterdir()) == ["best.pth", "history.jsonl", "outcome.json"]
    assert read_outcome(one.directory) == Outcome("stopped", STOPPED_BY_USER)
    assert to_train(refreshed_plan(tmp_path).trials) == [plan.trials[0], plan.students[1]]
    for verb in ("stop", "pause", "resume", "retry"):
        answer = say(verb, one.id)
        said = f"stillhouse: {one.id} is stopped (stopped by the user): nothing to {verb}"
        assert (answer.code, answer.complaints) == (2, [said])


def test_a_failure_is_cleared_or_made_final(plan: Plan, say: Say) -> None:
    first, second = plan.students
    for trial in plan.students:
        trial.directory.mkdir(parents=True, exist_ok=True)
        write_outcome(trial.directory, Outcome("failed", "no memory"))
    assert say("retry", first.id).code == 0
    assert read_outcome(first.directory) is None
    assert say("retry", first.id).complaints == [
        f"stillhouse: {first.id} is new, not failed: there is nothing to try again"
    ]
    assert "failed, so it does not run" in say("pause", second.id).err
    assert say("stop", second.id).code == 0
    assert read_outcome(second.directory) == Outcome("stopped", STOPPED_BY_USER)


def test_the_teacher_is_no_trial_to_stop_alone_but_may_be_tried_again(plan: Plan, say: Say) -> None:
    teacher = teacher_of(plan)
    for verb in ("stop", "pause"):
        answer = say(verb, teacher.id)
        assert answer.code == 2
        assert answer.complaints[0].startswith(f"stillhouse: {teacher.id} is the teacher, and no student can start")
    teacher.directory.mkdir()
    write_outcome(teacher.directory, Outcome("failed", "why"))
    assert say("retry", teacher.id).code == 0


def test_a_trial_has_to_be_named(plan: Plan, say: Say) -> None:
    known = ", ".join(trial.id for trial in plan.trials)
    assert say("stop", "xyz").complaints == [f"stillhouse: no trial begins with xyz; there are {known}"]
    for verb in ("stop", "resume", "pause"):
        answer = say(verb, "")
        empty = "stillhouse: the id of a trial is empty: give one that plan shows, or its first digits"
        assert (answer.code, answer.complaints) == (2, [empty])


def test_trials_with_random_weights_are_found_by_every_verb(plan: Plan, say: Say, tmp_path: Path) -> None:
    text = TEXT.replace("weights: random, width: 0.5", "backbone_depth: 18")
    other = make_plan(with_random_weights(load_study(write(tmp_path, text))), Store(tmp_path / "store"))
    one, two = other.students
    assert say("pause", one.id).code == 2
    assert say("pause", one.id, "--random-weights").code == 0
    assert say("resume", one.id, "--random-weights").code == 0
    assert say("stop", two.id, "--random-weights").code == 0


def test_a_submission_has_no_random_weights(plan: Plan, stillhouse: Say, tmp_path: Path) -> None:
    for verb in ("stop", "resume"):
        answer = stillhouse(verb, tmp_path / "study.yaml", "--random-weights")
        assert (answer.code, "--random-weights goes with --trial ID" in answer.err) == (2, True)


@pytest.mark.parametrize(
    ("verb", "says"),
    [("status", "stillhouse plan STUDY shows the trials of any other run"), ("logs", "prints it in its own terminal")],
)
def test_a_run_of_this_machine_is_no_submission_to_look_at(
    verb: str, says: str, plan: Plan, stillhouse: Say, tmp_path: Path
) -> None:
    answer = stillhouse(verb, tmp_path / "study.yaml")
    assert (answer.code, says in answer.err, "name a cluster by --address" in answer.err) == (2, True, True)


def test_a_run_of_this_machine_is_no_submission_to_stop(plan: Plan, stillhouse: Say, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    answer = stillhouse("stop", tmp_path / "study.yaml", "--store", store.root)
    assert (answer.code, "a run ends by Ctrl-C in its terminal, and --trial ID ends one trial" in answer.err) == (
        2,
        True,
    )
    with store.only_run(), single_writer_lock(store):
        answer = stillhouse("stop", tmp_path / "study.yaml", "--store", store.root)
    assert (
        f"the run in {store.root} (process {os.getpid()}) ends by Ctrl-C in its terminal, or kill -TERM" in answer.err
    )


@pytest.mark.parametrize("verb", ["pause", "resume", "retry"])
def test_nothing_takes_back_a_stop_that_a_run_has_not_carried_out_yet(
    plan: Plan, say: Say, tmp_path: Path, verb: str
) -> None:
    one = plan.students[0]
    with Store(tmp_path / "store").only_run():
        assert say("stop", one.id).code == 0
        answer = say(verb, one.id)
    assert (answer.code, "is being stopped for good" in answer.err) == (2, True)
    assert read_request(one.directory) is Request.STOP


def test_while_a_run_has_the_store_the_request_is_left_for_it(plan: Plan, say: Say, tmp_path: Path) -> None:
    one = plan.students[0]
    with Store(tmp_path / "store").only_run():
        for verb, wanted in (("pause", Request.PAUSE), ("resume", Request.RESUME), ("stop", Request.STOP)):
            answer = say(verb, one.id)
            assert (answer.code, answer.out[:18]) == (0, f"{one.id}: asked"[:18])
            assert read_request(one.directory) is wanted
    assert read_outcome(one.directory) is None


def test_a_trial_that_no_job_of_a_shared_store_has_is_stopped_at_once(plan: Plan, say: Say, tmp_path: Path) -> None:
    one, two = plan.students
    with Store(tmp_path / "store").shared_run() as leases:
        assert leases.claim(two.id)
        assert say("pause", one.id, "--json").json["at_once"] is True
        assert say("resume", one.id, "--json").json["at_once"] is False  # a job is to start it
        assert say("stop", one.id).out == f"{one.id}: stopped for good\n"
        assert say("stop", two.id, "--json").json["at_once"] is False
        assert leases.claim(one.id) is not None
    assert (read_outcome(one.directory), read_request(one.directory)) == (Outcome("stopped", STOPPED_BY_USER), None)
    assert (read_outcome(two.directory), read_request(two.directory)) == (None, Request.STOP)


def test_a_stop_beside_a_run_says_who_carries_it_out(plan: Plan, say: Say, tmp_path: Path) -> None:
    with Store(tmp_path / "store").only_run():
        answer = say("stop", plan.students[0].id)
    assert answer.out.endswith("a run of another study leaves it to the next stillhouse run STUDY\n")


def test_a_finished_teacher_is_refused_as_any_finished_trial(plan: Plan, say: Say) -> None:
    teacher = teacher_of(plan)
    teacher.directory.mkdir()
    write_outcome(teacher.directory, Outcome("finished"))
    for verb in ("stop", "pause"):
        assert say(verb, teacher.id).complaints == [f"stillhouse: {teacher.id} is finished: nothing to {verb}"]


def test_a_store_that_is_not_seen_from_here_is_told(
    plan: Plan, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STILLHOUSE_STORE", raising=False)
    monkeypatch.delenv("STILLHOUSE_URL", raising=False)
    answer = runner(capsys)("stop", "study.yaml", "--trial", plan.students[0].id)
    assert answer.code == 2
    assert "--trial leaves a file in the store: name its folder with --store" in answer.err


def test_a_service_is_asked_unless_a_store_is_named(
    plan: Plan, say: Say, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STILLHOUSE_STORE", raising=False)
    monkeypatch.setenv("STILLHOUSE_URL", "http://127.0.0.1:1")
    answer = runner(capsys)("pause", "study.yaml", "--trial", plan.students[0].id)
    assert (answer.code, "no Stillhouse service answers at http://127.0.0.1:1" in answer.err) == (1, True)
    assert read_request(plan.students[0].directory) is None
    assert say("pause", plan.students[0].id).code == 0
    assert read_request(plan.students[0].directory) is Request.PAUSE


def test_a_submission_has_no_trials_of_its_own(plan: Plan, capsys: Any) -> None:
    answer = runner(capsys)("stop", "stillhouse-0a1b2c3d4e5f", "--trial", plan.students[0].id)
    assert (answer.code, "--trial needs the study's file" in answer.err) == (2, True)
