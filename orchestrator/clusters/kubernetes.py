"""Render KubeRay manifests: a RayCluster to submit to, or a RayJob that runs one study."""

import shlex
from importlib.metadata import version
from typing import Any

from orchestrator.clusters.description import Cluster, Head, Nfs, VolumeClaim, Workers
from orchestrator.clusters.platforms import Kubernetes
from orchestrator.clusters.ray_file import SAFE, SAFE_AMOUNT
from orchestrator.clusters.study_files import StudyFiles
from orchestrator.core.errors import UserError
from orchestrator.submit.shipment import STUDY

API = "ray.io/v1"
USER = 1000  # of the image
GPU = "nvidia.com/gpu"
STUDY_PLACE = "/etc/stillhouse"
KEEP_S = 600  # a finished job's cluster stays this long, so that its dashboard can be read


def ray_cluster(cluster: Cluster) -> dict[str, Any]:
    """Return a RayCluster that stays until it is deleted: ``stillhouse submit`` sends studies to it."""
    spec = cluster_spec(cluster)
    return {"apiVersion": API, "kind": "RayCluster", "metadata": metadata(cluster, cluster.name), "spec": spec}


def ray_job(cluster: Cluster, study: StudyFiles) -> list[dict[str, Any]]:
    """Return the ConfigMap that holds ``study``, and the RayJob that runs it and takes its cluster down."""
    name, keys = f"{cluster.name}-study", {place: f"config-{n}.py" for n, place in enumerate(study.configs)}
    command = shlex.join(["stillhouse", "run", f"{STUDY_PLACE}/{STUDY}", *study.options])
    entrypoint = f"{command} --address auto --store {cluster.store}"
    content = {STUDY: study.text} | {keys[place]: text for place, text in study.configs.items()}
    mounted = {"name": name, "items": [{"key": key, "path": place} for place, key in {STUDY: STUDY, **keys}.items()]}
    job = {
        "entrypoint": entrypoint,
        "entrypointResources": f'{{"{SAFE}": 1}}',
        "shutdownAfterJobFinishes": True,
        "ttlSecondsAfterFinished": KEEP_S,
        "activeDeadlineSeconds": cluster.max_hours * 3600,
        "backoffLimit": 2,  # a retry is a new cluster, which goes on from the store
        "rayClusterSpec": cluster_spec(cluster, mounted, on_workers=bool(study.configs)),
    }
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(cluster, name), "data": content},
        {"apiVersion": API, "kind": "RayJob", "metadata": metadata(cluster, cluster.name), "spec": job},
    ]


def metadata(cluster: Cluster, name: str) -> dict[str, Any]:
    """Return name and place of an object."""
    return {
        "name": name,
        "namespace": platform(cluster).namespace,
        "labels": {"app.kubernetes.io/part-of": "stillhouse"},
    }


def platform(cluster: Cluster) -> Kubernetes:
    """Return the Kubernetes section of the description; raise ``UserError`` for another platform."""
    if not isinstance(cluster.platform, Kubernetes):
        raise UserError(f"{cluster.name} is a cluster of kind {cluster.platform.kind}, not kubernetes")
    return cluster.platform


def cluster_spec(cluster: Cluster, study: dict[str, Any] | None = None, *, on_workers: bool = False) -> dict[str, Any]:
    """Return the cluster: token authentication, an autoscaler, one head without trials, groups of workers.

    ``study`` is the ConfigMap with the study, for the head and, ``on_workers``, for those who read its configs.
    """
    safe = f"'{{\"{SAFE}\": {SAFE_AMOUNT}}}'"
    return {
        "rayVersion": version("ray"),
        "authOptions": {"mode": "token"},
        "enableInTreeAutoscaling": True,
        "autoscalerOptions": {"version": "v2", "idleTimeoutSeconds": cluster.idle_minutes * 60},
        "headGroupSpec": {
            "serviceType": "ClusterIP",
            "rayStartParams": {"num-cpus": "0", "num-gpus": "0", "resources": safe, "dashboard-host": "0.0.0.0"},
            "template": pod(cluster, cluster.head, study),
        },
        "workerGroupSpecs": [group_spec(cluster, group, study if on_workers else None) for group in cluster.workers],
    }


def group_spec(cluster: Cluster, group: Workers, study: dict[str, Any] | None) -> dict[str, Any]:
    """Return one kind of worker."""
    return {
        "groupName": group.name,
        "replicas": group.min,
        "minReplicas": group.min,
        "maxReplicas": group.max,
        "rayStartParams": {"num-cpus": str(group.cpus), "num-gpus": str(group.gpus)},
        "template": pod(cluster, group, study),
    }


def pod(cluster: Cluster, machine: Head | Workers, study: dict[str, Any] | None) -> dict[str, Any]:
    """Return a pod that runs the image as its own user, without privileges, with the store and shared memory mounted."""
    own = platform(cluster)
    volumes, mounts = storage(cluster)
    if study:
        volumes.append({"name": "study", "configMap": study})
        mounts.append({"name": "study", "mountPath": STUDY_PLACE, "readOnly": True})
    container: dict[str, Any] = {
        "name": "ray",
        "image": cluster.image,
        "resources": resources(machine),
        "env": [{"name": key, "value": value} for key, value in cluster.environment.items()],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": mounts,
    }
    if own.secret:
        container["envFrom"] = [{"secretRef": {"name": own.secret}}]
    spec: dict[str, Any] = {
        "containers": [container],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": volumes,
    }
    return {"spec": spec | placement(own, machine)}


def resources(machine: Head | Workers) -> dict[str, Any]:
    """Return requests and limits, which are the same: Kubernetes evicts pods with equal requests and limits last."""
    wanted: dict[str, str] = {"cpu": str(machine.cpus), "memory": f"{machine.memory_gib}Gi"}
    if isinstance(machine, Workers) and machine.gpus:
        wanted[GPU] = str(machine.gpus)
    return {"requests": wanted, "limits": wanted}


def storage(cluster: Cluster) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return volumes and where they are mounted; workers of a group exchange tensors through shared memory."""
    kept = cluster.storage
    if isinstance(kept, VolumeClaim):
        store: dict[str, Any] = {"name": "store", "persistentVolumeClaim": {"claimName": kept.claim}}
    else:
        assert isinstance(kept, Nfs)
        store = {"name": "store", "nfs": {"server": kept.server, "path": kept.export}}
    return (
        [store, {"name": "shm", "emptyDir": {"medium": "Memory"}}],
        [{"name": "store", "mountPath": kept.path}, {"name": "shm", "mountPath": "/dev/shm"}],
    )


def placement(own: Kubernetes, machine: Head | Workers) -> dict[str, Any]:
    """Return which nodes a pod may use: the head those of ``head_selector``, spot workers those that may be taken away."""
    if isinstance(machine, Head):
        return {"nodeSelector": own.head_selector} if own.head_selector else {}
    tolerations: list[dict[str, str]] = []
    if machine.gpus:
        tolerations.append({"key": GPU, "operator": "Exists", "effect": "NoSchedule"})
    if machine.spot:
        tolerations += [_toleration(one.key, one.value, one.effect) for one in own.spot_tolerations]
    found: dict[str, Any] = {"tolerations": tolerations} if tolerations else {}
    return found | ({"nodeSelector": own.spot_selector} if machine.spot and own.spot_selector else {})


def _toleration(key: str, value: str | None, effect: str) -> dict[str, str]:
    wanted = {"operator": "Exists"} if value is None else {"operator": "Equal", "value": value}
    return {"key": key, **wanted, "effect": effect}
