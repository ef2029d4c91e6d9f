"""A scripted trial that notes on which node of the cluster it was started, and can be held there."""

import time
from collections.abc import Iterator
from pathlib import Path

import ray

from tests.ray.scripted import ScriptedRunner
from trainers.schema import Job
from trainers.schema.record import Record

NODES = "nodes"  # in a trial's directory: one line a start
HOLD = "hold"  # in a trial's directory: while it is there, the trial goes no further


class RunnerOnNode(ScriptedRunner):
    def source(self, job: Job) -> Iterator[Record]:
        with (Path(job.directory) / NODES).open("a") as stream:
            stream.write(f"{ray.get_runtime_context().get_node_id()}\n")
        for record in super().source(job):
            while (Path(job.directory) / HOLD).exists():
                time.sleep(0.05)
            yield record


def starts(directory: Path) -> list[str]:
    """Return the nodes on which a trial was started, in order."""
    path = directory / NODES
    return path.read_text().split() if path.exists() else []
