"""Name the HTTP proxy through which MLflow's client reaches a server."""

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from orchestrator.core.redact import redacted
from orchestrator.tracking.faults import TrackingRefused


@dataclass(frozen=True)
class Proxy:
    """Hold the address of a proxy, secrets included, and the environment variable that names it."""

    address: str
    variable: str

    def __str__(self) -> str:
        """Return the proxy as messages name it."""
        return f"the proxy {redacted(self.address)} of {self.variable}"

    def way_around(self, uri: str) -> str:
        """Return the setting with which requests to ``uri`` do not use the proxy."""
        return f"NO_PROXY={urlsplit(uri).hostname} goes without it"

    def refusal(self, uri: str, said: str) -> TrackingRefused:
        """Return the error for a proxy that does not let us through."""
        return TrackingRefused(
            f"{self} refuses to connect to MLflow at {redacted(uri)} ({said}): give {self.variable} a user and a password "
            f"that it accepts, as http://USER:PASSWORD@HOST:PORT; {self.way_around(uri)}"
        )


def proxy_of(uri: str) -> Proxy | None:
    """Return the proxy that the environment names for an address, ``None`` where requests go straight to it."""
    address = select_proxy(uri, get_environ_proxies(uri))
    if not address:
        return None
    scheme = urlsplit(uri).scheme
    names = [f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"]
    return Proxy(address, next((name for name in names if os.environ.get(name) == address), names[1]))
