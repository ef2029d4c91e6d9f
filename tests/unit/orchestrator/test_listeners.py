"""Servers listen on this machine alone unless they are told otherwise, say so when they do not, and know who may ask."""

import socket
from typing import Any

import pytest
from starlette.testclient import TestClient

from dashboards.server import LOOPBACK, allowed_hosts
from dashboards.web.escape import in_script
from orchestrator.cli import parser
from orchestrator.commands.serve import SHORTEST, require_token
from orchestrator.core.errors import UserError
from orchestrator.core.listening import open_socket, url_of
from orchestrator.submit.service_token import TOKEN, service_token
from tests.unit.dashboards.fake_tracking import FakeTracking
from tests.unit.orchestrator.command import Answer, runner

WARNING = "anyone who can reach"


@pytest.mark.parametrize("command", [("serve",), ("dashboard", "serve")])
def test_every_server_listens_on_loopback_unless_it_is_told_otherwise(command):
    host = parser().parse_args(command).host
    assert host == "127.0.0.1"
    with open_socket(host, 0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
        assert listener.family == socket.AF_INET
        assert url_of(host, listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_an_address_of_the_sixth_version_stands_in_brackets():
    with open_socket("127.0.0.1", 0) as listener:
        assert url_of("::1", listener) == f"http://[::1]:{listener.getsockname()[1]}"


class Served:
    """Stand for the server of the dashboard: keep its application and the address that it listens at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.application: Any = None
        self.address = ""
        monkeypatch.setattr("orchestrator.compat.uvicorn_server.serve", self)
        monkeypatch.setattr("orchestrator.commands.dashboard.tracking_of", lambda arguments: FakeTracking())

    def __call__(self, application: Any, listener: socket.socket) -> None:
        self.application, self.address = application, listener.getsockname()[0]

    def status(self, host: str) -> int:
        """Return how a request that names a host is answered."""
        return TestClient(self.application).get("/style.css", headers={"host": host}).status_code


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    return Served(monkeypatch)


def dashboard(capsys: pytest.CaptureFixture[str], *options: str) -> Answer:
    answer = runner(capsys)("dashboard", "serve", "--port", 0, *options)
    assert answer.code == 0, answer.err
    return answer


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_dashboard_of_this_machine_warns_of_nothing_and_knows_its_names_only(host, served, capsys):
    answer = dashboard(capsys, "--host", host)
    assert served.address == "127.0.0.1"
    assert WARNING not in answer.err
    assert [served.status(name) for name in ("127.0.0.1:1", "localhost", "[::1]:80", "strange.example")] == [
        200, 200, 200, 400
    ]  # fmt: skip


def test_a_dashboard_for_other_machines_says_so_and_may_be_called_anything(served, capsys):
    answer = dashboard(capsys, "--host", "0.0.0.0")
    assert served.address == "0.0.0.0"
    assert f"{WARNING} 0.0.0.0 can read all results: there is no password" in answer.err
    assert [served.status(name) for name in ("127.0.0.1:1", "strange.example")] == [200, 200]


@pytest.mark.parametrize("host", [*LOOPBACK])
def test_names_of_loopback_allow_all_of_them_and_no_other(host):
    assert set(allowed_hosts(host)) == {"127.0.0.1", "localhost", "::1", "[::1]"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "box.example", "127.0.0.1.example"])
def test_any_name_is_allowed_beyond_this_machine(host):
    assert allowed_hosts(host) == ("*",)


@pytest.mark.parametrize("character", ["<", ">", "&"])
def test_json_in_a_page_holds_no_character_that_html_acts_on(character):
    assert in_script(f'"a{character}b"') == f'"a\\u{ord(character):04x}b"'


@pytest.mark.parametrize("token", ["", "x" * (SHORTEST - 1)])
def test_a_service_refuses_a_token_that_can_be_guessed(token, monkeypatch):
    monkeypatch.setenv(TOKEN, token)
    with pytest.raises(UserError, match="at least 16 characters"):
        require_token()


def test_a_service_takes_a_token_of_sixteen_characters(monkeypatch):
    monkeypatch.setenv(TOKEN, "x" * 16)
    assert require_token() == "x" * 16


@pytest.mark.parametrize(
    "token", [" padded-at-the-front", "padded-at-the-end ", "tökens-are-ascii", "two\nlines-of-a-token"]
)
def test_a_token_that_no_header_can_carry_is_refused(token, monkeypatch):
    monkeypatch.setenv(TOKEN, token)
    with pytest.raises(UserError, match="ASCII letters, digits and punctuation only"):
        service_token()
