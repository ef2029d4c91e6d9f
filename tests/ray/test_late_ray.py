"""A Ray that does not come up in its time is started again, and nothing of the failed start is left."""

import logging
import os

import pytest
import ray

from orchestrator.core.errors import OperationError
from orchestrator.core.processes import descendants
from orchestrator.execution.ray_cluster import log, start_ray, stop_ray
from orchestrator.execution.ray_watch import name_of, ray_processes

PATIENCE = "RAY_gcs_server_port_wait_time_s"  # Ray's own: how long it waits for its head


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave Ray's head no time at all to come up."""
    monkeypatch.setenv(PATIENCE, "0")


class Calm(logging.Handler):
    """Give Ray its time back when a failed start is logged."""

    def emit(self, record: logging.LogRecord) -> None:
        os.environ.pop(PATIENCE, None)


@pytest.mark.usefixtures("hasty")
def test_the_second_start_succeeds_without_the_processes_of_the_first(caplog: pytest.LogCaptureFixture) -> None:
    calm = Calm()
    log.addHandler(calm)
    try:
        start_ray(None)
        assert ray.is_initialized()
        assert sorted(name_of(one) for one in ray_processes()) == ["gcs_server", "raylet"]
    finally:
        log.removeHandler(calm)
        stop_ray()
    assert [text.partition(":")[2] for text in caplog.messages] == [" trying again, 2 left"]


@pytest.mark.usefixtures("hasty")
def test_after_three_starts_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(OperationError, match=r"^cannot start Ray on this machine: .*; run again$"):
        start_ray(None)
    assert [text[-6:] for text in caplog.messages] == ["2 left", "1 left"]
    assert not [one for one in descendants(os.getpid()) if "ray" in one.title]


def test_a_start_that_cannot_succeed_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "/tmp/" + "x" * 100)
    with pytest.raises(OperationError, match=r"^cannot start Ray on this machine: .*107 bytes"):
        start_ray(None)
    assert not caplog.messages
