"""Serve one queue without a network, for a cluster that is a folder."""

from pathlib import Path

from fastapi import FastAPI

from orchestrator.service.app import Service, make_app
from orchestrator.service.queue import Queue
from orchestrator.service.reconcile_loop import ReconcileLoop
from orchestrator.service.validation import SubmissionValidator
from orchestrator.submit.cluster import RayCluster
from orchestrator.submit.record import JobRecords
from tests.unit.orchestrator.submit.fake_ray import FakeRay

TOKEN = "the-token-of-the-service"
STUDY = """
name: tiny
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 4, policy: {kind: constant}}
"""


class Served:
    """Hold a service's parts; ``step`` is one step of its reconcile loop."""

    def __init__(self, folder: Path, longest: int = 3) -> None:
        self.ray = FakeRay(folder / "ray")
        cluster = RayCluster("http://head", self.ray.transport)
        self.store = folder / "store"
        self.store.mkdir(parents=True)
        self.queue = Queue(self.store / "queue.db", longest)
        self.service = Service(self.queue, SubmissionValidator(str(self.store)), cluster, TOKEN)
        self.records = JobRecords(self.store)
        self.step = ReconcileLoop(self.queue, cluster, self.records).step
        self.app: FastAPI = make_app(self.service)
