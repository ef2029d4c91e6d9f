"""Any order of submissions, transitions, stale callers, restarts and deaths leaves the queue as docs/service.md says."""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from orchestrator.core import sqlite_file
from orchestrator.service import queue as module
from orchestrator.service.queue import Conflict, Queue, QueueEntry, QueueFull
from orchestrator.service.transitions import ENDED, TRANSITIONS
from orchestrator.submit.states import SubmissionState
from tests.examples import examples
from tests.unit.orchestrator.submit.job_requests import job_request

MEMORY = Path("/dev/shm")  # flushes take no time there
LONGEST = 2  # that wait
KEYS = [f"stillhouse-{letter * 12}" for letter in "abc"]
ORDERED = sorted(SubmissionState)
S = SubmissionState
# From docs/service.md, written once more: the product's own table is under test, too.
ALLOWED = {
    S.QUEUED: {S.SUBMITTED, S.STOPPED},
    S.SUBMITTED: {S.RUNNING, S.STOPPING},
    S.RUNNING: {S.STOPPING, S.FINISHED, S.FAILED, S.STOPPED, S.LOST},
    S.STOPPING: {S.STOPPED, S.FINISHED, S.FAILED},
    S.LOST: {S.QUEUED, S.FAILED},
    S.FAILED: {S.QUEUED},
    S.STOPPED: {S.QUEUED},
    S.FINISHED: set(),
}
# The statement before which the process dies: of three changes one does not come to its end.
FATAL = st.integers(0, 29).map(lambda drawn: drawn if drawn < 10 else None)


class Died(BaseException):
    """Stand for the end of the process: nothing of it runs on."""


@dataclass
class Known:
    """Hold one study as it must be: its transitions so far, attempts, losses since it was accepted, and its place."""

    place: int
    passed: list[SubmissionState] = field(default_factory=lambda: [S.QUEUED])
    attempt: int = 0
    losses: int = 0

    @property
    def state(self) -> SubmissionState:
        return self.passed[-1]


class Mortal:
    """Pass statements on to a connection; before the ``fatal``-th, or before or after the commit, the process dies.

    Pages go to the file at once, as with a large transaction: death leaves some of them there, and a journal.
    """

    def __init__(self, connection: sqlite3.Connection, fatal: int, die: Callable[[], None]) -> None:
        self._connection, self._left, self._die = connection, fatal, die
        connection.execute("pragma cache_size = 1")

    def _step(self) -> None:
        self._left -= 1
        if self._left < 0:
            self._die()

    def execute(self, *statement: Any) -> sqlite3.Cursor:
        self._step()
        return self._connection.execute(*statement)

    def commit(self) -> None:
        self._step()
        self._connection.commit()
        self._step()


