"""How long the page of 1,000 trials takes in a browser: to show its first view, and to filter; and MLflow's own page.

``pytest -s tests/benchmarks/test_dashboard_page.py`` prints the figures of the second table in docs/dashboards.md.
"""

import json
import os
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as Late

from dashboards.live import Live
from dashboards.server import application
from dashboards.snapshot import Query
from orchestrator.compat.uvicorn_server import server_of
from orchestrator.core.listening import open_socket
from orchestrator.tracking.history.mlflow_tracking import MlflowTracking
from tests.benchmarks.many_runs import build
from tests.contract.mlflow_server import MlflowServer
from tests.e2e.dashboard.browser import Watched, chromium, watched

REPEATS = 5
COMPARED = (40, 1000)  # runs on MLflow's page: as many as a study's description links to, and all
PATIENCE_S = 120.0
WATCH = """
new MutationObserver((changes, watcher) => {
    const view = document.querySelector("main[data-view]");
    if (!view) return;
    watcher.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(() => { window.painted = performance.now(); }));
}).observe(document, {subtree: true, attributes: true, childList: true});
"""
PRESS = """box => new Promise(done => {
    const start = performance.now();
    box.click();
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
})"""


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.getbasetemp().parent / "many-runs"
    folder.mkdir(exist_ok=True)
    return build(Path(folder))


@pytest.fixture(scope="module")
def address(uri: str) -> Iterator[str]:
    tracking = MlflowTracking(uri)
    app = application(Live(tracking, Query()), tracking)
    with open_socket("127.0.0.1", 0) as listener:
        server = server_of(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server.should_exit = True
        thread.join()


def test_first_view_and_filter(address: str) -> None:
    firsts: list[float] = []
    filters: dict[str, list[float]] = {}
    with chromium() as browser:
        for _ in range(REPEATS):
            with watched(browser) as look:
                firsts.append(first_view(look, address))
                for view in ("leaderboard", "parallel", "cost", "curves"):
                    page = look.show(address, view)
                    filters.setdefault(view, []).append(filter_time(page))
    print(f"\nload {os.getloadavg()[0]:.0f}\nfirst view: {told(firsts)}")
    for view, times in filters.items():
        print(f"filter, {view}: {told(times)}")


def test_mlflows_compare_page(uri: str, tmp_path: Path) -> None:
    """Open MLflow's page that compares runs of the same database: until its plot and its table stand."""
    server = MlflowServer(tmp_path, uri, variables={"MLFLOW_DISABLE_TELEMETRY": "true"})
    server.start()
    try:
        with chromium() as browser:
            for count in COMPARED:
                with watched(browser) as look:
                    compare_page(look.page, server.address, 2)  # scripts and the server's first query
                    print(f"\nMLflow, comparing {count} runs: {compare_page(look.page, server.address, count)}")
    finally:
        server.kill()


def compare_page(page: Page, address: str, count: int) -> str:
    """Return how long the page takes, or that it takes longer than anybody waits."""
    ids = [f"{number + 1000:032x}" for number in range(count)]  # as build() names them
    page.goto("about:blank")
    begin = time.perf_counter()
    page.goto(f"{address}/#/compare-runs?runs={quote(json.dumps(ids))}&experiments={quote(json.dumps(['77']))}")
    try:
        page.wait_for_selector(f"text=Comparing {count} Runs", timeout=1000 * PATIENCE_S)
        page.wait_for_selector(".js-plotly-plot .main-svg", timeout=1000 * PATIENCE_S)
    except Late:
        return f"not shown within {PATIENCE_S:.0f} s"
    return f"{1000 * (time.perf_counter() - begin):.0f} ms"


def first_view(look: Watched, address: str) -> float:
    """Return milliseconds from the start of the navigation to the first view's frame, nothing cached."""
    look.page.add_init_script(WATCH)
    look.page.goto(address)
    look.page.wait_for_selector("main[data-view]")
    look.page.wait_for_timeout(300)
    painted: float = look.page.evaluate("window.painted")
    return painted


def filter_time(page: Page) -> float:
    """Return milliseconds from a click on a filter to the frame that shows its result."""
    page.wait_for_timeout(500)
    box = page.locator("#filter-states input").first
    taken: float = box.evaluate(PRESS)
    return taken


def told(times: list[float]) -> str:
    return f"{statistics.median(times):.0f} ms ({min(times):.0f} to {max(times):.0f})"
