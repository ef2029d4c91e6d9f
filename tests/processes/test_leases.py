"""A lease has one holder at a time, whatever its holders die of or sleep through, and nobody else writes through its fence.

Jobs are forked processes that end, or stop, before the n-th operation on a file: each n is tried until none is left.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from orchestrator.core import leases as module
from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.leases import Leases, revoke_all
from orchestrator.core.store import Store
from trainers.schema.atomic import remove, write_text
from trainers.schema.events import Event, append_event, read_events
from trainers.schema.fence import FencedOff, is_fenced_off, set_fence
from trainers.schema.stop import request_stop, run_is_ending, stop_requested

TIMEOUT_S = 60.0
STEPS = 3  # of the training that stands for a trial
FILE_OPERATIONS = {
    "open",
    "os.rename",
    "os.mkdir",
    "os.remove",
    "os.rmdir",
    "os.scandir",
    "os.listdir",
    "shutil.rmtree",
}


class Clock:
    """Stand for an observer's clock; each look at it comes long after the one before."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += TIMEOUT_S / 4
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "trial").mkdir()
    yield tmp_path / "leases"
    set_fence(tmp_path / "trial", None)


def job(folder: Path) -> Leases:
    return Leases(folder, Clock(), TIMEOUT_S)


def train(trial: Path) -> None:
    """Add lines to a file, as training adds epochs: each state is written, the one before deleted, then the record."""
    done = len((trial / "history").read_text().split()) if (trial / "history").exists() else 0
    for step in range(done, STEPS):
        write_text(trial / f"state-{step}", str(step))
        write_text(trial / "history", "".join(f"{number}\n" for number in range(step + 1)))
        remove(trial / f"state-{step - 1}")
    write_text(trial / "outcome", "finished")


def claim_train_release(folder: Path) -> None:
    """Do what a job does with a trial that nobody has; raise ``FencedOff`` if somebody has it."""
    leases, trial = job(folder), folder.parent / "trial"
    fence = leases.claim("trial")
    if fence is None:
        raise FencedOff
    set_fence(trial, fence)
    if not (trial / "outcome").exists():
        train(trial)
    leases.release("trial")


def claimed(leases: Leases) -> Path:
    """Claim the trial as soon as that can be; its holder gives no sign of life."""
    return next(fence for fence in (leases.claim("trial") for _ in range(30)) if fence is not None)


def forked(work: Callable[[], object], number: int, event: Callable[[], None]) -> tuple[int, int]:
    """Do ``work`` in another process, which calls ``event`` before its ``number``-th operation on a file.

    Return its id and its state when it ends or stops first; it exits with 0 after all of its work, with 3 fenced off.
    """
    pid = os.fork()
    if pid:
        return pid, os.waitpid(pid, os.WUNTRACED)[1]
    seen = 0

    def count_operations(name: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if name in FILE_OPERATIONS and not str(arguments[0]).startswith(("/proc", "/sys")):
            seen += 1
            if seen == number:
                event()

    code = 1
    try:
        sys.addaudithook(count_operations)
        work()
        code = 0
    except FencedOff:
        code = 3
    finally:
        os._exit(code)


def contents(trial: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(trial.iterdir())}


WHOLE = {"history": "0\n1\n2\n", "outcome": "finished", "state-2": "2"}


def test_a_job_that_is_killed_between_any_two_steps_is_taken_over_and_nothing_is_lost(tmp_path: Path) -> None:
    for number in count(1):
        folder = tmp_path / str(number) / "leases"
        (folder.parent / "trial").mkdir(parents=True)
        _, state = forked(lambda place=folder: claim_train_release(place), number, lambda: os._exit(9))
        other = job(folder)
        set_fence(folder.parent / "trial", claimed(other))
        if not (folder.parent / "trial" / "outcome").exists():
            train(folder.parent / "trial")
        other.release("trial")
        assert contents(folder.parent / "trial").items() >= WHOLE.items()
        assert len(list((folder / "trial").iterdir())) == 1
        if state == 0:
            break
        assert os.waitstatus_to_exitcode(state) == 9
    assert number > 40  # it has claimed, trained and released step by step


def test_a_job_that_stops_between_any_two_steps_and_comes_back_changes_nothing(tmp_path: Path) -> None:
    fenced = 0
    for number in count(1):
        folder = tmp_path / str(number) / "leases"
        trial = folder.parent / "trial"
        trial.mkdir(parents=True)
        pid, state = forked(
            lambda place=folder: claim_train_release(place), number, lambda: os.kill(os.getpid(), signal.SIGSTOP)
        )
        if not os.WIFSTOPPED(state):
            break
        other = job(folder)
        set_fence(trial, claimed(other))
        if not (trial / "outcome").exists():
            train(trial)
        before = contents(trial)
        os.kill(pid, signal.SIGCONT)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert code in (0, 3), f"operation {number}"
        fenced += code == 3
        assert contents(trial) == before, f"operation {number}"
        assert before.items() >= WHOLE.items()
        assert other.holds("trial")
        assert other.release("trial")
    assert number > 40
    assert fenced > 10


def test_of_many_claimants_one_wins(folder: Path) -> None:
    pids = []
    start, go = os.pipe()
    for _ in range(8):
        pid = os.fork()
        if not pid:
            os.close(go)
            os.read(start, 1)  # until all are there
            os._exit(int(job(folder).claim("trial") is not None))
        pids.append(pid)
    os.close(go)
    won = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    os.close(start)
    assert 1 <= sum(won) <= 8  # a winner that has ended already is taken over by the next
    assert len(list((folder / "trial").iterdir())) == 1
    assert int(next((folder / "trial").iterdir()).name.partition(".")[0]) == sum(won)


def test_a_holder_that_beats_is_left_alone_and_a_silent_one_is_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder, other = job(folder), job(folder)
    assert holder.claim("trial")
    for _ in range(10):
        holder.beat()
        assert other.claim("trial") is None
    assert str(other.holder("trial")).endswith(f"(process {os.getpid()})")
    claimed(other)
    assert not holder.holds("trial")
    holder.beat()  # comes too late, and hits nothing
    assert not holder.release("trial")
    assert other.holds("trial")


def test_time_in_which_the_observer_did_not_look_does_not_count(folder: Path) -> None:
    now = [0.0]
    holder, other = job(folder), Leases(folder, lambda: now[0], TIMEOUT_S)
    assert holder.claim("trial")
    assert other.claim("trial") is None
    now[0] = 100 * TIMEOUT_S  # it was stopped, perhaps together with the holder
    assert other.claim("trial") is None
    holder.beat()
    assert other.claim("trial") is None


def test_the_process_of_another_machine_is_known_by_its_silence_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "this_machine_id", lambda: "another machine")
    forked(lambda: job(folder).claim("trial"), 0, lambda: None)
    monkeypatch.undo()
    other = job(folder)
    assert other.claim("trial") is None  # its process has ended, but who can tell
    claimed(other)


