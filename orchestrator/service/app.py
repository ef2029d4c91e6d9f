"""Answer HTTP: accept studies, return their status, stop them, stream events.

Everything but /health requires the token.
"""

import json
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.findings import StudyErrors
from orchestrator.core.printable import printable
from orchestrator.core.redact import redacted
from orchestrator.core.store import Store
from orchestrator.core.version import own_version
from orchestrator.execution.trial_requests import AcceptedRequest, ask
from orchestrator.service.gate import RETRY_S, Gate
from orchestrator.service.json_body import JsonRoute
from orchestrator.service.mistakes import mistakes
from orchestrator.service.obstacle import Obstacle
from orchestrator.service.queue import Conflict, Queue, QueueEntry, QueueFull
from orchestrator.service.streams import Streams
from orchestrator.service.threads import Busy, ServiceThreads
from orchestrator.service.transitions import ENDED
from orchestrator.service.validation import Sent, SentTrial, SubmissionValidator
from orchestrator.submit.cluster import RayCluster
from orchestrator.submit.direct import ended
from orchestrator.submit.identity import key_in
from orchestrator.submit.states import SubmissionState
from orchestrator.submit.submissions import Submission
from trainers.schema.request import Request as TrialVerb

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


class TrialAnswer(BaseModel):
    """Hold a request about a trial that was accepted; ``at_once`` tells that no run is in progress, so it is done."""

    trial: str
    request: TrialVerb
    at_once: bool


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
    threads: ServiceThreads = field(default_factory=ServiceThreads)
    obstacle: Obstacle = field(default_factory=Obstacle)

    def accept(self, sent: Sent) -> tuple[Submission, bool]:
        """Put a study into the queue, or join it; see ``Submissions``.

        Raises 409 for one that has ended, unless it is to be resumed, and 404 where there is nothing to resume.
        """
        job_request = self.validator.job_request(sent)
        if sent.resume and self.queue.entry(job_request.key) is None:
            raise HTTPException(
                404, f"{job_request.study} was never submitted to this service: stillhouse submit does that"
            )
        new = self.queue.add(job_request)
        entry = self.found(job_request.key)
        if new or not entry.state.is_resumable:
            return self.shown(entry), new
        if not sent.resume:
            raise HTTPException(409, f"{entry.id} {ended(entry.submission)}: stillhouse resume starts another attempt")
        self.queue.again(entry, job_request, "resumed")
        return self.shown(self.found(job_request.key)), True

    def found(self, name: str) -> QueueEntry:
        """Return the study that a key or an attempt's id names; raise 404."""
        key = key_in(name)
        entry = self.queue.entry(key) if key else None
        if entry is None:
            raise HTTPException(404, f"the service has no submission {printable(name[:100])}")
        return entry

    def ask_about_trial(self, sent: SentTrial) -> AcceptedRequest:
        """Leave a request for one trial of a study that was submitted here."""
        key, trial = self.validator.trial(sent, sent.trial)
        self.found(key)
        return ask(trial, sent.request, Store(self.validator.store))

    def stop(self, name: str) -> Submission:
        """Ask a study to stop; raise 409 when it has ended."""
        entry = self.found(name)
        if entry.state in ENDED:
            raise HTTPException(409, f"{entry.id} {ended(entry.submission)}: nothing to stop")
        if entry.state == SubmissionState.QUEUED:
            self.queue.move(entry, SubmissionState.STOPPED, "stopped while queued")
        elif entry.state in (SubmissionState.SUBMITTED, SubmissionState.RUNNING):
            self.queue.move(entry, SubmissionState.STOPPING, "asked to stop")
        return self.shown(self.found(name))

    def shown(self, entry: QueueEntry) -> Submission:
        """Return how a study stands, and what keeps it."""
        return self.obstacle.shown_in(entry.submission)


def make_app(service: Service, **settings: Any) -> FastAPI:
    """Return the application; its OpenAPI description is at ``/openapi.json``. The gate asks for the token."""
    app = FastAPI(
        title="Stillhouse", version=own_version(), docs_url=None, redoc_url=None, redirect_slashes=False, **settings
    )
    app.router.route_class = JsonRoute
    app.add_middleware(Gate, token=service.token)
    add_errors(app)

    @app.get("/health")
    async def health() -> dict[str, bool]:
        """Return that the service is up; needs no thread, no file and no cluster."""
        return {"ok": True}

    refusals: dict[int | str, dict[str, Any]] = {
        code: {"model": Refusal} for code in (400, 401, 404, 408, 409, 413, 422, 429, 503)
    }
    bearer = HTTPBearer(auto_error=False, description="the token of STILLHOUSE_TOKEN")
    guarded: dict[str, Any] = {"dependencies": [Depends(bearer)], "responses": refusals}
    add_submissions(app, service, guarded)
    add_events(app, service, guarded)
    return app


