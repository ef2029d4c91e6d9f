"""Open the sockets that servers listen at."""

import errno
import socket

from orchestrator.core.errors import UserError

BACKLOG = 128  # connections that wait to be accepted; as many are accepted at a time


def open_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address; raise ``UserError`` when that is taken or not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small packets at once on connections that name their protocol: without it each answer takes 40 ms more.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)  # from here on whoever has read the address can connect
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"cannot listen at {host}, port {port}: {reason}; choose another {_wrong(error)}") from error
    return listener


def _wrong(error: Exception) -> str:
    """Return the option that an error of binding is about: a name without address, or another machine's address."""
    is_host = isinstance(error, socket.gaierror) or getattr(error, "errno", None) == errno.EADDRNOTAVAIL
    return "--host" if is_host else "--port"


def url_of(host: str, listener: socket.socket) -> str:
    """Return the address at which a listening server is reached under the name ``host``."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"
