"""Estimate the cost of a cluster: by the hour, and for a number of GPU-hours."""

from dataclasses import dataclass

from orchestrator.clusters.description import Cluster, Workers
from orchestrator.study.wording import counted

SMALL_H = 0.1  # below that, what a machine takes to start is more


@dataclass(frozen=True)
class Price:
    """Hold US dollars an hour: with no worker, with as many as always run, with as many as there may be."""

    head: float
    least: float
    most: float


@dataclass(frozen=True)
class Bill:
    """Hold the wall-clock hours and dollars for a number of GPU-hours with all workers busy."""

    hours: float
    dollars: float


def price(cluster: Cluster) -> Price:
    """Return the price of an hour, without traffic, disks and storage."""
    head = cluster.head.price_per_hour
    least = sum(group.min * group.price_per_hour for group in cluster.workers)
    most = sum(group.max * group.price_per_hour for group in cluster.workers)
    return Price(head, head + least, head + most)


def is_priced(cluster: Cluster) -> bool:
    """Return whether the description gives machine prices; your own machines have no hourly price."""
    return all(machine.price_per_hour > 0 for machine in cluster.machines)


def bill(cluster: Cluster, gpu_hours: float) -> Bill | None:
    """Return the minimum cost of ``gpu_hours``, on all GPUs at once; ``None`` for a cluster without GPUs."""
    gpus = sum(group.gpus * group.max for group in cluster.workers)
    if not gpus:
        return None
    hours = gpu_hours / gpus
    return Bill(hours, hours * price(_of_gpus(cluster)).most)


def _of_gpus(cluster: Cluster) -> Cluster:
    """Return the cluster without machines that would idle: the autoscaler starts none of those."""
    needed: tuple[Workers, ...] = tuple(group for group in cluster.workers if group.gpus or group.min)
    return cluster.model_copy(update={"workers": needed})


def said(cluster: Cluster) -> str:
    """Return one sentence about the price of an hour."""
    if not is_priced(cluster):
        return f"{cluster.name}: the description lacks prices for some machines"
    found = price(cluster)
    return (
        f"{cluster.name}: {found.least:.2f} $ an hour while idle, up to {found.most:.2f} $ with "
        f"{counted(sum(group.max for group in cluster.workers), 'worker')}; machines stop on their own after "
        f"{counted(cluster.max_hours, 'hour')}, so at most {found.most * cluster.max_hours:.0f} $"
    )


def forecast(cluster: Cluster, gpu_hours: float, *, at_most: bool = False) -> str:
    """Return one sentence that estimates the time and cost of ``gpu_hours`` (V100-class) on the cluster.

    ``at_most`` tells that the study may end with less.
    """
    bound = "at most " if at_most else ""
    found = bill(cluster, gpu_hours)
    if found is None:
        return "its workers have no GPUs, so Stillhouse cannot estimate the run time"
    if gpu_hours < SMALL_H:
        return f"an estimate that may be off by a factor of two: {bound}less than {SMALL_H:g} GPU hours"
    costs = f", {found.dollars:.2f} $" if is_priced(cluster) else ""
    return (
        f"an estimate that may be off by a factor of two: {bound}{gpu_hours:.1f} GPU hours, "
        f"{found.hours:.1f} hours with all GPUs busy{costs}"
    )
