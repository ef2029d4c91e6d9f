"""The gate decides before a body is read: token, announced and counted size, time, and what all requests hold."""

import asyncio
from typing import Any

import pytest

from orchestrator.service.gate import Gate

TOKEN = "the-token-of-the-service"
BEARER = (b"authorization", f"Bearer {TOKEN}".encode())
LARGEST, HELD = 100, 150


class Asked:
    """Hold one request: its parts arrive one by one, and are counted; ``None`` never arrives."""

    def __init__(
        self, *parts: bytes | None, path: str = "/api/key", headers: tuple[tuple[bytes, bytes], ...] = (BEARER,)
    ) -> None:
        self.scope = {"type": "http", "path": path, "headers": list(headers)}
        self.parts, self.taken, self.sent = list(parts), 0, list[Any]()

    async def receive(self) -> dict[str, Any]:
        if self.taken >= len(self.parts) or self.parts[self.taken] is None:
            await asyncio.Event().wait()
        self.taken += 1
        part = self.parts[self.taken - 1]
        return {"type": "http.request", "body": part, "more_body": self.taken < len(self.parts)}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])


class Echo:
    """Answer with the body; while ``holding``, wait before."""

    def __init__(self) -> None:
        self.bodies, self.go_on = list[bytes](), asyncio.Event()
        self.go_on.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        assert not message["more_body"]
        self.bodies.append(message["body"])
        await self.go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})


def answered(asked: Asked, body_s: float = 5.0) -> Echo:
    echo = Echo()
    gate = Gate(echo, TOKEN, LARGEST, HELD, body_s)
    asyncio.run(gate(asked.scope, asked.receive, asked.send))
    assert gate.held == 0
    return echo


def test_a_body_comes_whole():
    asked = Asked(b"one ", b"", b"two")
    assert answered(asked).bodies == [b"one two"]
    assert asked.status == 200


@pytest.mark.parametrize(
    "given",
    [(), ((b"authorization", b"Bearer wrong"),), ((b"authorization", b"Basic x"),), ((b"authorization", TOKEN.encode()),),
     (BEARER, BEARER), (BEARER, (b"authorization", b"Bearer other")), ((b"authorization", b"\xff\xfe"),)],
)  # fmt: skip
def test_without_one_token_no_byte_reaches_the_application(given):
    asked = Asked(b"x" * 50, b"y", headers=(*given, (b"content-length", b"51")))
    assert answered(asked).bodies == []
    assert asked.status == 401
    assert (b"connection", b"close") in asked.sent[0]["headers"]


@pytest.mark.parametrize("length", [b"101", b"9" * 30, b"-1", b"1e2", b""])
def test_a_length_that_is_announced_is_refused_before_the_body(length):
    asked = Asked(None, headers=(BEARER, (b"content-length", length), (b"expect", b"100-continue")))
    answered(asked)
    assert (asked.status, asked.taken) == (413, 0)


def test_a_body_is_counted_whatever_was_announced():
    asked = Asked(b"x" * 60, b"y" * 41, b"z", headers=(BEARER, (b"content-length", b"3")))
    assert answered(asked).bodies == []
    assert asked.status == 413


def test_a_body_that_does_not_arrive_is_refused():
    asked = Asked(b"x", None)
    answered(asked, body_s=0.01)
    assert asked.status == 408


def test_open_paths_need_no_token_and_no_body():
    asked = Asked(None, path="/health", headers=())
    assert answered(asked).bodies == [b""]
    assert (asked.status, asked.taken) == (200, 0)


def test_all_bodies_together_have_a_limit_and_leave_room_when_answered():
    async def three() -> list[int]:
        echo = Echo()
        echo.go_on.clear()
        gate = Gate(echo, TOKEN, LARGEST, HELD)
        asked = [Asked(b"x" * 80) for _ in range(3)]
        first = asyncio.create_task(gate(asked[0].scope, asked[0].receive, asked[0].send))
        await asyncio.sleep(0)
        await gate(asked[1].scope, asked[1].receive, asked[1].send)
        echo.go_on.set()
        await first
        await gate(asked[2].scope, asked[2].receive, asked[2].send)
        return [one.status for one in asked]

    assert asyncio.run(three()) == [200, 503, 200]


def test_a_client_that_leaves_gets_nothing():
    async def leave() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    asked = Asked()
    asked.receive = leave  # type: ignore[method-assign]
    assert answered(asked).bodies == []
    assert asked.sent == []
