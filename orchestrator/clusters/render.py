"""Render the files that others make a cluster of, from its description: who reads which depends on the platform."""

from orchestrator.clusters.description import Cluster
from orchestrator.clusters.kubernetes import ray_cluster, ray_job
from orchestrator.clusters.ray_file import ray_file
from orchestrator.clusters.scripts import sky_task, slurm_script
from orchestrator.clusters.study_files import StudyFiles
from orchestrator.clusters.yaml_text import yaml_text
from orchestrator.submit.shipment import CONFIGS
from trainers.schema.plugins import BrokenPlugin, name_of, resolved

TOKEN_FILE = "auth_token"  # beside the rendered file; ``stillhouse cluster up`` makes it
Files = dict[str, str]


def render(cluster: Cluster, study: StudyFiles | None = None) -> Files:
    """Return the texts of all files that fit the cluster's platform, by name.

    ``study`` is for files that carry one; without it those are left out, or name a file ``study.yaml`` beside them.
    """
    platform = cluster.platform
    found: Files = resolved(platform.renderer, f"{name_of(type(platform))}.renderer")(cluster, study)
    if not isinstance(found, dict):
        raise BrokenPlugin(
            f"{platform.renderer} returned {type(found).__name__}, not a dictionary of files' texts by name"
        )
    return found


def slurm(cluster: Cluster, study: StudyFiles | None = None) -> Files:
    """Return Slurm's batch script."""
    return {f"{cluster.name}.sbatch": slurm_script(cluster)}


def launcher_and_sky(cluster: Cluster, study: StudyFiles | None = None) -> Files:
    """Return the file of Ray's cluster launcher, and SkyPilot's where the machines run an image."""
    return launcher(cluster) | sky(cluster, study)


def launcher(cluster: Cluster, study: StudyFiles | None = None) -> Files:
    """Return the file of Ray's cluster launcher."""
    usage = f"Usage: ray up {cluster.name}.ray.yaml. The file {TOKEN_FILE} beside it holds the cluster's token:\n"
    usage += f"  (umask 077; python3 -c 'import secrets; print(secrets.token_hex(32))' > {TOKEN_FILE})"
    return {f"{cluster.name}.ray.yaml": yaml_text(ray_file(cluster, TOKEN_FILE), comment=usage)}


def sky(cluster: Cluster, study: StudyFiles | None) -> Files:
    """Return the SkyPilot task, its study and the configs; nothing for machines that have the environment without an image."""
    if not cluster.image:
        return {}
    usage = f"Usage: RAY_AUTH_TOKEN=... sky launch --down --secret RAY_AUTH_TOKEN {cluster.name}.sky.yaml"
    name = f"{cluster.name}.study.yaml" if study else "study.yaml"
    beside = {f"{cluster.name}.{place}": text for place, text in study.configs.items()} if study else {}
    configs = f"./{cluster.name}.{CONFIGS}" if beside else None
    task = sky_task(cluster, f"./{name}", configs, study.options if study else ())
    own = {name: study.text, **beside} if study else {}
    return {f"{cluster.name}.sky.yaml": yaml_text(task, comment=usage), **own}


def kubernetes(cluster: Cluster, study: StudyFiles | None) -> Files:
    """Return a cluster to submit to, and, with a study, a job that brings a cluster of its own."""
    usage = "Usage: kubectl apply -f THIS_FILE, then stillhouse submit"
    files = {f"{cluster.name}.raycluster.yaml": yaml_text(ray_cluster(cluster), comment=usage)}
    if study:
        usage = "Usage: kubectl apply -f THIS_FILE; the cluster goes when the job ends"
        files[f"{cluster.name}.rayjob.yaml"] = yaml_text(*ray_job(cluster, study), comment=usage)
    return files
