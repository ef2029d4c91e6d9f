"""Describe a cluster at its largest: kinds of machines, and how many of each its autoscaler may start."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.plan.machine import Machine

VARIABLE = (
    "STILLHOUSE_MACHINES"  # of the processes on a head: the kinds of its cluster's workers, as ``to_text`` writes them
)


@dataclass(frozen=True)
class NodeKind:
    """Hold one kind of machine: its resources, and how many of it there may be at once."""

    cpus: int
    gpus: int
    most: int


def to_text(kinds: Iterable[NodeKind]) -> str:
    """Return kinds as text without quotes or spaces: ``CPUS/GPUS/MOST``, separated by commas (YAML reads ``8:1:8`` as one number)."""
    return ",".join(f"{kind.cpus}/{kind.gpus}/{kind.most}" for kind in kinds)


def from_text(text: str) -> tuple[NodeKind, ...]:
    """Return the kinds that ``to_text`` wrote; raise ``ValueError`` for other text."""
    return tuple(NodeKind(*map(int, part.split("/"))) for part in text.split(",") if part)


def as_one(nodes: Sequence[Machine]) -> Machine:
    """Return several machines as one."""
    return Machine(cpus=sum(one.cpus for one in nodes), gpus=sum(one.gpus for one in nodes), nodes=tuple(nodes))


def grown(present: Sequence[Machine], kinds: Sequence[NodeKind]) -> Machine:
    """Return a cluster of the machines ``present`` when it has become as large as its autoscaler makes it.

    A machine that is there already counts as one of the kind that is most like it: a description and the machine itself
    may count CPUs differently, but not GPUs.
    """
    left = dict(enumerate(kind.most for kind in kinds))
    for machine in present:
        alike = [at for at, count in left.items() if count and kinds[at].gpus == machine.gpus and machine.cpus]
        if alike:
            left[min(alike, key=lambda at: abs(kinds[at].cpus - machine.cpus))] -= 1
    to_come = [Machine(kinds[at].cpus, kinds[at].gpus) for at, count in left.items() for _ in range(count)]
    whole = as_one([*present, *to_come])
    return Machine(whole.cpus, whole.gpus, whole.nodes, present=as_one(present))
