"""Name student, teacher, data and schedules in words, so that a report needs no study file beside it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.reports.card_settings import UNKNOWN, Named, detector_words, split_counts, start_words, teacher_words
from orchestrator.reports.schedule_words import schedule_words
from orchestrator.results.settings import searched_settings
from orchestrator.study.wording import counted
from trainers.schema import ShapesDataset, class_names
from trainers.schema.dataset import DatasetSpec


def study_facts(plan: Plan, counts: Mapping[str, Any] | None) -> list[Named]:
    """Return student, teacher, data, schedules and searched settings by name, each in words.

    ``counts`` are the images and boxes of the splits as a trial counted them when it read them, ``None`` where nobody has.
    """
    return [*_students(plan.students), *_teacher(plan), *_data(plan.study.dataset, counts), *_searched(plan)]


def _students(students: Sequence[PlannedTrial]) -> Iterator[Named]:
    """Yield detector and schedule of the students; several of either where a study compares them."""
    detectors = [f"{detector_words(trial.spec.student)}, from {start_words(trial.spec)}" for trial in students]
    yield "student", " | ".join(dict.fromkeys(detectors)) or "none"
    if students:
        yield "schedule", " | ".join(dict.fromkeys(schedule_words(trial.spec.schedule) for trial in students))


def _teacher(plan: Plan) -> Iterator[Named]:
    """Yield the teachers, and the schedules of those that are trained; several of either where a study compares them."""
    if plan.study.teacher is None and not plan.teachers:
        yield "teacher", "none"
        return
    found = [(trial, plan.planner.teachers.section_of(trial)) for trial in plan.teachers]
    words = [teacher_words(trial.spec.student, section, None) for trial, section in found]
    schedules = [schedule_words(trial.spec.schedule) for trial, section in found if section.kind == "train"]
    for name, texts in (("teacher", words), ("teacher's schedule", schedules)):
        if texts:
            yield name, " | ".join(dict.fromkeys(texts))


def _data(data: DatasetSpec, counts: Mapping[str, Any] | None) -> Iterator[Named]:
    width, height = data.image_size
    size = f"{counted(len(class_names(data)), 'class', 'classes')}, images of {width} x {height}"
    if isinstance(data, ShapesDataset):
        yield "data", f"drawn shapes, {size}; {data.train_images} images to train on, {data.val_images} to validate"
        return
    yield "data", f"{Path(data.root).name} ({data.kind}), {size}"
    found = dict(split_counts(counts)) if counts is not None else {}
    yield "training split", found.get("training", UNKNOWN)
    yield "validation split", found.get("validation", UNKNOWN)


def _searched(plan: Plan) -> Iterator[Named]:
    names = searched_settings(plan.study.search.space)
    if names:
        yield "searched", ", ".join(names)
