"""Define the cluster description: the keys of a file in ``configs/clusters``, for every platform."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator

from orchestrator.clusters.platforms import Folder, Name, Platform, Value, Variable, Word, platforms
from orchestrator.core.redact import is_secret_name
from orchestrator.plan.growth import VARIABLE, NodeKind, grown, to_text
from orchestrator.plan.machine import Machine
from orchestrator.study.wording import alternatives
from trainers.schema.base import Section
from trainers.schema.plugins import one_of


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


if TYPE_CHECKING:
    PlatformSpec = Platform
else:  # installed packages may add some
    PlatformSpec = one_of(platforms().values())
Storage = Annotated[SharedFolder | Nfs | VolumeClaim, Field(discriminator="kind")]
Environment = dict[Variable, Value]


class Cluster(Section):
    """Describe a cluster; ``mirror`` is the object storage that keeps copies of the trials. Prices are US dollars an hour of one machine, as you pay them: spot prices for spot machines."""

    name: Name
    platform: PlatformSpec
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
        if fault := self.platform.fault(self):
            raise ValueError(fault)
        if self.storage.kind not in self.platform.storages:
            able = alternatives(kind for kind, found in platforms().items() if self.storage.kind in found.storages)
            kind = self.platform.kind
            raise ValueError(f"{kind} cannot have storage of kind {self.storage.kind}, which is for {able}")
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
    def machine_types(self) -> list[str | None]:
        """Return the provider's machine types of the head and of each worker group."""
        return [machine.machine for machine in self.machines]

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables of every process on the cluster's machines."""
        places = {"STILLHOUSE_DATA": self.data, "STILLHOUSE_MIRROR": self.mirror}
        named = {name: place for name, place in places.items() if place}
        python = {"STILLHOUSE_PYTHON": f"{self.environment_folder}/bin/python"}
        return {**python, VARIABLE: to_text(self.kinds), **named, **self.variables}

    @property
    def kinds(self) -> tuple[NodeKind, ...]:
        """Return the kinds of workers that the cluster can have, as ``run`` learns of them there."""
        most = self.platform.most_workers(self)
        return tuple(NodeKind(group.cpus, group.gpus, min(group.max, most)) for group in self.workers)

    @property
    def grown(self) -> Machine:
        """Return the cluster at its largest size, as one machine; its head takes no trials."""
        return grown([], self.kinds)

    @property
    def folders(self) -> list[str]:
        """Return the folders of the machines that a container needs to see; one within another comes with it."""
        inside = self.data is not None and f"{self.data}/".startswith(f"{self.storage.path}/")
        return [self.storage.path, *([self.data] if self.data and not inside else [])]
