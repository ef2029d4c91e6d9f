"""Manage submissions through a service, for the commands when ``STILLHOUSE_URL`` is set."""

import logging
from typing import Any
from urllib.parse import quote

import httpx

from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.redact import redacted
from orchestrator.execution.trial_requests import AcceptedRequest
from orchestrator.submit.cluster import http_address
from orchestrator.submit.job_request import JobRequest
from orchestrator.submit.service_token import TOKEN, service_token
from orchestrator.submit.states import SubmissionState
from orchestrator.submit.submissions import Submission, SubmissionResult
from trainers.schema.foreign_json import parse_json
from trainers.schema.request import Request

TIMEOUT = httpx.Timeout(60.0, connect=10.0)
USERS = (401, 404, 409, 413, 422)  # answers that the user can do something about
TRUST = "--trust-config"
NEEDED = "a service listens at http://HOST:8270"


class Remote:
    """Be the ``Submissions`` of the service at ``url``."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self._url = http_address(url, f"is no address for STILLHOUSE_URL: {NEEDED}")
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every request
        headers = {"Authorization": f"Bearer {token}"} if (token := service_token()) else {}
        try:
            self._client = httpx.Client(base_url=self._url, headers=headers, timeout=TIMEOUT, transport=transport)
        except (httpx.InvalidURL, ValueError) as error:
            raise UserError(f"{redacted(url)} is no address for STILLHOUSE_URL: {error}") from error
        if not self._client.base_url.host:
            raise UserError(f"{redacted(url)} is no address for STILLHOUSE_URL: {NEEDED}")

    def key_of(self, job_request: JobRequest) -> str:
        return str(self._ask("POST", "/api/key", json=_sent(job_request))["key"])

    def submit(self, job_request: JobRequest) -> SubmissionResult:
        return self._send(job_request, resume=False)

    def resume(self, job_request: JobRequest) -> SubmissionResult:
        return self._send(job_request, resume=True)

    def status(self, name: str) -> Submission:
        return _submission(self._ask("GET", f"/api/submissions/{quote(name, safe='')}"))

    def stop(self, name: str) -> Submission:
        return _submission(self._ask("POST", f"/api/submissions/{quote(name, safe='')}/stop"))

    def ask_about_trial(self, job_request: JobRequest, trial: str, request: Request) -> AcceptedRequest:
        """Ask for one trial of a submitted study, by the first digits of its id."""
        answer = self._ask("POST", "/api/trials", json=_sent(job_request) | {"trial": trial, "request": str(request)})
        return AcceptedRequest(str(answer["trial"]), request, bool(answer["at_once"]))

    def logs(self, name: str) -> str:
        return str(self._ask("GET", f"/api/submissions/{quote(name, safe='')}/logs")["logs"])

    def all(self) -> list[Submission]:
        return [_submission(item) for item in self._ask("GET", "/api/submissions")["submissions"]]

    def _send(self, job_request: JobRequest, *, resume: bool) -> SubmissionResult:
        if job_request.python or job_request.variables or job_request.resources or set(job_request.options) - {TRUST}:
            raise UserError(
                "a service decides --mirror, --python, --env and --driver-on itself: give them to stillhouse serve"
            )
        answer = self._ask("POST", "/api/submissions", json=_sent(job_request) | {"resume": resume})
        return SubmissionResult(_submission(answer), bool(answer["new"]))

    def _ask(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        try:
            answer = self._client.request(method, path, **content)
            body = parse_json(answer.content)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            reason = redacted(str(error) or type(error).__name__)
            raise OperationError(f"no Stillhouse service answers at {redacted(self._url)}: {reason}") from error
        if answer.is_success and isinstance(body, dict):
            return body
        raise self._refusal(answer.status_code, body)

    def _refusal(self, code: int, body: Any) -> Exception:
        if code == 401:
            return UserError(f"the service at {redacted(self._url)} refuses this token: {TOKEN} must be the service's")
        detail = body.get("detail") if isinstance(body, dict) else None
        text = detail if isinstance(detail, str) else f"the service answers {code}: {detail or 'nothing'}"
        return UserError(text) if code in USERS else OperationError(text)


def _sent(job_request: JobRequest) -> dict[str, Any]:
    files = {name: content.decode() for name, content in job_request.shipment.files.items()}
    return {"files": files, "trust_config": TRUST in job_request.options}


def _submission(item: dict[str, Any]) -> Submission:
    names = ("id", "key", "study", "reason", "attempt")
    return Submission(**{name: item[name] for name in names}, state=SubmissionState(item["state"]))
