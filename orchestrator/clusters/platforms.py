"""Define the platforms that can provide a cluster's machines: one section each, with its storages and its renderer.

A package adds a platform by an entry point in the group ``stillhouse.platforms`` that names a ``Platform``.
"""

import re
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Protocol

from pydantic import AfterValidator, Field, StringConstraints

from orchestrator.study.wording import describe
from trainers.schema.base import Section
from trainers.schema.plugins import by_kind, plugged_sections

GROUP = "stillhouse.platforms"


def matching(pattern: str, rule: str) -> AfterValidator:
    """Return a check that a whole text matches a pattern; ``rule`` says the pattern in words."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{rule}, got {describe(text)}")
        return text

    return AfterValidator(check)


SMALL = "has two or more small letters, digits and '-', begins with a letter and ends with a letter or digit"
PLAIN = "has letters, digits and ._/:@+=- only, and begins with a letter or digit"
Name = Annotated[str, StringConstraints(max_length=40), matching(r"[a-z][a-z0-9-]*[a-z0-9]", SMALL)]
Word = Annotated[str, StringConstraints(max_length=300), matching(r"[A-Za-z0-9][A-Za-z0-9._/:@+=-]*", PLAIN)]
Folder = Annotated[
    str,
    StringConstraints(max_length=300),
    matching(r"/[A-Za-z0-9._/-]*", "begins with / and has letters, digits and ._/- only"),
]
KeyFile = Annotated[
    str,
    StringConstraints(max_length=300),
    matching(r"[A-Za-z0-9._/~-]+", "has letters, digits and ._/~- only"),
]
Variable = Annotated[
    str,
    StringConstraints(max_length=100),
    matching(r"[A-Z][A-Z0-9_]*", "has capital letters, digits and _ only, and begins with a letter"),
]
Value = Annotated[
    str,
    StringConstraints(max_length=1000),
    matching(r"[^\x00-\x1f\x7f'\"\\$`]*", "stands in one line, without quotation marks, \\, $ and `"),
]


class WorkerParts(Protocol):
    """Give a platform how many machines of one kind there may be."""

    @property
    def max(self) -> int:
        """Return the largest number."""


class ClusterParts(Protocol):
    """Give a platform the parts of a cluster's description that it may refuse."""

    @property
    def image(self) -> str | None:
        """Return the image that the machines run."""

    @property
    def workers(self) -> Sequence["WorkerParts"]:
        """Return the worker groups."""

    @property
    def machine_types(self) -> Sequence[str | None]:
        """Return the provider's machine types of the head and of each worker group."""


class Platform(Section):
    """Hold the settings of one platform.

    ``storages`` are the kinds of storage that its machines can have. ``renderer`` is an import string,
    ``module:function``; it is called with a cluster and a study's text (``None``: no study) and returns the texts of the
    files that the platform reads, by name.
    """

    storages: ClassVar[frozenset[str]]
    renderer: ClassVar[str]
    kind: str

    def fault(self, cluster: ClusterParts) -> str | None:
        """Return one sentence that says why this platform cannot provide ``cluster``; ``None`` when it can."""
        return None

    def most_workers(self, cluster: ClusterParts) -> int:
        """Return how many worker machines there may be at once."""
        return sum(group.max for group in cluster.workers)


def machine_types_missing(platform: Platform, cluster: ClusterParts) -> str | None:
    """Return the sentence for a cluster that does not say which machines to hire."""
    return None if all(cluster.machine_types) else f"{platform.kind} needs the type of each machine (machine)"


class Aws(Platform):
    """Start machines at AWS with Ray's cluster launcher."""

    storages = frozenset({"folder", "nfs"})
    renderer = "orchestrator.clusters.render:launcher_and_sky"
    kind: Literal["aws"] = "aws"
    region: Word
    zones: tuple[Word, ...] = ()
    machine_image: Word | None = None
    instance_profile: Word | None = None
    ssh_user: Word = "ubuntu"
    disk_gib: int = Field(150, ge=30, le=16384)

    def fault(self, cluster: ClusterParts) -> str | None:
        return machine_types_missing(self, cluster)


class Gcp(Platform):
    """Start machines at Google Cloud with Ray's cluster launcher."""

    storages = frozenset({"folder", "nfs"})
    renderer = "orchestrator.clusters.render:launcher_and_sky"
    kind: Literal["gcp"] = "gcp"
    project: Word
    region: Word
    zone: Word
    machine_image: Word
    ssh_user: Word = "ubuntu"
    disk_gib: int = Field(150, ge=30, le=65536)

    def fault(self, cluster: ClusterParts) -> str | None:
        return machine_types_missing(self, cluster)


class Machines(Platform):
    """Use running machines, reached by ssh, with Ray's cluster launcher."""

    storages = frozenset({"folder", "nfs"})
    renderer = "orchestrator.clusters.render:launcher"
    kind: Literal["machines"] = "machines"
    head: Word
    workers: tuple[Word, ...] = ()
    ssh_user: Word
    ssh_key: KeyFile | None = None

    def most_workers(self, cluster: ClusterParts) -> int:
        return len(self.workers)


class Toleration(Section):
    """Tolerate this taint, so that pods can run on its nodes."""

    key: Word
    value: Word | None = None
    effect: Literal["NoSchedule", "NoExecute", "PreferNoSchedule"] = "NoSchedule"


class Kubernetes(Platform):
    """Let KubeRay's operator make the cluster. ``secret`` names the Secret with credentials for MLflow and S3."""

    storages = frozenset({"nfs", "claim"})
    renderer = "orchestrator.clusters.render:kubernetes"
    kind: Literal["kubernetes"] = "kubernetes"
    namespace: Name = "stillhouse"
    secret: Name | None = None
    head_selector: dict[Word, Word] = {}
    spot_selector: dict[Word, Word] = {}
    spot_tolerations: tuple[Toleration, ...] = ()

    def fault(self, cluster: ClusterParts) -> str | None:
        return "kubernetes needs an image" if cluster.image is None else None


class Slurm(Platform):
    """Let Slurm start head and workers as one job on its nodes; the first node is the head."""

    storages = frozenset({"folder"})
    renderer = "orchestrator.clusters.render:slurm"
    kind: Literal["slurm"] = "slurm"
    partition: Word | None = None
    account: Word | None = None
    hours: int = Field(24, ge=1, le=8760)

    def fault(self, cluster: ClusterParts) -> str | None:
        return "slurm starts one kind of node: give one entry in workers" if len(cluster.workers) > 1 else None


BUILT_IN: tuple[type[Platform], ...] = (Aws, Gcp, Machines, Kubernetes, Slurm)


def platforms() -> dict[str, type[Platform]]:
    """Return the platforms by kind: the built-in ones, then those of installed packages."""
    return by_kind(BUILT_IN, plugged_sections(GROUP, Platform), GROUP)
