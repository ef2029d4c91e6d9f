"""Answer HTTP: accept studies, return their status, stop them, stream events.

Everything but /health requires the token.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.findings import StudyErrors
from orchestrator.core.printable import printable
from orchestrator.core.redact import redacted
from orchestrator.core.version import own_version
from orchestrator.service.queue import Conflict, Queue, QueueEntry, QueueEvent, QueueFull
from orchestrator.service.transitions import ENDED
from orchestrator.service.validation import Sent, SubmissionValidator
from orchestrator.submit.cluster import RayCluster
from orchestrator.submit.direct import ended
from orchestrator.submit.identity import key_in
from orchestrator.submit.states import SubmissionState
from orchestrator.submit.submissions import Submission

LOOK_S, SILENCE_S = 0.5, 15.0  # between looks for events; before a stream says that it lives
LAST_NUMBER = 2**63 - 1


class SubmissionResponse(BaseModel):
    """Hold a submission as the API gives it."""

    id: str
    key: str
    study: str
    state: SubmissionState
    reason: str
    attempt: int


class Accepted(SubmissionResponse):
    """Hold the response to a submitted study; ``new`` is false when there was nothing to start."""

    new: bool


class Listed(BaseModel):
    """Hold all submissions, in the order of the queue."""

    submissions: list[SubmissionResponse]


class Transition(BaseModel):
    """Hold one change of a state and its reason."""

    number: int
    key: str
    study: str
    before: SubmissionState | None
    after: SubmissionState
    reason: str
    time: float


class Detailed(SubmissionResponse):
    """Hold a submission and all that happened to it."""

    events: list[Transition]


class Key(BaseModel):
    """Hold the name of a submission."""

    key: str


class Log(BaseModel):
    """Hold an attempt's output."""

    logs: str


class Refusal(BaseModel):
    """Hold why something was refused, in one sentence or one a line."""

    detail: str


@dataclass(frozen=True)
class Service:
    """Hold the endpoints' dependencies."""

    queue: Queue
    validator: SubmissionValidator
    cluster: RayCluster
    token: str

    def accept(self, sent: Sent) -> tuple[Submission, bool]:
        """Put a study into the queue, or join it; see ``Submissions``."""
        job_request = self.validator.job_request(sent)
        new = self.queue.add(job_request)
        entry = self.found(job_request.key)
        if new or not entry.state.is_resumable:
            return entry.submission, new
        if not sent.resume:
            raise UserError(f"{entry.id} {ended(entry.submission)}: stillhouse resume starts another attempt")
        self.queue.again(entry, job_request, "resumed")
        return self.found(job_request.key).submission, True

    def found(self, name: str) -> QueueEntry:
        """Return the study that a key or an attempt's id names; raise 404."""
        key = key_in(name)
        entry = self.queue.entry(key) if key else None
        if entry is None:
            raise HTTPException(404, f"the service has no submission {printable(name[:100])}")
        return entry

    def stop(self, name: str) -> Submission:
        """Ask a study to stop; raise 409 when it has ended."""
        entry = self.found(name)
        if entry.state in ENDED:
            raise HTTPException(409, f"{entry.id} {ended(entry.submission)}: nothing to stop")
        if entry.state == SubmissionState.QUEUED:
            self.queue.move(entry, SubmissionState.STOPPED, "stopped while queued")
        elif entry.state in (SubmissionState.SUBMITTED, SubmissionState.RUNNING):
            self.queue.move(entry, SubmissionState.STOPPING, "asked to stop")
        return self.found(name).submission


