"""A reply that is no MLflow server's letting us in is told in a sentence: what answers, why, and what to change."""

import json

import pytest
from requests import Response

from orchestrator.core.errors import OperationError
from orchestrator.tracking import http_proxy
from orchestrator.tracking.faults import CLIENT_CERTIFICATE, LOGIN, TrackingRefused, Unreachable
from orchestrator.tracking.server_answer import HTTPS, refusal_of

URI, ASKED = "http://me:hunter2@mlflow:5000", "/api/2.0/mlflow/experiments/search"
SHOWN = "http://***@mlflow:5000"
BELOW = "where a proxy serves MLflow below a path, tracking.uri ends with that path"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def reply(status: int, text: str = "", reason: str = "Why", **headers: str) -> Response:
    found = Response()
    found.status_code, found.reason, found.encoding, found._content = status, reason, "utf-8", text.encode()
    found.headers.update(headers)
    return found


def refused(found: Response, uri: str = URI) -> tuple[type[OperationError], str]:
    error = refusal_of(uri, ASKED, found)
    assert "hunter2" not in str(error)
    return type(error), str(error)


@pytest.mark.parametrize(
    ("found", "kind", "said"),
    [
        (reply(503), Unreachable, f"no MLflow server answers at {SHOWN}: Why"),
        (reply(429), Unreachable, f"no MLflow server answers at {SHOWN}: Why"),
        (reply(200, '{"experiments": ['), Unreachable, f"the answer of {SHOWN} ends half-way"),
        (reply(200, "<html>"), TrackingRefused, f"something answers at {SHOWN}, but it is not an MLflow server"),
        (reply(200, '{"a": 1}'), TrackingRefused, f"something answers at {SHOWN}, but it is not an MLflow server"),
        (reply(400), TrackingRefused, f"no MLflow server answers at {SHOWN}: Why"),
        (reply(407), TrackingRefused, f"no MLflow server answers at {SHOWN}: Why"),  # of no proxy that we know
        (
            reply(404),
            TrackingRefused,
            f"no MLflow server answers at {SHOWN}: Why; {BELOW}",
        ),
    ],
)
def test_each_status_has_its_sentence(found: Response, kind: type[OperationError], said: str) -> None:
    assert refused(found) == (kind, said)


@pytest.mark.parametrize(
    ("page", "way"),
    [
        ("400 The plain HTTP request was sent to HTTPS port", HTTPS),
        ("Client sent an HTTP request to an HTTPS server.", HTTPS),
        ("400 No required SSL certificate was sent", CLIENT_CERTIFICATE),
    ],
)
def test_the_words_of_a_page_tell_what_to_change_and_nothing_else(page: str, way: str) -> None:
    assert refused(reply(400, page)) == (TrackingRefused, f"no MLflow server answers at {SHOWN}: Why; {way}")


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_server_that_has_moved_says_where_and_a_sign_in_is_told_apart(status: int) -> None:
    moved = reply(status, Location=f"https://new:hunter2@host{ASKED}?state=hunter2")
    assert refused(moved) == (TrackingRefused, f"MLflow at {SHOWN} has moved: set tracking.uri to https://***@host")
    kind, said = refused(reply(status, Location="https://login.example/start?state=hunter2"))
    assert (kind, said.partition(":")[0]) == (TrackingRefused, "MLflow at http")
    assert f"MLflow at {SHOWN} wants a sign-in in a browser, at https://login.example/start: set " in said


OF_MLFLOW = json.dumps({"error_code": "PERMISSION_DENIED", "message": "Permission denied\nhunter"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (OF_MLFLOW, "401 Why: Permission denied"),
        ('{"error": "no token"}', "401 Why: no token"),
        ("You are not authenticated.\nSee the page", "401 Why: You are not authenticated."),
        ("  <html><body>denied</body></html>", "401 Why"),
        ("[1]", "401 Why: [1]"),
        ("", "401 Why"),
    ],
)
def test_a_server_that_denies_access_is_quoted_in_its_first_line(text: str, words: str) -> None:
    assert refused(reply(401, text)) == (TrackingRefused, f"MLflow at {SHOWN} refuses access ({words}): {LOGIN}")


def test_a_host_that_the_server_does_not_know_is_to_be_allowed_there() -> None:
    _, said = refused(reply(403, "Invalid Host header"))
    way = "add mlflow:5000 to --allowed-hosts (MLFLOW_SERVER_ALLOWED_HOSTS) where the server is started"
    assert said == f"MLflow at {SHOWN} refuses access (403 Why: Invalid Host header): {way}"


@pytest.fixture
def through_proxy(monkeypatch: pytest.MonkeyPatch) -> str:
    """Name a proxy; return how messages name it."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    return str(http_proxy.Proxy("http://proxy:3128", "HTTP_PROXY"))


AROUND = "NO_PROXY=mlflow goes without it"


def test_a_proxy_that_wants_a_password_of_its_own_is_told_with_its_variable(through_proxy: str) -> None:
    kind, said = refused(reply(407))
    assert kind is TrackingRefused
    assert said.startswith(f"{through_proxy} refuses to connect to MLflow at {SHOWN} (407 Why): give HTTP_PROXY a user")
    assert said.endswith(AROUND)


@pytest.mark.parametrize("text", [OF_MLFLOW, "Invalid Host header"])
def test_what_mlflow_itself_denies_is_not_blamed_on_the_proxy(text: str, through_proxy: str) -> None:
    assert "proxy" not in refused(reply(403, text))[1]


def test_what_somebody_else_denies_or_does_not_answer_may_be_the_proxys_doing(through_proxy: str) -> None:
    _, denied = refused(reply(403, "denied by policy"))
    assert denied.endswith(f"{LOGIN}; it was asked through {through_proxy}, and {AROUND}")
    assert refused(reply(503)) == (
        Unreachable,
        f"no MLflow server answers at {SHOWN}: Why, through {through_proxy}; {AROUND}",
    )
