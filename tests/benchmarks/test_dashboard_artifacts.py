"""Measure the dashboard's pictures: a hundred pages open the same trials' predictions at once.

``pytest -s tests/benchmarks/test_dashboard_artifacts.py`` prints the figures that stand in docs/dashboards.md.
"""

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from mlflow.tracking import MlflowClient

from tests.benchmarks.many_runs import build

ROOT = Path(__file__).parents[2]
CLIENTS, RUNS, IMAGES = 100, 10, 4
PICTURE, BOXES = os.urandom(120_000), json.dumps({"boxes": [[1.5, 2.5, 3.5, 4.5]] * 500}).encode()
COMMAND = [sys.executable, "-m", "orchestrator.cli", "dashboard", "serve", "--port", "0", "--tracking-uri"]


class Served(NamedTuple):
    """Hold a server and the paths of its artifacts."""

    address: str
    process: int
    paths: list[str]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("many")
    os.chdir(folder)  # the runs name their artifacts' folder relative to it
    uri = build(folder, runs=RUNS, epochs=2)
    paths = list(recorded(MlflowClient(uri), folder))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([*COMMAND, uri], stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    [address] = re.findall(r"(http://\S+)/", process.stderr.readline())
    yield Served(address, process.pid, paths)
    process.terminate()
    process.wait(20)
    os.chdir(ROOT)


def recorded(client: MlflowClient, folder: Path) -> Iterator[str]:
    """Record files of predictions with some runs, and yield how a page asks for them."""
    local = folder / "predictions"
    (local / "images").mkdir(parents=True)
    for number in range(IMAGES):
        (local / f"{number}.json").write_bytes(BOXES)
        (local / "images" / f"{number}.jpg").write_bytes(PICTURE)
    runs = client.search_runs([one.experiment_id for one in client.search_experiments()], max_results=RUNS)
    trials = [run.info.run_id for run in runs if run.data.tags.get("stillhouse.kind") == "trial"][:1]
    for run in trials:
        client.log_artifacts(run, str(local), "predictions")
        yield from (f"/api/artifact?run={run}&path=predictions/{number}.json" for number in range(IMAGES))
        yield from (f"/api/artifact?run={run}&path=predictions/images/{number}.jpg" for number in range(IMAGES))


async def page(client: httpx.AsyncClient, paths: list[str], taken: list[float]) -> None:
    for path in paths:
        begin = time.perf_counter()
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text[:200]
        taken.append(time.perf_counter() - begin)


async def pages(served: Served) -> tuple[list[float], float, list[float]]:
    """Open all pages at once, with a look at the snapshot every 50 ms beside them."""
    taken, snapshots = list[float](), list[float]()
    limits = httpx.Limits(max_connections=CLIENTS + 1)
    async with httpx.AsyncClient(base_url=served.address, timeout=300, limits=limits) as client:
        begin = time.perf_counter()
        opened = asyncio.gather(*(page(client, served.paths, taken) for _ in range(CLIENTS)))
        while not opened.done():
            await page(client, ["/api/snapshot?since=x"], snapshots)
            await asyncio.sleep(0.05)
        await opened
    return taken, time.perf_counter() - begin, snapshots


def peak_mb(pid: int) -> float:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1e3


def test_a_hundred_pages(served: Served) -> None:
    assert served.paths
    before = peak_mb(served.process)
    taken, whole, snapshots = asyncio.run(pages(served))
    told = f"median {1e3 * statistics.median(taken):.0f} ms, p95 {1e3 * statistics.quantiles(taken, n=20)[-1]:.0f} ms"
    print(
        f"\n{len(taken)} files for {CLIENTS} pages in {whole:.1f} s: {told}; peak memory {peak_mb(served.process):.0f} MB ({before:.0f} before)"
    )
    print(
        f"/api/snapshot meanwhile: p95 {1e3 * statistics.quantiles(snapshots, n=20)[-1]:.0f} ms; load {os.getloadavg()[0]:.0f}"
    )
