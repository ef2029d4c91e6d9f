"""Describe clusters for tests."""

import json
from pathlib import Path
from typing import Any

from orchestrator.clusters.description import Cluster

SHIPPED = Path(__file__).parents[4] / "configs" / "clusters"
PLATFORMS: dict[str, dict[str, Any]] = {
    "aws": {"kind": "aws", "region": "us-east-1", "machine_image": "ami-1"},
    "gcp": {"kind": "gcp", "project": "p", "region": "r", "zone": "r-a", "machine_image": "projects/p/i"},
    "machines": {"kind": "machines", "head": "10.0.0.1", "workers": ["10.0.0.2"], "ssh_user": "u"},
    "kubernetes": {"kind": "kubernetes"},
    "slurm": {"kind": "slurm"},
}
STORAGE: dict[str, dict[str, Any]] = {
    "aws": {"kind": "nfs", "server": "files.internal"},
    "gcp": {"kind": "nfs", "server": "files.internal"},
    "machines": {"kind": "folder", "path": "/shared"},
    "kubernetes": {"kind": "claim", "claim": "store"},
    "slurm": {"kind": "folder", "path": "/shared"},
}


def description(kind: str = "aws", **changes: Any) -> dict[str, Any]:
    """Return the plain data of a cluster of a kind, with some keys replaced."""
    return {
        "name": "tiny",
        "platform": PLATFORMS[kind],
        "image": "registry.example.com/image:1",
        "head": {"machine": "small", "cpus": 2, "memory_gib": 8, "price_per_hour": 0.5},
        "workers": [worker()],
        "storage": STORAGE[kind],
        **changes,
    }


def worker(**changes: Any) -> dict[str, Any]:
    """Return the plain data of a kind of worker."""
    gpu = {"name": "gpu", "machine": "big", "cpus": 8, "memory_gib": 32, "gpus": 2, "max": 4}
    return {**gpu, "spot": True, "price_per_hour": 2.0, **changes}


def cluster(kind: str = "aws", **changes: Any) -> Cluster:
    """Return a cluster of a kind."""
    return Cluster.model_validate_json(json.dumps(description(kind, **changes)))
