"""Estimate how long trials read their images, and warn where GPUs would wait for them."""

import math
from dataclasses import dataclass

from orchestrator.plan.trial import PlannedTrial
from orchestrator.reproduce.cost import HOUR_S, backbone_kind, images_of, rates, training_hours
from orchestrator.reproduce.plan import RunPlan
from orchestrator.study.wording import counted
from trainers.schema.status import has_ended

MARGIN = 0.5  # of the training's time: given rates may be off by a factor of two, and newer GPUs are faster


@dataclass(frozen=True)
class LoadingTime:
    """Hold the hours that one trial trains, and those that it reads images beside it.

    ``loaders`` are the processes that read for each GPU, ``None`` where the machine of the run decides (one is counted);
    ``needed`` is how many keep up with it.
    """

    name: str
    workers: int
    loaders: int | None
    hours: float
    training_hours: float
    needed: int

    @property
    def starves(self) -> bool:
        """Return whether GPUs would wait for images."""
        return (self.loaders or 1) < self.needed

    def describe(self) -> str:
        """Return one sentence with both times and a sufficient number of loaders."""
        readers = counted(self.loaders or 1, "loader")
        return (
            f"{self.name}: {self.hours:.1f} hours of loading by {readers} a GPU beside {self.training_hours:.1f} of "
            f"training on {counted(self.workers, 'GPU')}; {self.needed} loaders keep up: {self.needed + 1} CPUs a GPU"
            f"{'' if self.loaders is None else ' and scaling.loader_workers: auto'}"
        )


def starving(run_plan: RunPlan) -> list[LoadingTime]:
    """Return the trials whose GPUs would wait for images, one for each study and length, in the order of the plan."""
    found = (_loading(run_plan, trial) for trial in run_plan.trials if not has_ended(trial.status))
    return list(dict.fromkeys(one for one in found if one is not None and one.starves))


def _loading(run_plan: RunPlan, trial: PlannedTrial) -> LoadingTime | None:
    """Return a trial's estimate; none for evaluations, and for studies without loaders, which train on CPUs."""
    job, images = run_plan.source(trial), images_of(trial)
    granted, wanted = job.plan.resources, job.plan.study.scaling.loader_workers
    if images == 0 or wanted == 0:
        return None
    loaders = None if wanted == "auto" and not granted.gpus_per_worker else granted.loader_workers
    reading, training = images * _item_s(trial) / HOUR_S, training_hours(trial)
    return LoadingTime(
        name=job.name,
        workers=granted.workers,
        loaders=loaders,
        hours=reading / granted.workers / (loaders or 1),
        training_hours=training / granted.workers,
        needed=math.ceil(reading / (MARGIN * training)),
    )


def _item_s(trial: PlannedTrial) -> float:
    """Return the CPU seconds that one training image takes: decoding, scaling, augmentation."""
    known = rates()["load_s"]
    mosaic = trial.spec.dataset.augmentation == "mosaic"
    return float(known[backbone_kind(trial.spec.student)] if mosaic else known["flip"])
