"""Shorten a study: compressed schedules on a part of the data, or two steps at small images to see that it runs.

A study with ``fidelity`` is shortened where it is planned. Its own ``schedule`` stays as it is written, and each trial's is
shortened once the searched values are in it, so that lengths and milestones which are searched move along.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from orchestrator.study.schema import Asha, Fifo, Pasha, Population, StudySpec, TrainedTeacher
from trainers.schema.schedule import Schedule

Data = dict[str, Any]
Fidelity = Literal["full", "short", "smoke"]

SHORTER = 1 / 3  # of the schedule, milestones and warm-up with it
SMOKE_SIDE, SMOKE_STEPS, SMOKE_BATCH = 64, 2, 2


def shortened(study: StudySpec, roots: Mapping[str, Path]) -> StudySpec:
    """Return the study with a third of each schedule, on the part of its data that ``roots`` gives for its root, if any."""
    return _changed(study, compressed, lambda dataset: _moved(dataset, roots))


def smoke(study: StudySpec, roots: Mapping[str, Path]) -> StudySpec:
    """Return the study with two steps of two small images each, on the data that ``roots`` gives for its kind."""
    changed = _changed(study, _two_steps, lambda dataset: _tiny(dataset, roots))
    alone = {"workers": 1, "loader_workers": 0, "cpus_per_worker": "auto", "teacher_cpus_per_worker": None}
    one_by_one = changed.search.model_copy(update={"cohort": 1})  # two steps save nothing, and memory is small here
    return changed.model_copy(update={"scaling": changed.scaling.model_copy(update=alone), "search": one_by_one})


def at_fidelity(schedule: Schedule, fidelity: Fidelity) -> Schedule:
    """Return a schedule as trials of this fidelity have it."""
    if fidelity == "full":
        return schedule
    change = compressed if fidelity == "short" else _two_steps
    return Schedule.model_validate_json(json.dumps(change(schedule.model_dump(mode="json"))))


def schedule_of(study: StudySpec) -> Schedule:
    """Return the schedule of a study's trials where the search sets nothing of it."""
    return at_fidelity(study.schedule, study.fidelity)


def planned_at(study: StudySpec, fidelity: Fidelity, roots: Mapping[str, Path]) -> StudySpec:
    """Return a study with everything at this fidelity but its own schedule; it has a name of its own.

    ``roots`` gives the folders of drawn data by kind (smoke), or of parts of datasets by the root (short).
    """
    if fidelity == "full":
        return study
    moved = shortened(study, roots) if fidelity == "short" else smoke(study, roots)
    name = f"{study.name[: 99 - len(fidelity)]}-{fidelity}"
    search = moved.search.model_copy(update={"scheduler": _rule(study, fidelity), "population": _population(study)})
    return moved.model_copy(update={"name": name, "schedule": study.schedule, "fidelity": fidelity, "search": search})


def _rule(study: StudySpec, fidelity: Fidelity) -> Any:
    """Return the scheduler with its first rung moved; two steps give a scheduler nothing to compare."""
    rule = study.search.scheduler
    if fidelity == "smoke":
        return Fifo(kind="fifo")
    if not isinstance(rule, Asha | Pasha):
        return rule
    return rule.model_copy(update={"grace_epochs": max(1, _part(rule.grace_epochs))})


def _population(study: StudySpec) -> Population:
    population, epochs = study.search.population, schedule_of(study).epochs or 2
    every = min(epochs - 1, _part(population.every_epochs))
    return population.model_copy(update={"every_epochs": max(1, every)})


def compressed(schedule: Data) -> Data:
    """Return a schedule (as JSON) of a third of the length, everything in it moved along."""
    job = "iterations" if schedule["epochs"] is None else "epochs"
    length = min(schedule[job], max(2, _part(schedule[job])))
    closing = schedule["closing_epochs"] and max(1, _part(schedule["closing_epochs"]))
    policy = _compressed_policy(schedule["policy"], length, closing)
    shorter = schedule | {job: length, "policy": policy, "closing_epochs": closing}
    if job == "epochs" and schedule["iterations"]:
        shorter["iterations"] = max(1, _part(schedule["iterations"]))
    shorter["warmup"] = schedule["warmup"] | {
        key: schedule["warmup"][key] and max(1, _part(schedule["warmup"][key])) for key in ("iterations", "epochs")
    }
    if schedule["ema"]:
        momentum = min(0.5, schedule["ema"]["momentum"] / SHORTER)
        shorter["ema"] = {"momentum": momentum, "gamma": max(1, _part(schedule["ema"]["gamma"]))}
    return shorter


def _compressed_policy(policy: Data, length: int, closing: int) -> Data:
    if not length:
        return policy
    if policy["kind"] == "step" and policy["milestones"]:
        moved = sorted({max(1, _part(moment)) for moment in policy["milestones"]})
        return policy | {"milestones": [moment for moment in moved if moment < length] or [length - 1]}
    if policy["kind"] in ("cosine", "flat-cosine"):
        end = length - (closing if policy["kind"] == "cosine" else 0)
        return policy | {"begin": min(_part(policy["begin"]), max(0, end - 1))}
    return policy


def _part(number: int) -> int:
    return round(number * SHORTER)


def _two_steps(schedule: Data) -> Data:
    fewer: Data = {"iterations": SMOKE_STEPS, "batch_size": SMOKE_BATCH}
    if schedule["epochs"] is None:
        fewer |= {"policy": {"kind": "constant"}}
    return schedule | fewer


def _moved(dataset: Data, roots: Mapping[str, Path]) -> Data:
    root = roots.get(dataset.get("root", ""))
    return dataset if root is None else dataset | {"root": str(root)}


def _tiny(dataset: Data, roots: Mapping[str, Path]) -> Data:
    """Return a dataset of the same kind, classes and augmentation, at small images."""
    if dataset["kind"] == "shapes" or dataset["classes"] not in ("coco80", "voc20"):
        return dataset
    side = SMOKE_SIDE
    small = dataset | {"root": str(roots[dataset["kind"]]), "image_size": [side, side], "repeat": 1}
    if dataset["test_size"]:
        small["test_size"] = [side, side]
    if dataset["batch_scales"]:
        small["batch_scales"] = {"short": [side, side + 32], "every": 1, "divisor": 32}
    if dataset["multi_scale"]:
        small["multi_scale"] = _tiny_scales()
    return small


def _tiny_scales() -> Data:
    return {"kind": "choice", "short": [SMOKE_SIDE - 16, SMOKE_SIDE]}


def _changed(study: StudySpec, schedule: Callable[[Data], Data], dataset: Callable[[Data], Data]) -> StudySpec:
    data = study.model_dump(mode="json")
    data |= {"schedule": schedule(data["schedule"]), "dataset": dataset(data["dataset"])}
    if isinstance(study.teacher, TrainedTeacher):
        teacher = data["teacher"]
        teacher["schedule"] = schedule(teacher["schedule"])
        if teacher["multi_scale"] and data["dataset"]["image_size"] == [SMOKE_SIDE, SMOKE_SIDE]:
            teacher["multi_scale"] = _tiny_scales()
    return StudySpec.model_validate_json(json.dumps(data))