class QueueMachine(RuleBasedStateMachine):
    """Use one queue from several callers, and keep a model of it."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.path = self.folder / "queue.db"
        self.queue = Queue(self.path, LONGEST)
        self.known: dict[str, Known] = {}
        self.places = 0
        self.looks: list[QueueEntry] = []  # what callers once saw of studies, however long ago

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    # ------------------------------------------------------------------------------------------------ what callers do

    @rule(key=st.sampled_from(KEYS), fatal=FATAL)
    def submit(self, key: str, fatal: int | None) -> None:
        def accept() -> None:
            self._require_room()
            self.places += 1
            self.known[key] = Known(self.places)

        new = key not in self.known
        done = self._change(lambda: self.queue.add(job_request(key)), accept if new else lambda: None, fatal)
        assert done in (new, None)

    @rule(key=st.sampled_from(KEYS), choices=st.lists(st.integers(0, 4), min_size=1, max_size=8), fatal=FATAL)
    def go_far(self, key: str, choices: list[int], fatal: int | None) -> None:
        """Go on by a fresh look each time; the looks are kept, so that others may act by them later."""
        self.submit(key, None)
        for number, choice in enumerate(choices, start=1):
            entry = self.queue.entry(key)
            assert (entry is None) == (key not in self.known)
            if entry is not None:
                self.looks.append(entry)
                self._go_on(entry, choice, fatal if number == len(choices) else None)

    @rule(look=st.integers(0, 99), choice=st.integers(0, 4), fatal=FATAL)
    def go_on_by_an_old_look(self, look: int, choice: int, fatal: int | None) -> None:
        """The study may be elsewhere by now, or in the same state again with another attempt."""
        if self.looks:
            self._go_on(self.looks[look % len(self.looks)], choice, fatal)

    @rule(look=st.integers(0, 99), after=st.sampled_from(ORDERED))
    def go_any_way(self, look: int, after: SubmissionState) -> None:
        if self.looks:
            self._move(self.looks[look % len(self.looks)], after, None)

    @rule()
    def restart(self) -> None:
        self.queue = Queue(self.path, LONGEST)

    # ---------------------------------------------------------------------------------------------------- the model

    def _go_on(self, entry: QueueEntry, choice: int, fatal: int | None) -> None:
        """Take one of the ways that lead on from what was seen of a study."""
        if entry.state in ENDED:
            self._resume(entry, fatal)
        else:
            ways = sorted(ALLOWED[entry.state])
            self._move(entry, ways[choice % len(ways)], fatal)

    def _resume(self, entry: QueueEntry, fatal: int | None) -> None:
        """As ``stillhouse resume`` does, which sends the study again."""

        def accept() -> None:
            self._require_room()
            self._step(entry, S.QUEUED)
            self.places += 1
            self.known[entry.key].place, self.known[entry.key].losses = self.places, 0

        self._change(lambda: self.queue.again(entry, job_request(entry.key), "resumed"), accept, fatal)

    def _move(self, entry: QueueEntry, after: SubmissionState, fatal: int | None) -> None:
        if entry.state in ENDED and after == S.QUEUED:
            return  # that is ``resume``'s way: the study has to be sent again
        self._change(lambda: self.queue.move(entry, after, f"to {after}"), lambda: self._step(entry, after), fatal)

    def _require_room(self) -> None:
        if sum(one.state == S.QUEUED for one in self.known.values()) >= LONGEST:
            raise QueueFull

    def _step(self, entry: QueueEntry, after: SubmissionState) -> None:
        """Take one step in the model; the errors are the queue's, in its order."""
        if after not in ALLOWED[entry.state]:
            raise ValueError
        known = self.known[entry.key]
        if (known.state, known.attempt) != (entry.state, entry.attempt):
            raise Conflict
        known.passed.append(after)
        known.attempt += after == S.SUBMITTED
        known.losses += after == S.LOST

    def _change(self, change: Callable[[], Any], expected: Callable[[], None], fatal: int | None) -> Any:
        """Carry out a change in the queue and in the model: both refuse it for the same reason, or neither does.

        Where the process dies, the next one finds the state before or, once the transaction was over, the one behind.
        """
        before = self._seen()
        try:
            with dying(self.folder, fatal):
                result = change()
        except Died:
            self.restart()
            if self._seen() != before:
                expected()
            return None
        except (Conflict, QueueFull, ValueError) as error:
            with pytest.raises(type(error)):
                expected()
            return None
        expected()
        return result

    def _seen(self) -> tuple[Any, ...]:
        return self.queue.entries(), self.queue.events()

    # ------------------------------------------------------------------------------------------------ what always holds

    @invariant()
    def each_study_stands_where_its_transitions_led(self) -> None:
        entries = self.queue.entries()
        assert [one.key for one in entries] == sorted(self.known, key=lambda key: self.known[key].place)
        for entry in entries:
            known = self.known[entry.key]
            assert (entry.state, entry.attempt, entry.losses) == (known.state, known.attempt, known.losses)
            events = self.queue.events(key=entry.key)
            assert [event.after for event in events] == known.passed
            assert [event.before for event in events] == [None, *known.passed[:-1]]
            assert (events[-1].after, events[-1].reason) == (entry.state, entry.reason)

    @invariant()
    def transitions_are_counted_without_a_gap(self) -> None:
        events = self.queue.events()
        assert [event.number for event in events] == list(range(1, len(events) + 1))
        assert self.queue.events(after=len(events) // 2) == events[len(events) // 2 :]

    @invariant()
    def an_attempts_id_is_chosen_once(self) -> None:
        chosen = [event.key for event in self.queue.events() if event.after == S.SUBMITTED]
        assert {key: chosen.count(key) for key in self.known} == {k: one.attempt for k, one in self.known.items()}

    @invariant()
    def a_study_has_its_request_until_it_has_ended(self) -> None:
        for key, known in self.known.items():
            if known.state in ENDED:
                with pytest.raises(KeyError):
                    self.queue.job_request(key)
            else:
                assert self.queue.job_request(key) == job_request(key)

    @invariant()
    def the_database_is_sound(self) -> None:
        with sqlite_file.reading(self.path) as connection:
            assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]


@contextmanager
def dying(folder: Path, fatal: int | None) -> Iterator[None]:
    """Have the process die at a statement of the block's transaction: the disk stays as it is at that moment."""
    if fatal is None:
        yield
        return
    left: dict[Path, bytes] = {}

    def die() -> None:
        left.update({path: path.read_bytes() for path in folder.iterdir()})
        raise Died

    @contextmanager
    def writing(path: Path, wait_s: float) -> Iterator[Mortal]:
        with sqlite_file.writing(path, wait_s) as connection:
            yield Mortal(connection, fatal, die)

    try:
        with mock.patch.object(module, "writing", writing):
            yield
    except Died:
        for path in folder.iterdir():
            path.unlink()
        for path, content in left.items():
            path.write_bytes(content)
        raise


def test_the_table_of_transitions_is_that_of_the_page() -> None:
    assert {state: set(TRANSITIONS[state]) for state in SubmissionState} == ALLOWED


def test_any_order_of_callers_and_deaths() -> None:
    run_state_machine_as_test(
        QueueMachine, settings=settings(max_examples=examples(100), stateful_step_count=35, deadline=None)
    )
