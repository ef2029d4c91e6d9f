"""Keep a cluster launcher's files beside the results: its config, its token, its log."""

import os
import secrets
from pathlib import Path

from orchestrator.clusters.description import Cluster
from orchestrator.clusters.launcher import Launcher
from orchestrator.clusters.ray_file import ray_file
from orchestrator.clusters.yaml_text import yaml_text
from orchestrator.core.store import Store

FOLDER = "clusters"  # of the store
TOKEN = "auth_token"


def launcher_of(cluster: Cluster, store: Store) -> Launcher:
    """Return the launcher of ``cluster``, its files written below the store; raise ``UserError`` for other platforms.

    The token is made once and stays until the folder is deleted, so that a cluster that runs can be reached again.
    """
    folder = store.root / FOLDER / cluster.name
    content = ray_file(cluster, str(folder / TOKEN))
    token_of(cluster, store)
    file = folder / "ray.yaml"
    file.write_text(yaml_text(content), encoding="utf-8")
    return Launcher(file, folder / "launcher.log")


def token_of(cluster: Cluster, store: Store) -> str:
    """Return the cluster's token, a new one where there is none; only this user may read its file."""
    path: Path = store.root / FOLDER / cluster.name / TOKEN
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    return path.read_text(encoding="utf-8").strip()
