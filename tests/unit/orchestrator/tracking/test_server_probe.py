"""An MLflow server is asked one question as its client would ask it, and what fails is named with a way out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow.exceptions import MlflowException
from requests import Response
from requests.exceptions import InvalidHeader, InvalidURL, SSLError
from urllib3.exceptions import NewConnectionError

from orchestrator.tracking import server_probe
from orchestrator.tracking.faults import CLIENT_CERTIFICATE, LOGIN, TrackingRefused, Unreachable
from orchestrator.tracking.server_probe import ASKED, CONNECT_TIMEOUT_S, TLS, require_server

URI = "https://mlflow:5000"
VARIABLES = (
    "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_CLIENT_CERT_PATH",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
)  # fmt: skip
Answer = Callable[..., list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def reply(status: int, text: str = "{}") -> Response:
    found = Response()
    found.status_code, found.reason, found.encoding, found._content = status, "Why", "utf-8", text.encode()
    return found


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Return a function that sets the replies to come, or the error; it returns the list of what is asked."""

    def set_up(*replies: Response | Exception) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = []
        left = list(replies)

        def request(credentials: Any, path: str, method: str, **options: Any) -> Response:
            asked.append({"host": credentials.host, "path": path, "method": method, **options})
            found = left.pop(0)
            if isinstance(found, OSError):  # the client wraps what its libraries raise
                raise MlflowException(f"API request failed with exception {found}") from found
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(server_probe, "http_request", request)
        return asked

    return set_up


@pytest.mark.parametrize("text", ["{}", '{"experiments": []}', '{"experiments": [], "next_page_token": "x"}'])
def test_a_list_of_experiments_is_the_reply_of_a_server_that_is_asked_once(text: str, answer: Answer) -> None:
    asked = answer(reply(200, text))
    require_server(URI)
    options = {"max_retries": 0, "timeout": CONNECT_TIMEOUT_S, "raise_on_status": False, "params": {"max_results": 1}}
    assert asked == [{"host": URI, "path": ASKED, "method": "GET", "allow_redirects": False, **options}]


@pytest.mark.parametrize("text", ['{"experiments": [], "more": 1}', "[]", "<html>", '"experiments"'])
def test_any_other_reply_is_that_of_something_else(text: str, answer: Answer) -> None:
    answer(reply(200, text))
    with pytest.raises(TrackingRefused, match="it is not an MLflow server"):
        require_server(URI)


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_that_keeps_the_method_is_followed_as_the_client_does(status: int, answer: Answer) -> None:
    asked = answer(reply(status), reply(200))
    require_server(URI)
    assert [one["allow_redirects"] for one in asked] == [False, None]


@pytest.mark.parametrize(("status", "kind"), [(302, TrackingRefused), (401, TrackingRefused), (503, Unreachable)])
def test_a_reply_that_is_not_followed_is_refused_as_it_is(status: int, kind: type[Exception], answer: Answer) -> None:
    asked = answer(reply(status))
    with pytest.raises(kind):
        require_server(URI)
    assert len(asked) == 1


def tls(said: str) -> Exception:
    error = SSLError("HTTPSConnectionPool: failed")
    error.__cause__ = OSError(said)
    return error


def wrapped(cause: Exception) -> Exception:
    error = requests.ConnectionError("Max retries exceeded")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind", "end"),
    [
        (wrapped(ConnectionRefusedError(111, "Connection refused")), Unreachable, "Connection refused"),
        (wrapped(NewConnectionError(None, "no route")), Unreachable, "no route"),  # type: ignore[arg-type]
        (InvalidURL("no host given"), TrackingRefused, "no host given"),
        (InvalidHeader("a header has a line break"), TrackingRefused, f"; {LOGIN}"),
        (tls("certificate verify failed: unable to get local issuer certificate"), TrackingRefused, f"; {TLS}"),
        (tls("Hostname mismatch"), TrackingRefused, "; address the server by a name that its certificate holds"),
        (tls("WRONG_VERSION_NUMBER"), TrackingRefused, "no TLS is spoken there: begin the address with http://"),
        (tls("TLSV13_ALERT_CERTIFICATE_REQUIRED"), TrackingRefused, f"; {CLIENT_CERTIFICATE}"),
        (ImportError("No module named 'azure'"), TrackingRefused, "needs a package: No module named 'azure'"),
    ],
    ids=["refused", "no route", "no host", "header", "issuer", "name", "no TLS", "certificate", "package"],
)
def test_what_does_not_answer_is_waited_for_and_what_cannot_is_to_be_changed(
    error: Exception, kind: type[Exception], end: str, answer: Answer
) -> None:
    answer(error)
    with pytest.raises((TrackingRefused, Unreachable)) as found:
        require_server(URI)
    assert (type(found.value), str(found.value).endswith(end)) == (kind, True), str(found.value)


def test_a_connection_that_fails_behind_a_proxy_names_the_proxy(
    answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    answer(wrapped(OSError("Tunnel connection failed: 407 Proxy Authentication Required")))
    with pytest.raises(
        TrackingRefused, match=r"^the proxy http://proxy:3128 of HTTPS_PROXY refuses .*\(407 Proxy Auth"
    ):
        require_server(URI)
    answer(wrapped(OSError("Tunnel connection failed: 503 Service Unavailable")))
    with pytest.raises(
        Unreachable, match=r"through the proxy http://proxy:3128 of HTTPS_PROXY: .*NO_PROXY=mlflow goes"
    ):
        require_server(URI)


@pytest.mark.parametrize(
    "name",
    ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_CLIENT_CERT_PATH"],
)
def test_a_file_of_certificates_that_cannot_be_read_is_named_with_its_variable(
    name: str, answer: Answer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(name, str(tmp_path / "gone.pem"))
    assert answer() == []
    with pytest.raises(TrackingRefused, match=f"^{name} names {tmp_path / 'gone.pem'}, which cannot be read"):
        require_server(URI)
    (tmp_path / "gone.pem").touch()
    answer(reply(200))
    require_server(URI)
