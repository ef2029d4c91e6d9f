"""Shorten a study: compressed schedules on a part of the data, or two steps at small images to see that it runs.

A study with ``fidelity`` is shortened where it is planned. Its own ``schedule`` and ``teacher`` stay as they are written, and
those of each trial are shortened once the searched values are in them, so that lengths and milestones which are searched move along.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from orchestrator.study.schema import Asha, Fifo, Pasha, Population, StudySpec, TeacherSection, TrainedTeacher
from trainers.schema.method import MethodSpec, Preset, TermSum
from trainers.schema.schedule import Schedule
from trainers.schema.timing import Timed

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


def teacher_at(teacher: TeacherSection, study: StudySpec) -> TeacherSection:
    """Return a teacher of a planned study as it is trained at the study's fidelity."""
    if study.fidelity == "full" or not isinstance(teacher, TrainedTeacher):
        return teacher
    change = compressed if study.fidelity == "short" else _two_steps
    changed = _shorter_teacher(teacher.model_dump(mode="json"), change, list(study.dataset.image_size))
    return TrainedTeacher.model_validate_json(json.dumps(changed))


def method_at(method: MethodSpec, study: StudySpec) -> MethodSpec:
    """Return a method of a planned study with its terms' epochs moved along with the schedule, where that is shortened."""
    if study.fidelity != "short":
        return method
    if isinstance(method, Preset):
        return method.model_copy(update=_earlier(method, study))
    if isinstance(method, TermSum):
        terms = tuple(term.model_copy(update=_earlier(term, study)) for term in method.terms)
        return method.model_copy(update={"terms": terms})
    return method


def _earlier(timed: Timed, study: StudySpec) -> Data:
    """Return when a term acts in the shorter schedule; shares of the schedule move by themselves."""
    last = (schedule_of(study).epochs or 2) - 1
    begins, until, ramp = timed.begins, timed.until, timed.ramp
    moved = min(_part(begins), last) if isinstance(begins, int) else begins
    least = moved + 1 if isinstance(moved, int) else 1
    return {
        "from": moved,
        "until": max(least, _part(until)) if isinstance(until, int) else until,
        "ramp": max(1, _part(ramp)) if isinstance(ramp, int) and ramp else ramp,
    }


def scales_at(dataset: Data, fidelity: Fidelity) -> Data:
    """Return a dataset (as JSON) whose searched scales suit the drawn images of its fidelity."""
    return _small_scales(dataset) if fidelity == "smoke" and _is_drawn(dataset) else dataset


def schedule_of(study: StudySpec) -> Schedule:
    """Return the schedule of a study's trials where the search sets nothing of it."""
    return at_fidelity(study.schedule, study.fidelity)


def planned_at(study: StudySpec, fidelity: Fidelity, roots: Mapping[str, Path]) -> StudySpec:
    """Return a study with everything at this fidelity but its own schedule and teacher; it has a name of its own.

    ``roots`` gives the folders of drawn data by kind (smoke), or of parts of datasets by the root (short).
    """
    if fidelity == "full":
        return study
    moved = shortened(study, roots) if fidelity == "short" else smoke(study, roots)
    name = f"{study.name[: 99 - len(fidelity)]}{_ending(fidelity)}"
    search = moved.search.model_copy(update={"scheduler": _rule(study, fidelity), "population": _population(study)})
    written = {"schedule": study.schedule, "teacher": study.teacher}
    return moved.model_copy(update={**written, "name": name, "fidelity": fidelity, "search": search})


def full_name(planned: StudySpec) -> str:
    """Return the name of the study that a planned one is a shorter form of, its own where it is none."""
    return planned.name if planned.fidelity == "full" else planned.name.removesuffix(_ending(planned.fidelity))


def _ending(fidelity: Fidelity) -> str:
    return f"-{fidelity}"


def _rule(study: StudySpec, fidelity: Fidelity) -> Any:
    """Return the scheduler with its first rung moved; two steps give a scheduler nothing to compare."""
    rule = study.search.scheduler
    if fidelity == "smoke":
        return Fifo(kind="fifo")
    if not isinstance(rule, Asha | Pasha):
        return rule
    grace, epochs = _part(rule.grace_epochs), at_fidelity(study.schedule, fidelity).epochs
    acts = study.schedule.epochs is not None and rule.grace_epochs < study.schedule.epochs
    return rule.model_copy(update={"grace_epochs": max(1, min(grace, epochs - 1) if epochs and acts else grace)})


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
    if not _is_drawn(dataset):
        return dataset
    side = SMOKE_SIDE
    small = dataset | {"root": str(roots[dataset["kind"]]), "image_size": [side, side], "repeat": 1}
    if dataset["test_size"]:
        small["test_size"] = [side, side]
    return _small_scales(small)


def _is_drawn(dataset: Data) -> bool:
    """Return whether drawn images take the place of a dataset's own, to see that a study runs."""
    return dataset["kind"] != "shapes" and dataset["classes"] in ("coco80", "voc20")


def _small_scales(dataset: Data) -> Data:
    small = dict(dataset)
    if dataset["batch_scales"]:
        small["batch_scales"] = {"short": [SMOKE_SIDE, SMOKE_SIDE + 32], "every": 1, "divisor": 32}
    if dataset["multi_scale"]:
        small["multi_scale"] = _tiny_scales()
    return small


def _tiny_scales() -> Data:
    return {"kind": "choice", "short": [SMOKE_SIDE - 16, SMOKE_SIDE]}


def _changed(study: StudySpec, schedule: Callable[[Data], Data], dataset: Callable[[Data], Data]) -> StudySpec:
    data = study.model_dump(mode="json")
    data |= {"schedule": schedule(data["schedule"]), "dataset": dataset(data["dataset"])}
    if isinstance(study.teacher, TrainedTeacher):
        data["teacher"] = _shorter_teacher(data["teacher"], schedule, data["dataset"]["image_size"])
    return StudySpec.model_validate_json(json.dumps(data))


def _shorter_teacher(teacher: Data, schedule: Callable[[Data], Data], image_size: list[int]) -> Data:
    shorter = teacher | {"schedule": schedule(teacher["schedule"])}
    if teacher["multi_scale"] and image_size == [SMOKE_SIDE, SMOKE_SIDE]:
        shorter["multi_scale"] = _tiny_scales()
    return shorter
