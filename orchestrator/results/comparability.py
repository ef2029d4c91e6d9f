"""Decide which trials may be ranked together: those that were trained and measured under the same conditions.

Trials are comparable when they agree in every fact: training data, evaluation set, schedule, global batch and teacher.
Settings of the schedule that a study searches on purpose (its learning rate, say) do not separate that study's trials;
its length and policy always do. Neither do the augmentation and the teacher that a study searches. A fact that nobody recorded is shared within one study only.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Generic, TypeVar

from orchestrator.results.settings import flatten
from orchestrator.results.trial import Trial
from trainers.schema.dataset import CocoDataset, VocDataset, YoloDataset
from trainers.schema.image_pipeline import LATER_KEYS

T = TypeVar("T", bound=Trial)
Settings = tuple[tuple[str, str], ...]
FACTS = ("data", "evaluation", "schedule", "batch", "teacher")
EVALUATION = (
    "dataset.kind", "dataset.val", "dataset.split", "dataset.classes", "dataset.image_size", "dataset.keep_ratio", "dataset.test_size",
    "dataset.pad_to_square",
)  # fmt: skip
NOT_DATA = ("dataset.root", "dataset.evaluator", "dataset.val", "dataset.test")
BATCH = "schedule.batch_size"
LENGTH = ("schedule.epochs", "schedule.iterations", "schedule.policy.", "schedule.closing_epochs")
UNKNOWN, NO_TEACHER = "not recorded in", (("teacher", "none"),)
SEVERAL = "several teachers of"
TRIAL_ID = re.compile(r"[0-9a-f]{12}")
TRAINED = re.compile(r"(?:^|/)trials/([0-9a-f]{12})/[^/]+$")


@dataclass
class Comparable(Generic[T]):
    """Hold trials that may be ranked together; ``facts`` are the settings that they agree in, by fact."""

    facts: Mapping[str, Settings]
    distilled: list[T] = field(default_factory=list)
    baselines: list[T] = field(default_factory=list)
    teachers: list[T] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Return a short name that is the same whenever the facts are."""
        return hashlib.sha256(repr(sorted(self.facts.items())).encode()).hexdigest()[:10]

    @property
    def members(self) -> list[T]:
        """Return all trials, teachers first."""
        return [*self.teachers, *self.baselines, *self.distilled]


def comparable_groups(trials: Sequence[T]) -> list[Comparable[T]]:
    """Return the groups, the one with most trials first; baselines stand in each group that differs in the teacher only."""
    groups: dict[tuple[Settings, ...], Comparable[T]] = {}
    for trial in trials:
        if is_distilled(trial):
            facts = facts_of(trial)
            groups.setdefault(tuple(facts.values()), Comparable(facts)).distilled.append(trial)
    _add_baselines(groups, [trial for trial in trials if is_baseline(trial)])
    _add_teachers(groups.values(), [trial for trial in trials if trial.role == "teacher"])
    return sorted(groups.values(), key=lambda group: (-len(group.distilled), group.id))


def is_distilled(trial: Trial) -> bool:
    """Return whether a trial is a distilled student; a run that names no method may be one."""
    return trial.role != "teacher" and trial.method != "none"


def is_baseline(trial: Trial) -> bool:
    """Return whether a trial is a student trained alone."""
    return trial.role != "teacher" and trial.method == "none"


def facts_of(trial: Trial) -> dict[str, Settings]:
    """Return the settings behind each fact; a fact without any names the study instead, which nobody else has."""
    params = {key: value for key, value in trial.settings.items() if _later_defaults().get(key) != value}
    searched = [key for key in trial.searched if not key.startswith(LENGTH)]
    found = {
        "data": {
            k: v
            for k, v in params.items()
            if k.startswith("dataset.") and not k.startswith(NOT_DATA) and not is_augmentation(k, trial.searched)
        },
        "evaluation": {k: v for k, v in params.items() if k.startswith(EVALUATION)},
        "schedule": {
            k: v for k, v in params.items() if k.startswith("schedule.") and k != BATCH and k not in searched
        },
        "batch": {k: v for k, v in params.items() if k == BATCH},
        "teacher": _teacher(trial),
    }  # fmt: skip
    if trial.data:
        found["data"]["digest"] = trial.data
    unknown = {UNKNOWN: trial.study}
    return {fact: tuple(sorted((settings or unknown).items())) for fact, settings in found.items()}


