"""Describe a submission, and turn it into a Ray job."""

import math
import os
import shlex
import sys
from dataclasses import dataclass, field
from typing import Any

from orchestrator.core.errors import UserError
from orchestrator.core.ray_environment import SETTINGS
from orchestrator.core.redact import is_secret_name
from orchestrator.submit.identity import Attempt
from orchestrator.submit.shipment import STUDY, Shipment

PYTHON = "STILLHOUSE_PYTHON"  # set where the cluster's processes start: its interpreter, which knows the packages
LEAST_AMOUNT = 0.001  # of the driver's resource, where none is given: room for a thousand drivers
STOP_S = 60  # seconds that Ray leaves a job to save its trials' states, instead of 3
LONGEST_END_S = STOP_S + 60.0  # that anybody waits for a driver that Ray was asked to end


@dataclass(frozen=True)
class JobRequest:
    """Hold a submission: its name, its shipment, and how the job runs it.

    ``store`` is a folder that all machines of the cluster share. ``command`` is the driver's command, ``subjects`` its
    first arguments, which is the shipped study for ``run``, and ``options`` are further arguments. ``python`` is the
    cluster's interpreter, by default that of ``STILLHOUSE_PYTHON`` there, else this process's own path. ``resources``
    are the resources that the driver reserves, such as ``{"safe": 0.01}``: without any, it runs on the head.
    """

    key: str
    study: str
    shipment: Shipment
    store: str
    options: tuple[str, ...] = ()
    python: str | None = None
    variables: dict[str, str] = field(default_factory=dict)
    resources: dict[str, float] = field(default_factory=dict)
    command: str = "run"
    subjects: tuple[str, ...] = (STUDY,)


def ray_job(job_request: JobRequest, attempt: Attempt, working_dir: str, version: str) -> dict[str, Any]:
    """Return Ray's description of the job that is this attempt."""
    job: dict[str, Any] = {
        "submission_id": str(attempt),
        "entrypoint": entrypoint(job_request, attempt, version),
        "runtime_env": {"working_dir": working_dir, "env_vars": environment(job_request)},
        "metadata": {"stillhouse": job_request.study},
    }
    return job | ({"entrypoint_resources": job_request.resources} if job_request.resources else {})


def entrypoint(job_request: JobRequest, attempt: Attempt, version: str) -> str:
    """Return the shell command of the job; ``exec`` lets Ray's signals reach the driver itself."""
    words = [
        "-m",
        "orchestrator.commands.job",
        "--attempt",
        str(attempt),
        "--study",
        job_request.study,
        "--client",
        version,
    ]
    words += ["--command", job_request.command, "--", *job_request.subjects]
    words += ["--address", "auto", "--store", job_request.store, *job_request.options]
    return f"exec {interpreter(job_request.python)} {shlex.join(words)}"


def interpreter(python: str | None) -> str:
    """Return the cluster's interpreter as a word of a shell command."""
    return shlex.quote(python) if python else f'"${{{PYTHON}:-{sys.executable}}}"'


def environment(job_request: JobRequest) -> dict[str, str]:
    """Return the variables of the job and of every process that it starts; they are no place for secrets."""
    return SETTINGS | {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_S)} | job_request.variables


def variables_of(pairs: list[str]) -> dict[str, str]:
    """Read ``NAME=VALUE`` pairs; raise ``UserError`` for anything else and for secrets, which Ray shows to everybody."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise UserError(f"--env takes NAME=VALUE, got {pair!r}")
        if is_secret_name(name):
            raise UserError(
                f"--env {name}: Ray shows a job's variables to everybody: set secrets where its nodes start"
            )
        found[name] = value
    return found


def resources_of(text: str | None) -> dict[str, float]:
    """Parse the driver's resource, ``NAME`` or ``NAME=AMOUNT``."""
    if not text:
        return {}
    name, equals, amount = text.partition("=")
    number = _amount(amount) if equals else LEAST_AMOUNT
    if not name.strip() or number is None:
        raise UserError(f"--driver-on takes NAME or NAME=AMOUNT, as in safe=0.01, got {text!r}")
    return {name: number}


def _amount(text: str) -> float | None:
    """Return the amount of a resource, ``None`` for anything that Ray cannot reserve."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0.0 < number < math.inf else None


def shared_store(text: str | None) -> str:
    """Return a store's folder as the cluster sees it, from a path or ``file://``; raise ``UserError`` for others."""
    from orchestrator.core.store import Store

    path = (text or "").removeprefix("file://")
    if "://" in path:
        raise UserError(
            f"{path}: the store is a folder that the cluster's machines share; --mirror copies it to {path}"
        )
    return os.path.normpath(Store(path or None).root)
