"""Warn of a server that leaves artifacts to its clients and a folder: MLflow's client writes them to its own machine."""

import functools
import logging
from ipaddress import ip_address
from urllib.parse import urlsplit

from orchestrator.core.redact import redacted

log = logging.getLogger(__name__)


@functools.cache  # a process that connects again says it once
def warn_of_server_folder(uri: str, experiment: str, place: str) -> None:
    """Warn when an experiment's artifacts of a server on another machine belong into a folder."""
    if not uri.startswith(("http://", "https://")) or _is_this_machine(urlsplit(uri).hostname or ""):
        return
    if urlsplit(place).scheme in ("", "file"):
        log.warning(
            "MLflow at %s leaves artifacts of experiment %s to its clients, in the folder %s: unless this machine and the "
            "server share that folder, MLflow's pages lack them; start the server with --artifacts-destination and name a "
            "new tracking.experiment",
            redacted(uri), experiment, place,
        )  # fmt: skip


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
