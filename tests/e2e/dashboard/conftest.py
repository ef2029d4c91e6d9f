import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from playwright.sync_api import Browser
from starlette.applications import Starlette

from dashboards.export import export
from dashboards.live import Live
from dashboards.saved_views import all_dashboards
from dashboards.server import application
from dashboards.snapshot import Query
from orchestrator.compat.uvicorn_server import server_of
from orchestrator.core.listening import open_socket
from orchestrator.core.store import Store
from orchestrator.tracking.history.mlflow_tracking import MlflowTracking
from tests.e2e.conftest import Ran
from tests.e2e.dashboard.browser import Watched, chromium, find_chromium, watched
from tests.e2e.dashboard.fake_store import build
from tests.e2e.dashboard.real_store import RealStore
from tests.e2e.stillhouse import stillhouse


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for one file of tests: its event loop runs in this thread, where other tests start their own."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two studies, hostile runs and predictions; nothing is built where no browser could look at it."""
    find_chromium()
    return build(tmp_path_factory.mktemp("dashboard"))


@pytest.fixture(scope="session")
def client(store: Store) -> MlflowClient:
    return MlflowClient(tracking_uri=store.tracking_uri)


@pytest.fixture(scope="session")
def address(store: Store) -> Iterator[str]:
    yield from served(store.tracking_uri)


@pytest.fixture(scope="session")
def real(request: pytest.FixtureRequest) -> Iterator[RealStore]:
    """A store that a study was really run in, with predictions: the tiny study's, or the one that a variable names."""
    find_chromium()
    root = os.environ.get("STILLHOUSE_STORE") or predicted(request.getfixturevalue("ran"))
    uri = Store(root).tracking_uri
    for address in served(uri):
        yield RealStore(address, MlflowClient(tracking_uri=uri))


def predicted(ran: Ran) -> Path:
    """Record what the trials of a study see, and return its store."""
    answer = stillhouse("predict", ran.study, "--store", ran.store, "--images", 4)
    assert answer.code == 0, answer.err
    return ran.store


@pytest.fixture(scope="session")
def exported(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("exported") / "results.html"
    tracking = MlflowTracking(store.tracking_uri)
    export(tracking, Query(), target, tracking)
    return target


@pytest.fixture
def look(browser: Browser) -> Iterator[Watched]:
    """A page that fails the test when it logs an error or asks another machine."""
    with watched(browser) as found:
        yield found
    assert not found.errors
    assert not found.strangers


def served(uri: str) -> Iterator[str]:
    """Serve a store as ``stillhouse dashboard serve`` does, from a thread."""
    tracking = MlflowTracking(uri)
    yield from answering(application(Live(tracking, Query(dashboards=all_dashboards([]))), tracking))


def answering(app: Starlette) -> Iterator[str]:
    """Serve an application from a thread."""
    with open_socket("127.0.0.1", 0) as listener:
        server = server_of(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()
