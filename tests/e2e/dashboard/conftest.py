import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from mlflow.tracking import MlflowClient
from playwright.sync_api import Browser

from dashboards.export import export
from dashboards.live import Live
from dashboards.pinned import all_dashboards
from dashboards.server import application, open_socket
from dashboards.snapshot import Query
from orchestrator.snapshot.mlflow_tracking import MlflowTracking
from orchestrator.store import Store
from tests.e2e.dashboard.browser import Watched, chromium, watched
from tests.e2e.dashboard.fake_store import build


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def store(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two studies, hostile runs and predictions; nothing is built where no browser could look at it."""
    return build(tmp_path_factory.mktemp("dashboard"))


@pytest.fixture(scope="session")
def client(store: Store) -> MlflowClient:
    return MlflowClient(tracking_uri=store.tracking_uri)


@pytest.fixture(scope="session")
def address(store: Store) -> Iterator[str]:
    yield from served(store.tracking_uri)


@pytest.fixture(scope="session")
def real_address(browser: Browser) -> Iterator[str]:
    """A store that studies were really run in, such as the quickstart's."""
    root = os.environ.get("STILLHOUSE_STORE")
    if not root:
        pytest.skip("STILLHOUSE_STORE names no store that studies were run in")
    yield from served(Store(root).tracking_uri)


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
    app = application(Live(tracking, Query(dashboards=all_dashboards([]))), tracking)
    with open_socket("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server.should_exit = True
        thread.join()
