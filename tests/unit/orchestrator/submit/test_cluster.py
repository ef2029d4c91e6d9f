"""Whatever is wrong with a cluster's address or token is one sentence that says what to do."""

import httpx
import pytest

from orchestrator.core.errors import OperationError, UserError
from orchestrator.submit import cluster
from orchestrator.submit.cluster import RayCluster
from tests.unit.orchestrator.submit.fake_ray import FakeRay

TOKEN = "a-token-of-the-cluster"


@pytest.fixture(autouse=True)
def no_token(monkeypatch, tmp_path):
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(cluster, "PAUSE_S", 0)


def ask(tmp_path):
    return RayCluster("http://head:8265", FakeRay(tmp_path / "ray", TOKEN).transport).jobs()


def test_no_token_and_a_wrong_one_are_told_apart(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"requires a token: set RAY_AUTH_TOKEN"):
        ask(tmp_path)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "another-token")
    with pytest.raises(UserError, match="refuses this token") as refused:
        ask(tmp_path)
    assert "another-token" not in str(refused.value)


def test_the_token_is_found_where_ray_finds_it(tmp_path, monkeypatch):
    file = tmp_path / "home" / ".ray" / "auth_token"
    file.parent.mkdir(parents=True)
    file.write_text(f"{TOKEN}\n")
    assert ask(tmp_path) == {}
    file.rename(tmp_path / "elsewhere")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "elsewhere"))
    assert ask(tmp_path) == {}
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    assert ask(tmp_path) == {}


def test_nobody_listens(unused_port):
    with pytest.raises(OperationError, match=rf"no Ray cluster answers at http://127\.0\.0\.1:{unused_port}"):
        RayCluster(f"127.0.0.1:{unused_port}").jobs()


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("address", ["ray://head:10001", "s3://bucket"])
def test_an_address_of_another_kind_is_refused(address):
    with pytest.raises(UserError, match="http://HOST:8265"):
        RayCluster(address)


@pytest.mark.parametrize("address", ["http://head:notaport", "http://[::1", "head:99999999"])
def test_an_address_that_is_none_is_one_sentence(address):
    with pytest.raises((UserError, OperationError)) as refused:
        RayCluster(address).jobs()
    assert len(str(refused.value).splitlines()) == 1


def test_something_else_that_answers_is_no_cluster():
    transport = httpx.MockTransport(lambda request: httpx.Response(200, text="<html>hello</html>"))
    with pytest.raises(UserError, match="not a Ray cluster"):
        RayCluster("http://head", transport).jobs()


def test_reading_is_tried_again_and_starting_is_not(tmp_path):
    ray, asked = FakeRay(tmp_path), []

    def answer(request):
        asked.append(request.method)
        if len(asked) < 3:
            raise httpx.ConnectError("refused", request=request)
        return ray.answer(request)

    assert RayCluster("http://head", httpx.MockTransport(answer)).jobs() == {}
    assert asked == ["GET"] * 3
