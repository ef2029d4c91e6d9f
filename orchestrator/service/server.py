"""Run the service: one process that answers HTTP and steps the queue."""

import contextlib
import logging
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator

from fastapi import FastAPI

from orchestrator.compat.uvicorn_server import serve as answer
from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.locks import held_alone
from orchestrator.core.redact import redacted
from orchestrator.core.sparing_log import sparingly
from orchestrator.core.store import QUEUE_LOCK, Store
from orchestrator.execution.ownership import SERVICE_NOTE, noted_scratch
from orchestrator.service.app import Service, make_app
from orchestrator.service.obstacle import Obstacle
from orchestrator.service.reconcile_loop import ReconcileLoop

log = logging.getLogger(__name__)
QUEUE = "queue.db"  # in the store
STEP_S = 2.0


def serve(service: Service, loop: ReconcileLoop, listener: socket.socket) -> None:
    """Answer until a signal ends the process."""
    with sparingly("uvicorn.error", "asyncio", __name__, "orchestrator.service.streams"):
        answer(make_app(service, lifespan=stepping(loop, service.obstacle)), listener, lifespan="on")


def leave_threads() -> None:
    """End the process if threads still wait for a cluster: the interpreter would wait for them."""
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        logging.shutdown()
        sys.stdout.flush()
        os._exit(0)


def stepping(
    loop: ReconcileLoop, obstacle: Obstacle
) -> Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]]:
    """Return a lifespan during which the queue is stepped in a thread."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        over = threading.Event()
        thread = threading.Thread(target=run_loop, args=(loop, obstacle, over), name="reconcile-loop", daemon=True)
        thread.start()
        yield
        over.set()

    return lifespan


def run_loop(loop: ReconcileLoop, obstacle: Obstacle, over: threading.Event) -> None:
    """Run steps until stopped; log a cluster's error once, keep it as the ``obstacle``, and retry."""
    while not over.is_set():
        try:
            loop.step()
            obstacle.reason = ""
        except (OperationError, UserError) as error:
            said = redacted(str(error))
            if said != obstacle.reason:
                log.warning("%s; the queue waits", said)
            obstacle.reason = said
        except Exception:
            obstacle.reason = "a step of the queue failed, as the service's log says; it is tried again"
            log.exception("a step of the queue failed; it is tried again")
        over.wait(STEP_S)


@contextlib.contextmanager
def only_service(store: Store) -> Iterator[None]:
    """Hold a store's queue for this process, with a folder for temporary files that the next service can find.

    Raises ``OperationError`` while another service has it.
    """
    refusal = f"another service uses the queue {store.root / QUEUE}"
    with held_alone(store.root / QUEUE_LOCK, refusal), noted_scratch(store.root / SERVICE_NOTE):
        yield
