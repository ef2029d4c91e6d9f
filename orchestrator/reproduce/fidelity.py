"""Shorten a study: compressed schedules on a part of the data, or two steps at small images to see that it runs."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from orchestrator.study.schema import StudySpec, TrainedTeacher

Data = dict[str, Any]

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


def compressed(schedule: Data) -> Data:
    """Return a schedule (as JSON) of a third of the length, everything in it moved along."""
    job = "iterations" if schedule["epochs"] is None else "epochs"
    length = max(2, _part(schedule[job]))
    shorter = schedule | {job: length, "policy": _compressed_policy(schedule["policy"], length)}
    shorter["closing_epochs"] = schedule["closing_epochs"] and max(1, _part(schedule["closing_epochs"]))
    shorter["warmup"] = schedule["warmup"] | {
        key: schedule["warmup"][key] and max(1, _part(schedule["warmup"][key])) for key in ("iterations", "epochs")
    }
    if schedule["ema"]:
        momentum = min(0.5, schedule["ema"]["momentum"] / SHORTER)
        shorter["ema"] = {"momentum": momentum, "gamma": max(1, _part(schedule["ema"]["gamma"]))}
    return shorter


def _compressed_policy(policy: Data, length: int) -> Data:
    if policy["kind"] == "step":
        moved = sorted({max(1, _part(moment)) for moment in policy["milestones"]})
        return policy | {"milestones": [moment for moment in moved if moment < length] or [length - 1]}
    if policy["kind"] == "cosine":
        return policy | {"begin": _part(policy["begin"])}
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