def is_augmentation(key: str, searched: Iterable[str]) -> bool:
    """Return whether a setting is of a part of the dataset's section that a study searches, such as ``dataset.multi_scale``."""
    parts = key.split(".")[:2]
    return parts[0] == "dataset" and any(name.split(".")[:2] == parts for name in searched)


def searches_teacher(trial: Trial) -> bool:
    """Return whether the trial's study has several teachers to choose among."""
    return any(name.split(".")[0] == "teacher" for name in trial.searched)


def teacher_trial(settings: Mapping[str, str]) -> str:
    """Return the trial of a student's teacher, empty where none is recorded."""
    match = TRAINED.search(settings.get("teacher.weights.path", ""))
    return settings.get("teacher.trial") or (match[1] if match else "")


def teacher_of(settings: Mapping[str, str]) -> str:
    """Return the identity of the teacher's weights: a trial's id or a file's name, empty without a teacher."""
    path = settings.get("teacher.weights.path", "")
    if match := TRAINED.search(path):
        return match[1]
    if path:
        return path.rpartition("/")[2]
    return "random weights" if any(key.startswith("teacher.detector.") for key in settings) else ""


def without_repeats(trials: Iterable[T]) -> list[T]:
    """Return trials with each id once: of runs that several studies hold of one trial, the one that is furthest."""
    found: dict[str, T] = {}
    for trial in sorted(trials, key=_progress, reverse=True):
        found.setdefault(trial.id, trial)
    chosen = set(map(id, found.values()))
    return [trial for trial in trials if id(trial) in chosen]


def _progress(trial: Trial) -> tuple[bool, int]:
    return trial.is_finished, trial.epoch or 0


def _teacher(trial: Trial) -> dict[str, str]:
    if trial.method == "none":
        return dict(NO_TEACHER)
    if searches_teacher(trial):
        return {SEVERAL: trial.study}
    detector = {key: value for key, value in trial.settings.items() if key.startswith("teacher.detector.")}
    return detector | {"teacher.weights": teacher_of(trial.settings)} if detector else {}


def _add_baselines(groups: dict[tuple[Settings, ...], Comparable[T]], baselines: Iterable[T]) -> None:
    """Add a student trained alone wherever all but the teacher agrees; where nothing does, it opens a group."""
    others = list(groups.values())
    for trial in baselines:
        facts = facts_of(trial)
        homes = [group for group in others if _agree_but_for_teacher(group.facts, facts)]
        for group in homes or [groups.setdefault(tuple(facts.values()), Comparable(facts))]:
            group.baselines.append(trial)


def _agree_but_for_teacher(one: Mapping[str, Settings], other: Mapping[str, Settings]) -> bool:
    return all(one[fact] == other[fact] for fact in FACTS if fact != "teacher")


def _add_teachers(groups: Iterable[Comparable[T]], teachers: Sequence[T]) -> None:
    """Add the trial that made a group's teacher; public weights name no trial, their evaluation is of the same study."""
    by_id = {teacher.id: teacher for teacher in teachers}
    by_study = {teacher.study: teacher for teacher in teachers}
    for group in groups:
        wanted = dict.fromkeys(
            (teacher_trial(trial.settings) or teacher_of(trial.settings), trial.study) for trial in group.distilled
        )
        found = [
            by_id.get(name, None if TRIAL_ID.fullmatch(name) else by_study.get(study)) for name, study in wanted if name
        ]
        group.teachers += without_repeats([teacher for teacher in found if teacher is not None])


@cache
def _later_defaults() -> dict[str, str]:
    """Return the defaults of settings that older releases did not record: absent and default are the same setting."""
    fields = {
        name: field for kind in (CocoDataset, VocDataset, YoloDataset) for name, field in kind.model_fields.items()
    }
    defaults = {key: fields[key].default for key in LATER_KEYS if key in fields}
    return {name: text for key, value in defaults.items() for name, text in flatten(f"dataset.{key}", value)}