def add_submissions(app: FastAPI, service: Service, guarded: dict[str, Any]) -> None:
    """Add the endpoints for submissions."""
    threads = service.threads

    @app.post("/api/submissions", status_code=202, **guarded)
    async def submit(sent: Sent) -> Accepted:
        """Accept a study into the queue, or join the one that is there; ``resume`` goes on with one that has ended."""
        submission, new = await threads.studies.run(partial(service.accept, sent))
        return Accepted(**submission.to_json(), new=new)

    @app.post("/api/key", **guarded)
    async def key(sent: Sent) -> Key:
        """Name the submission that a study has here, or would have: it follows from the data that is seen from here."""
        return Key(key=(await threads.studies.run(partial(service.validator.job_request, sent))).key)

    @app.post("/api/trials", **guarded)
    async def trial(sent: SentTrial) -> TrialAnswer:
        """Stop, pause, resume or retry one trial of a study that was submitted here."""
        asked = await threads.studies.run(partial(service.ask_about_trial, sent))
        return TrialAnswer(trial=asked.trial, request=asked.request, at_once=asked.at_once)

    @app.get("/api/submissions", response_model=Listed, **guarded)
    async def every() -> Response:
        """List all submissions, in the order of the queue."""
        return Response(await threads.queue.run(partial(listed, service)), media_type="application/json")

    @app.get("/api/submissions/{name}", **guarded)
    async def one(name: str) -> Detailed:
        """Return a submission's status and events."""
        entry = await threads.queue.run(partial(service.found, name))
        events = await threads.queue.run(partial(service.queue.events, key=entry.key))
        return Detailed(**service.shown(entry).to_json(), events=[Transition(**event.to_json()) for event in events])

    @app.post("/api/submissions/{name}/stop", **guarded)
    async def stop(name: str) -> SubmissionResponse:
        """Ask a submission to stop: its trials save their states."""
        return SubmissionResponse(**(await threads.queue.run(partial(service.stop, name))).to_json())

    @app.get("/api/submissions/{name}/logs", **guarded)
    async def logs(name: str) -> Log:
        """Return the newest attempt's output."""
        entry = await threads.queue.run(partial(service.found, name))
        return Log(logs=await threads.cluster.run(partial(service.cluster.logs, entry.id)) if entry.attempt else "")


def listed(service: Service) -> str:
    """Return a ``Listed`` as JSON: in a thread and without models, for a long one holds the interpreter for many requests."""
    return json.dumps({"submissions": [service.shown(entry).to_json() for entry in service.queue.entries()]})


def add_events(app: FastAPI, service: Service, guarded: dict[str, Any]) -> None:
    """Add the stream of transitions."""
    streams = Streams(service.queue, service.threads.queue)

    @app.get("/api/events", response_class=StreamingResponse, **guarded)
    async def events(
        request: Request,
        after: Annotated[int, Query(ge=0, le=LAST_NUMBER, description="the last transition that is known")] = 0,
        follow: Annotated[bool, Query(description="go on as things happen")] = True,
    ) -> StreamingResponse:
        """Stream transitions as server-sent events; their ids are numbers to go on after."""
        known = request.headers.get("last-event-id", "")
        begin = int(known) if known.isascii() and known.isdigit() and len(known) < 19 else after
        return StreamingResponse(streams.begin(begin, follow=follow), media_type="text/event-stream")


def add_errors(app: FastAPI) -> None:
    """Turn the errors that users can cause into one sentence and a status."""

    def refused(code: int, request: Request, error: Exception) -> JSONResponse:
        text = mistakes(request, error) if isinstance(error, RequestValidationError) else str(error)
        headers = {"retry-after": RETRY_S} if code in (429, 503) else None
        return JSONResponse({"detail": redacted(text).encode(errors="replace").decode()}, code, headers)

    statuses: dict[type[Exception], int] = {
        RequestValidationError: 422, StudyErrors: 422, UserError: 422, Conflict: 409, QueueFull: 429, Busy: 503,
        OperationError: 503,
    }  # fmt: skip
    for kind, code in statuses.items():
        app.add_exception_handler(kind, lambda request, error, code=code: refused(code, request, error))
