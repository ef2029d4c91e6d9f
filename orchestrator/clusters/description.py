"""Define the cluster description: the keys of a file in ``configs/clusters``, for every platform."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from orchestrator.core.redact import is_secret_name
from trainers.schema.base import Section

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*[a-z0-9]$", max_length=40)]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@+=-]*$", max_length=300)]
Folder = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._/-]*$", max_length=300)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=100)]
Value = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f'\"\\$`]*$", max_length=1000)]


class Head(Section):
    """Hold the machine that the driver runs on: never taken from the spot market, and no trial is placed on it."""

    machine: Word | None = None
    cpus: int = Field(ge=1, le=1024)
    memory_gib: int = Field(ge=2, le=24576)
    price_per_hour: float = Field(0.0, ge=0, le=10_000)


class Workers(Section):
    """Hold one kind of worker machine and how many of it there may be; the autoscaler decides how many there are."""

    name: Name
    machine: Word | None = None
    cpus: int = Field(ge=1, le=1024)
    memory_gib: int = Field(ge=2, le=24576)
    gpus: int = Field(0, ge=0, le=64)
    min: int = Field(0, ge=0, le=10_000)
    max: int = Field(1, ge=1, le=10_000)
    spot: bool = False
    price_per_hour: float = Field(0.0, ge=0, le=10_000)

    @model_validator(mode="after")
    def _ordered(self) -> "Workers":
        if self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class SharedFolder(Section):
    """Use a store folder that every machine has already."""

    kind: Literal["folder"] = "folder"
    path: Folder


class Nfs(Section):
    """Mount the store's folder on every machine over NFS 4.1 (EFS, Filestore, any file server)."""

    kind: Literal["nfs"] = "nfs"
    server: Word
    export: Folder = "/"
    path: Folder = "/mnt/stillhouse"


class VolumeClaim(Section):
    """Name the persistent volume claim, ``ReadWriteMany``, that holds the store; Kubernetes only."""

    kind: Literal["claim"] = "claim"
    claim: Name
    path: Folder = "/mnt/stillhouse"


class Aws(Section):
    """Start machines at AWS with Ray's cluster launcher."""

    kind: Literal["aws"] = "aws"
    region: Word
    zones: tuple[Word, ...] = ()
    machine_image: Word | None = None
    instance_profile: Word | None = None
    ssh_user: Word = "ubuntu"
    disk_gib: int = Field(150, ge=30, le=16384)


class Gcp(Section):
    """Start machines at Google Cloud with Ray's cluster launcher."""

    kind: Literal["gcp"] = "gcp"
    project: Word
    region: Word
    zone: Word
    machine_image: Word
    ssh_user: Word = "ubuntu"
    disk_gib: int = Field(150, ge=30, le=65536)


class Machines(Section):
    """Use running machines, reached by ssh, with Ray's cluster launcher."""

    kind: Literal["machines"] = "machines"
    head: Word
    workers: tuple[Word, ...] = ()
    ssh_user: Word
    ssh_key: str | None = Field(None, pattern=r"^[A-Za-z0-9._/~-]+$", max_length=300)


class Toleration(Section):
    """Tolerate this taint, so that pods can run on its nodes."""

    key: Word
    value: Word | None = None
    effect: Literal["NoSchedule", "NoExecute", "PreferNoSchedule"] = "NoSchedule"


class Kubernetes(Section):
    """Let KubeRay's operator make the cluster. ``secret`` names the Secret with credentials for MLflow and S3."""

    kind: Literal["kubernetes"] = "kubernetes"
    namespace: Name = "stillhouse"
    secret: Name | None = None
    head_selector: dict[Word, Word] = {}
    spot_selector: dict[Word, Word] = {}
    spot_tolerations: tuple[Toleration, ...] = ()


class Slurm(Section):
    """Let Slurm start head and workers as one job on its nodes; the first node is the head."""

    kind: Literal["slurm"] = "slurm"
    partition: Word | None = None
    account: Word | None = None
    hours: int = Field(24, ge=1, le=8760)


Platform = Annotated[Aws | Gcp | Machines | Kubernetes | Slurm, Field(discriminator="kind")]
Storage = Annotated[SharedFolder | Nfs | VolumeClaim, Field(discriminator="kind")]
Environment = dict[Variable, Value]

STORED = {
    "folder": "aws, gcp, machines or slurm",
    "nfs": "aws, gcp, machines or kubernetes",
    "claim": "kubernetes",
}


class Cluster(Section):
    """Describe a cluster; ``mirror`` is the object storage that keeps copies of the trials. Prices are US dollars an hour of one machine, as you pay them: spot prices for spot machines."""

    name: Name
    platform: Platform
    image: Word | None = None
    environment_folder: Folder = "/opt/stillhouse"
    head: Head
    workers: tuple[Workers, ...] = Field(min_length=1, max_length=20)
    storage: Storage
    mirror: Word | None = None
    data: Folder | None = None
    variables: Environment = {}
    idle_minutes: int = Field(5, ge=1, le=1440)
    max_hours: int = Field(24, ge=1, le=720)

    @field_validator("variables")
    @classmethod
    def _no_secrets(cls, variables: Environment) -> Environment:
        secret = sorted(filter(is_secret_name, variables))
        if secret:
            raise ValueError(
                f"{', '.join(secret)}: rendered files contain no secrets; docs/cluster.md says where to put them"
            )
        return variables

    @model_validator(mode="after")
    def _consistent(self) -> "Cluster":
        names = [group.name for group in self.workers]
        if len(set(names)) != len(names) or "head" in names:
            raise ValueError("workers need distinct names, and none may be named head")
        kind = self.platform.kind
        if kind in ("aws", "gcp") and not all(machine.machine for machine in self.machines):
            raise ValueError(f"{kind} needs the type of each machine (machine)")
        if kind == "kubernetes" and self.image is None:
            raise ValueError("kubernetes needs an image")
        if kind == "slurm" and len(self.workers) > 1:
            raise ValueError("slurm starts one kind of node: give one entry in workers")
        if kind not in STORED[self.storage.kind]:
            raise ValueError(
                f"{kind} cannot have storage of kind {self.storage.kind}, which is for {STORED[self.storage.kind]}"
            )
        return self

    @property
    def store(self) -> str:
        """Return the store's folder as every machine of the cluster sees it."""
        return f"{self.storage.path}/runs"

    @property
    def machines(self) -> "tuple[Head | Workers, ...]":
        """Return the head and each kind of worker."""
        return (self.head, *self.workers)

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables of every process on the cluster's machines."""
        places = {"STILLHOUSE_DATA": self.data, "STILLHOUSE_MIRROR": self.mirror}
        named = {name: place for name, place in places.items() if place}
        return {"STILLHOUSE_PYTHON": f"{self.environment_folder}/bin/python", **named, **self.variables}

    @property
    def folders(self) -> list[str]:
        """Return the folders of the machines that a container needs to see; one within another comes with it."""
        inside = self.data is not None and f"{self.data}/".startswith(f"{self.storage.path}/")
        return [self.storage.path, *([self.data] if self.data and not inside else [])]
