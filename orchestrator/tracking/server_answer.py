"""Say why the reply at an MLflow server's address is not the reply of an MLflow server that lets us in."""

from typing import Any
from urllib.parse import urlsplit

from orchestrator.core.errors import OperationError
from orchestrator.core.redact import redacted
from orchestrator.tracking.faults import CLIENT_CERTIFICATE, DENIED, LOGIN, TrackingRefused, Unreachable, will_pass
from orchestrator.tracking.http_proxy import proxy_of
from trainers.schema.foreign_json import parse_json

MOVED = (301, 302, 303)
FOREIGN_HOST = "Invalid Host header"  # MLflow's own words, since 3.5
HTTPS = "TLS is spoken there: begin the address with https://"
PAGES = {  # by the words of a page
    "HTTP request was sent to HTTPS": HTTPS,  # nginx
    "HTTP request to an HTTPS": HTTPS,  # servers in Go
    "No required SSL certificate was sent": CLIENT_CERTIFICATE,  # nginx
}
LONGEST_WORDS = 200


def refusal_of(uri: str, asked: str, answer: Any) -> OperationError:
    """Return the error for a reply to the path ``asked`` that is not a list of experiments."""
    status, reason = answer.status_code, f"no MLflow server answers at {redacted(uri)}: {answer.reason}"
    proxy = proxy_of(uri)
    if status == 407 and proxy is not None:
        return proxy.refusal(uri, f"{status} {answer.reason}")
    if status in MOVED:
        return TrackingRefused(_redirected(uri, asked, answer.headers.get("Location", "")))
    if status in DENIED:
        return TrackingRefused(_denied(uri, answer))
    if will_pass(status):
        return Unreachable(reason if proxy is None else f"{reason}, through {proxy}; {proxy.way_around(uri)}")
    if status == 200 and _ends_half_way(answer):
        return Unreachable(f"the answer of {redacted(uri)} ends half-way")
    if status == 200:
        return TrackingRefused(f"something answers at {redacted(uri)}, but it is not an MLflow server")
    if status == 404:
        return TrackingRefused(f"{reason}; where a proxy serves MLflow below a path, tracking.uri ends with that path")
    return TrackingRefused("; ".join([reason, *(way for words, way in PAGES.items() if words in answer.text)]))


def _denied(uri: str, answer: Any) -> str:
    said = ": ".join(filter(None, [f"{answer.status_code} {answer.reason}", _words(answer)]))
    if FOREIGN_HOST in answer.text:
        host = urlsplit(uri).netloc.rpartition("@")[2]
        way = f"add {host} to --allowed-hosts (MLFLOW_SERVER_ALLOWED_HOSTS) where the server is started"
    else:
        way = LOGIN
    proxy = None if _speaks_mlflow(answer) else proxy_of(uri)
    around = "" if proxy is None else f"; it was asked through {proxy}, and {proxy.way_around(uri)}"
    return f"MLflow at {redacted(uri)} refuses access ({said}): {way}{around}"


def _redirected(uri: str, asked: str, location: str) -> str:
    target = redacted(location.partition("?")[0])  # a query holds states and tokens
    if target.endswith(asked):
        return f"MLflow at {redacted(uri)} has moved: set tracking.uri to {target.removesuffix(asked)}"
    return (
        f"MLflow at {redacted(uri)} wants a sign-in in a browser, at {target}: set MLFLOW_TRACKING_TOKEN, or give "
        "tracking.uri an address that programs may use"
    )


def _words(answer: Any) -> str:
    """Return the server's own sentence, unless it is a page."""
    try:
        found = parse_json(answer.content)
        said = found.get("message") or found.get("error") or ""
    except (ValueError, AttributeError):
        said = "" if answer.text.lstrip().startswith("<") else answer.text
    return redacted(str(said)).strip().partition("\n")[0][:LONGEST_WORDS]


def _ends_half_way(answer: Any) -> bool:
    """Return whether a reply begins as a document of MLflow's does, and is none."""
    try:
        parse_json(answer.content)
    except ValueError:
        return bool(answer.content.lstrip().startswith(b"{"))
    return False


def _speaks_mlflow(answer: Any) -> bool:
    return FOREIGN_HOST in answer.text or '"error_code"' in answer.text