def test_wishes_events_and_deletions_of_a_job_that_lost_the_trial_reach_nobody(folder: Path) -> None:
    trial, holder, other = folder.parent / "trial", job(folder), job(folder)
    fence = holder.claim("trial")
    set_fence(trial, fence)
    append_event(trial, Event("crash", "restart", "one"))
    append_event(trial, Event("crash", "restart", "two"))
    request_stop(trial)
    assert run_is_ending(trial)
    theirs = claimed(other)
    assert is_fenced_off(trial)
    assert stop_requested(trial)
    request_stop(trial)
    with pytest.raises(FencedOff):
        append_event(trial, Event("crash", "restart", "three"))
    with pytest.raises(FencedOff):
        remove(trial / "events.jsonl")
    set_fence(trial, theirs)
    assert not stop_requested(trial)
    assert [event.detail for event in read_events(trial)] == ["one", "two"]


def test_a_run_that_has_the_store_to_itself_fences_everybody_off(folder: Path) -> None:
    leases, trial = job(folder), folder.parent / "trial"
    leases.claim("job-x")
    set_fence(trial, leases.claim("trial"))
    revoke_all(folder)
    with pytest.raises(FencedOff):
        write_text(trial / "best.pth", "late")
    assert [path.name for path in folder.iterdir()] == ["trial"]
    assert job(folder).is_free("trial")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    store.prepare()
    return store


@pytest.fixture(params=["with locks", "without locks"])
def locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without locks":
        import fcntl

        def flock(file: object, operation: int) -> None:
            raise OSError(37, "No locks available")

        monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.usefixtures("locks")
def test_a_run_for_itself_and_runs_that_share_exclude_each_other(store: Store) -> None:
    assert not store.is_in_use()
    with store.shared_run() as one, store.shared_run() as two:
        assert one.token != two.token
        assert store.is_in_use()
        with pytest.raises(OperationError, match="runs that are all started with --share"), store.only_run():
            pass
    with store.only_run():
        assert store.is_in_use()
        with pytest.raises(OperationError, match="a stillhouse run without --share is using"), store.shared_run():
            pass
        with pytest.raises(OperationError, match="another stillhouse run is using"), store.only_run():
            pass
    assert not store.is_in_use()
    with store.only_run():
        pass
    assert not list(store.leases.glob("job-*"))


@pytest.mark.usefixtures("locks")
def test_a_killed_run_leaves_the_store_free(store: Store) -> None:
    def killed_in(block: Callable[[], object]) -> None:
        pid = os.fork()
        if not pid:
            block().__enter__()  # type: ignore[attr-defined]
            os._exit(9)
        os.waitpid(pid, 0)

    killed_in(store.only_run)
    with store.shared_run():
        pass
    killed_in(store.shared_run)
    assert not store.is_in_use()
    assert not store.is_shared()
    with store.shared_run() as leases:
        assert leases.jobs() == []
        killed_in(store.shared_run)
        assert store.is_shared()
    assert not list(store.leases.glob("job-*"))
    killed_in(store.shared_run)
    with store.only_run():
        pass


def test_a_time_out_that_is_none_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("soon", "1", "inf", "nan"):
        monkeypatch.setenv(module.VARIABLE, text)
        with pytest.raises(UserError, match=f"STILLHOUSE_LEASE_TIMEOUT={text}: give a number of seconds, at least 5"):
            Leases(folder)
