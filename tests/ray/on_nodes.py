"""A scripted trial that notes on which node of the cluster it was started."""

from collections.abc import Iterator
from pathlib import Path

import ray

from tests.ray.scripted import ScriptedRunner
from trainers.spec import Job
from trainers.spec.record import Record

NODES = "nodes"  # in a trial's directory: one line a start


class RunnerOnNode(ScriptedRunner):
    def source(self, job: Job) -> Iterator[Record]:
        with (Path(job.directory) / NODES).open("a") as stream:
            stream.write(f"{ray.get_runtime_context().get_node_id()}\n")
        yield from super().source(job)


def starts(directory: Path) -> list[str]:
    """Return the nodes on which a trial was started, in order."""
    path = directory / NODES
    return path.read_text().split() if path.exists() else []
