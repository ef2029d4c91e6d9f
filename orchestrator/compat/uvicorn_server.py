"""Serve an ASGI application by uvicorn, with the limits that it lacks: on connections, on heads and on slow readers.

Written against uvicorn 0.51, whose protocol class for h11 it extends.
"""

import asyncio
import contextlib
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
FULL = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
LATE = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

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
        partial(ended_in_order, app), http=room, interface="asgi3", ws="none", lifespan=lifespan, log_config=None,
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
        if not self._is_busy:
            super().send_400_response(msg)
            return
        if self.cycle.response_started:
            self.transport.abort()
        else:
            super().send_400_response(msg)
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
