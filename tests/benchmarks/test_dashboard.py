"""Measure dashboards on a thousand runs of 24 epochs and 12 metrics, beside what MLflow's own pages ask for.

``pytest -s tests/benchmarks/test_dashboard.py`` prints the figures that stand in docs/dashboards.md.
"""

import http.client
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashboards.export import LIMIT
from dashboards.live import Live
from dashboards.snapshot import Query
from orchestrator.tracking.history.mlflow_tracking import MlflowTracking
from tests.benchmarks.many_runs import METRICS, build
from tests.contract.mlflow_server import MlflowServer

RUNS, EPOCHS = 1000, 24
TIMES = 7
UI_RUNS_A_REQUEST, UI_POINTS = 100, 320  # what MLflow's chart page asks for
COMMAND = [sys.executable, "-m", "orchestrator.cli", "dashboard"]


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build(tmp_path_factory.mktemp("many"), RUNS, EPOCHS)


@pytest.fixture(scope="module")
def port(uri: str) -> Iterator[int]:
    """Serve the store from a process of its own; what it takes to start is printed."""
    begin = time.perf_counter()
    command = [*COMMAND, "serve", "--port", "0", "--tracking-uri", uri]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    [found] = re.findall(r"http://127\.0\.0\.1:(\d+)/", process.stderr.readline())
    say("start of the server, store read", time.perf_counter() - begin)
    yield int(found)
    process.terminate()
    process.wait(20)


def say(what: str, seconds: float, more: str = "") -> None:
    print(f"{what}: {seconds * 1000:.0f} ms {more}".rstrip(), f"(load {os.getloadavg()[0]:.0f})")


def median_s(call: Callable[[], object], times: int = TIMES) -> float:
    """Return the median time of a call; the first one warms up."""
    call()
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def get(port: int, path: str, *, body: object = None) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"accept-encoding": "gzip", "content-type": "application/json"}
    connection.request("POST" if body else "GET", path, json.dumps(body) if body else None, headers)
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 200, content[:300]
    connection.close()
    return content


def test_export(uri: str, tmp_path: Path) -> None:
    target = tmp_path / "results.html"
    command = [*COMMAND, "export", str(target), "--tracking-uri", uri]
    before = processor_s()
    seconds = median_s(lambda: subprocess.run(command, check=True, capture_output=True), times=3)
    say("export, whole command", seconds, f"{target.stat().st_size / 1e6:.2f} MB")
    say("export, processor time of the whole command", (processor_s() - before) / 4)
    say("of which loading MLflow", loading_s())
    assert target.stat().st_size <= LIMIT


def processor_s() -> float:
    """Return the processor time of all ended child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def loading_s() -> float:
    before = processor_s()
    subprocess.run([sys.executable, "-c", "import orchestrator.tracking.history.mlflow_tracking"], check=True)
    return processor_s() - before


def test_answers_of_a_warm_server(port: int) -> None:
    for path in ("/api/snapshot", "/api/histories"):
        size = len(get(port, path))
        say(path, median_s(lambda path=path: get(port, path)), f"{size / 1e3:.0f} kB compressed")
    revision = re.findall(r'"revision":"(\w+)"', _plain(port))[0]
    say("/api/snapshot?since=", median_s(lambda: get(port, f"/api/snapshot?since={revision}")))


def _plain(port: int) -> str:
    import gzip

    return gzip.decompress(get(port, "/api/snapshot")).decode()


def test_renewing(uri: str) -> None:
    begin = time.perf_counter()
    tracking = MlflowTracking(uri)
    live = Live(tracking, Query())
    say("first snapshot in a process", time.perf_counter() - begin)
    say("next snapshot, nothing new", median_s(lambda: live._take(live._held), times=3))


def test_mlflows_own_pages(uri: str, tmp_path: Path) -> None:
    """Ask an MLflow server for what its pages need of the same runs: the table, and the charts of 12 metrics."""
    server = MlflowServer(tmp_path, uri)
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    server.start()
    try:
        table = {"experiment_ids": ["77"], "max_results": RUNS + 3, "order_by": ["attributes.start_time DESC"]}
        found = json.loads(get(server.port, "/ajax-api/2.0/mlflow/runs/search", body=table))
        ids = [run["info"]["run_id"] for run in found["runs"]]
        search = median_s(lambda: get(server.port, "/ajax-api/2.0/mlflow/runs/search", body=table), times=3)
        say("MLflow, table of all runs", search)
        begin = time.perf_counter()
        for key in METRICS:
            for first in range(0, len(ids), UI_RUNS_A_REQUEST):
                wanted = [("run_ids", run) for run in ids[first : first + UI_RUNS_A_REQUEST]]
                query = urllib.parse.urlencode([*wanted, ("metric_key", key), ("max_results", UI_POINTS)])
                get(server.port, f"/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?{query}")
        say("MLflow, curves of all runs", time.perf_counter() - begin, f"{len(METRICS) * -(-len(ids) // 100)} requests")
    finally:
        server.kill()
