"""Render scripts that start Ray on all nodes of an allocation: a Slurm script and a SkyPilot task."""

import shlex
from collections.abc import Sequence
from typing import Any

from orchestrator.clusters.description import Cluster
from orchestrator.clusters.platforms import Aws, Gcp, Slurm
from orchestrator.clusters.ray_file import mounting
from orchestrator.core.errors import UserError

WAIT_S = 600  # for the other machines; ray symmetric-run itself waits 30 s
PORT = 6385  # SkyPilot's own Ray has 6380


def slurm_script(cluster: Cluster) -> str:
    """Return a script for ``sbatch FILE STUDY``: as many nodes as the description's largest number of workers."""
    platform, [group] = cluster.platform, cluster.workers
    if not isinstance(platform, Slurm):
        raise UserError(f"{cluster.name} is a cluster of kind {cluster.platform.kind}, not slurm")
    options = {
        "job-name": cluster.name,
        "partition": platform.partition,
        "account": platform.account,
        "nodes": group.max,
        "ntasks-per-node": 1,
        "cpus-per-task": group.cpus,
        "gpus-per-node": group.gpus or None,
        "mem": f"{group.memory_gib}G",
        "time": f"{platform.hours}:00:00",
    }
    header = [f"#SBATCH --{name}={value}" for name, value in options.items() if value is not None]
    flags = ["#SBATCH --exclusive", "#SBATCH --requeue"]
    return "\n".join(["#!/bin/bash", *header, *flags, _slurm_body(cluster)])


def _slurm_body(cluster: Cluster) -> str:
    [group] = cluster.workers
    return f"""
# Usage: sbatch THIS_FILE STUDY [options of stillhouse run]. The same command again goes on from the store.
set -euo pipefail
study=${{1:?which study? sbatch THIS_FILE STUDY}}
shift
{_exports(cluster)}
# All nodes of the job need one token and nobody else may know it: the environment is private, command lines are not.
RAY_AUTH_TOKEN=$(python -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_TOKEN
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$(getent ahostsv4 "$head" | awk 'NR == 1 {{ print $1 }}'):$((20000 + SLURM_JOB_ID % 10000))
srun --export=ALL --kill-on-bad-exit=1 \\
    ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" \\
    --num-cpus={group.cpus} --num-gpus={group.gpus} --include-dashboard=false \\
    -- stillhouse run "$study" --address "$address" --store {cluster.store} "$@"
"""


def _exports(cluster: Cluster) -> str:
    lines = [f"export {name}={shlex.quote(value)}" for name, value in _settings(cluster).items()]
    return "\n".join([f"export PATH={cluster.environment_folder}/bin:$PATH", *lines])


def _settings(cluster: Cluster) -> dict[str, str]:
    waiting = {"RAY_SYMMETRIC_RUN_CLUSTER_WAIT_TIMEOUT": str(WAIT_S)}
    return {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0", **waiting, **cluster.environment}


def sky_task(cluster: Cluster, study: str, configs: str | None = None, options: Sequence[str] = ()) -> dict[str, Any]:
    """Return a SkyPilot task that runs ``study``, a local file, on the largest number of the first kind of workers.

    ``configs`` is the local folder of the study's own configs, ``options`` are further ones of ``stillhouse run``.
    The image runs by the machine's own Docker: SkyPilot requires root in images that it starts itself, and ours has
    none.
    """
    platform, group = cluster.platform, cluster.workers[0]
    if not isinstance(platform, Aws | Gcp) or not cluster.image:
        raise UserError(f"{cluster.name}: a SkyPilot task needs a cluster of kind aws or gcp, with an image")
    place = platform.region if isinstance(platform, Aws) else f"{platform.region}/{platform.zone}"
    return {
        "name": cluster.name,
        "num_nodes": group.max,
        "resources": {
            "infra": f"{platform.kind}/{place}",
            "instance_type": group.machine,
            "use_spot": group.spot,
            "disk_size": platform.disk_gib,
            "autostop": {"idle_minutes": cluster.idle_minutes, "down": True},
        },
        "file_mounts": {"~/study.yaml": study, **({"~/configs": configs} if configs else {})},
        "secrets": {"RAY_AUTH_TOKEN": None},
        "setup": "\n".join(["set -e", *mounting(cluster), f"docker pull {cluster.image}"]) + "\n",
        "run": _sky_body(cluster, options, has_configs=configs is not None),
    }


def _sky_body(cluster: Cluster, options: Sequence[str], *, has_configs: bool) -> str:
    group = cluster.workers[0]
    configs = " --volume ~/configs:/configs:ro" if has_configs else ""
    variables = "".join(f" --env {name}={shlex.quote(value)}" for name, value in _settings(cluster).items())
    return f"""set -euo pipefail
address=$(echo "$SKYPILOT_NODE_IPS" | head -n 1):{PORT}
docker run --rm --network host --ipc host --ulimit nofile=65536:65536{" --gpus all" if group.gpus else ""} \\
    {" ".join(f"--volume {folder}:{folder}" for folder in cluster.folders)} --volume ~/study.yaml:/study.yaml:ro{configs} \\
    --env RAY_AUTH_TOKEN{variables} \\
    {cluster.image} ray symmetric-run --address "$address" --min-nodes "$SKYPILOT_NUM_NODES" \\
    --num-cpus={group.cpus} --num-gpus={group.gpus} --include-dashboard=false \\
    -- {shlex.join(["stillhouse", "run", "/study.yaml", *options])} --address "$address" --store {cluster.store}
"""
