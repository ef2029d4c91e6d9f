"""Ask an MLflow server one question, with the settings of MLflow's client, and name the reason when it fails."""

import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import MlflowHostCreds, http_request
from requests.exceptions import InvalidHeader, InvalidProxyURL, InvalidSchema, InvalidURL
from urllib3.exceptions import LocationParseError

from orchestrator.core.errors import OperationError
from orchestrator.core.redact import first_line, redacted
from orchestrator.tracking.faults import CLIENT_CERTIFICATE, LOGIN, TrackingRefused, Unreachable, will_pass
from orchestrator.tracking.http_proxy import Proxy, proxy_of
from orchestrator.tracking.server_answer import refusal_of
from trainers.schema.foreign_json import parse_json

CONNECT_TIMEOUT_S = 10  # to connect, and without a byte
ASKED = "/api/2.0/mlflow/experiments/search"  # what the client asks next; proxies may serve nothing but the API
SAME_METHOD = (307, 308)  # redirects that MLflow's client can follow: others turn its POST into GET
WRONG = (InvalidURL, InvalidSchema, InvalidProxyURL, LocationParseError)
UNSENDABLE = (InvalidHeader, UnicodeError)  # a token with a line break, or with letters that a header cannot hold
TUNNEL = re.compile(r"Tunnel connection failed: (?P<status>\d{3})(?P<reason>.*)")
CUT_OFF = {"SSLEOFError", "SSLZeroReturnError"}  # the server went away while it spoke TLS
TLS = "set MLFLOW_TRACKING_SERVER_CERT_PATH to its certificate, or MLFLOW_TRACKING_INSECURE_TLS=true"
TLS_WAYS = {  # by what OpenSSL says
    "mismatch": "address the server by a name that its certificate holds",
    "WRONG_VERSION_NUMBER": "no TLS is spoken there: begin the address with http://",
    "CERTIFICATE_REQUIRED": CLIENT_CERTIFICATE,
    "HANDSHAKE_FAILURE": f"where the server asks for a certificate of the client, {CLIENT_CERTIFICATE}",
    "PEM lib": "MLFLOW_TRACKING_CLIENT_CERT_PATH must name a PEM file with a certificate and its key",
}


def require_server(uri: str) -> None:
    """Raise when no MLflow server answers at an HTTP address, or when it does not let us in.

    Raises ``Unreachable`` where the same request may succeed later, and ``TrackingRefused`` where the user has to change something.
    """
    answer = _ask(uri)
    if answer.status_code != 200 or not _is_mlflows(answer):
        raise refusal_of(uri, ASKED, answer)


def _ask(uri: str) -> Any:
    try:
        credentials = get_default_host_creds(uri)  # type: ignore[no-untyped-call]
    except (MlflowException, ValueError) as error:
        raise TrackingRefused(f"MLflow's client cannot be set up: {first_line(error)}") from error
    if uri.startswith("https:"):
        _require_certificates(credentials)
    try:
        return _get(credentials)
    except ImportError as error:
        raise TrackingRefused(f"MLflow's client needs a package: {first_line(error)}") from error
    except (MlflowException, ValueError) as error:
        raise _unanswered(uri, error) from error


def _get(credentials: MlflowHostCreds) -> Any:
    """Return the reply, also of the server behind redirects that MLflow's client follows."""
    answer = _request(credentials, follow=False)
    return _request(credentials, follow=None) if answer.status_code in SAME_METHOD else answer


def _request(credentials: MlflowHostCreds, *, follow: bool | None) -> Any:
    """Ask once; ``None`` leaves it to ``MLFLOW_ALLOW_HTTP_REDIRECTS`` whether redirects are followed."""
    return http_request(  # type: ignore[no-untyped-call]
        credentials, ASKED, "GET", max_retries=0, timeout=CONNECT_TIMEOUT_S, raise_on_status=False,
        params={"max_results": 1}, allow_redirects=follow,
    )  # fmt: skip


def _is_mlflows(answer: Any) -> bool:
    """Return whether a reply is a list of experiments; a list that is empty is left out of it."""
    try:
        found = parse_json(answer.content)
    except ValueError:
        return False
    return isinstance(found, dict) and found.keys() <= {"experiments", "next_page_token"}


def _require_certificates(credentials: MlflowHostCreds) -> None:
    """Raise for a file of certificates that cannot be read, which ``requests`` reports like a broken connection."""
    bundle = "REQUESTS_CA_BUNDLE" if os.environ.get("REQUESTS_CA_BUNDLE") else "CURL_CA_BUNDLE"
    trusted, path = bundle, os.environ.get(bundle)
    if credentials.verify is not True:
        trusted, path = "MLFLOW_TRACKING_SERVER_CERT_PATH", credentials.server_cert_path
    for name, file in ((trusted, path), ("MLFLOW_TRACKING_CLIENT_CERT_PATH", credentials.client_cert_path)):
        if file and not os.access(file, os.R_OK):
            raise TrackingRefused(f"{name} names {file}, which cannot be read: correct the path, or unset the variable")


def _unanswered(uri: str, error: Exception) -> OperationError:
    chain = list(_causes(error))
    reason = next((found for found in chain if isinstance(found, OSError) and found.errno), chain[-1])
    where = f"no MLflow server answers at {redacted(uri)}: {first_line(reason)}"
    if any(isinstance(found, UNSENDABLE) for found in chain):
        return TrackingRefused(
            f"credentials cannot be sent to MLflow at {redacted(uri)}: {first_line(reason)}; {LOGIN}"
        )
    if any(isinstance(found, WRONG) for found in chain) or isinstance(error, ValueError) or not urlsplit(uri).hostname:
        return TrackingRefused(where)
    names = {type(found).__name__ for found in chain}
    if "SSLError" in names and not names & CUT_OFF:
        said = " ".join(map(str, chain))
        return TrackingRefused(f"{where}; {next((way for sign, way in TLS_WAYS.items() if sign in said), TLS)}")
    proxy = proxy_of(uri)
    return Unreachable(where) if proxy is None else _behind(proxy, uri, first_line(reason))


def _behind(proxy: Proxy, uri: str, reason: str) -> OperationError:
    tunnel = TUNNEL.search(reason)
    if tunnel and not will_pass(tunnel["status"]):
        return proxy.refusal(uri, f"{tunnel['status']}{tunnel['reason']}")
    return Unreachable(
        f"no MLflow server answers at {redacted(uri)} through {proxy}: {reason}; {proxy.way_around(uri)}"
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, also those that a library hides in an attribute or an argument."""
    found: BaseException | None = error
    seen: set[int] = set()
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        inner = (getattr(found, "reason", None), found.__cause__, found.__context__, *found.args)
        found = next((one for one in inner if isinstance(one, BaseException) and id(one) not in seen), None)
