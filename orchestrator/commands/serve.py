"""Run a queue of studies for a cluster, as an HTTP service.

The service submits studies, watches them, and submits them again if their driver is lost.
"""

import argparse
import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.commands.common import add_mirror, add_store, positive
from orchestrator.core.errors import UserError

if TYPE_CHECKING:
    from orchestrator.service.app import Service

SHORTEST = 16  # characters of a token


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--address",
        metavar="URL",
        help="dashboard of the Ray cluster, http://HOST:8265 (default: $RAY_API_SERVER_ADDRESS)",
    )
    add_store(parser)
    add_mirror(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1)")
    parser.add_argument("--port", type=positive, default=8270, help="port to listen at (default: 8270)")
    parser.add_argument(
        "--longest-queue",
        type=positive,
        metavar="N",
        default=100,
        help="maximum number of waiting studies (default: 100)",
    )
    parser.add_argument(
        "--python", metavar="PATH", help="the cluster's interpreter (default: $STILLHOUSE_PYTHON there)"
    )
    parser.add_argument(
        "--env",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="environment variable for every job (may be repeated)",
    )
    parser.add_argument(
        "--driver-on", metavar="NAME[=AMOUNT]", help="custom resource of the node that runs drivers (default: the head)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal ends it."""
    from orchestrator.core.listening import open_socket, url_of
    from orchestrator.core.store import Store
    from orchestrator.execution.interruption import raise_interrupt
    from orchestrator.service.reconcile_loop import ReconcileLoop
    from orchestrator.service.server import leave_threads, only_service, serve
    from orchestrator.submit.job_request import shared_store
    from orchestrator.submit.record import JobRecords

    store = Store(shared_store(arguments.store))
    token = require_token()
    store.prepare()
    signal.signal(signal.SIGTERM, raise_interrupt)  # which the server raises again when it has closed
    with (
        contextlib.suppress(KeyboardInterrupt),
        only_service(store),
        open_socket(arguments.host, arguments.port) as listener,
    ):
        service = service_of(arguments, store.root, token)
        loop = ReconcileLoop(service.queue, service.cluster, JobRecords(store.root))
        print(
            f"listening at {url_of(arguments.host, listener)}, for the cluster at {service.cluster.address}", flush=True
        )
        serve(service, loop, listener)
    leave_threads()
    return 0


def service_of(arguments: argparse.Namespace, store: Path, token: str) -> "Service":
    """Return the service that the arguments describe."""
    from orchestrator.service.app import Service
    from orchestrator.service.queue import Queue
    from orchestrator.service.server import QUEUE
    from orchestrator.service.validation import SubmissionValidator
    from orchestrator.submit.cluster import ADDRESS, RayCluster
    from orchestrator.submit.job_request import resources_of, variables_of

    address = arguments.address or os.environ.get(ADDRESS)
    if not address:
        raise UserError(f"name the cluster by --address http://HOST:8265 or {ADDRESS}")
    variables, resources = variables_of(arguments.env), resources_of(arguments.driver_on)
    validator = SubmissionValidator(str(store), arguments.mirror, arguments.python, variables, resources)
    return Service(Queue(store / QUEUE, arguments.longest_queue), validator, RayCluster(address), token)


def require_token() -> str:
    """Return the token that clients must show; raise ``UserError`` without one."""
    from orchestrator.submit.service_token import TOKEN, service_token

    token = service_token()
    if len(token) < SHORTEST:
        raise UserError(f"set {TOKEN} to at least {SHORTEST} characters: anyone who has it can run studies")
    return token
