"""The queue: accepted once, in order, moved along allowed ways only, each with its reason."""

import contextlib
import sqlite3
import tracemalloc
from dataclasses import replace

import pytest

from orchestrator.service.queue import Conflict, Queue, QueueFull, as_text
from orchestrator.service.transitions import ENDED, TRANSITIONS
from orchestrator.submit.shipment import LARGEST, Shipment
from orchestrator.submit.states import SubmissionState
from tests.unit.orchestrator.submit.job_requests import KEY, job_request

OTHER = "stillhouse-aaaaaaaaaaaa"
RUN = (SubmissionState.SUBMITTED, SubmissionState.RUNNING)
ENDINGS = [pytest.param((*RUN, end), id=end) for end in sorted(ENDED)]
EARLIER = """
create table studies (
    key text primary key, study text not null, state text not null, reason text not null,
    attempt integer not null, losses integer not null, body text not null, place integer not null
);
create table events (
    number integer primary key autoincrement, key text not null, study text not null,
    before text, after text not null, reason text not null, time real not null
);
"""


@pytest.fixture
def queue(tmp_path):
    return Queue(tmp_path / "queue.db", longest=2)


def test_a_study_is_accepted_once_and_comes_back_as_it_was(queue, tmp_path):
    assert queue.add(job_request())
    assert not queue.add(job_request())
    again = Queue(tmp_path / "queue.db", longest=2)
    [entry] = again.entries()
    assert (again.job_request(KEY), entry.state, entry.attempt) == (job_request(), SubmissionState.QUEUED, 0)


def test_a_queue_of_one_says_so(tmp_path):
    queue = Queue(tmp_path / "queue.db", 1)
    queue.add(job_request())
    with pytest.raises(QueueFull, match=r"the queue is full \(1 study waits\)"):
        queue.add(job_request(OTHER))


def test_a_full_queue_says_so_and_forgets_nothing(queue):
    queue.add(job_request())
    queue.add(job_request(OTHER))
    with pytest.raises(QueueFull, match="the queue is full"):
        queue.add(job_request("stillhouse-bbbbbbbbbbbb"))
    assert not queue.add(job_request())  # joining is not waiting
    assert [entry.key for entry in queue.entries()] == [KEY, OTHER]


def test_room_is_made_by_a_study_whose_turn_has_come(queue):
    queue.add(job_request())
    queue.add(job_request(OTHER))
    queue.move(queue.entry(KEY), SubmissionState.SUBMITTED, "its turn")
    assert queue.add(job_request("stillhouse-bbbbbbbbbbbb"))


@pytest.mark.parametrize("before", SubmissionState)
@pytest.mark.parametrize("after", SubmissionState)
def test_only_the_ways_of_the_table_can_be_gone(queue, before, after):
    """Reach each state by a way of the table, and try all others from there."""
    queue.add(job_request())
    for state in way_to(before):
        queue.move(queue.entry(KEY), state, "on the way")
    if after in TRANSITIONS[before]:
        queue.move(queue.entry(KEY), after, "why")
        assert (queue.entry(KEY).state, queue.entry(KEY).reason) == (after, "why")
    else:
        with pytest.raises(ValueError, match="no way leads"):
            queue.move(queue.entry(KEY), after, "why")
        assert queue.entry(KEY).state == before


def way_to(target):
    """Return a shortest way from ``queued``, without its first step."""
    ways = [[SubmissionState.QUEUED]]
    for way in ways:
        if way[-1] == target:
            return way[1:]
        ways += [[*way, after] for after in sorted(TRANSITIONS[way[-1]]) if after not in way]
    raise AssertionError(f"{target} cannot be reached")


def test_of_two_who_move_the_same_study_one_is_told(queue):
    queue.add(job_request())
    seen = queue.entry(KEY)
    queue.move(seen, SubmissionState.SUBMITTED, "first")
    with pytest.raises(Conflict):
        queue.move(seen, SubmissionState.STOPPED, "second")
    assert queue.entry(KEY).state == SubmissionState.SUBMITTED


