"""Ask for one trial where the store is the cluster's and not seen from here: a small job there runs the command."""

import re
import shlex
import time
import uuid
from collections.abc import Callable

from orchestrator.core.errors import OperationError, UserError
from orchestrator.execution.trial_requests import AcceptedRequest
from orchestrator.submit.cluster import ADDRESS, RayCluster
from orchestrator.submit.job_request import JobRequest, environment, interpreter
from orchestrator.submit.reconcile import RayJob
from orchestrator.submit.shipment import STUDY
from trainers.schema.error_text import last_line_of
from trainers.schema.foreign_json import parse_json
from trainers.schema.request import Request

PATIENCE_S, LOOK_S = 180.0, 1.0
WRONG_INPUT = re.compile(r"exit code 2\b")  # in Ray's message about the job


def ask_on_cluster(
    cluster: RayCluster,
    job_request: JobRequest,
    trial: str,
    request: Request,
    wait: Callable[[float], None] = time.sleep,
) -> AcceptedRequest:
    """Leave a request in the cluster's store and return its effect.

    Raises ``UserError`` where the request does not fit, ``OperationError`` where the job fails or takes too long.
    """
    cluster.require_same_version()
    uri = cluster.upload(job_request.shipment.archive(), job_request.shipment.digest)
    name = f"stillhouse-request-{uuid.uuid4().hex[:12]}"  # no attempt's id: it is no submission
    cluster.submit(trial_job(name, job_request, trial, request, uri))
    job = _ended(cluster, name, wait)
    output = cluster.logs(name)
    if job.status != "SUCCEEDED":
        error = UserError if WRONG_INPUT.search(job.message) else OperationError
        raise error(last_line_of(output).removeprefix("stillhouse: ") or job.message)
    return _accepted(output, request)


def trial_job(name: str, job_request: JobRequest, trial: str, request: Request, working_dir: str) -> dict[str, object]:
    """Return Ray's description of the job; it knows neither service nor cluster, so it asks nobody else."""
    words = ["-m", "orchestrator.cli", str(request), STUDY, "--trial", trial, "--store", job_request.store, "--json"]
    command = f"exec {interpreter(job_request.python)} {shlex.join([*words, *job_request.options])}"
    variables = environment(job_request) | {ADDRESS: "", "STILLHOUSE_URL": ""}
    return {
        "submission_id": name,
        "entrypoint": command,
        "runtime_env": {"working_dir": working_dir, "env_vars": variables},
        "metadata": {"stillhouse": job_request.study},
    }


def _ended(cluster: RayCluster, name: str, wait: Callable[[float], None]) -> RayJob:
    for _ in range(round(PATIENCE_S / LOOK_S)):
        job = cluster.job(name)
        if job is not None and job.over:
            return job
        wait(LOOK_S)
    cluster.stop(name)
    raise OperationError(f"the cluster has not run the job {name} within {PATIENCE_S:g} s: nothing may have changed")


def _accepted(output: str, request: Request) -> AcceptedRequest:
    """Read the object that the command printed; other lines are Ray's."""
    lines = output.splitlines()
    begins = [number for number, line in enumerate(lines) if line == "{"]
    ends = [number for number, line in enumerate(lines) if line == "}"]
    if not begins or not ends:
        raise OperationError(f"the job printed no answer: {last_line_of(output)}")
    found = parse_json("\n".join(lines[begins[-1] : ends[-1] + 1]))
    return AcceptedRequest(str(found["trial"]), request, bool(found["at_once"]))
