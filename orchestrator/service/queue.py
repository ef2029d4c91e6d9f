"""Keep the queue in one SQLite file: each change of a state and its reason are one transaction, on disk when it returns.

Job requests, which can have megabytes, are in a table of their own: they are read when a study's turn comes, and deleted
when it has ended.
"""

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.core.errors import OperationError
from orchestrator.core.sqlite_file import writing
from orchestrator.service.tables import create_tables
from orchestrator.service.transitions import ENDED, allowed
from orchestrator.study.wording import counted
from orchestrator.submit.identity import Attempt
from orchestrator.submit.job_request import JobRequest
from orchestrator.submit.shipment import Shipment
from orchestrator.submit.states import SubmissionState
from orchestrator.submit.submissions import Submission
from trainers.schema.foreign_json import parse_json

WAIT_S = 10.0  # for another connection's transaction to end
LARGEST_ROW = 1_000_000_000  # bytes, SQLite's own limit: earlier releases accepted requests of 256 MiB


class QueueFull(OperationError):
    """Report that no further study is accepted now."""


class Conflict(Exception):
    """Report that a study has left the state that somebody took it to be in: look again."""


class QueueEvent(NamedTuple):
    """Hold one transition: ``before`` is ``None`` for a study that has just been accepted."""

    number: int
    key: str
    study: str
    before: str | None
    after: str
    reason: str
    time: float

    def to_json(self) -> dict[str, Any]:
        """Return the event as it is streamed."""
        return self._asdict()


@dataclass(frozen=True)
class QueueEntry:
    """Hold a study of the queue: how it stands, its newest attempt (0: none yet), and how many attempts were lost."""

    key: str
    study: str
    state: SubmissionState
    reason: str
    attempt: int
    losses: int

    @property
    def id(self) -> str:
        """Return the id of the newest attempt, of the study itself before there is one."""
        return str(Attempt(self.key, self.attempt)) if self.attempt else self.key

    @property
    def submission(self) -> Submission:
        """Return the submission as the commands show it."""
        return Submission(self.id, self.key, self.study, self.state, self.reason, self.attempt)