def test_a_look_from_an_earlier_attempt_moves_nothing(queue):
    queue.add(job_request())
    for state in (SubmissionState.SUBMITTED, SubmissionState.RUNNING):
        queue.move(queue.entry(KEY), state, "on")
    first = queue.entry(KEY)
    for state in (SubmissionState.LOST, SubmissionState.QUEUED, SubmissionState.SUBMITTED, SubmissionState.RUNNING):
        queue.move(queue.entry(KEY), state, "again")
    with pytest.raises(Conflict):
        queue.move(first, SubmissionState.FINISHED, "the first attempt ended")


def test_every_transition_is_an_event_with_its_reason(queue):
    queue.add(job_request())
    queue.move(queue.entry(KEY), SubmissionState.SUBMITTED, "its turn")
    queue.move(queue.entry(KEY), SubmissionState.RUNNING, "Ray has it")
    found = [(event.before, event.after, event.reason) for event in queue.events()]
    assert found == [
        (None, "queued", "accepted"), ("queued", "submitted", "its turn"), ("submitted", "running", "Ray has it"),
    ]  # fmt: skip
    assert [event.after for event in queue.events(after=2)] == ["running"]
    assert queue.events(key=OTHER) == []


def test_a_resumed_study_waits_behind_the_others_with_a_new_budget(queue):
    queue.add(job_request())
    for state in (SubmissionState.SUBMITTED, SubmissionState.RUNNING, SubmissionState.LOST, SubmissionState.FAILED):
        queue.move(queue.entry(KEY), state, "on")
    queue.add(job_request(OTHER))
    queue.again(queue.entry(KEY), job_request(), "resumed")
    assert [entry.key for entry in queue.entries()] == [OTHER, KEY]
    assert (queue.entry(KEY).losses, queue.entry(KEY).attempt) == (0, 1)


@pytest.mark.parametrize("way", [*ENDINGS, pytest.param((SubmissionState.STOPPED,), id="stopped while queued")])
def test_a_study_that_has_ended_sheds_its_files_until_it_is_sent_again(queue, way):
    queue.add(job_request())
    for state in way[:-1]:
        queue.move(queue.entry(KEY), state, "on")
        assert queue.job_request(KEY) == job_request()
    queue.move(queue.entry(KEY), way[-1], "ended")
    with pytest.raises(KeyError):
        queue.job_request(KEY)
    if way[-1] != SubmissionState.FINISHED:
        queue.again(queue.entry(KEY), job_request(), "resumed")
        assert queue.job_request(KEY) == job_request()


def test_lists_read_no_files(queue, tmp_path):
    """Ten requests of 8 MiB: reading them takes a thousand times as long as the list."""
    large = Shipment({"study.yaml": b"x" * LARGEST})
    wide = Queue(tmp_path / "wide.db", longest=20)
    for number in range(10):
        wide.add(replace(job_request(f"stillhouse-{number:012x}"), shipment=large))
    tracemalloc.start()
    assert len(wide.entries()) == 10
    wide.entry("stillhouse-000000000003")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < LARGEST / 8


def test_a_queue_of_an_earlier_release_goes_on_and_lists_fast(tmp_path):
    """That release kept the files, also those that no study named, in the table that every list reads."""
    path, body = (
        tmp_path / "queue.db",
        as_text(replace(job_request(), shipment=Shipment({"study.yaml": b"x" * LARGEST}))),
    )
    states = [SubmissionState.QUEUED, SubmissionState.RUNNING, SubmissionState.FINISHED, SubmissionState.STOPPED]
    with contextlib.closing(sqlite3.connect(path)) as earlier:
        earlier.executescript(EARLIER)
        for place, state in enumerate(states):
            row = (f"stillhouse-{place:012x}", "tiny", state, "why", 1, 0, body, place)
            earlier.execute("insert into studies values (?, ?, ?, ?, ?, ?, ?, ?)", row)
        earlier.execute(
            "insert into events (key, study, after, reason, time) values ('k', 'tiny', 'queued', 'why', 1.0)"
        )
        earlier.commit()
    size = path.stat().st_size
    queue = Queue(path, longest=9)
    assert [entry.state for entry in queue.entries()] == states
    assert len(queue.events()) == 1
    assert len(queue.job_request("stillhouse-000000000001").shipment.files["study.yaml"]) == LARGEST
    with pytest.raises(KeyError):
        queue.job_request("stillhouse-000000000002")
    assert path.stat().st_size < 0.6 * size
    assert [entry.state for entry in Queue(path, longest=9).entries()] == states
