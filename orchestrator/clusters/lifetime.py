"""Start a cluster for the length of a block, and stop it at every kind of end."""

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Iterator

from orchestrator.clusters.launcher import Launcher
from orchestrator.core.errors import OperationError
from orchestrator.execution.interruption import raise_interrupt

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, somebody's kill, the terminal that closes
TRIES, PAUSE_S = 3, 10.0

log = logging.getLogger(__name__)


@contextlib.contextmanager
def cluster_for_a_while(launcher: Launcher, name: str, *, keep: bool, pause_s: float = PAUSE_S) -> Iterator[None]:
    """Bring the cluster up, run the block, take the cluster down: also when bringing it up fails half way.

    Ctrl-C, SIGTERM and SIGHUP end the block as ``KeyboardInterrupt`` and cannot end the taking down. With ``keep`` the
    cluster stays. Raises ``OperationError`` when it could not be taken down: then it may still cost money.
    """
    with _signals(raise_interrupt):
        try:
            log.info("%s: starting machines", name)
            launcher.up()
            yield
        finally:
            if keep:
                log.info("%s keeps running and costing money; stop it with stillhouse cluster down", name)
            else:
                with _signals(signal.SIG_IGN):
                    take_down(launcher, name, pause_s=pause_s)


def take_down(launcher: Launcher, name: str, *, pause_s: float = PAUSE_S) -> None:
    """End the cluster's machines, trying again when the provider does not answer; raise ``OperationError`` in the end."""
    for left in reversed(range(TRIES)):
        try:
            log.info("%s: ending machines", name)
            launcher.down()
            log.info("%s: all machines have ended", name)
            return
        except OperationError as error:
            if not left:
                raise OperationError(
                    f"{name} MAY STILL RUN AND COST MONEY: try stillhouse cluster down, and look at the provider's "
                    f"console ({error})"
                ) from error
            time.sleep(pause_s)


@contextlib.contextmanager
def _signals(handler: object) -> Iterator[None]:
    """Let ``handler`` take the signals that end programs; outside of the main thread there is nothing to take."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in ENDING}  # type: ignore[arg-type]  # a handler or SIG_IGN
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
