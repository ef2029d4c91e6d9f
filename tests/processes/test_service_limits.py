"""The service as a process: strangers, slow clients and a hanging cluster take nothing from the others."""

import contextlib
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from orchestrator.api import Study
from tests.e2e.service_process import HEADERS, STUDY, TOKEN, ServiceProcess, StandInCluster, service_process
from tests.e2e.stillhouse import COMMAND, ROOT, stillhouse
from trainers.schema.request import is_paused

MIB = 1 << 20
Running = tuple[ServiceProcess, StandInCluster]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with service_process(tmp_path_factory.mktemp("service")) as found:
        yield found


def head(method: str, path: str, *lines: str) -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "host: x", *lines, "", "")).encode()


def talk(service: ServiceProcess, *parts: bytes, repeated: int = 1) -> tuple[bytes, int]:
    """Send parts as long as they are taken; return the answer and how many bytes were taken."""
    taken = 0
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        with contextlib.suppress(ConnectionError):
            for part in (*parts[:-1], *[parts[-1]] * repeated):
                connection.sendall(part)
                taken += len(part)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while found := connection.recv(65536):
                answer += found
    return answer, taken


def test_seven_hundred_megabytes_without_the_token_are_not_read(running: Running) -> None:
    service, _ = running
    before = service.peak_memory
    request = head("POST", "/api/submissions", f"content-length: {700 * MIB}", "content-type: application/json")
    answer, taken = talk(service, request, b" " * MIB, repeated=700)
    assert b" 401 " in answer.splitlines()[0]
    assert taken < 40 * MIB
    assert service.peak_memory - before < 20 * MIB


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "counted"])
def test_seven_hundred_megabytes_with_the_token_are_too_large(running: Running, announced: bool) -> None:
    service, _ = running
    before = service.peak_memory
    length = f"content-length: {700 * MIB}" if announced else "transfer-encoding: chunked"
    chunk = b" " * MIB if announced else b"100000\r\n" + b" " * MIB + b"\r\n"
    answer, taken = talk(
        service, head("POST", "/api/submissions", f"authorization: Bearer {TOKEN}", length), chunk, repeated=700
    )
    assert b" 413 " in answer.splitlines()[0]
    assert taken < 40 * MIB
    assert service.peak_memory - before < 60 * MIB


def test_a_hanging_cluster_holds_up_nobody_but_those_who_ask_for_it(running: Running) -> None:
    service, cluster = running
    key = service.ask("POST", "/api/submissions", json={"files": {"study.yaml": STUDY % 1}}).json()["key"]
    until_state(service, key, "running")
    cluster.hanging.set()
    answers: list[httpx.Response] = []
    try:
        for _ in range(60):
            threading.Thread(target=ask_for_logs, args=(service, key, answers), daemon=True).start()
        deadline = time.monotonic() + 20
        while len(answers) < 52 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert {answer.status_code for answer in answers} == {503}
        assert len(answers) == 52  # the other 8 wait for the cluster
        assert answers[0].headers["retry-after"]
        assert "the cluster has not answered" in answers[0].json()["detail"]
        for path in ("/health", "/api/submissions", f"/api/submissions/{key}"):
            begin = time.monotonic()
            assert service.ask("GET", path).status_code == 200
            assert time.monotonic() - begin < 5
    finally:
        cluster.hanging.clear()


def until_state(service: ServiceProcess, key: str, state: str) -> None:
    deadline = time.monotonic() + 30
    while service.ask("GET", f"/api/submissions/{key}").json()["state"] != state:
        assert time.monotonic() < deadline, service.log.read_text()
        time.sleep(0.1)


def ask_for_logs(service: ServiceProcess, key: str, answers: list[httpx.Response]) -> None:
    with contextlib.suppress(httpx.HTTPError):
        answers.append(httpx.get(f"{service.address}/api/submissions/{key}/logs", headers=HEADERS, timeout=100))


def test_one_trial_is_paused_and_resumed_by_the_clients_commands(running: Running, tmp_path: Path) -> None:
    """The client has the study and the service's address, and sees no store."""
    service, _ = running
    study = tmp_path / "study.yaml"
    study.write_text(STUDY % 7)
    [trial] = Study.load(study).plan(service.store).trials
    client = {"STILLHOUSE_URL": service.address, "STILLHOUSE_TOKEN": TOKEN, "STILLHOUSE_STORE": ""}
    assert "the service has no submission" in stillhouse("pause", study, "--trial", trial.id, **client).err
    assert service.ask("POST", "/api/submissions", json={"files": {"study.yaml": STUDY % 7}}).status_code == 202
    paused = stillhouse("pause", study, "--trial", trial.id[:8], "--json", **client)
    assert (paused.code, paused.json) == (0, {"trial": trial.id, "request": "pause", "at_once": True}), paused.err
    assert is_paused(trial.directory)
    assert f"{trial.id}: goes on" in stillhouse("resume", study, "--trial", trial.id, **client).out
    assert not is_paused(trial.directory)


def test_slow_connections_shut_nobody_out_and_fill_no_log(tmp_path: Path) -> None:
    """There are more of them than the process may have files open."""
    with service_process(tmp_path, files=320) as (service, _), contextlib.ExitStack() as slow:
        for number in range(500):
            connection = slow.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=10))
            connection.sendall(b"POST /api/submissions HTTP/1.1\r\nhost: x\r\nx-slow: "[: 3 + number % 40])
            if number % 50 == 49:
                assert service.ask("GET", "/health").status_code == 200
                assert service.ask("GET", "/api/submissions").status_code == 200
        assert service.log.stat().st_size < 2000, service.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_without_a_traceback_whatever_hangs(tmp_path: Path, number: int) -> None:
    with service_process(tmp_path) as (service, cluster):
        key = service.ask("POST", "/api/submissions", json={"files": {"study.yaml": STUDY % 1}}).json()["key"]
        until_state(service, key, "running")
        cluster.hanging.set()
        answers: list[httpx.Response] = []
        waiting = threading.Thread(target=ask_for_logs, args=(service, key, answers), daemon=True)
        waiting.start()
        with httpx.stream("GET", f"{service.address}/api/events", headers=HEADERS) as events:
            lines = events.iter_lines()
            assert next(lines) == "id: 1"
            time.sleep(0.5)  # the request for the log has reached its thread
            assert service.end(number) < 30  # requests to the cluster would hold it up for 180
            assert "data: " in "\n".join(lines)  # the stream has an end, and is not torn
        waiting.join(10)
        assert [answer.status_code for answer in answers] == [503]
        assert "Traceback" not in service.log.read_text()
        assert "CTRL+C" not in service.log.read_text()
        assert "running task" not in service.log.read_text()


def test_a_taken_port_is_said_and_nothing_else(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        words = [*COMMAND, "serve", "--address", "http://head", "--store", str(tmp_path), "--port", port]
        environment = {"STILLHOUSE_TOKEN": TOKEN, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
        ended = subprocess.run(
            [str(word) for word in words], check=False, env=environment, capture_output=True, text=True, timeout=60
        )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert f"cannot listen at 127.0.0.1, port {port}: Address already in use; choose another --port" in ended.stderr
    assert "Traceback" not in ended.stderr
