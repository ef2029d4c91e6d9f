"""Estimate the cost of trials: GPU hours, from their own pace or from given rates, and disk."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from orchestrator.plan.budget import Budget
from orchestrator.plan.plan import Plan
from orchestrator.plan.totals import further, left
from orchestrator.plan.trial import PlannedTrial
from orchestrator.reproduce.tables import read_yaml
from trainers.schema import CocoDataset, Detector, TrialSpec, VocDataset
from trainers.schema.status import is_over
from trainers.schema.zoo import find_config

FULL_SIZE = 1333 * 800  # pixels of the images that rates are given for
HOUR_S = 3600


@dataclass(frozen=True)
class Cost:
    """Hold GPU hours and gigabytes; ``measured`` says that the hours come from the trial's own epochs."""

    gpu_hours: float
    disk_gb: float
    measured: bool


def cost_of(trial: PlannedTrial, gpus: int) -> Cost:
    """Return a trial's total cost, on ``gpus`` GPUs if it has begun here; a finished trial costs nothing more."""
    disk = _disk_gb(trial.spec.student)
    if is_over(trial.status):
        return Cost(0.0, disk, measured=True)
    if trial.estimate.seconds is not None:
        return Cost(trial.estimate.seconds * gpus / HOUR_S, disk, measured=True)
    return Cost(_given_hours(trial), disk, measured=False)


def study_hours(plan: Plan) -> float:
    """Return how many GPU hours are left of a study: of known trials, and at most of those that a search may come to.

    The rest of ``search.max_gpu_hours`` caps its students' hours.
    """
    rest = left(plan)
    teacher, students = (total(cost_of(t, gpus=1) for t in rest if t.role == role) for role in ("teacher", "student"))
    longest = [(one.count, max(cost_of(probe, gpus=1).gpu_hours for probe in one.probes)) for one in further(plan)]
    hours = students.gpu_hours + sum(count * each for count, each in longest)
    most = Budget(plan).hours_left
    return teacher.gpu_hours + (hours if most is None else min(hours, most))


def gpu_price() -> float:
    """Return the price of a GPU hour in US dollars that is assumed where none is given."""
    return float(rates()["usd_per_gpu_hour"])


def total(costs: Iterable[Cost]) -> Cost:
    """Return the sum; it is measured only if every part is."""
    found = list(costs)
    hours, disk = (sum(getattr(cost, name) for cost in found) for name in ("gpu_hours", "disk_gb"))
    return Cost(hours, disk, all(cost.measured for cost in found))


def _given_hours(trial: PlannedTrial) -> float:
    return training_hours(trial) if images_of(trial) else float(rates()["evaluation_gpu_h"])


def training_hours(trial: PlannedTrial) -> float:
    """Return the GPU hours that a trial trains, from given rates."""
    spec = trial.spec
    seconds = _train_s(spec.student) + (_teacher_s(spec.teacher.detector) if spec.teacher else 0.0)
    return images_of(trial) * seconds * _size(spec) / HOUR_S


def images_of(trial: PlannedTrial) -> float:
    """Return how many images a trial trains on, as often as it sees them."""
    schedule = trial.spec.schedule
    if trial.estimate.steps is not None:
        return trial.estimate.steps * schedule.batch_size
    each = _images_of_epoch(trial.spec)
    if schedule.iterations is not None:
        return min(schedule.iterations * schedule.batch_size, each * (schedule.epochs or 10**9))
    return each * (schedule.epochs or 0)


def _images_of_epoch(spec: TrialSpec) -> float:
    from orchestrator.plan.part_of_data import SHARE

    dataset = spec.dataset
    if not isinstance(dataset, CocoDataset | VocDataset):
        return 0.0
    passes = dataset.repeat / 3 if dataset.kind == "voc" else dataset.repeat
    part = SHARE if "-quarter-" in dataset.root else 1
    known = dataset.kind if dataset.classes in ("coco80", "voc20") else "other"
    return float(rates()["images"][known]) * passes / part


def _train_s(detector: Detector) -> float:
    return float(rates()["train_s"][backbone_kind(detector)]) * detector.width**2


def _teacher_s(detector: Detector) -> float:
    return _train_s(detector) * float(rates()["teacher_share"])


def _disk_gb(detector: Detector) -> float:
    given = rates()
    return float(given["checkpoint_gb"][backbone_kind(detector)]) * detector.width**2 * int(given["copies"])


def _size(spec: TrialSpec) -> float:
    """Return the images' area as a share of that of the rates; YOLOX's are given for its own."""
    width, height = spec.dataset.image_size
    return 1.0 if backbone_kind(spec.student).startswith("yolox") else width * height / FULL_SIZE


def backbone_kind(detector: Detector) -> str:
    """Return the name by which the rates know a detector: its backbone."""
    config = find_config(detector.config)
    backbone, depth = (config.backbone or "", detector.backbone_depth or config.depth) if config else ("", None)
    named = {"MobileNetV2": "mobilenetv2", "SwinTransformer": "swint", "ResNeXt": "resnext101_dcn"}
    if backbone == "CSPDarknet":
        return "yolox_tiny" if "tiny" in detector.config else "yolox_s"
    return named.get(backbone, f"resnet{depth}" if depth in (18, 34, 50, 101) else "resnet50")


@cache
def rates() -> dict[str, Any]:
    """Return the given figures that a plan reckons with where nothing has been measured."""
    return read_yaml("rates.yaml")
