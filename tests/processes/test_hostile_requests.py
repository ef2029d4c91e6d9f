"""Two thousand hostile requests to the service's process: each gets an answer or an end, and nothing else happens."""

import contextlib
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from tests.e2e.service_process import ServiceProcess, service_process
from tests.processes.hostile_requests import HostileRequest, requests

COUNT, SEED, TOGETHER = 2000, 1, 16
LONGEST_S = 5.0
UNANSWERED_S = 0.1  # that a request which is not whole is left open
MEMORY = 150 << 20  # bytes above those before


class Outcome(NamedTuple):
    """Hold a request, the answer's status (0 for an end without one), and the seconds until then."""

    request: HostileRequest
    status: int
    seconds: float


def outcome(port: int, request: HostileRequest) -> Outcome:
    """Send a request and wait for its answer or its end."""
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=LONGEST_S) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request.content)
        status = first_status(connection, request, begin)
    return Outcome(request, status, time.monotonic() - begin)


def first_status(connection: socket.socket, request: HostileRequest, begin: float) -> int:
    found = b""
    connection.settimeout(LONGEST_S if request.answered else UNANSWERED_S)
    with contextlib.suppress(ConnectionError, TimeoutError):
        while part := connection.recv(65536):
            found += part
            lines = [line for line in found.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
            final = [int(line[9:12]) for line in lines if line[9:10] != b"1"]
            if final:
                return final[0]
    assert not request.answered or time.monotonic() - begin < LONGEST_S, (
        f"{request.name}: no answer: {request.content[:300]!r}"
    )
    return 0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    with service_process(tmp_path_factory.mktemp("hostile")) as (found, _):
        yield found


def test_hostile_requests_get_an_answer_and_nothing_else(service: ServiceProcess) -> None:
    before = service.peak_memory
    with ThreadPoolExecutor(TOGETHER) as pool:
        found = list(pool.map(lambda request: outcome(service.port, request), requests(COUNT, SEED)))
    for one in found:
        assert one.status < 500 or one.status == 503, f"{one.request.name}: {one.status}: {one.request.content[:500]!r}"
        assert one.seconds < LONGEST_S, f"{one.request.name} took {one.seconds:.1f} s"
    statuses = Counter(one.status for one in found)
    assert {202, 200, 400, 401, 404, 405, 413, 422} <= set(statuses), "the requests reach what they are made for"
    log = service.log.read_text(errors="replace")
    assert "Traceback" not in log, log[-3000:]
    assert len(log) < 20_000
    assert service.peak_memory - before < MEMORY
    assert service.answers()
    assert service.ask("GET", "/api/submissions").status_code == 200


def test_nothing_was_run_or_written_elsewhere(service: ServiceProcess) -> None:
    """Runs after the requests: a canary would lie in one of these folders."""
    for folder in service.folders.values():
        assert [path for path in folder.rglob("*") if path.is_file()] == []
    names = {path.name for path in service.store.iterdir()}
    assert {name for name in names if not name.startswith("queue.")} <= {"trials", "studies", "submissions"}
    assert not list(service.store.rglob("*canary*"))


def test_the_same_seed_makes_the_same_requests() -> None:
    assert list(requests(50, 3)) == list(requests(50, 3))
    assert list(requests(50, 3)) != list(requests(50, 4))
