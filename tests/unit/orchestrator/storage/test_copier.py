"""Copies are made beside a run: the next run begins from them, and a storage that is away ends nothing but in a sentence."""

import threading

import pytest

from orchestrator.core.errors import OperationError
from orchestrator.core.store import Store
from orchestrator.plan.plan import make_plan
from orchestrator.plan.trial import refreshed
from orchestrator.storage import copier
from orchestrator.storage.backend import StorageBackend, StorageUnavailable
from orchestrator.storage.copier import EVERY_S, Copier, mirrored
from orchestrator.study.load import load_study
from tests.clock import own_clock
from trainers.schema.record import Outcome, write_outcome

STUDY = """
name: copied
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 4, policy: {kind: constant}}
search: {seeds: [0, 1]}
"""


@pytest.fixture
def plan_in(tmp_path):
    (tmp_path / "study.yaml").write_text(STUDY)
    return lambda store: make_plan(load_study(tmp_path / "study.yaml"), Store(tmp_path / store))


@pytest.fixture
def address(tmp_path):
    return f"file://{tmp_path}/mirror"


def finish(trial):
    trial.directory.mkdir(parents=True, exist_ok=True)
    write_outcome(trial.directory, Outcome("finished"))


def statuses(plan):
    return [refreshed(trial).status for trial in plan.trials]


def test_a_store_that_was_lost_is_filled_from_the_mirror(plan_in, address):
    first = plan_in("first")
    with mirrored(first, address) as [watcher]:
        finish(first.trials[0])
        watcher.ended(first.trials[0].id)
    second = plan_in("second")
    with mirrored(second, address):
        assert statuses(second) == ["finished", "new"]


def test_the_end_copies_also_what_nobody_told_of(plan_in, address):
    first = plan_in("first")
    with mirrored(first, address):
        for trial in first.trials:
            finish(trial)
    with mirrored(plan_in("second"), address):
        assert statuses(plan_in("second")) == ["finished", "finished"]


def test_without_an_address_nothing_watches(plan_in):
    with mirrored(plan_in("store"), None) as watchers:
        assert watchers == []


class Away(StorageBackend):
    def put(self, file, name):
        raise StorageUnavailable("the storage is away")


def test_a_storage_that_went_away_is_said_at_the_end_and_the_next_run_copies(plan_in, address, monkeypatch):
    monkeypatch.setattr(copier, "StorageBackend", Away)
    monkeypatch.setattr(copier, "PAUSE_S", 0.01)
    monkeypatch.setattr(copier, "WAIT_S", 0.1)
    plan = plan_in("store")
    with pytest.raises(OperationError, match="1 trial not copied to"), mirrored(plan, address):
        finish(plan.trials[0])
    monkeypatch.setattr(copier, "StorageBackend", StorageBackend)
    with mirrored(plan, address):
        pass
    with mirrored(plan_in("other"), address):
        assert statuses(plan_in("other")) == ["finished", "new"]


def test_an_error_of_the_run_is_not_hidden_by_one_of_the_mirror(plan_in, address, monkeypatch):
    monkeypatch.setattr(copier, "StorageBackend", Away)
    monkeypatch.setattr(copier, "PAUSE_S", 0.01)
    plan = plan_in("store")

    def interrupted_run():
        with mirrored(plan, address):
            finish(plan.trials[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_run()


class SlowMirror:
    """Stand for a mirror: note what is kept; the first copy waits until it may go on."""

    def __init__(self):
        self.kept, self.begun, self.go_on = [], threading.Event(), threading.Event()

    def keep(self, directory):
        self.kept.append(directory.name)
        self.begun.set()
        assert self.go_on.wait(20)


def closing(watcher, wait_s=20.0):
    """Begin to close a copier, and return the thread and its answer once the copier knows."""
    answer = []
    thread = threading.Thread(target=lambda: answer.extend(watcher.close(wait_s)))
    thread.start()
    while not watcher._closing:
        threading.Event().wait(0.001)
    return thread, answer


def test_a_trial_that_ends_while_it_is_being_copied_is_copied_once_more(plan_in):
    plan, mirror = plan_in("store"), SlowMirror()
    trial = plan.trials[0]
    trial.directory.mkdir(parents=True)
    watcher = Copier(mirror, plan)
    watcher.ended(trial.id)
    assert mirror.begun.wait(20)
    finish(trial)  # behind the copy's back
    thread, missing = closing(watcher)
    mirror.go_on.set()
    thread.join()
    assert (mirror.kept, missing) == ([trial.id, trial.id], [])


def test_a_trial_whose_copy_does_not_end_in_time_is_not_copied(plan_in):
    plan, mirror = plan_in("store"), SlowMirror()
    trial = plan.trials[0]
    finish(trial)
    watcher = Copier(mirror, plan)
    watcher.ended(trial.id)
    assert mirror.begun.wait(20)
    assert watcher.close(0.01) == [trial.id]
    mirror.go_on.set()


def test_a_running_trial_is_copied_now_and_then_and_one_that_ended_at_once(plan_in, monkeypatch):
    now = [1000.0]
    own_clock(monkeypatch, copier, monotonic=lambda: now[0])
    plan, mirror = plan_in("store"), SlowMirror()
    mirror.go_on.set()
    watcher = Copier(mirror, plan)
    [first, second] = [trial.id for trial in plan.trials]
    wanted = []
    monkeypatch.setattr(watcher, "_want", wanted.append)
    watcher._copied = {first: 1000.0}
    for seconds in (0.0, EVERY_S, EVERY_S + 1.0):
        now[0] = 1000.0 + seconds
        watcher.reported(first, {})
    assert wanted == [first]
    watcher.reported(second, {})
    watcher.ended(first)
    assert wanted == [first, second, first]
    watcher.close(20)