class Queue:
    """Accept studies and move them from state to state; safe to use from several threads and processes."""

    def __init__(self, path: Path, longest: int) -> None:
        self._path, self._longest = path, longest
        with self._transaction() as connection:
            freed = create_tables(connection)
        if freed:
            self._give_back_space()

    def add(self, job_request: JobRequest) -> bool:
        """Accept a study at the end of the queue; return ``False`` when it is there already.

        Raises ``QueueFull`` when as many as allowed wait.
        """
        with self._transaction() as connection:
            if connection.execute("select 1 from studies where key = ?", (job_request.key,)).fetchone():
                return False
            self._require_room(connection)
            row = (
                job_request.key,
                job_request.study,
                SubmissionState.QUEUED,
                "accepted",
                self._last_place(connection) + 1,
            )
            connection.execute("insert into studies values (?, ?, ?, ?, 0, 0, ?)", row)
            _keep_request(connection, job_request)
            _note(connection, job_request.key, job_request.study, None, SubmissionState.QUEUED, "accepted")
        return True

    def again(self, entry: QueueEntry, job_request: JobRequest, reason: str) -> None:
        """Put a study that has ended back at the end of the queue, with its new order."""
        with self._transaction() as connection:
            self._require_room(connection)
            _move(connection, entry, SubmissionState.QUEUED, reason)
            connection.execute(
                "update studies set losses = 0, place = ? where key = ?",
                (self._last_place(connection) + 1, entry.key),
            )
            _keep_request(connection, job_request)

    def move(self, entry: QueueEntry, after: SubmissionState, reason: str) -> None:
        """Change a study's state; a step to ``submitted`` begins its next attempt, one to ``lost`` is counted.

        Raises ``Conflict`` when it has left the state that ``entry`` says, ``ValueError`` for a step that is not allowed.
        """
        with self._transaction() as connection:
            _move(connection, entry, after, reason)

    def entries(self) -> list[QueueEntry]:
        """Return all studies, in the order of the queue."""
        return self._select("order by place")

    def entry(self, key: str) -> QueueEntry | None:
        """Return a study."""
        found = self._select("where key = ?", key)
        return found[0] if found else None

    def job_request(self, key: str) -> JobRequest:
        """Return the job request of a study that has not ended; raises ``KeyError`` for any other."""
        with self._reading() as connection:
            row = connection.execute("select body from requests where key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        return from_text(row[0])

    def events(self, after: int = 0, key: str | None = None) -> list[QueueEvent]:
        """Return the transitions after a number, of one study or of all."""
        chosen, values = ("and key = ?", (after, key)) if key else ("", (after,))
        with self._reading() as connection:
            rows = connection.execute(f"select * from events where number > ? {chosen} order by number", values)
            return [QueueEvent(*row) for row in rows]

    def _select(self, condition: str, *values: str) -> list[QueueEntry]:
        columns = "key, study, state, reason, attempt, losses"
        with self._reading() as connection:
            rows = connection.execute(f"select {columns} from studies {condition}", values).fetchall()
        return [_entry(*row) for row in rows]

    def _require_room(self, connection: sqlite3.Connection) -> None:
        [waiting] = connection.execute(
            "select count(*) from studies where state = ?", (SubmissionState.QUEUED,)
        ).fetchone()
        if waiting >= self._longest:
            raise QueueFull(
                f"the queue is full ({counted(waiting, 'study waits', 'studies wait')}): submit again when one has ended"
            )

    @staticmethod
    def _last_place(connection: sqlite3.Connection) -> int:
        [place] = connection.execute("select coalesce(max(place), 0) from studies").fetchone()
        return int(place)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection whose changes are on disk after the block, or none of them when it raises."""
        with self._connection() as connection:
            # A transition must survive a power cut: the service acts on it as soon as the transaction ends. What ends one is
            # that its journal is deleted; "full" would leave it to the system when the disk hears of that.
            connection.execute("pragma synchronous = extra")
            # A deferred transaction can fail at its first write if another process has written meanwhile.
            connection.execute("begin immediate")
            yield connection
            connection.commit()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection that sees one state of the queue; readers do not wait for each other."""
        with self._connection() as connection:
            connection.execute("begin")
            yield connection

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with writing(self._path, WAIT_S) as connection:
                yield connection
        except sqlite3.Error as error:
            raise OperationError(f"the queue {self._path} cannot be used: {error}") from error

    def _give_back_space(self) -> None:
        """Shrink the file after requests have left it; on a full disk it stays as large as it was."""
        with contextlib.suppress(OperationError), self._connection() as connection:
            connection.execute("vacuum")


def _entry(key: str, study: str, state: str, reason: str, attempt: int, losses: int) -> QueueEntry:
    return QueueEntry(key, study, SubmissionState(state), reason, attempt, losses)


def _keep_request(connection: sqlite3.Connection, job_request: JobRequest) -> None:
    connection.execute("insert or replace into requests values (?, ?)", (job_request.key, as_text(job_request)))


def _move(connection: sqlite3.Connection, entry: QueueEntry, after: SubmissionState, reason: str) -> None:
    if not allowed(entry.state, after):
        raise ValueError(f"{entry.key}: no way leads from {entry.state} to {after}")
    # The condition on state and attempt makes this a compare-and-swap: of two processes only one moves a study.
    changed = connection.execute(
        "update studies set state = ?, reason = ?, attempt = attempt + ?, losses = losses + ? "
        "where key = ? and state = ? and attempt = ?",
        (
            after,
            reason,
            after == SubmissionState.SUBMITTED,
            after == SubmissionState.LOST,
            entry.key,
            entry.state,
            entry.attempt,
        ),
    )
    if changed.rowcount != 1:
        raise Conflict(f"{entry.key} is no longer {entry.state}")
    if after in ENDED:  # whoever resumes the study sends it again
        connection.execute("delete from requests where key = ?", (entry.key,))
    _note(connection, entry.key, entry.study, entry.state, after, reason)


def _note(
    connection: sqlite3.Connection,
    key: str,
    study: str,
    before: SubmissionState | None,
    after: SubmissionState,
    reason: str,
) -> None:
    connection.execute(
        "insert into events (key, study, before, after, reason, time) values (?, ?, ?, ?, ?, ?)",
        (key, study, before, after, reason, time.time()),
    )


def as_text(job_request: JobRequest) -> str:
    """Write a job request as JSON."""
    files = {name: content.decode() for name, content in job_request.shipment.files.items()}
    return json.dumps(asdict(job_request) | {"shipment": files})


def from_text(text: str) -> JobRequest:
    """Read a job request back."""
    content = parse_json(text, largest=LARGEST_ROW)
    files = {name: text.encode() for name, text in content["shipment"].items()}
    lists = {name: tuple(content[name]) for name in ("options", "subjects") if name in content}
    return JobRequest(**{**content, "shipment": Shipment(files), **lists})