def make_app(service: Service, **settings: Any) -> FastAPI:
    """Return the application; its OpenAPI description is at ``/openapi.json``."""
    bearer = HTTPBearer(auto_error=False, description="the token of STILLHOUSE_TOKEN")

    def authorised(given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
        if given is None or not secrets.compare_digest(given.credentials.encode(), service.token.encode()):
            raise HTTPException(401, "the service requires its token", {"WWW-Authenticate": "Bearer"})

    app = FastAPI(title="Stillhouse", version=own_version(), docs_url=None, redoc_url=None, **settings)
    add_errors(app)

    @app.get("/health")
    def health() -> dict[str, bool]:
        """Return that the service is up."""
        return {"ok": True}

    refusals: dict[int | str, dict[str, Any]] = {
        code: {"model": Refusal} for code in (400, 401, 404, 409, 413, 422, 429, 503)
    }
    guarded: dict[str, Any] = {"dependencies": [Depends(authorised)], "responses": refusals}
    add_submissions(app, service, guarded)
    add_events(app, service, guarded)
    return app


def add_submissions(app: FastAPI, service: Service, guarded: dict[str, Any]) -> None:
    """Add the endpoints for submissions."""

    @app.post("/api/submissions", status_code=202, **guarded)
    def submit(sent: Sent) -> Accepted:
        """Accept a study into the queue, or join the one that is there; ``resume`` goes on with one that has ended."""
        submission, new = service.accept(sent)
        return Accepted(**submission.to_json(), new=new)

    @app.post("/api/key", **guarded)
    def key(sent: Sent) -> Key:
        """Name the submission that a study has here, or would have: it follows from the data that is seen from here."""
        return Key(key=service.validator.job_request(sent).key)

    @app.get("/api/submissions", **guarded)
    def every() -> Listed:
        """List all submissions, in the order of the queue."""
        return Listed(
            submissions=[SubmissionResponse(**entry.submission.to_json()) for entry in service.queue.entries()]
        )

    @app.get("/api/submissions/{name}", **guarded)
    def one(name: str) -> Detailed:
        """Return a submission's status and events."""
        entry = service.found(name)
        events = [Transition(**event.to_json()) for event in service.queue.events(key=entry.key)]
        return Detailed(**entry.submission.to_json(), events=events)

    @app.post("/api/submissions/{name}/stop", **guarded)
    def stop(name: str) -> SubmissionResponse:
        """Ask a submission to stop: its trials save their states."""
        return SubmissionResponse(**service.stop(name).to_json())

    @app.get("/api/submissions/{name}/logs", **guarded)
    def logs(name: str) -> Log:
        """Return the newest attempt's output."""
        entry = service.found(name)
        return Log(logs=service.cluster.logs(entry.id) if entry.attempt else "")


def add_events(app: FastAPI, service: Service, guarded: dict[str, Any]) -> None:
    """Add the stream of transitions."""

    @app.get("/api/events", response_class=StreamingResponse, **guarded)
    async def events(
        request: Request,
        after: Annotated[int, Query(ge=0, le=LAST_NUMBER, description="the last transition that is known")] = 0,
        follow: Annotated[bool, Query(description="go on as things happen")] = True,
    ) -> StreamingResponse:
        """Stream transitions as server-sent events; their ids are numbers to go on after."""
        known = request.headers.get("last-event-id", "")
        begin = int(known) if known.isascii() and known.isdigit() and len(known) < 19 else after
        return StreamingResponse(stream(service.queue, begin, follow=follow), media_type="text/event-stream")


async def stream(queue: Queue, after: int, *, follow: bool) -> AsyncIterator[str]:
    """Yield transitions in the form of server-sent events, and a comment now and then while nothing happens."""
    quiet_s = 0.0
    while True:
        for event in await asyncio.to_thread(queue.events, after):
            yield as_message(event)
            after, quiet_s = event.number, 0.0
        if not follow:
            return
        await asyncio.sleep(LOOK_S)
        quiet_s += LOOK_S
        if quiet_s >= SILENCE_S:
            yield ": still here\n\n"
            quiet_s = 0.0


def as_message(event: QueueEvent) -> str:
    """Write a transition as a server-sent event."""
    return f"id: {event.number}\nevent: transition\ndata: {json.dumps(event.to_json())}\n\n"


def add_errors(app: FastAPI) -> None:
    """Turn the errors that users can cause into one sentence and a status."""

    def refused(code: int, error: Exception) -> JSONResponse:
        text = mistakes(error) if isinstance(error, RequestValidationError) else str(error)
        return JSONResponse({"detail": redacted(text).encode(errors="replace").decode()}, code)

    statuses: dict[type[Exception], int] = {
        RequestValidationError: 422, StudyErrors: 422, UserError: 422, Conflict: 409, QueueFull: 429, OperationError: 503,
    }  # fmt: skip
    for kind, code in statuses.items():
        app.add_exception_handler(kind, lambda _, error, code=code: refused(code, error))


def mistakes(error: RequestValidationError) -> str:
    """Describe a request's mistakes, one per line."""
    lines = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    return "\n".join(printable(line) for line in lines)
