"""Admit requests by token, size, time and the bytes of all others, before their bodies are read."""

import asyncio
import contextlib
import json
import secrets
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.submit.shipment import LARGEST

OPEN = frozenset({"/health", "/openapi.json"})  # paths that need no token; nobody reads a body of theirs
LARGEST_BODY = LARGEST + (2 << 20)  # bytes: files as JSON have more than files
MOST_HELD = 32 << 20  # bytes of all requests together
BODY_S = 30.0  # for a body to arrive
UNREAD, UNREAD_S = 16 << 20, 1.0  # taken of a refused body and forgotten, so that its sender sees the answer
RETRY_S = "5"


class NotAdmitted(Exception):
    """Hold the answer to a request that is not let in."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = {"content-type": "application/json", "connection": "close"} | headers
        self.body = json.dumps({"detail": detail}).encode()


@dataclass
class Gate:
    """Let requests with the token in, with their whole body, which has a limit in size and in time.

    Bodies of all requests together have a limit, too. A refused request ends its connection.
    """

    app: ASGIApp
    token: str
    largest: int = LARGEST_BODY
    most_held: int = MOST_HELD
    body_s: float = BODY_S
    held: int = field(default=0, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, by the application if it is let in."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"] in OPEN:
            await self.app(scope, without_body, send)
        else:
            await self._guarded(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytearray()
        try:
            self._require_token(scope)
            self._require_size(scope)
            await self._read(receive, body)
            await self.app(scope, replayed(bytes(body), receive), send)
        except NotAdmitted as refusal:
            if refusal.status != 408:
                await _take_some(scope, receive)
            await _answer(refusal, send)
        except ClientLeft:
            return
        finally:
            self.held -= len(body)

    def _require_token(self, scope: Scope) -> None:
        given = _header(scope, b"authorization")
        scheme, _, credentials = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        if scheme.lower() != b"bearer" or not secrets.compare_digest(credentials.strip(), self.token.encode()):
            raise NotAdmitted(401, "the service requires its token", **{"www-authenticate": "Bearer"})

    def _require_size(self, scope: Scope) -> None:
        """Raise for a length that is announced; a number of too many digits is not read."""
        for length in _header(scope, b"content-length"):
            if len(length) > 18 or not length.isdigit() or int(length) > self.largest:
                raise self._too_large()

    async def _read(self, receive: Receive, body: bytearray) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.body_s):
                while await self._read_more(receive, body):
                    pass
                return
        raise NotAdmitted(408, f"the request has not arrived within {self.body_s:g} s")

    async def _read_more(self, receive: Receive, body: bytearray) -> bool:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        content = message.get("body", b"")
        if len(body) + len(content) > self.largest:
            raise self._too_large()
        if self.held + len(content) > self.most_held:
            raise NotAdmitted(503, "too many large requests at a time: send it again", **{"retry-after": RETRY_S})
        body += content
        self.held += len(content)
        return bool(message.get("more_body", False))

    def _too_large(self) -> NotAdmitted:
        return NotAdmitted(413, f"a request has at most {self.largest} bytes")


class ClientLeft(Exception):
    """Report that nobody waits for an answer."""


async def without_body() -> Message:
    """Be the body of a request that has none."""
    return {"type": "http.request", "body": b"", "more_body": False}


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a receiver of a body that was read already; after it, the connection is heard."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message


def _header(scope: Scope, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key.lower() == name]


async def _take_some(scope: Scope, receive: Receive) -> None:
    """Read and forget a little: a connection that is closed with unread data may lose the answer."""
    if _header(scope, b"expect") or not (_header(scope, b"content-length") or _header(scope, b"transfer-encoding")):
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(UNREAD_S):
            taken, more = 0, True
            while more and taken < UNREAD:
                message = await receive()
                taken, more = taken + len(message.get("body", b"")), message.get("more_body", False)


async def _answer(refusal: NotAdmitted, send: Send) -> None:
    headers = refusal.headers | {"content-length": str(len(refusal.body))}
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": encoded})
    await send({"type": "http.response.body", "body": refusal.body})
