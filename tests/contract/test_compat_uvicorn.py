"""The connections of uvicorn 0.51 have the limits that it lacks: time for a head, time to read, a place for each."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from orchestrator.compat import uvicorn_server
from orchestrator.compat.uvicorn_server import BAD_HEAD, LARGEST_HEAD, most_connections, server_of
from orchestrator.core.listening import open_socket
from tests.contract.written_against import against, names_in

UVICORN = against("uvicorn", "0.51")
SIZE = 8 << 20


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer with eight bytes, or with as many as fill all buffers; ``/held`` waits for its body."""
    body = b"x" * (SIZE if scope["path"] == "/large" else 8)
    while scope["path"] == "/held" and (await receive()).get("more_body"):
        pass
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], socket.socket]]:
    """A server with room for four connections, each with 0.3 s for a head and 0.6 s for reading."""
    monkeypatch.setattr(uvicorn_server, "HEAD_S", 0.3)
    monkeypatch.setattr(uvicorn_server, "READ_S", 0.6)
    with contextlib.ExitStack() as stack, open_socket("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        server = server_of(app, connections=4)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield lambda: stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
        server.should_exit = True
        thread.join(20)


def until_closed(connection: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(1 << 20):
            found += part
    return found


def asked(connection: socket.socket, path: str = "/", *headers: str) -> bytes:
    connection.sendall("\r\n".join((f"GET {path} HTTP/1.1", "host: x", *headers, "", "")).encode())
    found = b""
    while b"\r\n\r\nx" not in found:
        found += connection.recv(1 << 16)
    return found


def test_the_parts_that_are_extended_are_there() -> None:
    assert {"response_complete", "disconnected"} <= names_in(RequestResponseCycle.__init__), UVICORN
    assert {"cycle", "connections", "flow"} <= names_in(H11Protocol.__init__), UVICORN
    assert {"send_400_response"} <= names_in(H11Protocol.handle_events), UVICORN
    assert "on_response_complete" in names_in(H11Protocol.handle_events), UVICORN


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: x\r\nx-a"])
def test_a_head_that_does_not_come_ends_the_connection(connect: Callable[[], socket.socket], sent: bytes) -> None:
    connection = connect()
    connection.sendall(sent)
    assert until_closed(connection).startswith(b"HTTP/1.1 408 ")


def test_the_next_head_has_a_time_too(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    assert asked(connection).startswith(b"HTTP/1.1 200 ")
    assert asked(connection).startswith(b"HTTP/1.1 200 ")
    connection.sendall(b"GET / H")
    begin = time.monotonic()
    assert b" 408 " in until_closed(connection)
    assert time.monotonic() - begin < 5


def test_a_request_under_way_has_its_own_time(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    connection.sendall(b"POST /held HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\na")
    time.sleep(0.5)
    connection.sendall(b"b")
    assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


def test_the_one_that_has_waited_longest_gives_way(connect: Callable[[], socket.socket]) -> None:
    slow = [connect() for _ in range(4)]
    assert asked(connect()).startswith(b"HTTP/1.1 200 ")
    slow[0].settimeout(0.2)
    assert until_closed(slow[0]) == b""


def test_where_all_are_at_work_the_next_is_refused(connect: Callable[[], socket.socket]) -> None:
    busy = [connect() for _ in range(4)]
    for connection in busy:
        connection.sendall(b"POST /held HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\nexpect: 100-continue\r\n\r\n")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 100 ")
    assert until_closed(connect()).startswith(b"HTTP/1.1 503 ")
    busy[0].sendall(b"x")
    assert busy[0].recv(1 << 16).startswith(b"HTTP/1.1 200 ")
    assert asked(connect()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("path", ["/", "/held"])
def test_a_body_that_is_no_http_gets_one_answer(
    connect: Callable[[], socket.socket], caplog: pytest.LogCaptureFixture, path: str
) -> None:
    """Uvicorn answers 400 while the application, which has the head, answers too: that ended in a traceback."""
    connection = connect()
    connection.sendall(f"POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nno size\r\n".encode())
    assert until_closed(connection).startswith(b"HTTP/1.1 400 ")
    time.sleep(0.1)
    assert [record.getMessage() for record in caplog.records] == ["Invalid HTTP request received."]


@pytest.mark.parametrize("part", ["target", "header", "headers"])
def test_a_head_beyond_its_limit_is_refused_even_if_it_arrives_at_once(
    connect: Callable[[], socket.socket], part: str
) -> None:
    def head(size: int) -> bytes:
        begin, end = b"GET /", b" HTTP/1.1\r\nhost: x\r\n"
        if part == "target":
            return begin + b"x" * (size - len(begin + end) - 2) + end + b"\r\n"
        lines = b"".join(b"h%05d: %s\r\n" % (number, b"y" * 200) for number in range(140 if part == "headers" else 0))
        room = size - len(begin + end + lines) - len("last: \r\n\r\n")
        return begin + end + lines + b"last: " + b"z" * room + b"\r\n\r\n"

    connection = connect()
    connection.sendall(head(LARGEST_HEAD))
    assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
    for size in (LARGEST_HEAD + 1, 2 * LARGEST_HEAD, 8 * LARGEST_HEAD):
        connection = connect()
        connection.sendall(head(size))
        assert refused(until_closed(connection)) == (400, BAD_HEAD)


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n"])
def test_what_is_no_http_is_refused_in_json(connect: Callable[[], socket.socket], garbage: bytes) -> None:
    connection = connect()
    connection.sendall(garbage)
    assert refused(until_closed(connection)) == (400, BAD_HEAD)


def refused(answer: bytes) -> tuple[int, str]:
    """Return the status and the reason of a refusal."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head
    assert b"content-length: %d" % len(body) in head
    return int(head.split()[1]), json.loads(body)["detail"]


def test_an_answer_does_not_wait_for_the_readers_acknowledgement(connect: Callable[[], socket.socket]) -> None:
    """The head and the body are two packets, and the kernel holds the second one back for 40 ms unless it is told not to."""
    connection, taken = connect(), list[float]()
    for _ in range(9):
        begin = time.monotonic()
        asked(connection)
        taken.append(time.monotonic() - begin)
    assert min(taken[2:]) < 0.03


def test_who_does_not_read_is_left(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    assert asked(connection, "/large").startswith(b"HTTP/1.1 200 ")
    time.sleep(1.2)
    assert len(until_closed(connection)) < SIZE


def test_who_reads_gets_all(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    first = asked(connection, "/large", "connection: close")
    assert len(first.partition(b"\r\n\r\n")[2] + until_closed(connection)) == SIZE


@pytest.mark.parametrize(("files", "most"), [(1024, 512), (256, 64), (20, 16)])
def test_room_leaves_descriptors_for_everything_else(monkeypatch: pytest.MonkeyPatch, files: int, most: int) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (files, files))
    assert most_connections() == most
