"""Render the file of Ray's cluster launcher (``ray up``): AWS, Google Cloud, or machines that run already."""

from typing import Any

from orchestrator.clusters.description import Cluster, Head, Nfs, Workers
from orchestrator.clusters.platforms import Aws, Gcp, Machines
from orchestrator.core.errors import UserError

HEAD = "head"
PORT = 6379
SAFE = "safe"  # a resource of the head alone: the driver asks for it, so it is never placed on a spot machine
SAFE_AMOUNT = 1000
TOKEN_PLACE = "~/.ray/auth_token"  # where Ray itself looks for it
LIMIT = "ulimit -n 65536"
NFS_OPTIONS = "nfsvers=4.1,hard,timeo=600,retrans=2,noresvport"


def ray_file(cluster: Cluster, token_file: str | None = None) -> dict[str, Any]:
    """Return the launcher's file. ``token_file`` is the local file with the cluster's token, which nodes get a copy of.

    Raises ``UserError`` for a platform that Ray's launcher does not start.
    """
    content: dict[str, Any] = {
        "cluster_name": cluster.name,
        "max_workers": cluster.platform.most_workers(cluster),
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": cluster.idle_minutes,
        "provider": provider(cluster),
        "auth": auth(cluster),
        "file_mounts": {TOKEN_PLACE: token_file} if token_file else {},
        "initialization_commands": preparing(cluster),
        "setup_commands": [],
        "head_start_ray_commands": [f"{cluster.environment_folder}/bin/ray stop", head_command(cluster)],
        "worker_start_ray_commands": [f"{cluster.environment_folder}/bin/ray stop", worker_command(cluster)],
    }
    if cluster.image:
        content["docker"] = docker(cluster)
    if not isinstance(cluster.platform, Machines):
        content |= {"head_node_type": HEAD, "available_node_types": node_types(cluster)}
    return content


def provider(cluster: Cluster) -> dict[str, Any]:
    """Return whose machines they are. At AWS nodes are terminated, not stopped: a stopped disk costs."""
    platform = cluster.platform
    if isinstance(platform, Aws):
        zones = {"availability_zone": ",".join(platform.zones)} if platform.zones else {}
        return {"type": "aws", "region": platform.region, **zones, "cache_stopped_nodes": False}
    if isinstance(platform, Gcp):
        return {
            "type": "gcp",
            "region": platform.region,
            "availability_zone": platform.zone,
            "project_id": platform.project,
        }
    if isinstance(platform, Machines):
        return {"type": "local", "head_ip": platform.head, "worker_ips": list(platform.workers)}
    raise UserError(f"Ray's cluster launcher does not start {platform.kind}: see docs/cluster.md")


def auth(cluster: Cluster) -> dict[str, str]:
    """Return how the launcher logs in."""
    platform = cluster.platform
    key = {"ssh_private_key": platform.ssh_key} if isinstance(platform, Machines) and platform.ssh_key else {}
    return {"ssh_user": getattr(platform, "ssh_user", "ubuntu"), **key}


def docker(cluster: Cluster) -> dict[str, Any]:
    """Return how the image runs: Ray adds the host's network, GPUs and shared memory."""
    mounts = [f"--volume {folder}:{folder}" for folder in cluster.folders]
    variables = [f"--env {name}='{value}'" for name, value in cluster.environment.items()]
    return {
        "image": cluster.image,
        "container_name": "stillhouse",
        "pull_before_run": True,
        "run_options": ["--ulimit nofile=65536:65536", *mounts, *variables],
    }


def preparing(cluster: Cluster) -> list[str]:
    """Return the first commands on each machine: an unconditional shutdown timer, and the store's folder."""
    rented = isinstance(cluster.platform, Aws | Gcp)
    return [*([f"sudo shutdown -h +{cluster.max_hours * 60}"] if rented else []), *mounting(cluster)]


