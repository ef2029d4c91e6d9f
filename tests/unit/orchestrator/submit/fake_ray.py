"""Stand in for a cluster's Ray Jobs API; what it has been told lies in a folder and outlives the process that told it.

``tests/contract/test_ray_jobs.py`` holds it against a real cluster.
"""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx

TRACEBACK = "Traceback (most recent call last):\n  ...\nValueError: "


class FakeRay:
    def __init__(self, folder: Path, token: str = "", ray_version: str | None = None) -> None:
        self.folder, self.token, self.version = folder, token, ray_version or version("ray")
        (folder / "jobs").mkdir(parents=True, exist_ok=True)
        (folder / "packages").mkdir(exist_ok=True)

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.answer)

    @property
    def starts(self) -> list[str]:
        """The ids of the jobs that were started, in order."""
        file = self.folder / "starts"
        return file.read_text().split() if file.exists() else []

    def answer(self, request: httpx.Request) -> httpx.Response:
        given = request.headers.get("authorization")
        if self.token and given is None:
            return httpx.Response(401, text="Unauthorized: Missing authentication token")
        if self.token and given != f"Bearer {self.token}":
            return httpx.Response(403, text="Forbidden: Invalid authentication token")
        parts = request.url.path.strip("/").split("/")[1:]
        if parts == ["version"]:
            return httpx.Response(200, json={"ray_version": self.version})
        if parts[0] == "packages":
            return self.package(request, parts[2])
        if request.method == "POST" and parts == ["jobs"]:
            return self.start(json.loads(request.content))
        if parts == ["jobs"]:
            return httpx.Response(200, json=[self.read(path.stem) for path in (self.folder / "jobs").iterdir()])
        return self.about(request, *parts[1:])

    def package(self, request: httpx.Request, name: str) -> httpx.Response:
        path = self.folder / "packages" / name
        if request.method == "PUT":
            path.write_bytes(request.content)
        return httpx.Response(200 if path.exists() else 404)

    def start(self, job: dict[str, Any]) -> httpx.Response:
        name = job["submission_id"]
        if (self.folder / "jobs" / f"{name}.json").exists():
            return httpx.Response(500, text=f"{TRACEBACK}Job with submission_id {name} already exists.")
        with (self.folder / "starts").open("a") as file:
            file.write(f"{name}\n")
        self.write(job | {"status": "PENDING", "message": "", "logs": ""})
        return httpx.Response(200, json={"submission_id": name})

    def about(self, request: httpx.Request, name: str, what: str = "") -> httpx.Response:
        if not (self.folder / "jobs" / f"{name}.json").exists():
            return httpx.Response(404, text=f"Job {name} does not exist")
        job = self.read(name)
        if what == "stop" and job["status"] in ("PENDING", "RUNNING"):
            self.write(job | {"status": "STOPPED"})
        return httpx.Response(200, json={"stopped": True} if what == "stop" else job)

    def say(self, name: str, **content: str) -> None:
        """Let Ray believe something of a job."""
        self.write(self.read(name) | content)

    def forget(self) -> None:
        """Be a new head."""
        for path in (self.folder / "jobs").iterdir():
            path.unlink()

    def read(self, name: str) -> dict[str, Any]:
        job: dict[str, Any] = json.loads((self.folder / "jobs" / f"{name}.json").read_text())
        return job

    def write(self, job: dict[str, Any]) -> None:
        (self.folder / "jobs" / f"{job['submission_id']}.json").write_text(json.dumps(job))
