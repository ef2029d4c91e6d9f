"""Describe a cluster of each platform with every key in use, and no two numbers alike; write its rendered files.

``python -m tests.unit.orchestrator.clusters.full`` writes ``golden/`` anew: read the difference before you commit it.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Any

from orchestrator.clusters.render import render
from orchestrator.clusters.study_files import StudyFiles
from tests.unit.orchestrator.clusters.described import PLATFORMS, STORAGE, cluster

GOLDEN = Path(__file__).with_name("golden")
STUDY = StudyFiles("name: x\nmethod: {kind: none}\n", {"configs/net.py": "model = 1\n"}, ("--trust-config",))
# Of two kinds of workers the one with GPUs is not from the spot market, and the one from the spot market has none.
WORKERS = [
    {
        "name": "gpu",
        "machine": "big",
        "cpus": 8,
        "memory_gib": 33,
        "gpus": 2,
        "min": 1,
        "max": 4,
        "price_per_hour": 2.0,
    },
    {"name": "cpu", "machine": "wide", "cpus": 17, "memory_gib": 65, "max": 3, "spot": True, "price_per_hour": 0.3},
]
COMMON: dict[str, Any] = {
    "head": {"machine": "small", "cpus": 5, "memory_gib": 9, "price_per_hour": 0.5},
    "workers": WORKERS,
    "environment_folder": "/opt/own",
    "mirror": "s3://bucket/copies",
    "data": "/datasets/all",
    "variables": {"NCCL_DEBUG": "INFO"},
    "idle_minutes": 7,
    "max_hours": 11,
}
NFS = {"kind": "nfs", "server": "files.internal", "export": "/exported", "path": "/mnt/kept"}
OWN: dict[str, dict[str, Any]] = {
    "aws": {"zones": ["us-east-1a", "us-east-1b"], "instance_profile": "role", "ssh_user": "ec2", "disk_gib": 151},
    "gcp": {"ssh_user": "gce", "disk_gib": 152},
    "machines": {"workers": ["10.0.0.2", "10.0.0.3"], "ssh_key": "~/.ssh/key"},
    "kubernetes": {
        "namespace": "lab",
        "secret": "keys",
        "head_selector": {"pool": "steady"},
        "spot_selector": {"pool": "spot"},
        "spot_tolerations": [{"key": "spot"}, {"key": "pool", "value": "spot", "effect": "NoExecute"}],
    },
    "slurm": {"partition": "long", "account": "lab", "hours": 13},
}
CHANGES: dict[str, dict[str, Any]] = {
    "aws": {"storage": NFS},
    "gcp": {"storage": NFS, "data": "/mnt/kept/data"},
    "machines": {"image": None},
    "kubernetes": {"storage": {"kind": "claim", "claim": "kept"}},
    "slurm": {"workers": WORKERS[:1], "image": None},
}


def rendered(kind: str) -> str:
    """Return all files of a platform's cluster in one text, each below a line with its name."""
    platform = {**PLATFORMS[kind], **OWN[kind]}
    described = cluster(kind, **{**COMMON, "platform": platform, "storage": STORAGE[kind], **CHANGES[kind]})
    files = render(described, STUDY)
    text = "".join(f"==== {name}\n{content.rstrip()}\n" for name, content in files.items())
    return text.replace(version("ray"), "RAY_VERSION")


if __name__ == "__main__":
    for kind in PLATFORMS:
        (GOLDEN / f"{kind}.txt").write_text(rendered(kind), encoding="utf-8")
