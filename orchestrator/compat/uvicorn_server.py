"""Serve an ASGI application by uvicorn, with the limits that it lacks: on connections, on heads and on slow readers.

Written against uvicorn 0.51, whose protocol class for h11 it extends.
"""

import asyncio
import contextlib
import json
import logging
import resource
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any, Literal

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 10.0  # for the head of a request, from the connection or the answer before it
IDLE_S = 5  # that a connection without a request is kept
READ_S = 60.0  # for a client to take what was written
LARGEST_HEAD = 32 << 10  # bytes
MOST_CONNECTIONS = 512
BACKLOG = 128  # connections that are accepted at a time, before they are counted
OTHER_FILES = 64  # that the process needs beside its clients' connections
GRACE_S = 3  # that requests get at the end: one whose reader has left may never end by itself
LAST_S = 1.0  # for cancelled requests to write their end
BAD_HEAD = f"this is no HTTP request, or its head has more than {LARGEST_HEAD} bytes"


def refusal(status: str, detail: str, *headers: str) -> bytes:
    """Return a whole answer that ends a connection, with its reason as JSON, as all refusals have it."""
    body = json.dumps({"detail": detail})
    lines = [f"HTTP/1.1 {status}", "content-type: application/json", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "connection: close", "", body]).encode()


FULL = refusal("503 Service Unavailable", "too many connections at a time: try again", "retry-after: 5")
LATE = refusal("408 Request Timeout", f"the head of a request has not arrived within {HEAD_S:g} s")
BAD = refusal("400 Bad Request", BAD_HEAD)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


def serve(app: Any, listener: socket.socket, *, lifespan: Literal["on", "off"] = "off") -> None:
    """Answer until a signal ends the process; requests get ``GRACE_S`` to end, then they are answered with 503."""
    with contextlib.suppress(KeyboardInterrupt):
        server_of(app, lifespan=lifespan).run(sockets=[listener])


def server_of(app: Any, *, lifespan: Literal["on", "off"] = "off", connections: int | None = None) -> uvicorn.Server:
    """Return a server with room for so many ``connections``, by default as many as the process may have."""
    room = connection_class(connections or most_connections())
    config = uvicorn.Config(
        partial(ended_in_order, partial(with_bounded_head, app)), http=room, interface="asgi3", ws="none", lifespan=lifespan, log_config=None,
        log_level="warning", access_log=False, server_header=False, backlog=BACKLOG, timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=GRACE_S, h11_max_incomplete_event_size=LARGEST_HEAD,
    )  # fmt: skip
    return Server(config)


class Server(uvicorn.Server):
    """Be a server whose last requests get an end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End requests; those that were cancelled after the grace write their end before the process is gone."""
        logger = logging.getLogger("uvicorn.error")
        logger.addFilter(is_news)
        try:
            await super().shutdown(sockets)
        finally:
            logger.removeFilter(is_news)
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=LAST_S)


def is_news(record: logging.LogRecord) -> bool:
    """Return whether a record says more than that requests which outlast the grace are ended, as they are meant to be."""
    return not str(record.msg).startswith("Cancel %s running task")


def most_connections() -> int:
    """Return how many connections leave enough file descriptors for everything else: accepting must never fail."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = allowed - BACKLOG - OTHER_FILES
    return MOST_CONNECTIONS if allowed == resource.RLIM_INFINITY else max(16, min(MOST_CONNECTIONS, spare))


class Room:
    """Admit connections up to a limit; the one that has waited longest without a request gives way to the next."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.all: set[BoundedConnection] = set()
        self.waiting: dict[BoundedConnection, None] = {}  # for a request, the longest first

    def admit(self, connection: "BoundedConnection") -> bool:
        """Return whether there is a place for the connection."""
        if len(self.all) >= self.most:
            longest = next(iter(self.waiting), None)
            if longest is None:
                return False
            self.leave(longest)
            longest.transport.abort()
        self.all.add(connection)
        return True

    def leave(self, connection: "BoundedConnection") -> None:
        """Take a connection out; it may be out already."""
        self.all.discard(connection)
        self.waiting.pop(connection, None)


class BoundedConnection(H11Protocol):
    """Be one connection: its heads and its reading have time-outs, and it has a place in a room."""

    room: Room

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place, or refuse the connection."""
        super().connection_made(transport)
        self._head_timer: asyncio.TimerHandle | None = None
        self._reading_timer: asyncio.TimerHandle | None = None
        if self.room.admit(self):
            self._wait_for_head()
        else:
            transport.write(FULL)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the place."""
        self._stop_waiting()
        self.resume_writing()
        self.room.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; the wait ends when they complete a head."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._is_busy:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it is there already."""
        super().on_response_complete()
        if not self._is_busy:
            self._wait_for_head()

    def send_400_response(self, msg: str) -> None:
        """Refuse bytes that are no HTTP; a request under way, whose body they were in, gets no other answer."""
        if self._is_busy and self.cycle.response_started:
            self.transport.abort()
        else:
            self.transport.write(BAD)
            self.transport.close()
        if not self._is_busy:
            return
        self.cycle.disconnected = True
        self.cycle.message_event.set()

    def pause_writing(self) -> None:
        """Give the client a time to read the answer."""
        super().pause_writing()
        self._reading_timer = self._reading_timer or self.loop.call_later(READ_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the client reads."""
        super().resume_writing()
        if self._reading_timer is not None:
            self._reading_timer.cancel()
            self._reading_timer = None

    @property
    def _is_busy(self) -> bool:
        # uvicorn declares no None, and begins with it
        return self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr]

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        if self in self.room.all:
            self.room.waiting[self] = None
            self._head_timer = self.loop.call_later(HEAD_S, self._close_late)

    def _stop_waiting(self) -> None:
        self.room.waiting.pop(self, None)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _close_late(self) -> None:
        self._head_timer = None
        if self._reading_timer is not None:
            return  # the answer is still being read, within a time of its own
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            self.transport.abort()
            return
        self.transport.write(LATE)
        self.transport.close()


def connection_class(most: int) -> type[BoundedConnection]:
    """Return the class of the connections of one server, which has room for ``most``."""
    return type("Connection", (BoundedConnection,), {"room": Room(most)})


async def with_bounded_head(app: Application, scope: Message, receive: Receive, send: Send) -> None:
    """Call an application; refuse a request whose head is too long: h11 limits only incomplete ones."""
    if scope["type"] != "http" or head_bytes(scope) <= LARGEST_HEAD:
        await app(scope, receive, send)
        return
    body = json.dumps({"detail": BAD_HEAD}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def head_bytes(scope: Message) -> int:
    """Return how many bytes a request's head has: its first line, its headers, and the empty line at the end."""
    target = len(scope["raw_path"]) + len(scope["query_string"] and b"?" + scope["query_string"])
    first = len(scope["method"]) + target + len("  HTTP/1.1\r\n")
    return first + sum(len(name) + len(value) + len(": \r\n") for name, value in scope["headers"]) + len("\r\n")


async def ended_in_order(app: Application, scope: Message, receive: Receive, send: Send) -> None:
    """Call an application; if it is cancelled, because the server ends, end the answer without a traceback."""
    started = False

    async def noting(message: Message) -> None:
        nonlocal started
        started = True
        await send(message)

    try:
        await app(scope, receive, noting)
    except asyncio.CancelledError:
        if scope["type"] != "http":
            raise
        if not started:
            headers = [(b"content-length", b"0"), (b"retry-after", b"5"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
