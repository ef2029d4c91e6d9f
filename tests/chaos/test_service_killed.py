"""The service survives kill -9 between any two steps of a submission: no study is lost, and none is started twice.

A fault point lies before and after each transaction of the queue and before and after each request to Ray, also where
Ray has carried a request out and nobody has heard of it. All of them are tried, one a process.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.service.queue import Queue
from orchestrator.service.reconcile_loop import ReconcileLoop
from orchestrator.submit.cluster import RayCluster
from orchestrator.submit.record import JobRecords
from orchestrator.submit.states import SubmissionState
from tests.unit.orchestrator.submit.fake_ray import FakeRay
from tests.unit.orchestrator.submit.job_requests import KEY, job_request, said

ACCEPTED = "accepted"  # a file: the client has been told that its study is in the queue


class Points:
    """Count the fault points that a process passes, and kill it at one of them."""

    def __init__(self, deadly: int | None = None) -> None:
        self.deadly, self.passed = deadly, 0

    def __call__(self) -> None:
        if self.passed == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        self.passed += 1


class FaultyQueue(Queue):
    def __init__(self, path: Path, point: Callable[[], None]) -> None:
        self._point: Callable[[], None] = lambda: None
        super().__init__(path, longest=9)
        self._point = point

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Any]:
        with super()._transaction() as connection:
            yield connection
            if connection.total_changes:
                self._point()  # written, not yet committed
        self._point()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Any]:
        with super()._reading() as connection:
            yield connection
        self._point()


def loop_in(folder: Path, point: Callable[[], None]) -> ReconcileLoop:
    ray = FakeRay(folder / "ray")

    def answer(request: httpx.Request) -> httpx.Response:
        point()
        reply = ray.answer(request)
        point()  # carried out, and nobody knows
        return reply

    return ReconcileLoop(
        FaultyQueue(folder / "queue.db", point),
        RayCluster("http://head", httpx.MockTransport(answer)),
        JobRecords(folder),
    )


def submitted(folder: Path, point: Callable[[], None]) -> None:
    """A client submits, its study's turn comes, Ray takes it, and the service looks after it."""
    loop = loop_in(folder, point)
    loop.queue.add(job_request())
    (folder / ACCEPTED).touch()
    loop.step()
    loop.step()


def lost_and_again(folder: Path, point: Callable[[], None]) -> None:
    """The driver of a running study has been lost; the service submits the study again."""
    submitted(folder, lambda: None)
    JobRecords(folder).write(said(f"{KEY}-1", ago_s=3600))
    loop = loop_in(folder, point)
    loop.step()
    loop.step()


def stopped(folder: Path, point: Callable[[], None]) -> None:
    """A user stops a running study."""
    submitted(folder, lambda: None)
    (folder / ACCEPTED).unlink()
    FakeRay(folder / "ray").say(f"{KEY}-1", status="RUNNING")
    JobRecords(folder).write(said(f"{KEY}-1"))
    loop = loop_in(folder, point)
    loop.queue.move(loop.queue.entry(KEY), SubmissionState.STOPPING, "asked to stop")
    (folder / ACCEPTED).touch()
    loop.step()
    loop.step()


def number_of_points(scenario: Callable[[Path, Callable[[], None]], None], folder: Path) -> int:
    points = Points()
    scenario(folder, points)
    return points.passed


def run_and_die(scenario: Callable[[Path, Callable[[], None]], None], folder: Path, deadly: int) -> None:
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            scenario(folder, Points(deadly))
        os._exit(3)  # it should be dead
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"fault point {deadly} was not reached"
    assert os.WTERMSIG(status) == signal.SIGKILL


def finish(folder: Path, attempt: int) -> ReconcileLoop:
    """Start the service again; the driver of an attempt ends well."""
    loop = loop_in(folder, lambda: None)
    for _ in range(3):
        loop.step()
    JobRecords(folder).write(said(f"{KEY}-{attempt}", SubmissionState.FINISHED, "done"))
    loop.step()
    return loop


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_killed_at_any_point_of_a_submission_it_starts_the_study_once(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    total = number_of_points(submitted, tmp_path / "whole")
    assert total > 15
    for deadly in range(total):
        folder = tmp_path / str(deadly)
        folder.mkdir()
        run_and_die(submitted, folder, deadly)
        queue = Queue(folder / "queue.db", longest=9)
        if (folder / ACCEPTED).exists():
            assert queue.entry(KEY) is not None, f"lost at point {deadly}"
        queue.add(job_request())  # as a client does that has heard nothing
        loop = finish(folder, 1)
        assert FakeRay(folder / "ray").starts == [f"{KEY}-1"], f"at point {deadly}"
        entry = loop.queue.entry(KEY)
        assert entry is not None
        assert (entry.state, entry.attempt) == (SubmissionState.FINISHED, 1), f"at point {deadly}"


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_killed_at_any_point_of_a_resubmission_it_starts_the_next_attempt_once(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    total = number_of_points(lost_and_again, tmp_path / "whole")
    assert total > 15
    for deadly in range(total):
        folder = tmp_path / str(deadly)
        folder.mkdir()
        run_and_die(lost_and_again, folder, deadly)
        loop = finish(folder, 2)
        assert FakeRay(folder / "ray").starts == [f"{KEY}-1", f"{KEY}-2"], f"at point {deadly}"
        entry = loop.queue.entry(KEY)
        assert entry is not None
        assert (entry.state, entry.losses) == (SubmissionState.FINISHED, 1), f"at point {deadly}"


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_killed_at_any_point_of_a_stop_it_still_stops_what_it_said_it_would(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    for deadly in range(number_of_points(stopped, tmp_path / "whole")):
        folder = tmp_path / str(deadly)
        folder.mkdir()
        run_and_die(stopped, folder, deadly)
        loop = loop_in(folder, lambda: None)
        for _ in range(2):
            loop.step()
        entry = loop.queue.entry(KEY)
        assert entry is not None
        if (folder / ACCEPTED).exists():
            assert entry.state == SubmissionState.STOPPED, f"at point {deadly}"
        assert FakeRay(folder / "ray").starts == [f"{KEY}-1"]