def mounting(cluster: Cluster) -> list[str]:
    """Return the commands that make the store's folder; the image's user has number 1000."""
    path, store = cluster.storage.path, cluster.store
    commands = []
    if isinstance(cluster.storage, Nfs):
        share = f"{cluster.storage.server}:{cluster.storage.export}"
        commands = [
            f"sudo mkdir -p {path}",
            "command -v mount.nfs4 || (sudo apt-get update && sudo apt-get install -y nfs-common)",
            f"mountpoint -q {path} || sudo mount -t nfs4 -o {NFS_OPTIONS} {share} {path}",
        ]
    return [*commands, f"mkdir -p {store} || (sudo mkdir -p {store} && sudo chown 1000:1000 {store})"]


def head_command(cluster: Cluster) -> str:
    """Return how Ray starts on the head: no CPU for trials, the dashboard on loopback only, behind the token."""
    return _start(
        cluster,
        f"--head --port={PORT} --num-cpus=0 --num-gpus=0 --resources='{{\"{SAFE}\": {SAFE_AMOUNT}}}'"
        " --dashboard-host=127.0.0.1 --autoscaling-config=~/ray_bootstrap_config.yaml",
    )


def worker_command(cluster: Cluster) -> str:
    """Return how Ray starts on a worker."""
    return _start(cluster, f"--address=$RAY_HEAD_IP:{PORT}")


def _start(cluster: Cluster, arguments: str) -> str:
    settings = {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0", **cluster.environment}
    words = [f"{name}='{value}'" for name, value in settings.items()]
    return f"{LIMIT}; {' '.join(words)} {cluster.environment_folder}/bin/ray start {arguments}"


def node_types(cluster: Cluster) -> dict[str, Any]:
    """Return the machine types: one head, and the workers that the autoscaler may start."""
    head = {
        "resources": {"CPU": 0, "GPU": 0, SAFE: SAFE_AMOUNT},
        "node_config": node_config(cluster, cluster.head, spot=False),
        "max_workers": 0,
    }
    workers = {
        group.name: {
            "resources": {"CPU": group.cpus, "GPU": group.gpus},
            "node_config": node_config(cluster, group, spot=group.spot),
            "min_workers": group.min,
            "max_workers": group.max,
        }
        for group in cluster.workers
    }
    return {HEAD: head, **workers}


def node_config(cluster: Cluster, machine: Head | Workers, *, spot: bool) -> dict[str, Any]:
    """Return the node config that Ray sends to the cloud."""
    platform = cluster.platform
    if isinstance(platform, Aws):
        return _aws_node(platform, machine, spot=spot)
    assert isinstance(platform, Gcp)
    return _gcp_node(platform, machine, spot=spot, seconds=cluster.max_hours * 3600)


def _aws_node(platform: Aws, machine: Head | Workers, *, spot: bool) -> dict[str, Any]:
    disk = {"VolumeSize": platform.disk_gib, "VolumeType": "gp3", "DeleteOnTermination": True}
    node: dict[str, Any] = {
        "InstanceType": machine.machine,
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": disk}],
        "MetadataOptions": {"HttpTokens": "required"},
    }
    if platform.machine_image:
        node["ImageId"] = platform.machine_image
    if platform.instance_profile:
        node["IamInstanceProfile"] = {"Name": platform.instance_profile}
    if spot:
        node["InstanceMarketOptions"] = {"MarketType": "spot"}
    else:  # a spot machine that is shut down is gone anyway, and AWS refuses the setting for it
        node["InstanceInitiatedShutdownBehavior"] = "terminate"
    return node


def _gcp_node(platform: Gcp, machine: Head | Workers, *, spot: bool, seconds: int) -> dict[str, Any]:
    disk = {"diskSizeGb": platform.disk_gib, "sourceImage": platform.machine_image}
    scheduling: dict[str, Any] = {
        "maxRunDuration": {"seconds": seconds},
        "instanceTerminationAction": "DELETE",
        "onHostMaintenance": "TERMINATE",
        "automaticRestart": False,
        "provisioningModel": "SPOT" if spot else "STANDARD",
    }
    return {
        "machineType": machine.machine,
        "disks": [{"boot": True, "autoDelete": True, "type": "PERSISTENT", "initializeParams": disk}],
        "scheduling": scheduling,
    }
