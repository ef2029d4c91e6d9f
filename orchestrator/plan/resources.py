"""Assign resources to each trial and decide how many trials run at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from orchestrator.plan.machine import Machine
from orchestrator.study.schema import Scaling, StudySpec
from orchestrator.study.wording import alternatives
from trainers.schema import Placement

MOST_LOADERS = 8  # processes that load images for one worker: what YOLOX's mosaics keep busy beside a fast GPU


@dataclass(frozen=True)
class Resources:
    """Hold one trial's share of the cluster, and how many trials fit side by side (0: not even one).

    Of a cluster that grows, ``concurrent`` is the number at its largest size; ``at_first`` is the number that fit on the
    machines that are there now, ``None`` for a cluster that does not grow. ``sizes`` are the numbers of workers that an
    elastic trial may have, smallest first, up to ``workers``; empty for a fixed number. Every ``sample_every_s`` seconds a
    worker's machine is sampled (``None``: never).
    """

    workers: int
    cpus_per_worker: int
    teacher_cpus_per_worker: int
    gpus_per_worker: float
    loader_workers: int
    concurrent: int
    channels_last: bool = False
    portable: bool = False
    at_first: int | None = None
    sizes: tuple[int, ...] = ()
    sample_every_s: float | None = None

    @property
    def least_workers(self) -> int:
        """Return the fewest workers that a trial may have."""
        return self.sizes[0] if self.sizes else self.workers

    def cpus(self, role: str) -> int:
        """Return the CPUs of each worker of a trial in ``role`` (``teacher`` or ``student``)."""
        return self.teacher_cpus_per_worker if role == "teacher" else self.cpus_per_worker

    def placement(self, role: str) -> Placement:
        """Return the placement of a worker of a trial in ``role``."""
        return Placement(
            workers=self.workers,
            least=self.least_workers if self.sizes else None,
            threads=self.cpus(role),
            loader_workers=self.loader_workers,
            cuda=self.gpus_per_worker > 0,
            gpus=self.gpus_per_worker or 1.0,
            channels_last=self.channels_last,
            sample_every_s=self.sample_every_s,
            portable=self.portable and not self.gpus_per_worker,
        )


def wanted(granted: Resources) -> str:
    """Return the needs of one trial in words: ``2 workers x 4 CPU + 1 GPU``."""
    gpus = f" + {granted.gpus_per_worker:g} GPU" if granted.gpus_per_worker else ""
    workers = alternatives(map(str, granted.sizes or (granted.workers,)))
    return f"{workers} worker{'s' if granted.workers > 1 else ''} x {granted.cpus_per_worker} CPU{gpus}"


def loaders_for(nodes: tuple[Machine, ...], gpus: float) -> int:
    """Return how many loader processes each worker's GPUs leave CPUs for, at most ``MOST_LOADERS``; none on CPUs."""
    shares = [node.cpus * gpus / node.gpus for node in nodes if node.gpus] if gpus else []
    return max(0, min(MOST_LOADERS, int(min(shares, default=1)) - 1))


def workers_on(node: Machine, cpus: int, gpus: float) -> int:
    """Return how many workers fit on one machine; none is spread over two, and a share of a GPU is of one GPU."""
    by_gpu = node.gpus / gpus if gpus >= 1 else node.gpus * int(1 / gpus + 1e-9) if gpus else inf
    return int(min(node.cpus // cpus, by_gpu))


def resources(study: StudySpec, machine: Machine, share: float = 1.0) -> Resources:
    """Return the study's resources on ``machine`` (a whole cluster counts as one machine).

    ``share`` of a GPU is what each worker has where the study leaves that open.
    """
    scaling = study.scaling
    gpus = scaling.gpus_per_worker
    each = float(gpus) if isinstance(gpus, int | float) else share if machine.gpus else 0.0
    cpus = scaling.cpus_per_worker
    nodes = machine.nodes or (machine,)
    loaders = loaders_for(nodes, each) if scaling.loader_workers == "auto" else scaling.loader_workers
    threads = (1 + loaders if each else 1) if cpus == "auto" else cpus
    most = _fitting(scaling, nodes, threads, each)
    largest = max(node.cpus for node in nodes)
    alone = min(scaling.teacher_cpus_per_worker or threads, largest, max(1, machine.cpus // scaling.most_workers))
    now = machine.present
    at_first = _fitting(scaling, now.nodes, threads, each) if now is not None else None
    sizes = scaling.sizes if scaling.shares is not None else ()
    return Resources(
        scaling.most_workers, threads, alone, each, loaders, most, scaling.channels_last, scaling.portable, at_first, sizes,
        study.tracking.sample_every_s,
    )  # fmt: skip


def groups_in(workers: int, sizes: Sequence[int]) -> int:
    """Return how many groups so many workers form, where each takes as many as it may have: ``sizes``, smallest first."""
    whole, left = divmod(workers, sizes[-1])
    return whole + (left >= sizes[0])


def _fitting(scaling: Scaling, nodes: Iterable[Machine], cpus: int, gpus: float) -> int:
    """Return how many trials fit on ``nodes`` at once, at most as many as the study allows."""
    fit = groups_in(sum(workers_on(node, cpus, gpus) for node in nodes), scaling.sizes)
    return fit if scaling.max_concurrent == "auto" else min(fit, scaling.max_concurrent)
