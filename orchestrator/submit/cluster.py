"""Talk to a cluster's Ray Jobs API: every request has a time-out, every refusal becomes one sentence."""

import logging
import os
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx

from orchestrator.compat.ray_packages import package_name, package_path, package_uri
from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.redact import redacted
from orchestrator.submit.reconcile import RayJob
from trainers.schema.error_text import last_line_of
from trainers.schema.foreign_json import parse_json

ADDRESS = "RAY_API_SERVER_ADDRESS"  # Ray's own variable for the address of a cluster's dashboard
TIMEOUT = httpx.Timeout(60.0, connect=10.0)  # Ray answers a submission only when a head's agent has taken it
TRIES, PAUSE_S = 3, 0.5  # of requests that change nothing


class RayCluster:
    """Submit, stop and look at jobs of the cluster whose dashboard listens at ``address``.

    Raises ``UserError`` for a missing or wrong token, another Ray version or an address that is no cluster's;
    ``OperationError`` when the cluster does not answer. Nothing is asked before the first method.
    """

    def __init__(self, address: str, transport: httpx.BaseTransport | None = None) -> None:
        self.address = http_address(address)
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every request
        try:
            self._client = httpx.Client(base_url=self.address, headers=_token(), timeout=TIMEOUT, transport=transport)
        except (httpx.InvalidURL, ValueError) as error:
            raise UserError(f"{redacted(address)} is no address: {error}") from error

    def require_same_version(self) -> None:
        """Raise ``UserError`` unless the cluster runs this environment's version of Ray."""
        theirs = self._json(self._read("/api/version")).get("ray_version")
        ours = version("ray")
        if theirs != ours:
            raise UserError(
                f"the cluster at {self.address} runs Ray {theirs}, this environment has {ours}: "
                "submit with the cluster's version"
            )

    def upload(self, archive: bytes, digest: str) -> str:
        """Upload an archive to the cluster, unless it is there, and return its URI for ``working_dir``."""
        name = package_name(digest)
        path = package_path(name)
        if self._read(path, absent_is_fine=True).status_code == 404:
            self._ask("PUT", path, content=archive)
        return package_uri(name)

    def submit(self, job: dict[str, Any]) -> None:
        """Start a job by Ray's own description of it, which names its id; one with this id is started once only.

        A request whose answer was lost may have been carried out: Ray is asked before anything is called failed.
        """
        try:
            self._ask("POST", "/api/jobs/", json=job)
        except OperationError:
            if self.job(job["submission_id"]) is None:
                raise

    def job(self, attempt_id: str) -> RayJob | None:
        """Return Ray's record of a job, ``None`` if it has none with this id."""
        answer = self._read(f"/api/jobs/{attempt_id}", absent_is_fine=True)
        return None if answer.status_code == 404 else _ray_job(self._json(answer))

    def jobs(self) -> dict[str, RayJob]:
        """Return all submitted jobs that Ray remembers, by id."""
        found = self._json(self._read("/api/jobs/"))
        return {item["submission_id"]: _ray_job(item) for item in found if item.get("submission_id")}

    def stop(self, attempt_id: str) -> None:
        """Ask Ray to end a job: SIGTERM first; one that has ended stays as it is."""
        self._ask("POST", f"/api/jobs/{attempt_id}/stop")

    def logs(self, attempt_id: str) -> str:
        """Return all that a job has printed; empty when Ray does not know it."""
        answer = self._read(f"/api/jobs/{attempt_id}/logs", absent_is_fine=True)
        return "" if answer.status_code == 404 else str(self._json(answer).get("logs") or "")

    def _read(self, path: str, *, absent_is_fine: bool = False) -> httpx.Response:
        """Ask for something, some times over: reading twice does no harm."""
        for left in reversed(range(TRIES)):
            try:
                return self._ask("GET", path, absent_is_fine=absent_is_fine)
            except OperationError:
                if not left:
                    raise
                time.sleep(PAUSE_S)
        raise AssertionError("the last try returns or raises")

    def _ask(self, method: str, path: str, *, absent_is_fine: bool = False, **content: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **content)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            reason = redacted(str(error) or type(error).__name__)
            raise OperationError(f"no Ray cluster answers at {self.address}: {reason}") from error
        self._require_entry(answer.status_code)
        if answer.is_success or (absent_is_fine and answer.status_code == 404):
            return answer
        raise OperationError(f"the cluster at {self.address} refuses {method} {path}: {_last_line(answer)}")

    def _require_entry(self, status: int) -> None:
        """Raise ``UserError`` when the cluster requires another token."""
        if status == 401:
            raise UserError(
                f"the cluster at {self.address} requires a token: set RAY_AUTH_TOKEN, or RAY_AUTH_TOKEN_PATH to its file"
            )
        if status == 403:
            raise UserError(f"the cluster at {self.address} refuses this token: RAY_AUTH_TOKEN must be the cluster's")

    def _json(self, answer: httpx.Response) -> Any:
        try:
            return parse_json(answer.content)
        except ValueError as error:
            raise UserError(f"something answers at {self.address}, but it is not a Ray cluster's dashboard") from error


DASHBOARDS = "is no dashboard's address: submitting needs http://HOST:8265"


def http_address(address: str, refusal: str = DASHBOARDS) -> str:
    """Return the URL of a server from ``http://host:port`` or ``host:port``; raise ``UserError`` for another kind."""
    scheme, found, _ = address.partition("://")
    if found and scheme not in ("http", "https"):
        raise UserError(f"{redacted(address)} {refusal}")
    return (address if found else f"http://{address}").rstrip("/")


def _token() -> dict[str, str]:
    """Return the header that carries the cluster's token, from where Ray itself looks for it."""
    if os.environ.get("RAY_AUTH_MODE", "").lower() == "disabled":
        return {}
    token = os.environ.get("RAY_AUTH_TOKEN", "")
    if not token:
        file = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token").expanduser()
        token = file.read_text().strip() if file.is_file() else ""
    return {"Authorization": f"Bearer {token}"} if token else {}


def _ray_job(item: dict[str, Any]) -> RayJob:
    study = str((item.get("metadata") or {}).get("stillhouse", ""))
    return RayJob(str(item.get("status") or ""), str(item.get("message") or ""), study)


def _last_line(answer: httpx.Response) -> str:
    """Return the line of an answer that says most: Ray answers with tracebacks."""
    line = last_line_of(answer.text)
    return f"{answer.status_code} {redacted(line)[:300] if line else answer.reason_phrase}"
