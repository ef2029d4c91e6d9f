"""Load the service: clients, slow connections, large bodies, a cluster that hangs, and a restart in the middle.

``python -m tests.benchmarks.service_load`` takes two minutes and prints the figures that stand in docs/service.md.
"""

import argparse
import asyncio
import contextlib
import http.client
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.e2e.service_process import HEADERS, STUDY, ServiceProcess, StandInCluster, service_process

SLOW, LARGE_BYTES = 50, 12 << 20
PROBE_S = 0.05


@dataclass
class Load:
    """Hold a load and its outcome; ``accepted`` are the studies that the service said it has."""

    service: ServiceProcess
    cluster: StandInCluster
    seconds: float
    clients: int
    accepted: set[str] = field(default_factory=set)
    statuses: Counter[str] = field(default_factory=Counter)
    taken: list[float] = field(default_factory=list)
    epochs: int = 0

    @property
    def address(self) -> str:
        return self.service.address

    async def run(self) -> None:
        """Load the service, and return when every client has ended."""
        limits = httpx.Limits(max_connections=self.clients, max_keepalive_connections=self.clients)
        async with httpx.AsyncClient(base_url=self.address, headers=HEADERS, timeout=30, limits=limits) as client:
            actors = [self._client(client, random.Random(number)) for number in range(self.clients)]
            actors += [self._slow() for _ in range(SLOW)] + [self._large(given) for given in (True, False)]
            await asyncio.gather(*actors, self._trouble(), asyncio.sleep(self.seconds))

    async def _client(self, client: httpx.AsyncClient, chance: random.Random) -> None:
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            await asyncio.sleep(chance.uniform(0, 4))
            begin = time.monotonic()
            try:
                answer = await self._ask(client, chance)
            except httpx.HTTPError as error:
                self.statuses[type(error).__name__] += 1
                continue
            self.statuses[str(answer.status_code)] += 1
            self.taken.append(time.monotonic() - begin)
            if answer.status_code == 202:
                self.accepted.add(answer.json()["key"])

    async def _ask(self, client: httpx.AsyncClient, chance: random.Random) -> httpx.Response:
        key = chance.choice([*sorted(self.accepted)[-20:], "stillhouse-0123456789ab"])
        kind = chance.choice(["submit", "list", "status", "status", "status", "logs", "events", "stop"])
        if kind == "submit":
            self.epochs += 1
            return await client.post("/api/submissions", json={"files": {"study.yaml": STUDY % self.epochs}})
        if kind == "stop":
            return await client.post(f"/api/submissions/{key}/stop")
        paths = {"list": "/api/submissions", "events": f"/api/events?follow=false&after={self.epochs}"}
        return await client.get(paths.get(kind, f"/api/submissions/{key}{'/logs' if kind == 'logs' else ''}"))

    async def _slow(self) -> None:
        """Send a byte a second of a head, on one connection after the other."""
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.service.port)
                while time.monotonic() < end:
                    writer.write(b"G")
                    await writer.drain()
                    await asyncio.sleep(1)
            await asyncio.sleep(0.5)

    async def _large(self, given: bool) -> None:
        """Send bodies that are too large, with the token and without it."""
        end, headers = time.monotonic() + self.seconds, HEADERS if given else {}
        async with httpx.AsyncClient(base_url=self.address, timeout=30) as client:
            while time.monotonic() < end:
                with contextlib.suppress(httpx.HTTPError):
                    answer = await client.post("/api/submissions", headers=headers, content=parts())
                    self.statuses[f"large {answer.status_code}"] += 1
                await asyncio.sleep(0.5)

    async def _trouble(self) -> None:
        """Let the cluster hang for the middle third, and restart the service in the middle of that."""
        await asyncio.sleep(self.seconds / 3)
        self.cluster.hanging.set()
        await asyncio.sleep(self.seconds / 6)
        await asyncio.to_thread(self.service.end)
        await asyncio.to_thread(self.service.start)
        await asyncio.sleep(max(0.0, self.seconds / 6 - 5))
        self.cluster.hanging.clear()

    def require_nothing_lost(self) -> None:
        """Raise unless each accepted study is in the list with its whole history, and none was started twice."""
        listed = {one["key"]: one for one in self.service.ask("GET", "/api/submissions").json()["submissions"]}
        lost = self.accepted - set(listed)
        assert not lost, f"{len(lost)} of {len(self.accepted)} accepted studies are lost"
        for key, one in listed.items():
            events = self.service.ask("GET", f"/api/submissions/{key}").json()["events"]
            assert events[0]["before"] is None
            assert all(first["after"] == then["before"] for first, then in itertools.pairwise(events)), events
            assert one["state"] in {event["after"] for event in events}  # it may have moved on since the list
        starts = Counter(self.cluster.ray.starts)
        assert not [name for name, times in starts.items() if times > 1]
        log = self.service.log.read_text()
        assert "Traceback" not in log, log[-3000:]


async def parts() -> AsyncIterator[bytes]:
    for _ in range(LARGE_BYTES >> 16):
        yield b" " * 65536


def probe(port: int, seconds: float) -> list[float]:
    """Ask for /health on new connections; return the seconds of each answer, -1 where there was none."""
    taken, end = list[float](), time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.perf_counter()
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/health")
            ok = connection.getresponse().read() == b'{"ok":true}'
            connection.close()
        except OSError:
            ok = False
        taken.append(time.perf_counter() - begin if ok else -1)
        time.sleep(PROBE_S)
    return taken


def main() -> int:
    """Run the load and print its figures; 1 when something was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.service_load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--probe", type=int, metavar="PORT", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.probe:
        print(json.dumps(probe(asked.probe, asked.seconds)))
        return 0
    with tempfile.TemporaryDirectory() as folder, service_process(Path(folder)) as (service, cluster):
        load = Load(service, cluster, asked.seconds, asked.clients)
        command = [sys.executable, "-m", "tests.benchmarks.service_load", "--probe", str(service.port)]
        probing = subprocess.Popen([*command, "--seconds", str(asked.seconds)], stdout=subprocess.PIPE)
        asyncio.run(load.run())
        output, _ = probing.communicate(timeout=60)
        show(load, json.loads(output))
        load.require_nothing_lost()
    return 0


def show(load: Load, health: list[float]) -> None:
    """Print the figures."""
    answered = [one for one in health if one >= 0]
    print(f"{load.clients} clients, {load.seconds:g} s, load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    print(
        f"/health: {len(answered)} answers, {told(answered)}; {len(health) - len(answered)} asked while it was restarted"
    )
    print(f"all other requests: {len(load.taken)}, {told(load.taken)}")
    print(f"answers: {dict(load.statuses.most_common())}")
    print(f"accepted studies: {len(load.accepted)}; peak memory {load.service.peak_memory >> 20} MiB since the restart")
    print(f"log: {load.service.log.stat().st_size} bytes")


def told(taken: list[float]) -> str:
    found = statistics.quantiles(taken, n=100)
    return (
        f"median {1e3 * found[49]:.1f} ms, 99th percentile {1e3 * found[98]:.1f} ms, longest {1e3 * max(taken):.0f} ms"
    )


if __name__ == "__main__":
    sys.exit(main())
