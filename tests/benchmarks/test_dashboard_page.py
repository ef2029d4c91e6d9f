"""How long the page of 1,000 and of 10,000 trials takes in a browser: to show its first view, and to filter; and MLflow's own.

``pytest -s tests/benchmarks/test_dashboard_page.py`` prints the figures of the second table in docs/dashboards.md.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as Late

from tests.benchmarks.many_runs import build
from tests.contract.mlflow_server import MlflowServer
from tests.e2e.dashboard.browser import Watched, chromium, watched

REPEATS = 5
EPOCHS = {1000: 24, 10_000: 3}  # by the number of trials; the first view reads no curves
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
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.getbasetemp().parent / "many-runs"
    found.mkdir(exist_ok=True)
    return found


@contextmanager
def served(uri: str) -> Iterator[str]:
    """Serve a database from a process of its own, and wait until it has read it."""
    command = [sys.executable, "-m", "orchestrator.cli", "dashboard", "serve", "--port", "0", "--tracking-uri", uri]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    [found] = re.findall(r"http://127\.0\.0\.1:\d+/", process.stderr.readline())
    urllib.request.urlopen(f"{found}api/histories").read()
    yield found
    process.terminate()
    process.wait(20)


@pytest.mark.parametrize("runs", EPOCHS)
def test_first_view_and_filter(runs: int, folder: Path) -> None:
    firsts: list[tuple[float, float]] = []
    filters: dict[str, list[float]] = {}
    with served(build(folder, runs, EPOCHS[runs])) as address, chromium() as browser:
        for _ in range(REPEATS):
            with watched(browser) as look:
                firsts.append(first_view(look, address))
                for view in ("leaderboard", "parallel", "cost", "curves"):
                    page = look.show(address, view)
                    filters.setdefault(view, []).append(filter_time(page))
    shown, busy = zip(*firsts, strict=True)
    print(
        f"\n{runs} trials, load {os.getloadavg()[0]:.0f}\nfirst view: {told(shown)}, its thread computes {told(busy)}"
    )
    for view, times in filters.items():
        print(f"filter, {view}: {told(times)}")


def test_mlflows_compare_page(folder: Path, tmp_path: Path) -> None:
    """Open MLflow's page that compares runs of the same database: until its plot and its table stand."""
    server = MlflowServer(tmp_path, build(folder, 1000, EPOCHS[1000]), variables={"MLFLOW_DISABLE_TELEMETRY": "true"})
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


def first_view(look: Watched, address: str) -> tuple[float, float]:
    """Return milliseconds from the start of the navigation to the first view's frame, nothing cached.

    And those that the page's thread computes for it, which other work on the machine does not lengthen.
    """
    inspected = look.page.context.new_cdp_session(look.page)
    inspected.send("Performance.enable")
    look.page.add_init_script(WATCH)
    look.page.goto(address)
    look.page.wait_for_selector("main[data-view]")
    look.page.wait_for_timeout(300)
    painted: float = look.page.evaluate("window.painted")
    figures = {figure["name"]: figure["value"] for figure in inspected.send("Performance.getMetrics")["metrics"]}
    return painted, 1000 * figures["ThreadTime"]


def filter_time(page: Page) -> float:
    """Return milliseconds from a click on a filter to the frame that shows its result."""
    page.wait_for_timeout(500)
    box = page.locator("#filter-states input").first
    taken: float = box.evaluate(PRESS)
    return taken


def told(times: Sequence[float]) -> str:
    return f"{statistics.median(times):.0f} ms ({min(times):.0f} to {max(times):.0f})"
