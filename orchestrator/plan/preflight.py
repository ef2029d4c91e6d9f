"""Find requirements of a study that this machine lacks, before anything starts."""

from collections.abc import Iterator
from pathlib import Path

from orchestrator.core.findings import Finding
from orchestrator.dataset_check.data_findings import data_findings
from orchestrator.plan.machine import Machine
from orchestrator.plan.resources import Resources, wanted
from orchestrator.plan.torch_file import problem_with
from orchestrator.plan.weights import needed_urls, start_files, teacher_order
from orchestrator.study.expand import teachers_of
from orchestrator.study.load import LoadedStudy
from orchestrator.study.local_configs import config_findings
from orchestrator.study.schema import CheckpointTeacher, TeacherSection, ZooTeacher
from orchestrator.study.substitute import written_at
from orchestrator.study.wording import counted
from trainers.schema.checkpoint_classes import OtherClasses, holds_dictionary


def preflight(loaded: LoadedStudy, granted: Resources, machine: Machine) -> list[Finding]:
    """Return missing or wrong things outside the study file; an empty list means that the study can run here."""
    outside = (data_findings(loaded), config_findings(loaded.study), _weights(loaded))
    here = (_room(loaded, granted, machine), _precision(loaded, granted))
    return [finding for part in (*outside, *here) for finding in part]


def _weights(loaded: LoadedStudy) -> Iterator[Finding]:
    for teacher in teachers_of(loaded.study):
        if isinstance(teacher, CheckpointTeacher) and (problem := problem_with(Path(teacher.path))):
            where = loaded.where(written_at(loaded.study, "teacher.path"))
            yield Finding("error", where, f"{teacher.path} {problem}")
        else:
            yield from _teachers_classes(loaded, teacher)
    for path, key in start_files(loaded.study).items():
        if problem := problem_with(Path(path)):
            yield Finding("error", loaded.where(key), f"{path} {problem}")
    for url, key in needed_urls(loaded.study).items():
        yield Finding("missing", loaded.where(key), f"weights will be fetched at first use from {url}")


def _teachers_classes(loaded: LoadedStudy, teacher: TeacherSection) -> Iterator[Finding]:
    """Compare the class names in a teacher's checkpoint with the dataset's."""
    if not isinstance(teacher, CheckpointTeacher | ZooTeacher):
        return
    key = "teacher.name" if isinstance(teacher, ZooTeacher) else "teacher.path"
    where = loaded.where(written_at(loaded.study, key))
    try:
        order = teacher_order(teacher, loaded.study.dataset)
    except OtherClasses as error:
        yield Finding("error", where, str(error))
        return
    if order is None and isinstance(teacher, CheckpointTeacher) and holds_dictionary(Path(teacher.path)):
        yield Finding(
            "note", where, "the checkpoint names no classes: they are taken to be the dataset's, in its order"
        )
    elif order is not None and order.differs:
        yield Finding("note", where, order.describe())


def _precision(loaded: LoadedStudy, granted: Resources) -> Iterator[Finding]:
    schedule = loaded.study.schedule
    if "fp16" in (schedule.precision, schedule.asks_in) and not granted.gpus_per_worker:
        where = loaded.where(f"schedule.{'precision' if schedule.precision == 'fp16' else 'teacher_precision'}")
        yield Finding("warning", where, "CPUs take many times as long in fp16: use bf16 or fp32 there")


def _room(loaded: LoadedStudy, granted: Resources, machine: Machine) -> Iterator[Finding]:
    if granted.concurrent:
        return
    has = f"{counted(machine.cpus, 'CPU')} and {counted(machine.gpus, 'GPU')}"
    yield Finding("missing", loaded.where("scaling"), f"one trial needs {wanted(granted)}; here: {has}")
